"""``validator clean``: removes what is ours, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from values import L4_HOST, run_info

from validator.cli import cli
from validator.results import Store


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
