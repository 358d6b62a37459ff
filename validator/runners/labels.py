"""Labels on everything that is created in a container engine, so that it can be found and removed whatever happened."""

from __future__ import annotations

import os
import socket

#: Id of the run a container belongs to.
RUN = "validator.run"
#: Id of the cell a container measures.
CELL = "validator.cell"
#: Who started it: see owner().
OWNER = "validator.owner"
#: On images: the environment they were built for.
BUILT = "validator.built"


def owner() -> str:
    """``host:pid`` of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def owner_lives(owner: str) -> bool:
    """Whether the process of an owner label runs on this machine. One of another machine cannot be asked, and counts as alive."""
    host, _, pid = owner.rpartition(":")
    if host != socket.gethostname():
        return bool(host)
    return pid.isdigit() and os.path.exists(f"/proc/{pid}")
