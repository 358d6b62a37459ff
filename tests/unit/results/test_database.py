"""The file of the history under everything that can happen to it: damage, no room, other processes, read-only places."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from values import L4_HOST, cell, environment, result, run_info

from validator.base.errors import StoreError, StoreFullError
from validator.model import Cell, CellResult, Intent, Status
from validator.results import Store
from validator.results.database import Database
from validator.results.store import own_paths

TESTS = Path(__file__).parents[2]
NAME = "validator.sqlite3"
IDS = [f"e{number}@host" for number in range(12)]


def one(id_: str, **fields: Any) -> CellResult:
    return result(env=environment(id_.partition("@")[0], torch="2.7.1"), log_tail="x" * 500, **fields)


def planned(*ids: str) -> list[Cell]:
    return [cell(one(id_).environment) for id_ in ids]


def filled(folder: Path) -> Store:
    """A finished run, and one that is going, with a value in every column of every table."""
    store = Store(folder)
    store.begin_run(run_info("run-1"), L4_HOST, planned(*IDS))
    store.keep_all([one(id_, digest="sha256:1") for id_ in IDS], {id_: f"key of {id_}" for id_ in IDS})
    store.finish_run(run_info("run-1"))
    store.begin_run(run_info("run-2"), L4_HOST, planned(*IDS))
    store.intend(Intent(IDS[0], "name", "nonce", 1))
    store.keep(one(IDS[1]), "key")
    store.close()
    store.resume_run("run-2", planned(*IDS), replace(L4_HOST, id="another"))
    return store


@pytest.fixture(name="history", scope="module")
def history_to_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    filled(folder).close()
    return folder


@pytest.fixture(name="memory")
def folder_in_memory() -> Iterator[Path]:
    """Where a thousand writes need not wait for a disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(name="folder")
def copied_folder(history: Path, tmp_path: Path) -> Path:
    shutil.copytree(history, tmp_path / "out")
    return tmp_path / "out"


def write_to(folder: Path) -> None:
    store = Store(folder)
    try:
        store.begin_run(run_info("new"), L4_HOST, planned(IDS[0]))
        store.keep(one(IDS[0]))
        store.finish_run(run_info("new"))
    finally:
        store.close()


def take_up(folder: Path) -> None:
    store = Store(folder)
    try:
        if found := store.unfinished(None, "matrix.yaml"):
            store.resume_run(found.run.id, planned(IDS[0]))
    finally:
        store.close()


#: Everything that is ever done with a history.
USES: dict[str, Callable[[Path], object]] = {
    "report": lambda folder: Store(folder, create=False).load_report(),
    "report of a run": lambda folder: Store(folder, create=False).load_report("run-1"),
    "history": lambda folder: Store(folder, create=False).history("*"),
    "newest": lambda folder: Store(folder, create=False).newest("matrix.yaml", IDS),
    "reusable": lambda folder: Store(folder, create=False).reusable([f"key of {id_}" for id_ in IDS]),
    "unfinished": lambda folder: Store(folder, create=False).unfinished(None, "matrix.yaml"),
    "durations": lambda folder: Store(folder, create=False).durations("matrix.yaml"),
    "failures": lambda folder: Store(folder, create=False).last_failures("matrix.yaml"),
    "what is ours": lambda folder: own_paths(folder, ["results.json"]),
    "write": write_to,
    "take up": take_up,
}


def use(folder: Path) -> dict[str, StoreError]:
    """Do everything; what did not work, by its name. Anything but StoreError fails the test."""
    failed = {}
    for name, action in USES.items():
        try:
            action(folder)
        except StoreError as error:
            failed[name] = error
    for error in failed.values():
        assert str(folder) in error.what, error
        assert error.hint, error
    return failed


def changed(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / NAME)) as database, database:
        for statement in statements:
            database.execute(statement)


# ---------------------------------------------------------------- damage


def test_without_damage_everything_works(folder: Path) -> None:
    assert use(folder) == {}


def test_a_history_cut_off_at_any_page_is_damaged_and_says_so(history: Path, memory: Path) -> None:
    whole = (history / NAME).read_bytes()
    for end in range(4096, len(whole), 4096):
        folder = memory / str(end)
        folder.mkdir()
        (folder / NAME).write_bytes(whole[:end])
        failed = use(folder)
        assert set(failed) == set(USES), end
        for error in failed.values():
            assert "is damaged" in error.what
            assert f"move {NAME} away" in error.hint
        assert (folder / NAME).read_bytes() == whole[:end]


