"""A run of the local runner that is killed together with the guard of what it started: the reaper ends that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from harness import wait_for

from validator.run.claim import claimed
from validator.runners.local import leftovers

RUN = f"run-{os.getpid()}"
#: What a cell starts: it heeds no SIGTERM, and is in a session of its own.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork() or os.setsid()
print(1)
time.sleep(3600)
"""
#: A run: with a reaper, and something under way.
RUNS = f"""
import os, signal, sys, time
from validator.run.watchdog import Reaper
from validator.runners.local.guarded import Guarded
reaper = Reaper.start({RUN!r}, "local", "unix:///not/asked.sock")
guarded = Guarded([sys.executable, "-uc", {STUBBORN!r}], dict(os.environ), run_id={RUN!r}, part="cell")
assert os.read(guarded.stdout.fileno(), 1)
print(guarded._process.pid, flush=True)
time.sleep(3600)
"""


def stubborn() -> list[str]:
    """What runs of it, without its guard."""
    found = []
    for each in leftovers.processes(RUN):
        with suppress(OSError):
            command = Path(f"/proc/{each.pid}/cmdline").read_bytes()
            found += [str(each.pid)] if b"setsid" in command and b"guard.py" not in command else []
    return found


def test_what_a_killed_run_had_started_is_ended_even_where_its_guard_was_killed_first() -> None:
    with subprocess.Popen([sys.executable, "-c", RUNS], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        guard = int(run.stdout.readline())
        wait_for("both processes", lambda: len(stubborn()) == 2)
        os.kill(guard, signal.SIGKILL)
        assert len(stubborn()) == 2
        run.kill()
    wait_for("the reaper to end them", lambda: not stubborn(), 30)
    wait_for("the reaper to end", lambda: not claimed(RUN), 30)
