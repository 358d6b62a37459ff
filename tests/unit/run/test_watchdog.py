"""The process that outlives a run: real processes, with a program in the place of the one that removes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from validator.base.errors import ValidatorError
from validator.run import waiting, watchdog
from validator.run.claim import claim, claimed
from validator.run.watchdog import Reaper

IGNORED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
#: What removes, for these tests: it says so, and goes on until it may end.
REMOVES = """
import os, sys, time
from pathlib import Path
here = Path(__file__).parent
(here / "writing").write_text(" ".join(sys.argv[1:]) + f" from {os.getcwd()}")
(here / "writing").rename(here / "removed")
while not (here / "end").exists():
    time.sleep(0.02)
"""
#: A run, with a reaper called ``reaper``.
RUNS = """
import os, signal, sys
from validator.run import watchdog
watchdog.__name__ = "removes"
reaper = watchdog.Reaper.start({run!r}, "docker", "unix:///engine.sock")
print(reaper.pid, flush=True)
"""


def eventually(condition: Callable[[], object]) -> bool:
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(condition())


def is_there(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


@pytest.fixture
def run_id(request: pytest.FixtureRequest) -> str:
    return f"run-{os.getpid()}-{abs(hash(request.node.name))}"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "removes.py").write_text(REMOVES, encoding="utf-8")
    yield tmp_path
    (tmp_path / "end").touch()


def run(folder: Path, run_id: str, then: str) -> tuple[int, int]:
    """A run that ends so: its exit code, and the pid of its reaper. Returns once nobody holds its output open any more."""
    # What it finds because it is in the folder it was started in, its reaper finds from elsewhere.
    done = subprocess.run(
        [sys.executable, "-c", RUNS.format(run=run_id) + then],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.path.relpath(Path(watchdog.__file__).parents[2], folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, int(done.stdout)


@pytest.mark.parametrize(
    "then",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os._exit(3)",
        "",
        "reaper.take_over()",
        "reaper.take_over(); reaper.dismiss()",
        "with reaper: raise KeyboardInterrupt",
        "with reaper: reaper.take_over()",
    ],
)
def test_however_a_run_ends_that_did_not_dismiss_it_what_is_left_is_removed(folder: Path, run_id: str, then: str) -> None:
    _, pid = run(folder, run_id, then)
    removed = folder / "removed"
    assert eventually(removed.exists)
    assert removed.read_text(encoding="utf-8") == f"docker {run_id} unix:///engine.sock from /"
    assert claimed(run_id), "what it is at work on is left to it"
    (folder / "end").touch()
    assert eventually(lambda: not is_there(pid))
    assert not claimed(run_id)


@pytest.mark.parametrize("then", ["reaper.dismiss()", "reaper.dismiss(); reaper.dismiss()", "with reaper: pass"])
def test_at_a_good_end_nothing_is_done_and_nobody_is_left(folder: Path, run_id: str, then: str) -> None:
    code, pid = run(folder, run_id, f"{then}\nsys.exit(os.path.exists(f'/proc/{{reaper.pid}}'))")
    assert code == 0, "it is gone before the run goes on"
    assert not is_there(pid)
    assert not (folder / "removed").exists()
    assert not claimed(run_id)


def status(reaper: Reaper, name: str) -> str:
    """A field of /proc/PID/status."""
    text = Path(f"/proc/{reaper.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in text.splitlines() if line.startswith(f"{name}:")]
    return line.split()[1]


def waits(reaper: Reaper) -> bool:
    """Whether it has begun to wait, and ignores what it is to ignore, within a time that only guards against a hang."""
    wanted = sum(1 << (number - 1) for number in IGNORED)
    return eventually(lambda: int(status(reaper, "SigIgn"), 16) & wanted == wanted)


def test_it_has_nothing_of_the_run_but_the_end_of_a_pipe_and_the_claim(run_id: str) -> None:
    with Reaper.start(run_id, "docker") as reaper:
        assert reaper.problem is None
        assert waits(reaper)
        process = Path(f"/proc/{reaper.pid}")
        open_files = {int(each.name): os.readlink(each) for each in (process / "fd").iterdir()}
        assert open_files.pop(0).startswith("pipe:")
        assert {open_files.pop(1), open_files.pop(2)} == {os.devnull}
        assert [each.partition(":")[0] for each in open_files.values()] == ["socket"]
        assert os.getsid(reaper.pid or 0) == reaper.pid, "no Ctrl-C of the run's terminal reaches it"


def test_it_waits_lightly_and_is_not_ended_by_what_ends_the_run(run_id: str) -> None:
    with Reaper.start(run_id, "docker") as reaper:
        assert waits(reaper)
        assert int(status(reaper, "VmHWM")) < 16_384, "kB: an interpreter with next to nothing in it"


def test_the_claim_ends_with_what_it_is_for(run_id: str) -> None:
    reaper = Reaper.start(run_id, "docker")
    assert claimed(run_id)
    reaper.dismiss()
    assert not claimed(run_id)


def test_a_run_that_still_goes_on_is_not_taken_up(run_id: str) -> None:
    said: list[str] = []
    with Reaper.start(run_id, "docker"), pytest.raises(ValidatorError, match="cannot be taken up again") as raised:
        Reaper.start(run_id, "docker", said=said.append, wait_seconds=0.5)
    assert "it is still going" in str(raised.value)
    assert said == [f"run {run_id}: waiting for what still removes its containers"]


def test_a_reaper_at_work_is_waited_for(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work = claim(run_id)
    assert at_work is not None
    monkeypatch.setattr(watchdog, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: at_work.close()))
    with Reaper.start(run_id, "docker") as reaper:
        assert reaper.pid


@pytest.mark.parametrize("lacking", ["subprocess.Popen", "validator.run.watchdog.claim"])
def test_where_none_can_be_started_a_run_goes_on_without(lacking: str, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    before = sorted(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(lacking, refused)
    with Reaper.start(run_id, "docker") as reaper:
        assert (reaper.problem or "").endswith("Resource temporarily unavailable")
        assert reaper.pid is None
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_something_else_that_holds_the_pipe_does_not_hide_that_the_run_is_dead() -> None:
    listening, held = os.pipe()
    program = [sys.executable, waiting.__file__, "999999999", sys.executable, "-c", "print('took over')"]
    done = subprocess.run(program, stdin=listening, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "took over\n"
    os.close(listening)
    os.close(held)


def test_what_removes_is_the_runners_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[tuple[str, ...]] = []
    imported: list[str] = []

    def module(name: str) -> SimpleNamespace:
        imported.append(name)
        return SimpleNamespace(end=lambda *given: ended.append(given))

    monkeypatch.setattr(watchdog, "import_module", module)
    watchdog.reap("docker", "run-1", "unix:///engine.sock")
    watchdog.reap("local", "run-2")
    assert imported == ["validator.runners.docker.leftovers", "validator.runners.local.leftovers"]
    assert ended == [("run-1", "unix:///engine.sock"), ("run-2",)]