def test_a_history_cut_off_anywhere_never_ends_as_a_defect(history: Path, memory: Path) -> None:
    whole = (history / NAME).read_bytes()
    chance = random.Random(1)  # noqa: S311
    for end in [0, 1, 15, 16, 99, 100, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(20))]:
        folder = memory / str(end)
        folder.mkdir(exist_ok=True)
        (folder / NAME).write_bytes(whole[:end])
        use(folder)


def test_bytes_changed_anywhere_never_end_as_a_defect(history: Path, memory: Path) -> None:
    whole = (history / NAME).read_bytes()
    chance = random.Random(2)  # noqa: S311
    for number in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 5, 20])):
            at = chance.randrange(len(data) if number % 2 else 4096)
            data[at : at + 1] = chance.randbytes(1)
        folder = memory / str(number)
        folder.mkdir()
        (folder / NAME).write_bytes(data)
        use(folder)


_HOSTILE = ["CAST(x'ff00fe' AS TEXT)", "x'ff00fe'", "''", "9223372036854775807", "1e999"]


def columns_of(folder: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(folder / NAME)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(table, row[1]) for table in tables for row in database.execute(f"PRAGMA table_info({table})")]


def test_hostile_values_in_any_column_never_end_as_a_defect(history: Path, memory: Path) -> None:
    columns = columns_of(history)
    assert {table for table, _ in columns} == {"runs", "sittings", "cells", "hosts", "intents"}
    for table, column in columns:
        for number, value in enumerate([*_HOSTILE, "NULL"]):
            folder = memory / f"{table}.{column}.{number}"
            folder.mkdir()
            shutil.copyfile(history / NAME, folder / NAME)
            try:
                changed(folder, f"UPDATE OR IGNORE {table} SET {column} = {value}")  # noqa: S608
            except sqlite3.Error:
                continue  # the table itself does not let it in
            for error in use(folder).values():
                assert "is damaged" in error.what or "is recorded" in error.what, (table, column, value, error)


@pytest.mark.parametrize("column", ["result", "state", "at"])
def test_text_that_is_no_text_is_said_to_be_damage(folder: Path, column: str) -> None:
    changed(folder, f"UPDATE cells SET {column} = CAST(x'ff' AS TEXT)")  # noqa: S608
    with pytest.raises(StoreError, match="is damaged"):
        Store(folder, create=False).newest("matrix.yaml", IDS)


@pytest.mark.parametrize("where", ["in a name", "in a type", "everywhere"])
def test_hostile_bytes_in_the_words_of_the_schema(folder: Path, where: str) -> None:
    """SQLite repeats them in its own messages, which then are no text either."""
    data = (folder / NAME).read_bytes()
    old, new = {
        "in a name": (b"tool_version", b"tool_\xff\xfe\xf0ion"),
        "in a type": (b"host TEXT", b"host \xff\xff\xff\xff"),
        "everywhere": (b"CREATE TABLE", b"CR\xc3\xff\xfe TABLE"),
    }[where]
    assert data.count(old) >= 1
    (folder / NAME).write_bytes(data.replace(old, new))
    failed = use(folder)
    assert where == "in a type" or failed
    for error in failed.values():
        assert "is damaged" in error.what
        assert error.why.isprintable()


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE intents"],
        ["ALTER TABLE cells RENAME COLUMN state TO condition"],
        ["ALTER TABLE runs RENAME TO x", "CREATE VIEW runs AS SELECT * FROM x"],
        ["CREATE TRIGGER t BEFORE INSERT ON runs BEGIN SELECT load_extension('/tmp/x.so'); END"],
        ["CREATE TRIGGER t AFTER INSERT ON cells BEGIN SELECT RAISE(ABORT, 'no'); END"],
        ["DELETE FROM runs"],
        ["DELETE FROM sittings"],
        ["DELETE FROM cells"],
    ],
)
def test_tables_that_are_not_ours_never_end_as_a_defect(folder: Path, statements: list[str]) -> None:
    changed(folder, *statements)
    use(folder)


