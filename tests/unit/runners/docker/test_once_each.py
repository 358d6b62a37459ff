"""One at a time for each key: among threads, among processes, and after one that died."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from validator.base.errors import InterruptedRunError
from validator.base.stopping import Stop
from validator.runners.docker.once_each import in_use, lock_folder, only_one, unused

HOLDER = """
import sys, time
from validator.base.stopping import Stop
from validator.runners.docker.once_each import in_use, only_one
if sys.argv[1] == "use":
    kept = in_use("k")
    print("held", flush=True)
    time.sleep(60)
with only_one("k", "it", print, Stop()):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def holder(what: str) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[4])
    process = subprocess.Popen([sys.executable, "-c", HOLDER, what], stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_folder_is_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lock_folder() == tmp_path / "torch-matrix-validator" / "locks"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert lock_folder() == Path.home() / ".cache" / "torch-matrix-validator" / "locks"


@pytest.mark.parametrize("writable", [True, False])
def test_threads_go_one_after_the_other_and_say_that_they_wait(
    writable: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not writable:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        (tmp_path / "file").write_text("no folder", encoding="utf-8")
    inside, most, lines = 0, 0, []  # type: ignore[var-annotated]

    def work() -> None:
        nonlocal inside, most
        with only_one("k", "the pull of x", lines.append, Stop()):
            inside += 1
            most = max(most, inside)
            time.sleep(0.25)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert set(lines) == {"waiting: another cell of this run is at the pull of x"}
    assert len(lines) <= 2, "each says so once"


def test_other_keys_do_not_wait() -> None:
    with only_one("one", "x", print, Stop()), only_one("other", "y", print, Stop()):
        pass


def test_a_process_is_waited_for_until_it_dies() -> None:
    process, lines = holder("lock"), []  # type: ignore[var-annotated]

    def on_line(line: str) -> None:
        lines.append(line)
        process.kill()

    with only_one("k", "the build of x", on_line, Stop()):
        pass
    assert lines == ["waiting: another run is at the build of x"]
    process.wait()


@pytest.mark.parametrize("where", ["process", "thread"])
def test_waiting_ends_when_the_run_is_to_end(where: str) -> None:
    stop = Stop()
    if where == "process":
        process = holder("lock")
        try:
            with pytest.raises(InterruptedRunError, match="gave up waiting for x"):
                only_one("k", "x", lambda _: stop.ask(60), stop).__enter__()
        finally:
            process.kill()
            process.wait()
        return
    stop.ask(60)
    with only_one("k", "x", print, Stop()), pytest.raises(InterruptedRunError), only_one("k", "x", print, stop):
        pass


def test_what_is_in_use_is_not_unused() -> None:
    first, second = in_use("k"), in_use("k")
    assert first is not None
    assert second is not None
    assert unused("k") is None
    first.close()
    assert unused("k") is None
    second.close()
    alone = unused("k")
    assert alone is not None
    assert in_use("k") is None
    alone.close()
    process = holder("use")
    assert unused("k") is None
    process.kill()
    process.wait()
    assert unused("k") is not None


def test_without_a_folder_nobody_can_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert in_use("k") is None
    assert unused("k") is None
