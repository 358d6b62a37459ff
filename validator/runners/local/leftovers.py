"""Processes of a run, found by the marks in their environment: what to end when whoever started them no longer can.

Only processes of this user are looked at, and never this process or one that it descends from.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: The variables that every process of the local runner carries, and hands on to what it starts.
RUN = "VALIDATOR_RUN"
PART = "VALIDATOR_CELL"
_READ_BYTES = 8 * 1024 * 1024
_TICK_SECONDS = 0.02


@dataclass(frozen=True)
class Leftover:
    """A process of a run."""

    pid: int
    run_id: str
    part: str
    """The id of the cell, or what else it was started for; empty where the process hides its environment, as the probe's
    supervisor does: of that only the command line is known."""


def marks(run_id: str, part: str) -> dict[str, str]:
    """The variables that mark a process."""
    return {RUN: run_id, PART: part}


def processes(run_id: str | None = None, part: str | None = None, *, session: int | None = None) -> Iterator[Leftover]:
    """The living processes of a run, or of one part of it; of all runs where it is None. Those of a ``session`` come on top."""
    ours = _line_of_descent()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in ours:
            found = _read(int(name))
            if found is not None and _is_meant(found, run_id, part, session):
                yield found[0]


def end(run_id: str, part: str | None = None, *, session: int | None = None, seconds: float = 5.0) -> tuple[Leftover, ...]:
    """Kill the processes of a run, or of one part of it, and what they start meanwhile; returned is what was not to be ended."""
    deadline = time.monotonic() + seconds
    while True:
        left = tuple(processes(run_id, part, session=session))
        if not left or time.monotonic() >= deadline:
            return left
        for each in left:
            _kill(each.pid, run_id, part, session)
        time.sleep(_TICK_SECONDS)


def _is_meant(found: tuple[Leftover, int], run_id: str | None, part: str | None, session: int | None) -> bool:
    each, its_session = found
    of_run = bool(each.run_id) and run_id in (None, each.run_id) and part in (None, each.part)
    return of_run or its_session == session


def _kill(pid: int, run_id: str, part: str | None, session: int | None) -> None:
    """Kill it unless its number is another's by now: what a pid means is looked up again once it cannot change any more."""
    with suppress(ProcessLookupError, PermissionError):
        handle = os.pidfd_open(pid)
        try:
            found = _read(pid)
            if found is not None and _is_meant(found, run_id, part, session):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def _read(pid: int) -> tuple[Leftover, int] | None:
    """A process and its session; None where it is not this user's, or has ended."""
    folder = Path("/proc", str(pid))
    try:
        # pid (comm) state ppid pgrp session …; comm may hold spaces and parentheses
        state, _, _, session = (folder / "stat").read_bytes().rpartition(b")")[2].split()[:4]
        status = (folder / "status").read_bytes()
        if state in (b"Z", b"X") or int(status.partition(b"\nUid:")[2].split()[0]) != os.getuid():
            return None
        found = dict.fromkeys((RUN, PART), "")
        for file in ("cmdline", "environ"):
            for text in _readable(folder / file).split(b"\0"):
                name, _, value = text.decode("utf-8", "replace").partition("=")
                if name in found:
                    found[name] = value
    except (OSError, ValueError, IndexError):
        return None  # gone meanwhile
    return Leftover(pid, found[RUN], found[PART]), int(session)


def _readable(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_READ_BYTES)
    except PermissionError:
        return b""  # it hides


def _line_of_descent() -> set[int]:
    """This process and all that it descends from: they may carry the mark of a run around this one."""
    pid, found = os.getpid(), set[int]()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return found