def test_ids_of_a_damaged_history_lead_nowhere_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    changed(folder, "UPDATE runs SET id = '../../precious' WHERE number = 1", "UPDATE runs SET id = '..' WHERE number = 2")
    (folder / "runs").mkdir()
    assert [path.name for path in own_paths(folder, [])] == [NAME, ".gitignore", "locks"]


# ---------------------------------------------------------------- what was written


def test_a_log_cut_off_anywhere_loses_the_last_results_at_most(tmp_path: Path) -> None:
    """What is in WAL beyond the cut was never written; what is before it is there, in order and whole."""
    store = Store(tmp_path / "going")
    store.begin_run(run_info("run-1"), L4_HOST, planned(*IDS))
    for id_ in IDS:
        store.keep(one(id_, reason=id_))
    log = (tmp_path / "going" / f"{NAME}-wal").read_bytes()
    most = 0
    for end in (*range(0, len(log), 4096 + 24), len(log)):
        folder = tmp_path / str(end)
        folder.mkdir()
        shutil.copyfile(tmp_path / "going" / NAME, folder / NAME)
        (folder / f"{NAME}-wal").write_bytes(log[:end])
        try:
            cells = Store(folder, create=False).load_report("run-1").cells
        except StoreError as error:
            assert "is recorded" in error.what  # noqa: PT017 - as empty as before its first transaction
            continue
        done = [each.id for each in cells if each.status is Status.PASS]
        assert done == [each.reason for each in cells[: len(done)]] == IDS[: len(done)]
        most = max(most, len(done))
    assert most == len(IDS)


