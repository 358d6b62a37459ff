"""Which cells start now, and on which lanes: what is ready, the longest first. Pure: no clock, no thread, no engine.

A lane is a thing that one cell has for itself: a GPU, a MIG device, a part of the CPU. Lanes are known by their names here. All
costs are logarithmic in the number of cells and linear in the number of distinct sets of lanes, of which a machine has a handful.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

#: A job that needs all lanes of its kind at once lets so many others pass for each of these lanes; then lanes are held for it.
_PATIENCE = 2


class Job(NamedTuple):
    """A cell as the scheduler sees it."""

    number: int
    """What it is known by; of two that are alike in all else the lower one goes first."""
    environment: str
    """It is ready once that is."""
    lanes: tuple[str, ...]
    """Where it may run: on any one of these, or on all of them together."""
    expected: float = 0.0
    """Seconds that it will probably take; only how it compares to others counts."""
    takes_all: bool = False


class Start(NamedTuple):
    """A job, and the lanes it was given."""

    job: Job
    lanes: tuple[str, ...]


@dataclass
class _Kind:
    """The ready jobs that may run on one and the same set of lanes."""

    lanes: tuple[str, ...]
    singles: list[tuple[float, int, Job]] = field(default_factory=list)
    """A heap, the longest first."""
    together: list[tuple[float, int, Job]] = field(default_factory=list)
    """A heap of those that take all lanes."""
    passed: int = 0
    """How many have started on these lanes since a job has been waiting for all of them."""


class Scheduler:
    """Jobs that wait, jobs that are ready, lanes that are idle. Lanes of no job need not be named beforehand."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._kinds: dict[tuple[str, ...], _Kind] = {}
        self._of_lane: dict[str, list[_Kind]] = {}
        self._idle: dict[str, None] = {}
        """Idle lanes, in the order in which they became so."""
        self._away: set[str] = set()
        self._waiting: dict[str, list[Job]] = {}
        for job in jobs:
            self.add(job)

    @property
    def waiting(self) -> int:
        """How many jobs have not been started."""
        ready = sum(len(kind.singles) + len(kind.together) for kind in self._kinds.values())
        return ready + sum(map(len, self._waiting.values()))

    def add(self, job: Job) -> None:
        """Take a job up; it waits for its environment."""
        if job.lanes not in self._kinds:
            kind = self._kinds[job.lanes] = _Kind(job.lanes)
            for lane in job.lanes:
                if lane not in self._of_lane:
                    self._of_lane[lane] = []
                    self._idle[lane] = None
                self._of_lane[lane].append(kind)
        self._waiting.setdefault(job.environment, []).append(job)

    def ready(self, environment: str) -> None:
        """An environment is there: its jobs can start."""
        for job in self._waiting.pop(environment, ()):
            self._push(job)

    def withdraw(self, environment: str) -> tuple[Job, ...]:
        """Take out the jobs that still wait for an environment which will not come."""
        return tuple(self._waiting.pop(environment, ()))

    def start(self) -> Iterator[Start]:
        """Give out lanes as long as something can start. Each start that is taken from here has its lanes until ``end``."""
        for kind in self._kinds.values():
            while kind.together and (lanes := self._present(kind)) and all(map(self._usable, lanes)):
                kind.passed = 0
                yield self._begin(heappop(kind.together)[2], lanes)
        for lane in list(self._idle):
            if lane in self._idle and (next_kind := self._next(lane)) is not None:
                job = heappop(next_kind.singles)[2]
                for each in self._of_lane[lane]:
                    each.passed += bool(each.together)
                yield self._begin(job, (lane,))

    def end(self, lanes: Sequence[str]) -> None:
        """These lanes are idle again."""
        for lane in lanes:
            self._idle[lane] = None

    def again(self, job: Job) -> bool:
        """A job that was started could not be, or is to be tried once more: it is ready again, if any lane is left for it, and
        else taken no more. The lanes that it was given are for ``end``."""
        if not self._present(self._kinds[job.lanes]):
            return False
        self._push(job)
        return True

    def away(self, lane: str) -> None:
        """Nothing can start on a lane for now, because somebody else has it."""
        self._away.add(lane)

    def back(self, lane: str) -> None:
        """A lane that was away can be used."""
        self._away.discard(lane)

    def put_aside(self, lane: str) -> tuple[Job, ...]:
        """Use a lane no more. Returns the ready and waiting jobs that no lane is left for, which are taken out."""
        self._idle.pop(lane, None)
        self._away.discard(lane)
        left: list[Job] = []
        for kind in self._of_lane.pop(lane, ()):
            if self._present(kind):
                continue
            left += [job for _, _, job in (*kind.singles, *kind.together)]
            kind.singles.clear()
            kind.together.clear()
            for environment, jobs in self._waiting.items():
                left += [job for job in jobs if job.lanes == kind.lanes]
                self._waiting[environment] = [job for job in jobs if job.lanes != kind.lanes]
        return tuple(left)

    def _present(self, kind: _Kind) -> tuple[str, ...]:
        """Its lanes, without those put aside."""
        return tuple(lane for lane in kind.lanes if lane in self._of_lane)

    def _usable(self, lane: str) -> bool:
        return lane in self._idle and lane not in self._away

    def _push(self, job: Job) -> None:
        kind = self._kinds[job.lanes]
        heappush(kind.together if job.takes_all else kind.singles, (-job.expected, job.number, job))

    def _next(self, lane: str) -> _Kind | None:
        """Whose job goes next on an idle lane: the longest, of equal ones that with the fewest lanes to choose from."""
        kinds = self._of_lane[lane]
        if lane in self._away or any(kind.together and kind.passed >= _PATIENCE * len(kind.lanes) for kind in kinds):
            return None
        ready = [kind for kind in kinds if kind.singles]
        return min(ready, key=lambda kind: (kind.singles[0][0], len(kind.lanes), kind.singles[0][1]), default=None)

    def _begin(self, job: Job, lanes: tuple[str, ...]) -> Start:
        for lane in lanes:
            del self._idle[lane]
        return Start(job, lanes)
