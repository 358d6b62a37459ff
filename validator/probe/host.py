"""What the supervisor hears from the host on stdin: the nonce of the run, and whose turn it is. Bounded, in time, never trusted.

Whatever else can read the environment, the command line or a file of the probe never sees the nonce: it is asked for only once
the supervisor runs and nobody can look into it (see shelter.py).
"""

import json
import os
import re
import select
import stat
import time
from typing import Any, BinaryIO, Optional

#: Says that the supervisor listens; the host knows this line to the byte.
READY = b'{"validator_probe": "ready"}'
#: Seconds for the host to answer; less than what it adds to the probe's time before it kills it from outside.
ANSWER_SECONDS = 20.0
#: A wait for a turn ends some day, for the case that nobody is left to give one and stdin stays open all the same.
TURN_SECONDS = 24 * 3600.0
#: Longer lines are passed over, and so is all that comes after a flood.
_LINE_BYTES = 4096
_FLOOD_BYTES = 256 * 1024
_INIT_STDIN = "/proc/1/fd/0"
_NONCE = re.compile("[0-9a-f]{32}")


class Host:
    """The host at the other end of a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._data = b""
        self._room = _FLOOD_BYTES
        self._ended = False
        """Whether nothing more will come."""

    def nonce(self, out: BinaryIO) -> Optional[str]:
        """Say on ``out`` that the supervisor is ready, and return the nonce; None when none came in time."""
        out.write(b"\n" + READY + b"\n")  # a newline first: an entrypoint may have printed without ending its line
        out.flush()
        deadline = time.monotonic() + ANSWER_SECONDS
        said = self._nonce(deadline)
        return self._nonce(deadline) if said is None and self._ended and self._take_that_of_init() else said

    def turn(self, check: str) -> None:
        """Wait until the host says that it is the turn of this check, or can say nothing any more."""
        deadline = time.monotonic() + TURN_SECONDS
        while self._said("turn", deadline) not in (check, None):
            pass

    def _nonce(self, deadline: float) -> Optional[str]:
        while True:
            said = self._said("nonce", deadline)
            if said is None or _NONCE.fullmatch(said):
                return said

    def _take_that_of_init(self) -> bool:
        """Listen where the first process of the container does: an entrypoint that runs its command in the background takes
        the stdin away from that, and keeps its own."""
        try:
            # An engine gives a pipe; anything else, a terminal for one, is not ours to read from.
            if not stat.S_ISFIFO(os.stat(_INIT_STDIN).st_mode):
                return False
            self._descriptor = os.open(_INIT_STDIN, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return False
        self._ended = False
        return True

    def _said(self, name: str, deadline: float) -> Optional[str]:
        """The next text that the host says under this name; None at the deadline, and when nothing more will come."""
        while True:
            line = self._line(deadline)
            if line is None:
                return None
            try:
                document: Any = json.loads(line.decode("ascii"))
            except (ValueError, RecursionError):
                continue
            if isinstance(document, dict) and isinstance(document.get(name), str):
                return document[name]

    def _line(self, deadline: float) -> Optional[bytes]:
        while True:
            line, newline, rest = self._data.partition(b"\n")
            if newline:
                self._data = rest
                return line
            left = deadline - time.monotonic()
            if left <= 0 or self._room <= 0:
                return None
            try:
                # A day is more than select takes on some systems.
                if not select.select([self._descriptor], [], [], min(left, 60.0))[0]:
                    continue
                data = os.read(self._descriptor, _LINE_BYTES)
            except OSError:
                data = b""  # closed by whatever started us
            if not data:
                self._ended = True
                return None
            self._room -= len(data)
            self._data = (self._data + data)[-2 * _LINE_BYTES :]