def test_a_run_has_a_log_where_the_file_system_carries_it_and_leaves_one_plain_file(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert mode(tmp_path) == "wal"
    store.close()
    assert {path.name for path in tmp_path.glob(f"{NAME}*")} == {NAME}
    assert mode(tmp_path) == "delete"


def test_elsewhere_a_run_has_the_journal_that_needs_no_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("validator.results.database.carries_wal", lambda folder: False)
    store = filled(tmp_path)
    assert mode(tmp_path) == "delete"
    assert use_beside(tmp_path) == []
    store.close()


def mode(folder: Path) -> str:
    with closing(sqlite3.connect(folder / NAME)) as database:
        return str(database.execute("PRAGMA journal_mode").fetchone()[0])


def use_beside(folder: Path) -> list[str]:
    """What cannot be done while another run is going in the folder."""
    return list(use(folder))


def test_all_of_it_works_beside_a_run_that_is_going(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert use_beside(tmp_path) == []
    store.keep(one(IDS[3]))
    store.close()
    assert mode(tmp_path) == "delete"


def test_every_result_is_synced_when_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is only about to be done is not: it says nothing once the machine has gone."""
    asked: list[bool] = []
    writing = Database.writing

    def noted(self: Database, *, lasting: bool = True) -> object:
        asked.append(lasting)
        return writing(self, lasting=lasting)

    store = Store(tmp_path)
    store.begin_run(run_info("run-1"), L4_HOST, planned(*IDS))
    monkeypatch.setattr(Database, "writing", noted)
    store.keep(one(IDS[0]))
    store.keep_all([one(IDS[1])])
    store.begin(cell(one(IDS[2]).environment))
    store.intend(Intent(IDS[2], "name", "nonce", 1))
    store.finish_run(run_info("run-1"))
    assert asked == [True, True, False, False, True]
    held = store._database._held
    assert held is not None
    assert held.execute("PRAGMA synchronous").fetchone() == (2,)


def test_many_results_are_all_kept_or_none_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin_run(run_info("run-1"), L4_HOST, planned(*IDS[:2]))
    with pytest.raises(StoreError, match="not a cell of the run"):
        store.keep_all([one(IDS[0]), one("stranger@host")])
    assert {each.status for each in store.load_report().cells} == {Status.SKIP}
    store.keep_all([one(IDS[0]), one(IDS[1])])
    assert {each.status for each in store.load_report().cells} == {Status.PASS}


# ---------------------------------------------------------------- other processes

_WRITES = """
import sys
from pathlib import Path
from values import L4_HOST, cell, environment, result, run_info
from validator.results import Store

name, number = sys.argv[2], int(sys.argv[3])
results = [result(env=environment(f"e{i}"), reason=name) for i in range(number)]
store = Store(Path(sys.argv[1]))
store.begin_run(run_info(name), L4_HOST, [cell(each.environment) for each in results])
for each in results:
    store.begin(cell(each.environment))
    store.keep(each, f"{name} {each.id}")
store.finish_run(run_info(name))
if len(sys.argv) > 4:
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
store.close()
"""


def process(folder: Path, *args: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    return subprocess.Popen([sys.executable, "-c", _WRITES, str(folder), *args], env={**os.environ, "PYTHONPATH": path})


def test_processes_that_write_to_one_folder_mix_nothing(tmp_path: Path) -> None:
    runs = [process(tmp_path, f"run-{number}", "25") for number in range(3)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    store = Store(tmp_path, create=False)
    for number in range(3):
        report = store.load_report(f"run-{number}")
        assert [each.reason for each in report.cells] == [f"run-{number}"] * 25
    assert len(store.reusable(f"run-{run} e{each}@host" for run in range(3) for each in range(25))) == 75
    assert mode(tmp_path) == "delete"


def test_what_a_killed_run_left_is_read_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    assert process(folder, "run-1", "3", "dies").wait(timeout=60) == -signal.SIGKILL
    assert (folder / f"{NAME}-wal").stat().st_size > 0
    (folder / f"{NAME}-shm").unlink()
    real = sqlite3.connect

    def only_reading(database: str, **options: object) -> sqlite3.Connection:
        """As on a read-only place: SQLite cannot make the file that WAL needs beside the history."""
        if str(folder) in database:
            raise sqlite3.OperationalError("unable to open database file")
        return real(database, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(sqlite3, "connect", only_reading)
    assert [each.reason for each in Store(folder, create=False).load_report().cells] == ["run-1"] * 3


def test_a_plain_history_that_cannot_be_opened_is_not_read_from_a_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(database: str, **options: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuses)
    with pytest.raises(StoreError, match="cannot be used") as raised:
        Store(folder, create=False).load_report()
    assert "readable and writable" in raised.value.hint


def test_a_failure_that_somebody_holds_on_to_holds_no_lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that stopped half-way would, as long as the traceback has it."""
    monkeypatch.setattr("validator.results.database._BUSY_SECONDS", 0.05)
    monkeypatch.setattr("validator.results.database.carries_wal", lambda folder: False)
    changed(folder, "UPDATE cells SET result = '{' WHERE position = 1", "UPDATE cells SET strength = 'x' WHERE position = 1")
    failed = use(folder)
    assert {"report of a run", "newest", "history", "unfinished"} <= set(failed)
    assert "write" not in failed


def test_another_who_never_lets_go_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validator.results.database._BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(folder / NAME, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="cannot be used") as raised:
            write_to(folder)
    assert "another run holds it" in raised.value.hint
    write_to(folder)


# ---------------------------------------------------------------- no room


def test_a_full_disk_is_an_error_of_its_own_and_takes_nothing_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(folder)
    store.begin_run(run_info("run-3"), L4_HOST, planned(*IDS))
    store.keep(one(IDS[0]))
    held = store._database._held
    assert held is not None
    (pages,) = held.execute("PRAGMA page_count").fetchone()
    held.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(3):
        with pytest.raises(StoreFullError, match="cannot be used") as raised:
            store.keep(one(IDS[1], notes=("x" * 100_000,)))
        assert (raised.value.why, "free some space" in raised.value.hint) == ("there is no room left for it", True)
    held.execute(f"PRAGMA max_page_count = {2**30}")
    store.keep(one(IDS[1]))  # somebody made room
    store.close()
    report = Store(folder, create=False).load_report("run-3")
    assert [each.status for each in report.cells] == [Status.PASS] * 2 + [Status.SKIP] * 10
    assert use(folder) == {}


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(OSError(28, "no space"), StoreFullError), (OSError(122, "quota"), StoreFullError), (None, StoreError)],
)
def test_an_io_error_is_a_full_disk_only_where_nothing_can_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: OSError | None, expected: type[StoreError]
) -> None:
    def refuses(database: str, **options: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    def synced(descriptor: int) -> None:
        if failure:
            raise failure

    monkeypatch.setattr(sqlite3, "connect", refuses)
    monkeypatch.setattr(os, "fsync", synced)
    with pytest.raises(StoreError, match="cannot be used") as raised:
        Store(folder, create=False).load_report()
    assert type(raised.value) is expected
