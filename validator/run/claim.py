"""Which runs live: each has a name in the kernel for itself, which is gone with the last process that holds it.

The name is that of an abstract socket (unix(7)): no file, so nothing is left of it, and all users of the machine see it. It is
what an owner's label cannot tell, since labels are never changed: that a run was taken up again by another process, and that the
reaper of a dead run is still at work.
"""

from __future__ import annotations

import errno
import socket

_NAME = "\0torch-matrix-validator/run/"


def claim(run_id: str) -> socket.socket | None:
    """Claim a run for as long as the socket is open, here or in a process that inherited it; None where another has it.

    Raises OSError where a socket cannot be had.
    """
    name = _open()
    try:
        name.bind(_NAME + run_id)
    except OSError as error:
        name.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return name


def claimed(run_id: str) -> bool:
    """Whether a process has claimed a run. One in a network of its own, as containers have, is not seen."""
    with _open() as asking:
        try:
            asking.connect(_NAME + run_id)
        except OSError:
            return False
    return True


def _open() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
