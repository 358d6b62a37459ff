"""The results folder: what was kept is there whatever happens next, and what goes wrong is said."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from values import L4_HOST, every_kind, report, result, run_info

from validator.base.errors import StoreError
from validator.model import Action, ActionReason, Because, Cell, CellResult, Report, Status
from validator.report import FILES, render
from validator.report import files as report_files
from validator.results import Store, dump
from validator.results.files import remove_empty, write_whole
from validator.results.store import own_paths

TESTS = Path(__file__).parents[2]


def write(store: Store, report: Report) -> None:
    store.write_reports(report.run.id, report_files(report))


def planned(result: CellResult) -> Cell:
    return Cell(result.id, result.environment, result.target, Action.MEASURE, ActionReason(Because.ASKED))


def named(id_: str) -> Cell:
    environment, _, on = id_.partition("@")
    return planned(result(env=environment, on=on))


def begun(folder: Path, *ids: str, run: str = "run-1") -> Store:
    store = Store(folder)
    store.begin_run(run_info(run), L4_HOST, [named(id_) for id_ in ids])
    return store


def test_a_finished_run_is_read_back_as_it_was(tmp_path: Path) -> None:
    written = every_kind()
    store = Store(tmp_path / "out")
    store.begin_run(run_info(seconds=0.0), written.host, [planned(each) for each in written.cells])
    for each in written.cells:
        store.begin(planned(each))
        store.keep(each)
    store.finish_run(written.run)
    again = Store(tmp_path / "out", create=False).load_report()
    assert again.run == written.run
    for name in ("json", "table", "markdown"):  # the tool's own version is the one thing the store sets itself
        assert render(name, again).replace(again.tool_version, "") == render(name, written).replace(written.tool_version, "")


_KILLED = """
import os, signal, sys
from pathlib import Path
from values import L4_HOST, result, run_info
from validator.model import Action, Because, Cell, Status, ActionReason
from validator.results import Store

results = [result(env="first"), result(env="second"), result(env="third", on="t4-535")]
asked = ActionReason(Because.ASKED)
cells = [Cell(one.id, one.environment, one.target, Action.MEASURE, asked, expect=Status.PASS) for one in results]
store = Store(Path(sys.argv[1]))
store.begin_run(run_info("killed"), L4_HOST, cells)
store.begin(cells[0])
store.keep(results[0])
store.begin(cells[1])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_kept_survives_kill_9(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    read = Store(tmp_path / "out", create=False).load_report()
    assert read.run.id == "killed"
    assert read.run.interrupted
    assert [result.id for result in read.cells] == ["first@host", "second@host", "third@t4-535"]
    assert [result.status for result in read.cells] == [Status.PASS, Status.SKIP, Status.SKIP]
    assert [result.reason for result in read.cells[1:]] == [
        "no result is recorded: the run died during this cell, or is still in it",
        "no result is recorded: the run died before this cell, or has not come to it yet",
    ]
    assert {result.environment.torch for result in read.cells} == {"2.7.1"}
    assert {result.expect for result in read.cells[1:]} == {Status.PASS}
    assert not read.cells[1].unexpected
    assert (read.cells[2].environment.id, read.cells[2].target.id, read.cells[2].target.is_host) == ("third", "t4-535", False)
    assert dump(read)


def test_an_interrupted_run_that_came_to_its_end_is_as_it_was_finished(tmp_path: Path) -> None:
    store = begun(tmp_path, "torch2.7.1-cu126@host")
    store.keep(result())
    store.finish_run(run_info("run-1", interrupted=True))
    assert store.load_report().run.interrupted


def test_the_latest_run_is_the_one_begun_last_and_any_other_is_found_by_its_id(tmp_path: Path) -> None:
    for run in ("z-first", "a-second"):
        begun(tmp_path, "torch2.7.1-cu126@host", run=run).finish_run(run_info(run))
    store = Store(tmp_path, create=False)
    assert store.load_report().run.id == "a-second"
    assert store.load_report("z-first").run.id == "z-first"
    with pytest.raises(StoreError, match="a-second, z-first"):
        store.load_report("unknown")


def test_a_result_of_no_planned_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run was begun"):
        Store(tmp_path).keep(result())
    with pytest.raises(StoreError, match="not a cell of the run run-1"):
        begun(tmp_path, "other@host").keep(result())


def test_two_runs_at_once_keep_their_own_results(tmp_path: Path) -> None:
    ids = [f"e{number}@host" for number in range(15)]
    problems: list[StoreError] = []

    def one_run(name: str) -> None:
        try:
            store = begun(tmp_path, *ids, run=name)
            for number in range(15):
                store.keep(result(env=f"e{number}", reason=name))
            store.finish_run(run_info(name))
            write(store, store.load_report(name))
        except StoreError as error:
            problems.append(error)

    runs = [threading.Thread(target=one_run, args=(f"run-{number}",)) for number in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert problems == []
    for number in range(2):
        read = Store(tmp_path, create=False).load_report(f"run-{number}")
        assert [result.reason for result in read.cells] == [f"run-{number}"] * 15


# ---------------------------------------------------------------- files


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_reports_are_written_under_the_run_and_as_the_latest(tmp_path: Path) -> None:
    written = every_kind()
    write(Store(tmp_path / "out"), written)
    for place in (f"runs/{written.run.id}", "latest"):
        assert (tmp_path / "out" / place / "results.json").read_text(encoding="utf-8") == dump(written)
        assert (tmp_path / "out" / place / "report.md").read_text(encoding="utf-8") == render("markdown", written)
    assert len(files(tmp_path / "out")) == 6  # four reports, the history, .gitignore: nothing unfinished is left


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, report(*(result(env=f"e{number}") for number in range(50))))
    stop = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(len(json.loads((tmp_path / "latest" / "results.json").read_text(encoding="utf-8"))["cells"]))

    reader = threading.Thread(target=read)
    reader.start()
    for size in (50, 1) * 10:
        write(store, report(*(result(env=f"e{number}") for number in range(size))))
    stop.set()
    reader.join()
    assert seen
    assert set(seen) <= {1, 50}


def test_a_file_is_on_the_disk_as_a_whole_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[str, int]] = []
    sync, move = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        steps.append(("on the disk", os.fstat(descriptor).st_size))
        sync(descriptor)

    def moved(source: Path, place: Path) -> None:
        steps.append(("in its place", source.stat().st_size))
        move(source, place)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", moved)
    write_whole(tmp_path / "deeper" / "report.md", "one\ntwo\n")
    assert steps == [("on the disk", 8), ("in its place", 8)]
    assert files(tmp_path) == {"deeper/report.md"}


