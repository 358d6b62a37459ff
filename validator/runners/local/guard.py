"""A small process between the validator and what it starts, so that nothing of that outlives either of them, however it ends.

Run as ``python -I -S guard.py PARENT STATUS CPUS PROGRAM [ARGUMENT…]``, never imported: the standard library only. The kernel
tells it when the validator is gone (PR_SET_PDEATHSIG), and gives it every orphan of what it started as a child of its own
(PR_SET_CHILD_SUBREAPER), so that also a process that left session and group, or forgot its environment, is found and ended.

    PARENT   the validator's pid
    STATUS   a file descriptor: gets the errno when the program cannot be started, and last a dot once nothing is left
    CPUS     numbers of the processors that may be used, separated by commas; empty for all

SIGTERM is handed on to the program, which has some seconds to end by itself; then all that is left is killed. The guard exits
as the program did, with 128+N where that was signal N.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: Seconds that a program has to end after SIGTERM.
_TERM_SECONDS = 3.0
#: Seconds to go on killing: a process that is stuck in the kernel cannot be ended, and must not keep the guard.
_KILL_SECONDS = 5.0
_TICK_SECONDS = 0.02
_ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}

_libc = ctypes.CDLL(None)


def main(parent: int, status: int, cpus: str, argv: list[str]) -> int:
    """Start the program, wait for it or for an end from outside, and leave nothing running."""
    os.set_inheritable(status, False)
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != parent:
        return 1  # gone already, and so no signal will come
    if cpus:
        with contextlib.suppress(OSError):  # taken away from this machine since they were counted
            os.sched_setaffinity(0, {int(number) for number in cpus.split(",")})
    # Blocked and waited for: none can be missed, and none interrupts.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING | {signal.SIGCHLD})
    program = os.fork()
    if program == 0:
        _become(argv, status)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)  # the pipes are the program's alone, so that their end is seen
    code = _wait(program)
    if _end_all():
        os.write(status, b".")
    if code is None:
        code = _reap().get(program)
    return 128 + signal.SIGKILL if code is None else code


def _become(argv: list[str], status: int) -> None:
    """In the child: be the program. Does not return."""
    try:
        guard = os.getppid()
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != guard:
            os._exit(1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores them, and that would be inherited
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvp(argv[0], argv)  # noqa: S606 - there is none in between, on purpose
    except OSError as error:
        os.write(status, str(error.errno).encode())
    finally:
        os._exit(127)


def _wait(program: int) -> int | None:
    """How the program ended; None where it had to be left to be killed."""
    deadline: float | None = None
    while True:
        if deadline is None:
            number = signal.sigwaitinfo(_ENDING | {signal.SIGCHLD}).si_signo
        else:
            found = signal.sigtimedwait({signal.SIGCHLD}, max(0.0, deadline - time.monotonic()))
            number = found.si_signo if found else 0
        ended = _reap()
        if program in ended:
            return ended[program]
        if deadline is not None and time.monotonic() >= deadline:
            return None
        if number in _ENDING and deadline is None:
            deadline = time.monotonic() + _TERM_SECONDS
            with contextlib.suppress(ProcessLookupError):
                os.kill(program, signal.SIGTERM)


_codes: dict[int, int] = {}


def _reap() -> dict[int, int]:
    """Collect every child that has ended, the adopted ones too; the exit codes of all so far, by pid."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            code = os.waitstatus_to_exitcode(status)
            _codes[pid] = code if code >= 0 else 128 - code
    return _codes


def _end_all() -> bool:
    """Kill all descendants, and those that they leave behind, until there is none; False where one cannot be ended."""
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        for pid in _descendants():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        time.sleep(_TICK_SECONDS)
    return False


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                # pid (comm) state ppid …; comm may hold spaces and parentheses
                children.setdefault(int(file.read().rpartition(b")")[2].split()[1]), []).append(int(name))
    found, left = [], [os.getpid()]
    while left:
        for pid in children.get(left.pop(), ()):
            found.append(pid)
            left.append(pid)
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]))
