"""The tries at each job that the machine, not the environment, ended."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime, timezone

from validator.model import Attempt


class Attempts:
    """Counts the tries of jobs, up to ``tries`` for each."""

    def __init__(self, tries: int) -> None:
        self._tries = tries
        self._made: dict[int, list[Attempt]] = defaultdict(list)
        self._began: dict[int, tuple[str, float]] = {}

    def begin(self, job: int) -> None:
        """A try begins."""
        self._began[job] = (datetime.now(timezone.utc).isoformat(timespec="seconds"), time.monotonic())

    def seconds(self, job: int) -> float:
        """How long the present try has been going."""
        return time.monotonic() - self._began[job][1]

    def failed(self, job: int, problem: str) -> bool:
        """The try that was begun failed with that problem; whether there is to be another. If so it is written down."""
        if len(self._made[job]) + 1 >= self._tries:
            return False
        at, _ = self._began[job]
        self._made[job].append(Attempt(at, problem, self.seconds(job)))
        return True

    def before(self, job: int) -> tuple[Attempt, ...]:
        """The tries before the present one."""
        return tuple(self._made.get(job, ()))
