"""Keeps what the supervisor knows from the processes beside it: they run what is validated, and may be anyone's.

Without this any process of the same user can read another's memory, environment and open files, or trace it.
"""

from typing import Any

try:
    import ctypes

    libc: Any = ctypes.CDLL(None)
except (ImportError, OSError):
    libc = None  # a Python without ctypes

_PR_SET_DUMPABLE = 4


def hide() -> bool:
    """Make this process one that only a privileged one can look into; whether that could be done.

    From then on the kernel refuses ptrace, ``/proc/<pid>/mem``, ``environ`` and ``fd`` to every process without CAP_SYS_PTRACE,
    root's included; a container that the docker runner starts has no capability at all.
    """
    return libc is not None and libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