def test_a_new_folder_is_ignored_by_git_and_an_existing_one_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path / "new")
    assert (tmp_path / "new" / ".gitignore").read_text(encoding="ascii") == "*\n"
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "main.py").touch()
    Store(tmp_path / "project")
    assert not (tmp_path / "project" / ".gitignore").exists()


# ---------------------------------------------------------------- what is ours


def owned(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in own_paths(folder, FILES)}


def test_of_a_folder_that_holds_other_things_only_what_the_store_made_is_its_own(tmp_path: Path) -> None:
    written = every_kind()
    store = begun(tmp_path, run=written.run.id)
    begun(tmp_path, run="died at once").close()
    write(store, written)
    store.close()
    (tmp_path / "runs" / "experiment").mkdir()
    (tmp_path / "latest" / "thesis.txt").touch()
    (tmp_path / "notes.txt").touch()
    reports = {f"latest/{name}" for name in report_files(written)}
    assert owned(tmp_path) == {f"runs/{written.run.id}", *reports, "validator.sqlite3", ".gitignore", "locks"}


def test_what_sqlite_left_beside_the_history_is_ours_as_well(tmp_path: Path) -> None:
    Store(tmp_path)
    (tmp_path / "validator.sqlite3-journal").touch()
    assert owned(tmp_path) == {"validator.sqlite3", "validator.sqlite3-journal", ".gitignore"}


@pytest.mark.parametrize(("text", "ours"), [(b"*\n", True), (b"*\n!thesis.txt\n", False), (b"*\n\xff", False)])
def test_a_gitignore_that_someone_changed_is_no_longer_ours(tmp_path: Path, text: bytes, ours: bool) -> None:
    Store(tmp_path)
    (tmp_path / ".gitignore").write_bytes(text)
    assert (".gitignore" in owned(tmp_path)) is ours


def test_a_folder_in_the_place_of_the_gitignore_is_not_ours(tmp_path: Path) -> None:
    Store(tmp_path)
    (tmp_path / ".gitignore").unlink()
    (tmp_path / ".gitignore").mkdir()
    assert owned(tmp_path) == {"validator.sqlite3"}


def test_without_a_history_nothing_is_ours(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*\n", encoding="ascii")
    (tmp_path / "runs" / "run-1").mkdir(parents=True)
    assert own_paths(tmp_path, FILES) == []
    assert own_paths(tmp_path / "nowhere", FILES) == []


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        (None, set()),
        ("notes.txt", {"", "notes.txt"}),
        ("runs/mine", {"", "runs", "runs/mine"}),
        ("latest/mine", {"", "latest", "latest/mine"}),
    ],
)
def test_only_empty_folders_of_the_store_are_removed(tmp_path: Path, kept: str | None, left: set[str]) -> None:
    folder = tmp_path / "out"
    for each in ("runs", "latest"):
        (folder / each).mkdir(parents=True)
    if kept:
        (folder / kept).touch()
    remove_empty(folder)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*")} | ({""} if folder.exists() else set())
    assert found == left


# ---------------------------------------------------------------- what goes wrong


