"""Imports go downward, and the command line starts without what only some commands need."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from validator.cli import cli

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Every command's module: `--help` and completion import one each.
COMMANDS = ", ".join(f"validator.cli.{name}" for name in cli.list_commands(click.Context(cli)))
CHECKOUT = Path(__file__).resolve().parents[3]


def test_the_import_contracts_of_pyproject_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.fail("lint-imports is missing: install the package with its `test` extra")
    done = subprocess.run([str(lint), "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def storeys() -> list[set[str]]:
    """The storeys of the import contract, from the top."""
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    house = next(each for each in contracts if each.get("containers") == ["validator"])
    return [{room.strip() for room in layer.split("|")} for layer in house["layers"]]


def test_the_picture_in_the_docs_is_the_contract() -> None:
    page = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = page.split("## The house", 1)[1].split("```")[1]
    drawn = []
    for line in block.strip().splitlines():
        number, words = line.split()[0], line[:35].split()[1:]
        assert int(number) == len(storeys()) - len(drawn)
        drawn.append(set(words))
    assert drawn == storeys()


def test_every_room_is_in_the_table_of_the_docs_and_has_a_door_of_its_own() -> None:
    page = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE)
    assert sorted(listed) == sorted(room for storey in storeys() for room in storey)
    for room in listed:
        assert (CHECKOUT / "validator" / room / "__init__.py").read_text(encoding="utf-8").startswith('"""')


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("validator.cli", ["docker", "pydantic", "rich", "pynvml", "uv", "requests"]),
        (COMMANDS, ["docker", "pydantic", "rich", "pynvml", "uv", "requests"]),
        ("validator.cli.check", ["validator.runners", "validator.host", "validator.matrix", "validator.diagnose", "yaml"]),
        ("validator.run.execution", ["docker", "pynvml", "uv", "requests"]),
        ("validator.runners", ["docker", "requests", "validator.runners.docker.runner", "validator.runners.local.runner"]),
        ("validator.runners.local.runner", ["docker", "requests"]),
    ],
)
def test_importing_stays_light(module: str, heavy: list[str]) -> None:
    program = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert not set(heavy) & set(json.loads(done.stdout))


def test_torch_is_no_dependency_of_the_host_side() -> None:
    program = (
        "import sys, pkgutil, importlib, validator\n"
        "for found in pkgutil.walk_packages(validator.__path__, 'validator.'):\n"
        "    if not found.name.startswith('validator.probe.') and found.name != 'validator.__main__':\n"
        "        importlib.import_module(found.name)\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
