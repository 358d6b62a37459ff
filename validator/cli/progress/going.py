"""What is going on in a run, kept up as it is told: what runs where and for how long, what is done, how long it may still take.

It prints nothing, and its owner sees to it that one thread at a time is in it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from validator.base.text import one_line
from validator.model import Basis, Cell, CellResult, Environment, Status

_TEXT_CHARACTERS = 200


@dataclass(frozen=True)
class Doing:
    """A cell on its lane, or an environment that is being made ready."""

    id: str
    lane: str
    """Empty for an environment; of a cell on several, their names with commas between."""
    since: float
    doing: str
    """Its last line; empty before the first."""
    doing_since: float

    @property
    def lanes(self) -> tuple[str, ...]:
        """The lanes it is on."""
        return tuple(self.lane.split(", "))


@dataclass(frozen=True)
class Snapshot:
    """What is going on at one moment."""

    now: float
    done: int
    total: int | None
    """Cells that something is done for; None where nobody said."""
    counts: Mapping[Status, int]
    """Of the cells that are done."""
    cached: int
    """How many of those were measured by an earlier run."""
    lanes: tuple[str, ...]
    running: tuple[Doing, ...]
    """The longest running first."""
    making: tuple[Doing, ...]
    """The longest first."""
    to_go: float | None
    """Seconds; None where that cannot be told yet."""


class Going:
    """The state of a run. Texts are cleaned and on one line."""

    def __init__(self, expected: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._expected = expected
        self._clock = clock
        self._lanes: tuple[str, ...] = ()
        self._left: dict[str, float | None] = {}
        self._left_seconds = 0.0
        self._left_unknown = 0
        self._total: int | None = None
        self._running: dict[str, Doing] = {}
        self._making: dict[str, Doing] = {}
        self._counts: Counter[Status] = Counter()
        self._cached = 0
        self._measured = 0
        self._measured_seconds = 0.0

    def planned(self, cells: Sequence[Cell], lanes: Sequence[str]) -> None:
        """The cells to come and the lanes there are."""
        self._lanes = tuple(_line(lane) for lane in lanes)
        self._total = len(cells)
        self._left = {cell.id: self._expected.get(cell.id) for cell in cells}
        known = [seconds for seconds in self._left.values() if seconds is not None]
        self._left_seconds, self._left_unknown = sum(known), len(self._left) - len(known)

    def acquiring(self, environment: Environment) -> None:
        """An environment is begun to be made ready."""
        now = self._clock()
        self._making[environment.id] = Doing(_line(environment.id), "", now, "", now)

    def acquired(self, environment: Environment) -> float:
        """It is ready or cannot be had; how many seconds that took."""
        making = self._making.pop(environment.id, None)
        return self._clock() - making.since if making else 0.0

    def cell_started(self, cell: Cell, lane: str) -> None:
        """A cell is begun; it may have been before, if it is tried again."""
        now = self._clock()
        self._take(cell.id)
        self._running[cell.id] = Doing(_line(cell.id), _line(lane), now, "", now)

    def note(self, about: Cell | Environment, text: str) -> bool:
        """Something happens in a cell or environment; whether it is the first that is said of it."""
        doing = self._running if isinstance(about, Cell) else self._making
        before = doing.get(about.id)
        if before is None:
            return False
        doing[about.id] = replace(before, doing=_line(text), doing_since=self._clock())
        return not before.doing

    def cell_finished(self, result: CellResult) -> float | None:
        """A cell has its result; how many seconds it was on its lane, None if it was on none."""
        ran = self._running.pop(result.id, None)
        if ran is None and not self._take(result.id):
            return None
        self._counts[result.status] += 1
        self._cached += is_earlier(result)
        if ran is None:
            return None
        seconds = self._clock() - ran.since
        self._measured += 1
        self._measured_seconds += seconds
        return seconds

    @property
    def how_far(self) -> str:
        """``3 of 12 done``."""
        return _how_far(self._counts.total(), self._total)

    def snapshot(self) -> Snapshot:
        """What is going on now."""
        now = self._clock()
        return Snapshot(
            now=now,
            done=self._counts.total(),
            total=self._total,
            counts=dict(self._counts),
            cached=self._cached,
            lanes=self._lanes or tuple(dict.fromkeys(lane for each in self._running.values() for lane in each.lanes)),
            running=tuple(sorted(self._running.values(), key=lambda each: each.since)),
            making=tuple(self._making.values()),
            to_go=self._to_go(now),
        )

    def _take(self, cell_id: str) -> bool:
        """Strike a cell off those to come; whether it was among them."""
        if cell_id not in self._left:
            return False
        seconds = self._left.pop(cell_id)
        if seconds is None:
            self._left_unknown -= 1
        else:
            self._left_seconds -= seconds
        return True

    def _to_go(self, now: float) -> float | None:
        """The work that is left over the lanes that share it: those on their lanes end no sooner than the last of them does."""
        usual = self._measured_seconds / self._measured if self._measured else None
        rest = []
        for key, each in self._running.items():
            lasts = self._expected.get(key, usual)
            if lasts is None:
                return None
            rest.append(max(0.0, lasts - (now - each.since)))
        if self._left_unknown and usual is None:
            return None
        work = sum(rest) + self._left_seconds + self._left_unknown * (usual or 0.0)
        return max(work / max(1, len(self._lanes)), *rest, 0.0)


def is_earlier(result: CellResult) -> bool:
    """Whether it was measured by an earlier run."""
    return result.cached or result.origin is not None


def is_told(result: CellResult) -> bool:
    """Whether it has a line of its own: something was done for it now. What was only skipped or predicted stands in the table."""
    if is_earlier(result):
        return False
    return result.basis not in (None, Basis.PREDICTED) or result.status is Status.ERROR


def summary(shown: Snapshot) -> str:
    """In one line: how far it is, how it went so far, how many lanes are busy, how long it may still take."""
    counts = [f"{number} {status.value}" for status in Status if (number := shown.counts.get(status, 0))]
    if shown.cached:
        counts.append(f"{shown.cached} of them cached")
    parts = [_how_far(shown.done, shown.total) + (f" ({', '.join(counts)})" if counts else "")]
    if shown.lanes:
        busy = len({lane for each in shown.running for lane in each.lanes if lane in shown.lanes})
        parts.append(f"{busy} of {len(shown.lanes)} {'lane' if len(shown.lanes) == 1 else 'lanes'} busy")
    if shown.to_go is not None and (shown.running or shown.making or shown.done != shown.total):
        parts.append(f"about {span(shown.to_go)} to go")
    return ", ".join(parts)


def span(seconds: float) -> str:
    """A time as people say it: ``8 s``, ``12 min``, ``3 h 20 min``."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 120 * 60:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _how_far(done: int, total: int | None) -> str:
    return f"{done} done" if total is None else f"{done} of {total} done"


def _line(text: str) -> str:
    return one_line(text, _TEXT_CHARACTERS)
