"""A history of every layout that was ever written is read, and written on; one of a newer validator is refused."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from values import BARE_HOST, L4_HOST, cell, environment, result, run_info

from validator.base.errors import StoreError
from validator.model import CellResult, Status
from validator.results import Store
from validator.results.layout import LAYOUT
from validator.results.rows import State
from validator.results.store import own_paths

#: Made by the code that wrote layout 1: a finished run with every status, one ended by Ctrl-C, one killed in its second cell.
LAYOUT_1 = Path(__file__).parent / "data" / "history-layout-1.sqlite3"
FINISHED, INTERRUPTED, KILLED = "20261124T120000Z-a1b2c3", "20261125T120000Z-b2c3d4", "20261126T120000Z-c3d4e5"


@pytest.fixture(name="folder")
def folder_of_layout_1(tmp_path: Path) -> Path:
    shutil.copy(LAYOUT_1, tmp_path / "validator.sqlite3")
    return tmp_path


def layout_of(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "validator.sqlite3")) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def changed(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "validator.sqlite3")) as database, database:
        for statement in statements:
            database.execute(statement)


def statuses(cells: tuple[CellResult, ...]) -> list[str]:
    return [each.status.value for each in cells]


@pytest.mark.parametrize("written_on", [False, True])
def test_every_run_of_layout_1_is_read(folder: Path, written_on: bool) -> None:
    store = Store(folder, create=written_on)
    finished, interrupted, killed = (store.load_report(run) for run in (FINISHED, INTERRUPTED, KILLED))
    then = replace(L4_HOST, engine=replace(L4_HOST.engine, components=()))  # what an older validator did not ask for
    assert (finished.run, finished.host) == (run_info(FINISHED), then)
    assert statuses(finished.cells) == ["fail", "pass", "degraded", "error", "skip"]
    assert finished.cells[0].log_tail == "last words"
    assert (interrupted.host, interrupted.run.interrupted, killed.run.interrupted) == (BARE_HOST, True, True)
    assert [each.reason for each in interrupted.cells] == [
        "trains: fp32",
        "the run was interrupted during this cell",
        "the run was interrupted before this cell",
    ]
    assert [each.reason for each in killed.cells] == [
        "trains: fp32",
        "no result is recorded: the run died during this cell, or is still in it",
        "no result is recorded: the run died before this cell, or has not come to it yet",
    ]
    assert layout_of(folder) == (LAYOUT if written_on else 1)


def test_whoever_only_reads_a_history_of_layout_1_leaves_it_to_older_validators(folder: Path) -> None:
    before = (folder / "validator.sqlite3").read_bytes()
    store = Store(folder, create=False)
    store.load_report()
    store.history("*")
    own_paths(folder, [])
    assert (folder / "validator.sqlite3").read_bytes() == before


def test_what_layout_1_did_not_say_follows_from_its_results(folder: Path) -> None:
    history = Store(folder).history("*")
    assert [(entry.run, entry.state, entry.status, entry.seconds) for entry in history["one@host"]] == [
        (KILLED, State.DONE, Status.PASS, 3.5),
        (INTERRUPTED, State.DONE, Status.PASS, 3.5),
    ]
    assert [(entry.state, entry.status) for entry in history["two@host"]] == [(State.PLANNED, None)] * 2
    [failed] = history["torch2.7.1-cu126@host"]
    assert (failed.causes, failed.at, failed.matrix) == (("sm-missing",), "2026-11-24T12:00:00+00:00", "matrix.yaml")
    [skipped] = history["gone@t4-535"]
    assert (skipped.state, skipped.status) == (State.DONE, Status.SKIP)


def test_a_run_of_layout_1_is_taken_up_again(folder: Path) -> None:
    store = Store(folder)
    for matrix, run in (("matrix.yaml", INTERRUPTED), ("other.yaml", KILLED)):
        found = store.unfinished(None, matrix)
        assert found is not None
        assert (found.run.id, list(found.results), found.intents) == (run, ["one@host"], {})
    cells = [cell(environment(name, torch="2.7.1")) for name in ("one", "two", "three")]
    store.resume_run(KILLED, cells)
    for name in ("two", "three"):
        store.keep(result(env=name))
    store.finish_run(run_info(KILLED, matrix="other.yaml"))
    store.close()
    assert statuses(store.load_report(KILLED).cells) == ["pass"] * 3
    assert len(store.history("two@host")["two@host"]) == 2


def test_the_results_of_layout_1_have_their_place_among_those_of_newer_runs(folder: Path) -> None:
    store = Store(folder)
    ids = ["one@host", "two@host", "torch2.7.1-cu126@host", "conda@host"]
    found = store.newest("matrix.yaml", ids)
    assert [each.id for each in found.results] == ids
    assert statuses(found.results) == ["pass", "skip", "fail", "degraded"]
    assert [each.origin.run if each.origin else None for each in found.results] == [None, None, FINISHED, FINISHED]
    assert store.last_failures("matrix.yaml") == {"torch2.7.1-cu126@host", "gone@host"}
    assert store.durations("other.yaml").cells == {"one@host": 2.5}
    assert store.reusable(["", "x"]) == {}


def test_the_same_definition_is_the_same_whichever_layout_it_was_written_in(folder: Path) -> None:
    """So that a new prediction does not take the place of an old measurement."""
    store = Store(folder)
    one = environment("one", torch="2.7.1")
    store.begin_run(run_info("new", runner="local"), BARE_HOST, [cell(one)])
    store.keep(result(Status.SKIP, one))
    [shown] = store.newest("matrix.yaml", ["one@host"]).results
    assert (shown.status, shown.origin and shown.origin.run) == (Status.PASS, INTERRUPTED)


def test_a_killed_migration_leaves_the_old_layout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE cells")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("validator.results.layout._STEPS", (dies,))
        with pytest.raises(KeyboardInterrupt):
            Store(folder)
    assert layout_of(folder) == 1
    assert len(Store(folder).load_report(FINISHED).cells) == 5


def test_a_history_that_was_being_made_when_its_run_died(folder: Path) -> None:
    """The code of layout 1 made the tables first and said the layout afterwards."""
    changed(folder, "PRAGMA user_version = 0")
    assert len(Store(folder).load_report(FINISHED).cells) == 5
    (folder / "validator.sqlite3").write_bytes(b"")
    with pytest.raises(StoreError, match="no run is recorded"):
        Store(folder, create=False).load_report()
    assert Store(folder).cell_ids() == []


@pytest.mark.parametrize("layout", [-1, LAYOUT + 1, 2**31 - 1])
@pytest.mark.parametrize("create", [True, False])
def test_a_layout_that_this_validator_does_not_know_is_left_alone(folder: Path, layout: int, create: bool) -> None:
    changed(folder, f"PRAGMA user_version = {layout}")
    before = (folder / "validator.sqlite3").read_bytes()
    with pytest.raises(StoreError, match="newer validator" if layout > 0 else "damaged"):
        Store(folder, create=create).load_report()
    assert (folder / "validator.sqlite3").read_bytes() == before


_NO_TEXT = ["x'ff00'", "CAST(x'ff' AS TEXT)"]
_NO_JSON = ["'{\"id\": 1}'", "7", "'{'", "'[[[[1e999]]]]'", *_NO_TEXT]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("run", value) for value in _NO_JSON),
        *(("host", value) for value in _NO_JSON),
        *(("tool_version", value) for value in _NO_TEXT),
        *(("finished", value) for value in ["'yes'", *_NO_TEXT]),
    ],
)
def test_what_is_damaged_in_layout_1_is_said_by_whoever_reads_it(folder: Path, column: str, value: str) -> None:
    changed(folder, f"UPDATE runs SET {column} = {value}")  # noqa: S608
    with pytest.raises(StoreError, match="damaged"):
        Store(folder).load_report(FINISHED)


def test_hostile_results_of_layout_1_do_not_keep_the_rest_from_being_used(folder: Path) -> None:
    hostile = [
        "'{'",
        "'[]'",
        """'{"status": ["pass"], "findings": [1, {"cause": 2}], "seconds": {"total": 1e400}}'""",
        """'{"environment": {"digest": 7}, "seconds": {"total": 1%s}}'""" % ("0" * 400),
    ]
    for number, value in enumerate(hostile):
        changed(folder, f"UPDATE cells SET result = {value} WHERE run = '{FINISHED}' AND position = {number}")  # noqa: S608
    store = Store(folder)
    with pytest.raises(StoreError, match="damaged"):
        store.load_report(FINISHED)
    assert statuses(store.load_report(INTERRUPTED).cells) == ["pass", "skip", "skip"]
