"""Real processes behind a guard, and every way in which the validator, the guard or they themselves end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from watching import alive, until

from validator.runners.local import leftovers
from validator.runners.local.guarded import Guarded

pytestmark = pytest.mark.timeout(90)

#: Writes its pid, and those of: a child in a session of its own, an orphan of such a child, and an orphan that has forgotten its
#: environment. None of them ends when asked to.
BROOD = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
rest = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
spawn = "import os, subprocess, sys; " \
    "print(subprocess.Popen([sys.executable, '-S', '-c', sys.argv[1]], start_new_session=True, stdout=-3, stderr=-3, env=%s).pid)"
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
pids = [os.getpid(), subprocess.Popen([sys.executable, "-S", "-c", rest], **quiet).pid]
for environment in ("None", "{}"):
    pids.append(int(subprocess.check_output([sys.executable, "-S", "-c", spawn % environment, rest])))
with open(sys.argv[1] + ".partial", "w") as file:
    file.write(" ".join(map(str, pids)))
os.rename(sys.argv[1] + ".partial", sys.argv[1])
time.sleep(float(sys.argv[2]))
"""


def pids_in(file: Path) -> list[int]:
    assert until(file.exists)
    return [int(pid) for pid in file.read_text().split()]


@pytest.fixture
def run_id() -> Iterator[str]:
    """A run of which nothing is left after the test, whatever came of it."""
    name = f"test-{token_hex(4)}"
    yield name
    leftovers.end(name)


def ended(process: Guarded) -> tuple[str, int | None]:
    """What it printed, and how it ended."""
    said = process.stdout.read().decode()
    process.stdout.close()
    assert process.end()
    return said, process.code


def python(run_id: str, source: str, *arguments: object, cpus: tuple[int, ...] = ()) -> Guarded:
    command = [sys.executable, "-S", "-c", source, *map(str, arguments)]
    return Guarded(command, os.environ, run_id=run_id, part="a cell", cpus=cpus)


@pytest.mark.parametrize(
    ("source", "code"),
    [("", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 11)", 139), ("import os; os._exit(255)", 255)],
)
def test_a_guard_ends_as_its_program_did(run_id: str, source: str, code: int) -> None:
    process = python(run_id, source)
    assert ended(process) == ("", code)
    assert process.refused is None


def test_a_program_starts_as_from_a_shell_with_the_marks_and_nothing_of_the_guards(run_id: str) -> None:
    source = (
        "import os, signal\n"
        "print(os.environ['VALIDATOR_RUN'], os.environ['VALIDATOR_CELL'])\n"
        "print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
        "print(sorted(os.listdir('/proc/self/fd'))[:3], len(os.listdir('/proc/self/fd')))\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('SigIgn')])\n"
    )
    said, _ = ended(python(run_id, source))
    # Python itself ignores SIGPIPE and SIGXFSZ, whatever it was given; a fourth descriptor is the listing's own.
    assert said.splitlines() == [f"{run_id} a cell", "True set()", "['0', '1', '2'] 4", f"['{ignored():016x}']"]


def test_signals_that_python_ignores_are_as_they_were_for_a_program_that_is_not_python(run_id: str) -> None:
    process = Guarded(["grep", "SigIgn", "/proc/self/status"], os.environ, run_id=run_id, part="")
    pythons_own = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert ignored() & pythons_own == pythons_own
    assert ended(process)[0].split() == ["SigIgn:", f"{ignored() & ~pythons_own:016x}"]


def ignored() -> int:
    """The signals that these tests ignore, a bit each: Python's own, and those they were started with."""
    [line] = [line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if line.startswith("SigIgn")]
    return int(line.split()[1], 16)


def test_the_processors_are_those_it_was_given(run_id: str) -> None:
    one = max(os.sched_getaffinity(0))
    assert ended(python(run_id, "import os; print(os.sched_getaffinity(0))", cpus=(one,)))[0] == f"{{{one}}}\n"
    assert ended(python(run_id, "print('runs')", cpus=(9999,)))[0] == "runs\n"


@pytest.mark.parametrize(("kind", "words"), [("absent", "No such file or directory"), ("folder", "Permission denied")])
def test_why_a_program_could_not_be_started_is_told(run_id: str, tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / "program"
    if kind == "folder":
        path.mkdir()
    process = Guarded([str(path)], os.environ, run_id=run_id, part="")
    assert ended(process) == ("", 127)
    assert process.refused == words


def test_a_program_may_end_by_itself_when_it_is_asked_to(run_id: str, tmp_path: Path) -> None:
    source = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1], 'w').close(), sys.exit(7)))\n"
        "print('ready', flush=True)\ntime.sleep(300)\n"
    )
    process = python(run_id, source, tmp_path / "tidied")
    assert process.stdout.readline() == b"ready\n"
    assert process.end()
    process.stdout.close()
    assert process.code == 7
    assert (tmp_path / "tidied").exists()


