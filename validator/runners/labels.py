"""Labels on everything that is created in a container engine, so that it can be found and removed whatever happened.

An owner is a process, and is told from every other one there ever was by the machine's boot and the moment it started: a number
alone is given again. Whether it lives can be asked by any process that runs under the same kernel and sees it, from inside a
container or out. Of one on another machine, or in a container beside, nothing can be known: it counts as alive, and what it
owns is left to ``validator clean``, by its age.
"""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import astuple, dataclass
from enum import Enum
from pathlib import Path

#: Id of the run a container belongs to.
RUN = "validator.run"
#: Id of the cell a container measures.
CELL = "validator.cell"
#: Who started it: see owner().
OWNER = "validator.owner"
#: On images: the environment they were built for.
BUILT = "validator.built"
#: On containers that are to be left for a person to look at.
KEEP = "validator.keep"

_PROC = Path("/proc")
#: The number of the first process namespace of a kernel, from which all processes are seen (PROC_PID_INIT_INO of Linux).
_FIRST_NAMESPACE = "4026531836"


class Life(Enum):
    """What can be said of an owner."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class _Owner:
    """A process, as a label tells of it; what is empty was not known."""

    host: str
    pid: str
    start: str = ""
    """Ticks from the boot to the start of the process."""
    boot: str = ""
    """Id of the boot: the same for all containers of a machine, and for no two machines."""
    pids: str = ""
    """Number of the namespace that the pid belongs to."""
    clock: str = ""
    """Number of the namespace that ``start`` is measured in."""
    machine: str = ""
    """What tells this machine from others over its boots; a container rarely has it."""


def owner(pid: int | None = None) -> str:
    """A process of this user, by default this one, as the value of a label: ``host:pid:start:boot:pids:clock:machine``."""
    return ":".join(astuple(_process(os.getpid() if pid is None else pid)))


def owner_lives(owner: str) -> bool:
    """Whether the process of an owner label may be running; so it is where that cannot be known."""
    return owner_life(owner) is not Life.DEAD


def owner_life(owner: str) -> Life:
    """What can be said of the process of an owner label, ``host:pid`` of older versions among them."""
    fields = owner.split(":")
    if len(fields) not in (2, 7) or not fields[0] or not _is_pid(fields[1]):
        # A label that names nobody protects nothing; one of a later version may.
        return Life.UNKNOWN if len(fields) > 2 and fields[0] else Life.DEAD
    asked, ours = _Owner(*fields), _process(os.getpid())
    if len(fields) == 2:
        return _life_by_number(asked, ours)
    if not (asked.boot and ours.boot and asked.pids and ours.pids):
        return Life.UNKNOWN  # for want of a readable /proc, there or here
    if asked.boot != ours.boot:
        # Another machine, or this one before it was started anew.
        return Life.DEAD if asked.machine and asked.machine == ours.machine else Life.UNKNOWN
    start = asked.start if asked.clock == ours.clock else ""
    if asked.pids == ours.pids:
        return _life_beside(int(asked.pid), start)
    return _life_inside(asked.pid, start, sees_all=ours.pids == _FIRST_NAMESPACE)


def _life_by_number(asked: _Owner, ours: _Owner) -> Life:
    """Of a process that only its number is known of, which another may have been given since."""
    if asked.host != ours.host:
        return Life.UNKNOWN
    return Life.UNKNOWN if _exists(int(asked.pid)) else Life.DEAD


def _life_beside(pid: int, start: str) -> Life:
    """Of a process in the namespace of this one."""
    if not _exists(pid):
        return Life.DEAD
    found = _state_and_start(_PROC / str(pid))
    if found is None:  # another user's, where /proc hides those
        return Life.UNKNOWN
    state, started = found
    return Life.ALIVE if state not in "ZX" and start in ("", started) else Life.DEAD


def _life_inside(pid: str, start: str, *, sees_all: bool) -> Life:
    """Of a process in another namespace: those below this one's are seen from here, under other numbers."""
    for folder in _PROC.glob("[0-9]*"):
        numbers = _numbers(folder)
        if len(numbers) > 1 and numbers[-1] == pid:
            found = _state_and_start(folder)
            if found and found[0] not in "ZX" and start in ("", found[1]):
                return Life.ALIVE
    # /proc may hide the processes of other users; then it hides the first of all.
    return Life.DEAD if sees_all and _numbers(_PROC / "1") else Life.UNKNOWN


def _process(pid: int) -> _Owner:
    folder = _PROC / str(pid)
    found = _state_and_start(folder)
    return _Owner(
        host=socket.gethostname().replace(":", "_"),
        pid=str(pid),
        start=found[1] if found else "",
        boot=_text(_PROC / "sys/kernel/random/boot_id"),
        pids=_namespace(folder, "pid"),
        clock=_namespace(folder, "time"),
        machine=_machine(),
    )


def _is_pid(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:11]) < 2**31


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def _state_and_start(folder: Path) -> tuple[str, str] | None:
    """The state and the start of a process, None where there is none or it is hidden."""
    # pid (comm) state ppid …; comm may hold spaces and parentheses. The start is the 22nd field of all.
    fields = _text(folder / "stat").rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else None


def _numbers(folder: Path) -> list[str]:
    """The numbers of a process in every namespace it is in, from this one inwards; empty where that is hidden."""
    for line in _text(folder / "status").splitlines():
        name, _, value = line.partition(":")
        if name == "NSpid":
            return value.split()
    return []


def _namespace(folder: Path, kind: str) -> str:
    """The number in ``pid:[4026531836]``."""
    try:
        return os.readlink(folder / "ns" / kind).partition("[")[2].rstrip("]")
    except OSError:
        return ""


def _machine() -> str:
    """A hash of the machine's id, which itself is not to be told to others (machine-id(5))."""
    known = _text(Path("/etc/machine-id"))
    return hashlib.sha256(f"torch-matrix-validator {known}".encode()).hexdigest()[:16] if known else ""


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
