"""The tries at each job that the machine, not the environment, ended."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime, timezone

from validator.model import Attempt

#: From so many failed tries on, one after another on one lane, the lane rests before the next one: an engine that restarts must
#: not use up the tries of all jobs.
_REST_FROM = 3
_REST_SECONDS, _LONGEST_REST_SECONDS = 5.0, 30.0
#: From so many on it is the lane that is at fault, or all the machine, for good.
_HOPELESS_FROM = 9


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


class Streaks:
    """How many tries in a row the machine has ended on each lane."""

    def __init__(self) -> None:
        self._failed: dict[str, int] = defaultdict(int)

    def failed(self, lane: str) -> float | None:
        """A try has failed on a lane: the seconds that the lane is to rest; None where nothing more is to be tried there."""
        self._failed[lane] += 1
        count = self._failed[lane]
        if count >= _HOPELESS_FROM:
            return None
        return 0.0 if count < _REST_FROM else min(_LONGEST_REST_SECONDS, _REST_SECONDS * 2.0 ** (count - _REST_FROM))

    def went(self, lane: str) -> None:
        """A job has ended on a lane, and not because of the machine."""
        self._failed.pop(lane, None)
