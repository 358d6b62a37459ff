"""How a run goes where there is no terminal: a line a cell as it starts and ends, and now and then what is going on."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from validator.base.text import one_line
from validator.cli.output import Output
from validator.cli.progress.going import Doing, Going, Snapshot, is_earlier, is_told, span, summary
from validator.cli.progress.ticking import Ticking
from validator.model import Cell, CellResult, Environment

#: Seconds between two heartbeats.
HEARTBEAT = 60.0
#: An environment that was ready sooner than this is not spoken of.
_WORTH_SAYING = 5.0
_REASON_CHARACTERS = 300


class Lines:
    """Plain lines; with -v every line of a build and every check too."""

    def __init__(self, output: Output, going: Going, heartbeat: float = HEARTBEAT) -> None:
        self._output, self._going = output, going
        self._lock = threading.Lock()
        self._earlier = 0
        """Results of earlier runs that are not spoken of yet."""
        self._ticking = Ticking(heartbeat, self._beat)

    def __enter__(self) -> Lines:
        self._ticking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ticking.stop()
        with self._lock:
            self._tell_earlier()

    def planned(self, cells: Sequence[Cell], lanes: Sequence[str]) -> None:
        """No line: what is planned was said by then."""
        with self._lock:
            self._going.planned(cells, lanes)

    def acquiring(self, environment: Environment) -> None:
        """No line yet: most are ready at once."""
        with self._lock:
            self._going.acquiring(environment)

    def acquired(self, environment: Environment, problem: str | None) -> None:
        """A line if it took its time. Why it cannot be had is what its cells will say; with -v it is said at once, too."""
        with self._lock:
            seconds = self._going.acquired(environment)
            if problem is not None:
                if self._output.verbose:
                    self._say(f"{environment.id}: cannot be had: {one_line(problem, _REASON_CHARACTERS)}")
            elif seconds >= _WORTH_SAYING or self._output.verbose:
                self._say(f"{environment.id}: ready after {span(seconds)}")

    def cell_started(self, cell: Cell, lane: str) -> None:
        """A line: what is done, where and why."""
        with self._lock:
            self._going.cell_started(cell, lane)
            self._say(f"{cell.id}: {cell.action.value}{f' on {lane}' if lane else ''}: {cell.reason}")

    def note(self, about: Cell | Environment, text: str) -> None:
        """A line with -v, and for the first that is said of an environment: that it is pulled or built."""
        with self._lock:
            first = self._going.note(about, text)
            if self._output.verbose or (first and isinstance(about, Environment)):
                self._say(f"{about.id}: {one_line(text)}")

    def said(self, text: str) -> None:
        """A line."""
        with self._lock:
            self._say(one_line(text, _REASON_CHARACTERS))

    def cell_finished(self, result: CellResult) -> None:
        """A line with what came of it; results of earlier runs are only counted."""
        with self._lock:
            seconds = self._going.cell_finished(result)
            if is_told(result):
                took = f" ({span(seconds)}; {self._going.how_far})" if seconds is not None else ""
                self._say(f"{result.id}: {result.status.value}: {one_line(result.reason, _REASON_CHARACTERS)}{took}")
            else:
                self._earlier += is_earlier(result)

    def _say(self, text: str) -> None:
        self._tell_earlier()
        self._output.note(one_line(text, 2 * _REASON_CHARACTERS))

    def _tell_earlier(self) -> None:
        if self._earlier:
            self._output.note(f"{self._earlier} {'result' if self._earlier == 1 else 'results'} of earlier runs used again")
            self._earlier = 0

    def _beat(self) -> None:
        with self._lock:
            self._say(heartbeat(self._going.snapshot()))


def heartbeat(shown: Snapshot) -> str:
    """What is going on, in one line of bounded length."""
    parts = [summary(shown)]
    if shown.running:
        parts.append(f"longest {_doing(shown.running[0], shown.now)}")
    if shown.making:
        more = f" and {len(shown.making) - 1} more" if len(shown.making) > 1 else ""
        parts.append(f"being made ready {_doing(shown.making[0], shown.now)}{more}")
    return "still going: " + "; ".join(parts)


def _doing(each: Doing, now: float) -> str:
    doing = f": {each.doing} for {span(now - each.doing_since)}" if each.doing else ""
    return f"{each.id}{doing} ({span(now - each.since)} in all)"
