"""Something done again and again beside the work, until the end."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: Seconds that the end waits for what is just being done: it may be printing to a terminal that takes nothing.
_PATIENCE = 2.0


class Ticking:
    """Calls a function every so many seconds, in a thread that never keeps the program from ending."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds, self._call = seconds, call
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)

    def start(self) -> None:
        """The first call is after the first interval."""
        self._thread.start()

    def stop(self) -> None:
        """No further calls; waits for one that is under way, but not for ever."""
        self._over.set()
        self._thread.join(_PATIENCE)

    def _tick(self) -> None:
        while not self._over.wait(self._seconds):
            try:
                self._call()
            except (OSError, ValueError):  # stderr is gone (a closed terminal, a closed stream): nobody is left to be told
                return
