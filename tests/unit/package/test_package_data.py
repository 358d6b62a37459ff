"""The wheel, installed into a fresh virtual environment and used from an empty folder: nothing stayed behind in the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from validator.cli import cli

COMMANDS = cli.list_commands(click.Context(cli))
CHECKOUT = Path(__file__).resolve().parents[3]
#: What pip says when an index, and not the package, is the trouble.
_NOT_TO_BE_HAD = re.compile(r"No matching distribution found for|Failed to establish a new connection|Read timed out")


@dataclass(frozen=True)
class Installed:
    wheel: Path
    bin: Path
    empty: Path

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        # PYTHONPATH could bring the checkout back in; a dead engine keeps the answer the same on every machine.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environ["DOCKER_HOST"] = f"unix://{self.empty}/no.sock"
        command = [str(self.bin / argv[0]), *argv[1:]]
        return subprocess.run(command, cwd=self.empty, env=environ, capture_output=True, text=True, timeout=120, check=False)

    def evaluate(self, expression: str) -> object:
        imports = "import json; from validator import probe_host; from validator.base import resources"
        program = f"{imports}; print(json.dumps({expression}))"
        done = self.run("python", "-I", "-c", program)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def _pip(python: Path, *args: str) -> None:
    argv = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *args]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode and _NOT_TO_BE_HAD.search(done.stderr):
        pytest.skip(f"the package index does not serve what the wheel needs: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, capture_output=True, timeout=120)
    python = folder / "venv" / "bin" / "python"
    _pip(python, "wheel", "--no-deps", "--wheel-dir", str(folder), str(CHECKOUT))
    (wheel,) = folder.glob("*.whl")
    _pip(python, "install", str(wheel))
    (folder / "empty").mkdir()
    return Installed(wheel, python.parent, folder / "empty")


def test_the_wheel_holds_the_package_and_nothing_else(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"validator", "torch_matrix_validator"}
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_every_file_of_the_package_is_in_the_wheel(installed: Installed) -> None:
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    tracked = [path for path in (CHECKOUT / "validator").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.relative_to(CHECKOUT).as_posix() for path in tracked} - names == set()


def test_it_is_the_installed_package_that_runs(installed: Installed) -> None:
    folder = Path(str(installed.evaluate("str(resources.PACKAGE)")))
    assert installed.bin.parent in folder.parents


def test_the_help_names_every_command(installed: Installed) -> None:
    done = installed.run("validator", "--help")
    assert done.returncode == 0, done.stderr
    listed = re.findall(r"^  ([a-z]+)  ", done.stdout[done.stdout.index("\nCommands:") :], re.MULTILINE)
    assert listed == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(installed: Installed, command: str) -> None:
    done = installed.run("validator", command, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: validator {command} ")


def test_python_dash_m_is_the_same_command(installed: Installed) -> None:
    done = installed.run("python", "-m", "validator", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout == installed.run("validator", "--version").stdout


def test_the_shipped_matrix_is_planned_where_there_is_none(installed: Installed) -> None:
    done = installed.run("validator", "plan", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert "matrix.yaml" in done.stderr  # a note says that it is the shipped one


def test_the_schema_is_there_and_is_a_schema(installed: Installed) -> None:
    done = installed.run("validator", "schema")
    assert done.returncode == 0, done.stderr
    assert {"environments", "targets", "limits"} <= set(json.loads(done.stdout)["properties"])


def test_the_probe_is_packed_from_the_installed_files(installed: Installed) -> None:
    here = {path.relative_to(CHECKOUT / "validator/probe").as_posix() for path in (CHECKOUT / "validator/probe").rglob("*.py")}
    packed = installed.evaluate("__import__('zipfile').ZipFile(__import__('io').BytesIO(probe_host.pack())).namelist()")
    assert isinstance(packed, list)
    assert {f"validator_probe/{name}" for name in here} | {"__main__.py"} == set(packed)
    assert len(here) > 1


@pytest.mark.parametrize("name", ["matrix.yaml", "images/wheel/Dockerfile"])
def test_what_a_user_starts_from_is_shipped_unchanged(installed: Installed, name: str) -> None:
    assert installed.evaluate(f"(resources.shipped_folder() / {name!r}).read_text()") == (CHECKOUT / name).read_text()


def test_a_user_starts_in_an_empty_folder(installed: Installed) -> None:
    done = installed.run("validator", "init", "mine")
    assert done.returncode == 0, done.stderr
    assert (installed.empty / "mine/matrix.yaml").is_file()
    assert (installed.empty / "mine/images/wheel/Dockerfile").is_file()


def test_a_second_start_overwrites_nothing(installed: Installed) -> None:
    assert installed.run("validator", "init", "edited").returncode == 0
    matrix = installed.empty / "edited/matrix.yaml"
    matrix.write_text("version: 1  # mine\n")
    again = installed.run("validator", "init", "edited")
    assert again.returncode not in (0, 1)  # 1 would say that an environment failed
    assert "exists already" in again.stderr
    assert matrix.read_text() == "version: 1  # mine\n"
