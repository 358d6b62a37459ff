"""``validator clean``: removes what is ours, and only that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from docker.errors import APIError, NotFound
from values import L4_HOST, run_info

from validator.base.errors import EngineUnavailableError
from validator.cli import cli
from validator.model import EngineInfo
from validator.results import Store
from validator.runners import labels


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


def container(name: str, *, state: str = "exited") -> dict[str, Any]:
    return {"Names": [f"/{name}"], "Status": "a status", "State": state, "Id": name, "Labels": {labels.OWNER: labels.owner()}}


class Engine:
    """An engine with two containers, one of them in use, and an image."""

    def __init__(self, refuses: Callable[[], Exception] | None = None) -> None:
        self.refuses = refuses
        self.removed: list[str] = []
        self.closed = False

    def containers(self, **_: object) -> list[dict[str, Any]]:
        return [container("old"), container("busy", state="running")]

    def images(self, **_: object) -> list[dict[str, Any]]:
        return [{"Id": "built", "RepoTags": ["validator/a:1"], "Size": 1 << 30}]

    def remove_container(self, container: str, **_: object) -> None:
        if self.refuses:
            raise self.refuses()
        self.removed.append(container)

    def remove_image(self, image: str, **_: object) -> None:
        self.removed.append(image)

    def close(self) -> None:
        self.closed = True


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


def test_all_is_everything_of_ours(monkeypatch: pytest.MonkeyPatch, results: Path) -> None:
    from validator.runners.local.venvs import default_root

    monkeypatch.setenv("XDG_CACHE_HOME", str(results / "cache"))
    default_root().mkdir(parents=True)
    engine = Engine()
    done = clean(engine, monkeypatch, "--all", "--yes", "--out", str(results))
    assert engine.removed == ["old", "built"]
    assert not default_root().exists()
    assert not list(results.glob("*.sqlite3*"))
    assert [line.split()[1] for line in done.stdout.splitlines()][:3] == ["container", "image", "folder"]


def test_what_cannot_be_removed_is_said_and_the_rest_goes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(lambda: APIError("no", explanation="it is stuck"))
    done = clean(engine, monkeypatch, "--containers", "--images", "--yes")
    assert "not removed: container old (a status): it is stuck" in done.stderr
    assert done.stdout == "removed image validator/a:1 (1.0 GiB)\n"
    assert done.exit_code == 4


def test_what_is_gone_meanwhile_is_neither_removed_nor_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    done = clean(Engine(lambda: NotFound("gone")), monkeypatch, "--yes")
    assert (done.stdout, done.exit_code) == ("nothing to remove\n", 0)


def test_an_engine_that_alone_was_asked_for_must_answer(results: Path) -> None:
    for option in ("--containers", "--images"):
        done = CliRunner().invoke(cli, ["clean", option, "--results", "--out", str(results)])
        assert isinstance(done.exception, EngineUnavailableError)


def test_environments_of_the_local_runner_go_where_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from validator.runners.local.venvs import default_root

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (default_root() / "venv").mkdir(parents=True)
    assert tmp_path in default_root().parents
    done = CliRunner().invoke(cli, ["clean", "--environments", "--yes"])
    assert done.stdout == f"removed folder {default_root()}\n"
    assert not default_root().exists()