def test_a_folder_without_results_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no results"):
        Store(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(StoreError, match="no run is recorded"):
        Store(tmp_path / "new").load_report()
    with pytest.raises(StoreError, match="no run is recorded") as raised:
        Store(tmp_path / "new").load_report("run-1")
    assert raised.value.hint == "`validator run` first"


def test_a_file_in_the_way_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    for folder in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(StoreError, match="cannot be written") as raised:
            Store(folder)
        assert "move away" in raised.value.hint
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def test_a_folder_in_the_way_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "validator.sqlite3").mkdir()
    with pytest.raises(StoreError, match="cannot be used") as raised:
        Store(tmp_path)
    assert raised.value.hint


def test_a_file_in_the_way_of_the_latest_reports(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "latest").touch()
    with pytest.raises(StoreError, match="move away what is there"):
        write(store, every_kind())


def test_a_folder_that_nobody_can_write() -> None:
    with pytest.raises(StoreError, match="cannot be written") as raised:
        Store(Path("/proc/results"))  # not even root can
    assert "--out" in raised.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it is not allowed to")
def test_a_folder_without_write_permission(tmp_path: Path) -> None:
    store = begun(tmp_path / "out", "torch2.7.1-cu126@host")
    (tmp_path / "out" / "validator.sqlite3").chmod(0o400)
    (tmp_path / "out").chmod(0o500)
    try:
        with pytest.raises(StoreError, match="writable"):
            store.keep(result())
        with pytest.raises(StoreError, match="cannot be written"):
            write(store, every_kind())
        assert store.load_report().run.id == "run-1"
    finally:
        (tmp_path / "out").chmod(0o700)


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_corrupt_history_is_said_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "validator.sqlite3").write_bytes(content)
    with pytest.raises(StoreError, match=r"validator\.sqlite3 is damaged") as raised:
        Store(tmp_path)
    assert "move validator.sqlite3 away" in raised.value.hint
    assert (tmp_path / "validator.sqlite3").read_bytes() == content


def test_a_damaged_page_of_the_history(tmp_path: Path) -> None:
    begun(tmp_path, *(f"e{number}@host" for number in range(50))).close()
    path = tmp_path / "validator.sqlite3"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path, create=False).load_report()


def test_a_damaged_record_of_the_history(tmp_path: Path) -> None:
    store = begun(tmp_path, "torch2.7.1-cu126@host")
    database = sqlite3.connect(tmp_path / "validator.sqlite3")
    database.execute("UPDATE cells SET result = '{\"id\": 1}'")
    database.commit()
    database.close()
    with pytest.raises(StoreError, match="damaged") as raised:
        store.load_report()
    assert "run-1" in raised.value.why


def test_a_history_of_a_newer_validator_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path)
    database = sqlite3.connect(tmp_path / "validator.sqlite3")
    database.execute("PRAGMA user_version = 3")
    database.close()
    with pytest.raises(StoreError, match="newer validator"):
        Store(tmp_path)


_FULL = """
import resource, signal, sys
from pathlib import Path
from values import result, every_kind, report
from validator.base.errors import StoreError
from validator.results import Store
sys.path.insert(0, sys.argv[2])
import test_store

store = test_store.begun(Path(sys.argv[1]), "torch2.7.1-cu126@host")
test_store.write(store, every_kind())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
huge = result(log_tail="x" * 200_000)
for attempt in (lambda: store.keep(huge), lambda: test_store.write(store, report(huge))):
    try:
        attempt()
    except StoreError as error:
        print(type(error).__name__, "|", error.what, "|", error.why, "|", error.hint)
    else:
        sys.exit("no error")
"""


def test_no_more_room_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the same writes fail, in the same way."""
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path), str(Path(__file__).parent)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    history, reports = done.stdout.splitlines()
    assert history.startswith("StoreFullError | ")
    assert reports.startswith("StoreFullError | ")
    assert "validator.sqlite3 cannot be used" in history
    assert "results.json cannot be written" in reports
    read: Report = Store(tmp_path, create=False).load_report("run-1")
    assert read.cells[0].reason == "no result is recorded: the run died before this cell, or has not come to it yet"
    assert (tmp_path / "latest" / "results.json").read_text(encoding="utf-8") == dump(every_kind())
    assert not [name for name in files(tmp_path) if "/." in name]


def test_a_new_history_says_its_layout_so_that_an_older_validator_can_refuse_it(tmp_path: Path) -> None:
    Store(tmp_path)
    (layout,) = sqlite3.connect(tmp_path / "validator.sqlite3").execute("PRAGMA user_version").fetchone()
    assert layout == 2


def test_only_the_reports_of_the_latest_run_are_ours_whatever_lies_in_the_folders_of_runs(tmp_path: Path) -> None:
    store = begun(tmp_path, "torch2.7.1-cu126@host")
    write(store, every_kind())
    for folder in ("runs/run-1", "latest"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "notes.txt").touch()
    assert "latest/notes.txt" not in owned(tmp_path)
    for path in sorted((tmp_path / "runs").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert {"latest/results.json", "latest/report.md"} <= owned(tmp_path)
