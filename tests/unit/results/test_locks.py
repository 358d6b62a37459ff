"""Who uses a results folder is known to other processes, and forgotten with its death."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from values import L4_HOST, run_info

from validator.base.errors import StoreError
from validator.results import Store, in_use, locks

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_WAIT_SECONDS", "_GLANCE_SECONDS"):
        monkeypatch.setattr(locks, name, 0.05)


_HOLDS = """
import sys, time
from pathlib import Path
from validator.results import locks

folder = Path(sys.argv[1])
held = [locks.share_folder(folder), locks.run_lock(folder, 7)]
print("held", flush=True)
time.sleep(600)
"""


def holder(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(folder)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_living_process_holds_its_folder_and_a_dead_one_does_not(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        assert in_use(tmp_path)
        assert locks.is_going(tmp_path, 7)
        assert not locks.is_going(tmp_path, 8)
        assert locks.whole_folder(tmp_path) is None
        assert locks.run_lock(tmp_path, 7) is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()
    assert not in_use(tmp_path)
    assert not locks.is_going(tmp_path, 7)
    assert (tmp_path / "locks" / "7").exists()
    locks.forget_dead_runs(tmp_path)
    assert not (tmp_path / "locks" / "7").exists()


def test_runs_share_their_folder_and_whoever_removes_it_has_it_alone(tmp_path: Path) -> None:
    first, second = locks.share_folder(tmp_path), locks.share_folder(tmp_path)
    assert locks.whole_folder(tmp_path) is None
    first.release()
    assert locks.whole_folder(tmp_path) is None
    second.release()
    whole = locks.whole_folder(tmp_path)
    assert whole is not None
    assert in_use(tmp_path)
    with pytest.raises(StoreError, match="is being removed"):
        locks.share_folder(tmp_path)
    whole.release()
    locks.share_folder(tmp_path)


def test_whoever_only_asks_leaves_no_trace(tmp_path: Path) -> None:
    assert not in_use(tmp_path)
    assert not locks.is_going(tmp_path, 1)
    assert not in_use(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_store_holds_its_folder_from_the_beginning_of_its_run_until_it_is_closed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert not in_use(tmp_path)
    store.begin_run(run_info("run-1"), L4_HOST, [])
    assert in_use(tmp_path)
    store.finish_run(run_info("run-1"))
    assert in_use(tmp_path)  # its reports are not written yet
    store.close()
    assert not in_use(tmp_path)
    assert [path.name for path in (tmp_path / "locks").iterdir()] == ["folder"]
    store.close()


def test_a_run_that_could_not_begin_holds_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin_run(run_info("run-1"), L4_HOST, [])
    store.close()
    with pytest.raises(StoreError):
        store.begin_run(run_info("run-1"), L4_HOST, [])  # there already
    assert not in_use(tmp_path)
    with pytest.raises(StoreError):
        store.resume_run("unknown", [])
    assert not in_use(tmp_path)


def test_no_run_begins_in_a_folder_that_is_being_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    whole = locks.whole_folder(tmp_path)
    with pytest.raises(StoreError, match="is being removed"):
        store.begin_run(run_info("run-1"), L4_HOST, [])
    assert whole is not None


def test_the_dead_are_forgotten_by_the_next_run_and_the_living_are_not(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "98").touch()
    living = locks.run_lock(tmp_path, 99)
    store = Store(tmp_path)
    store.begin_run(run_info("run-1"), L4_HOST, [])
    assert {path.name for path in (tmp_path / "locks").iterdir()} == {"folder", "99", "1"}
    assert living is not None
    store.close()


def test_a_lock_on_a_file_that_is_gone_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when another process removed the folder between the opening of the file and its lock."""
    real = fcntl.flock

    def removed_first(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        (tmp_path / "locks" / "folder").unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    lock = locks.share_folder(tmp_path)
    assert in_use(tmp_path)  # the second try made a new file
    lock.release()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_the_file_system_knows_no_locks_nothing_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuses(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuses)
    store = Store(tmp_path)
    store.begin_run(run_info("run-1"), L4_HOST, [])
    assert not in_use(tmp_path)
    store.close()
    assert store.unfinished(None, "matrix.yaml") is not None


def test_what_stands_in_the_way_of_the_locks_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "locks").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written") as raised:
        store.begin_run(run_info("run-1"), L4_HOST, [])
    assert "move away" in raised.value.hint


def test_one_run_at_a_time_writes_the_latest_reports(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.alone_at_latest(), pytest.raises(StoreError, match="being written by another run"), store.alone_at_latest():
        pytest.fail("two of them at once")
    with store.alone_at_latest():
        assert not in_use(tmp_path)
