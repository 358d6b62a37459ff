"""``validator history`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from values import L4_HOST, cell, environment, result, run_info

from validator.base.errors import NothingSelectedError, StoreError
from validator.cli import cli
from validator.model import Status
from validator.results import Store


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def asked(*args: str) -> Result:
    return CliRunner().invoke(cli, ["history", *args], env={"COLUMNS": "80"})


def run(run_id: str, **results: Status) -> None:
    store = Store(Path(".validator"))
    cells = [cell(environment(name)) for name in results]
    store.begin_run(run_info(run_id), L4_HOST, cells)
    store.keep_all([result(status, environment(name)) for name, status in results.items()])
    store.finish_run(run_info(run_id))
    store.close()


def test_every_run_of_the_cells_that_match_the_newest_first() -> None:
    run("run-1", one=Status.PASS, two=Status.PASS)
    run("run-2", one=Status.FAIL)
    lines = asked("one@*").stdout.splitlines()
    assert lines[0] == "one@host"
    assert [line.split()[2:4] for line in lines[2:]] == [["run-2", "fail"], ["run-1", "pass"]]
    assert [each["cell"] for each in json.loads(asked("*", "--format", "json").stdout)] == ["one@host", "two@host"]


def test_a_cell_that_no_run_had_ends_with_what_it_may_have_been_meant_for() -> None:
    run("run-1", **{f"torch{number}": Status.PASS for number in range(12)})
    done = asked("torch1@hots")
    assert isinstance(done.exception, NothingSelectedError)
    assert "no run in .validator had a cell 'torch1@hots'; did you mean 'torch1@host'?" in done.exception.what
    assert done.exception.why.endswith("torch7@host …")
    assert done.exception.exit_code == 5


def test_a_history_without_a_cell() -> None:
    run("run-1")
    done = asked("*")
    assert isinstance(done.exception, NothingSelectedError)
    assert done.exception.what == "no run in .validator had any cell"
    assert done.exception.hint == "`validator run` first, or give --out"


def test_without_a_history_there_is_nothing_to_ask_and_none_is_made() -> None:
    done = asked("*", "--out", "nowhere")
    assert isinstance(done.exception, StoreError)
    assert not Path("nowhere").exists()