@pytest.mark.parametrize("seconds", [0, 300])
def test_nothing_is_left_of_a_program_that_ends_or_is_ended(run_id: str, tmp_path: Path, seconds: int) -> None:
    process = python(run_id, BROOD, tmp_path / "pids", seconds)
    pids = pids_in(tmp_path / "pids")
    assert len(pids) == 4
    assert process.end()
    process.stdout.close()
    assert not any(map(alive, pids))


def test_nothing_is_left_when_the_guard_itself_is_killed(run_id: str, tmp_path: Path) -> None:
    process = python(run_id, BROOD, tmp_path / "pids", 300)
    pids = pids_in(tmp_path / "pids")
    os.kill(process._process.pid, signal.SIGKILL)
    assert process.end()
    process.stdout.close()
    assert process.code == 128 + 9
    # One left the session and forgot its environment, and the guard that knew it is gone: nobody could tell whose it is.
    *marked, forgetful = pids
    assert not any(map(alive, marked))
    os.kill(forgetful, signal.SIGKILL)


#: A validator in small: starts a program behind a guard, in a thread as a scheduler does, and waits.
VALIDATOR = """
import os, sys, threading
from validator.runners.local.guarded import Guarded
def work():
    process = Guarded([sys.executable, "-S", *sys.argv[2:]], os.environ, run_id=sys.argv[1], part="a cell")
    try:
        process.stdout.read()
    finally:
        process.end()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_of_a_validator_that_is_killed(run_id: str, tmp_path: Path, number: int) -> None:
    validator = subprocess.Popen([sys.executable, "-c", VALIDATOR, run_id, "-c", BROOD, str(tmp_path / "pids"), "300"])
    pids = pids_in(tmp_path / "pids")
    guard = next(each.pid for each in leftovers.processes(run_id) if each.pid not in pids)
    assert all(map(alive, [guard, *pids]))
    validator.send_signal(number)
    validator.wait(30)
    assert until(lambda: not any(map(alive, [guard, *pids])))
    assert list(leftovers.processes(run_id)) == []


def test_a_guard_whose_validator_is_gone_before_it_looks_starts_nothing(tmp_path: Path) -> None:
    from validator.runners.local import guarded

    reader, writer = os.pipe()
    started = tmp_path / "started"
    command = [sys.executable, "-I", "-S", str(guarded._GUARD), "1", str(writer), "", "touch", str(started)]
    assert subprocess.run(command, pass_fds=[writer], check=False).returncode == 1
    os.close(reader)
    os.close(writer)
    assert not started.exists()


def test_the_end_of_what_the_program_prints_is_seen_though_the_guard_is_still_there(run_id: str) -> None:
    process = python(run_id, "import os, time\nprint('x', flush=True)\nos.close(1)\nos.close(2)\ntime.sleep(300)")
    assert process.stdout.read() == b"x\n"
    assert process.code is None
    process.stdout.close()
    assert process.end()


def test_what_a_guard_says_is_gone_is_not_looked_for(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "end", lambda *_, **__: pytest.fail("looked through all of /proc"))
    assert ended(python(run_id, "print('x')"))[0] == "x\n"


def test_what_could_not_be_ended_is_told(run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = leftovers.Leftover(1, run_id, "a cell")
    monkeypatch.setattr(leftovers, "end", lambda *_, **__: (stuck,))
    process = python(run_id, BROOD, tmp_path / "pids", 300)
    *marked, forgetful = pids_in(tmp_path / "pids")
    os.kill(process._process.pid, signal.SIGKILL)
    assert not process.end()
    process.stdout.close()
    for pid in (*marked, forgetful):
        os.kill(pid, signal.SIGKILL)
