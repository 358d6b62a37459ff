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
