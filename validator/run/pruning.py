"""Environments thrown away beside the work, and waited for at the end."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from validator.base.stopping import Stop
from validator.runners.base import Prepared, Runner

_LOOK_SECONDS = 0.05


class Pruning:
    """Throws environments away, each in a thread of its own: an engine may take long over it."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._threads: list[threading.Thread] = []

    def throw_away(self, prepared: Prepared) -> None:
        """Begin with one; where it cannot be, it stays."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=self._discard, args=(prepared,), name="pruning", daemon=True)
        thread.start()
        self._threads.append(thread)

    def wait(self, seconds: float, stop: Stop) -> None:
        """Until all are gone, at most so long, and no longer once what runs is to be ended."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            while thread.is_alive() and not stop.now and time.monotonic() < until:
                thread.join(_LOOK_SECONDS)

    def _discard(self, prepared: Prepared) -> None:
        with suppress(Exception):  # what stays is only room on a disk
            self._runner.discard(prepared)
