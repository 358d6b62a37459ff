"""Whether a run's work is to end: first with a time of grace, then at once. One value, shared by all threads of a run."""

from __future__ import annotations

import threading
import time


class Stop:
    """Asked once, nothing new is begun and what runs has a time of grace; asked again, it is ended at once.

    Threads look at it wherever they wait. It is set from a signal handler too, so no lock is taken by ``ask``.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._until: float | None = None
        self.signal: int | None = None
        """The first signal that asked, where it was one."""

    @property
    def asked(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._asked.is_set()

    @property
    def now(self) -> bool:
        """Whether what still runs is to be ended."""
        return self._until is not None and time.monotonic() >= self._until

    def ask(self, grace_seconds: float = 0.0, *, signal: int | None = None) -> None:
        """Ask, or ask again: the time of grace only ever becomes shorter."""
        until = time.monotonic() + grace_seconds
        self._until = until if self._until is None else min(self._until, until)
        self.signal = self.signal or signal
        self._asked.set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is asked; whether it is."""
        return self._asked.wait(seconds)
