"""``validator clean``: removes what is ours, and only that."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from docker.errors import APIError, NotFound
from values import L4_HOST, run_info

from validator.base.errors import EngineUnavailableError
from validator.cli import cli
from validator.model import EngineInfo
from validator.results import Store
from validator.results.locks import share_folder
from validator.runners import labels
from validator.runners.docker import once_each
from validator.runners.docker.images import use_of
from validator.runners.local.venvs import default_root


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder that holds something of the user's too, on a machine without an engine."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    folder = tmp_path / "out"
    Store(folder).begin_run(run_info("run-1"), L4_HOST, [])
    (folder / "runs" / "experiment").mkdir(parents=True)
    (folder / "runs" / "experiment" / "events").write_text("mine too", encoding="utf-8")
    (folder / "runs" / "run-1").mkdir()
    (folder / "thesis.txt").write_text("mine", encoding="utf-8")
    return folder


def test_it_only_lists_without_yes(results: Path) -> None:
    done = CliRunner().invoke(cli, ["clean", "--results", "--out", str(results)])
    assert done.exit_code == 0
    assert "would remove" in done.output
    assert (results / "runs").is_dir()


def test_results_go_and_what_else_is_in_the_folder_stays(results: Path) -> None:
    done = CliRunner().invoke(cli, ["clean", "--results", "--yes", "--out", str(results)])
    assert done.exit_code == 0
    assert (results / "thesis.txt").read_text(encoding="utf-8") == "mine"
    assert (results / "runs" / "experiment" / "events").exists()
    assert not (results / "runs" / "run-1").exists()
    assert not list(results.glob("*.sqlite3*"))


def test_a_folder_that_holds_no_history_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    done = CliRunner().invoke(cli, ["clean", "--results", "--yes", "--out", str(tmp_path)])
    assert "nothing to remove" in done.output
    assert (tmp_path / "runs").is_dir()


def test_without_an_engine_all_still_removes_the_rest_and_says_what_was_not_looked_at(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(results / "cache"))
    done = CliRunner().invoke(cli, ["clean", "--all", "--yes", "--out", str(results)])
    assert done.exit_code == 0
    assert "were not looked at" in done.output
    assert not (results / "runs" / "run-1").exists()


def test_a_folder_with_nothing_else_in_it_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    Store(folder).begin_run(run_info("run-1"), L4_HOST, [])
    CliRunner().invoke(cli, ["clean", "--results", "--yes", "--out", str(folder)])
    assert not folder.exists()


# ---------------------------------------------------------------- in the engine


DEAD = f"{socket.gethostname()}:999999999"


def container(name: str, owner: str = DEAD) -> dict[str, Any]:
    found = {labels.RUN: "run-1", labels.OWNER: owner}
    return {"Names": [f"/{name}"], "Status": "a status", "State": "created", "Id": name, "Labels": found, "Created": 0}


class Engine:
    """An engine with two containers, one of them in use, and an image."""

    def __init__(self, refuses: Callable[[], Exception] | None = None) -> None:
        self.refuses = refuses
        self.removed: list[str] = []
        self.closed = False

    def containers(self, **_: object) -> list[dict[str, Any]]:
        return [container("old"), container("busy", labels.owner())]

    def images(self, **_: object) -> list[dict[str, Any]]:
        image = {"Id": "built", "RepoTags": ["validator/a:1"], "Size": 1 << 30, "Labels": {labels.BUILT: "a"}, "Created": 0}
        return [] if "built" in self.removed else [image]

    def remove_container(self, container: str, **_: object) -> None:
        if self.refuses:
            raise self.refuses()
        self.removed.append(container)

    def remove_image(self, image: str, **_: object) -> None:
        self.removed.append(image)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks and environments of the user are left alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def clean(engine: Engine, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    monkeypatch.setattr("validator.runners.docker.engine.connect", lambda: (engine, EngineInfo("docker")))
    done = CliRunner().invoke(cli, ["clean", *options])
    assert engine.closed
    return done


@pytest.mark.parametrize("options", [[], ["--containers"]])
def test_containers_are_meant_where_nothing_is_said_and_what_is_in_use_is_left(
    monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    engine = Engine()
    listed = clean(engine, monkeypatch, *options)
    assert listed.stdout == "would remove container old (a status)\n\nadd --yes to remove them\n"
    assert engine.removed == []
    done = clean(engine, monkeypatch, *options, "--yes")
    assert done.stdout == "removed container old (a status)\n"
    assert done.stderr == "left alone, its run is still going: container busy (a status)\n"
    assert (done.exit_code, engine.removed) == (0, ["old"])


def test_images_go_only_where_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    assert clean(engine, monkeypatch, "--images", "-y").stdout == "removed image validator/a:1 (1.0 GiB)\n"
    assert engine.removed == ["built"]
    assert clean(engine, monkeypatch, "--images", "-y").stdout == "nothing to remove\n"


@pytest.mark.parametrize("options", [[], ["--yes"]])
def test_an_image_that_a_run_uses_stays(monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    engine = Engine()
    used = once_each.in_use(use_of("built"))
    assert used is not None
    with used:
        done = clean(engine, monkeypatch, "--images", *options)
    assert done.stderr == "left alone, a run uses it: image validator/a:1 (1.0 GiB)\n"
    assert (done.stdout, done.exit_code, engine.removed) == ("nothing to remove but what is in use\n", 0, [])


def test_no_run_can_begin_to_use_an_image_while_it_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    begun = []
    monkeypatch.setattr(engine, "remove_image", lambda image, **_: begun.append(once_each.in_use(use_of(image))))
    assert clean(engine, monkeypatch, "--images", "--yes").exit_code == 0
    assert begun == [None]


def test_all_is_everything_of_ours(monkeypatch: pytest.MonkeyPatch, results: Path) -> None:
    (default_root() / "venv").mkdir(parents=True)
    engine = Engine()
    done = clean(engine, monkeypatch, "--all", "--yes", "--out", str(results))
    assert engine.removed == ["old", "built"]
    assert not (default_root() / "venv").exists()
    assert not list(results.glob("*.sqlite3*"))
    assert [line.split()[1] for line in done.stdout.splitlines()][:3] == ["container", "image", "folder"]


def test_what_cannot_be_removed_is_said_and_the_rest_goes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(lambda: APIError("no", explanation="it is stuck"))
    done = clean(engine, monkeypatch, "--containers", "--images", "--yes")
    assert "not removed: container old (a status): it is stuck" in done.stderr
    assert done.stdout == "removed image validator/a:1 (1.0 GiB)\n"
    assert done.exit_code == 4


def test_where_nothing_could_be_removed_it_is_not_said_that_nothing_was_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    done = clean(Engine(lambda: APIError("no", explanation="it is stuck")), monkeypatch, "--yes")
    assert "not removed: container old" in done.stderr
    assert (done.stdout, done.exit_code) == ("", 4)


def refused(status: int) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError("refused", response=response)


@pytest.mark.parametrize("error", [lambda: NotFound("gone"), lambda: refused(404), lambda: refused(409)])
def test_what_another_process_has_removed_is_neither_removed_nor_a_failure(
    monkeypatch: pytest.MonkeyPatch, error: Callable[[], APIError]
) -> None:
    done = clean(Engine(error), monkeypatch, "--yes")
    assert (done.stdout, done.exit_code) == ("nothing to remove but what is in use\n", 0)


def test_an_engine_that_alone_was_asked_for_must_answer(results: Path) -> None:
    for option in ("--containers", "--images"):
        done = CliRunner().invoke(cli, ["clean", option, "--results", "--out", str(results)])
        assert isinstance(done.exception, EngineUnavailableError)


# ---------------------------------------------------------------- what runs of this machine use


def test_environments_of_the_local_runner_go_where_they_are_named() -> None:
    for name in ("a", "b", "b.partial"):
        (default_root() / name / "bin").mkdir(parents=True)
    listed = CliRunner().invoke(cli, ["clean", "--environments"])
    assert listed.stdout.splitlines()[:3] == [f"would remove folder {default_root() / name}" for name in ("a", "b", "b.partial")]
    done = CliRunner().invoke(cli, ["clean", "--environments", "--yes"])
    assert done.stdout.splitlines() == [f"removed folder {default_root() / name}" for name in ("a", "b", "b.partial")]
    assert [path.name for path in default_root().iterdir() if path.is_dir()] == []
    assert CliRunner().invoke(cli, ["clean", "--environments", "--yes"]).stdout == "nothing to remove\n"


#: A process that holds locks until its stdin ends.
HOLDS = """
import fcntl, sys
from pathlib import Path
from validator.runners.local.uses import use
root = Path(sys.argv[1])
use(root / "used")
file = (root / "made.lock").open("ab")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
input()
"""


def test_environments_that_another_process_makes_or_uses_stay() -> None:
    for name in ("free", "made.partial", "used"):
        (default_root() / name).mkdir(parents=True)
    command = [sys.executable, "-c", HOLDS, str(default_root())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        done = CliRunner().invoke(cli, ["clean", "--environments", "--yes"])
        other.kill()
    assert done.stdout == f"removed folder {default_root() / 'free'}\n"
    assert done.stderr.splitlines() == [
        f"left alone, a run makes or uses it: folder {default_root() / name}" for name in ("made.partial", "used")
    ]
    assert done.exit_code == 0
    CliRunner().invoke(cli, ["clean", "--environments", "--yes"])
    assert [path.name for path in default_root().iterdir() if path.is_dir()] == [], "a dead process uses nothing"


@pytest.mark.parametrize("options", [[], ["--yes"]])
def test_results_that_a_run_writes_stay(results: Path, options: list[str]) -> None:
    held = share_folder(results)
    done = CliRunner().invoke(cli, ["clean", "--results", *options, "--out", str(results)])
    held.release()
    assert done.stderr == f"left alone, a run writes there: results in {results}\n"
    assert (done.stdout, done.exit_code) == ("nothing to remove but what is in use\n", 0)
    assert (results / "runs" / "run-1").exists()
