"""How a run goes on a terminal: one live view of the lanes, and above it a lasting line for each finished cell.

Whoever tells something only changes the state. One thread draws, so that a slow terminal holds up no cell and no lock of the
terminal is ever waited for by one who holds ours.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from validator.base.text import inert, one_line
from validator.cli.progress.going import Doing, Going, Snapshot, is_told, summary
from validator.cli.progress.ticking import Ticking
from validator.model import Cell, CellResult, Environment

#: Seconds between two pictures.
_EVERY = 0.25
_REASON_CHARACTERS = 300
_STYLES = {"pass": "green", "degraded": "yellow", "fail": "bold red", "error": "magenta", "skip": "dim"}
#: Columns of a lane's name, and of a time.
_LANE, _TIME = 14, 7
#: On a terminal narrower than this a lane is not named.
_NARROW = 50
#: Rows that environments being made ready have at least, where there are as many.
_MAKING_ROWS = 3
#: Seconds from which it is shown how long a check has been going on.
_LONG = 5.0
#: Rows that the sum has at most.
_SUM_ROWS = 3


class LiveView:
    """The view, from entering to leaving it."""

    def __init__(self, going: Going) -> None:
        self._going = going
        self._lock = threading.Lock()
        self._lasting: list[Text] = []
        self._console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")), highlight=False, markup=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._ticking = Ticking(_EVERY, self._draw)

    def __enter__(self) -> LiveView:
        self._live.start()
        self._ticking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ticking.stop()
        with suppress(OSError):  # the terminal is gone: what came of the run is what matters now
            self._draw()
            self._live.stop()

    def planned(self, cells: Sequence[Cell], lanes: Sequence[str]) -> None:
        """Now the view knows how much there is to do."""
        with self._lock:
            self._going.planned(cells, lanes)

    def acquiring(self, environment: Environment) -> None:
        """A row, for as long as it lasts."""
        with self._lock:
            self._going.acquiring(environment)

    def acquired(self, environment: Environment, problem: str | None) -> None:
        """The row goes. Why it cannot be had is what its cells will say."""
        with self._lock:
            self._going.acquired(environment)

    def cell_started(self, cell: Cell, lane: str) -> None:
        """It is shown on its lane."""
        with self._lock:
            self._going.cell_started(cell, lane)

    def note(self, about: Cell | Environment, text: str) -> None:
        """Shown in its row until the next."""
        with self._lock:
            self._going.note(about, text)

    def said(self, text: str) -> None:
        """A lasting line."""
        with self._lock:
            self._last(one_line(text, _REASON_CHARACTERS))

    def cell_finished(self, result: CellResult) -> None:
        """A lasting line; what was measured by an earlier run is only counted."""
        with self._lock:
            self._going.cell_finished(result)
            if is_told(result):
                self._last(f"{result.id}: {one_line(result.reason, _REASON_CHARACTERS)}", result.status.value)

    def _last(self, text: str, status: str = "") -> None:
        said = inert(one_line(text, 2 * _REASON_CHARACTERS))
        self._lasting.append(Text.assemble((f"{status:9}", _STYLES.get(status, "")), said) if status else Text(said))

    def _draw(self) -> None:
        with self._lock:
            lasting, self._lasting = self._lasting, []
            shown = self._going.snapshot()
        if lasting:
            self._console.print(Text("\n").join(lasting))
        width, height = self._console.size
        self._live.update(Group(*rows(shown, width, height)), refresh=True)


def rows(shown: Snapshot, width: int, height: int) -> list[Text]:
    """The view as rows: the lanes, the environments being made ready, the sum of it; as many as fit a terminal of that size.

    No row is wider than the terminal. Of what does not fit it is said how much there is.
    """
    sums = wrap(summary(shown), max(1, width - 1))[:_SUM_ROWS]
    room = max(0, height - 2 - len(sums))  # the line above the view, and the one that the cursor is on, stay free
    at = {lane: each for each in reversed(shown.running) for lane in each.lanes}  # the longest, should two be on one
    lanes: list[tuple[str, Doing | None]] = [(lane, at.get(lane)) for lane in shown.lanes]
    lanes += [(each.lane, each) for each in shown.running if not any(at.get(lane) is each for lane in shown.lanes)]
    lanes_room = max(0, room - min(len(shown.making), _MAKING_ROWS))
    if len(lanes) > lanes_room:  # the busy ones, the longest first
        lanes = [(each.lane, each) for each in shown.running]
        lanes_room -= len(lanes) + len(shown.making) > room  # for the row that says how many more
    lanes_shown = lanes[: max(0, lanes_room)]
    making_room = max(0, room - len(lanes_shown))
    making_room -= making_room > 0 and (len(shown.making) > making_room or len(lanes) > len(lanes_shown))
    making_shown = shown.making[:making_room]
    name = min(_LANE, _widest(lane for lane, _ in lanes_shown)) if width >= _NARROW else 0
    label = _widest(each.id for each in (*(each for _, each in lanes_shown if each), *making_shown))
    label = min(label, max(0, width - name - _TIME - 4) * 3 // 5)
    made = [_row(lane, each, shown.now, width, name, label) for lane, each in lanes_shown]
    made += [_row("+", each, shown.now, width, name, label) for each in making_shown]
    more = [
        f"{number} more {what}"
        for number, what in (
            (len(lanes) - len(lanes_shown), "running"),
            (len(shown.making) - len(making_shown), "being made ready"),
        )
        if number
    ]
    if more and room:
        made.append(Text(_fitted(f"… and {', '.join(more)}", width - 1).rstrip(), "dim"))
    return made + [Text(each, "bold") for each in sums]


def _row(lane: str, each: Doing | None, now: float, width: int, name: int, label: int) -> Text:
    """``GPU 0  torch2.7@host  check train_amp_fp16  1:03``; the last column of the terminal stays free."""
    row = Text(no_wrap=True)
    if name:
        row.append(_fitted(lane, name), "cyan").append("  ")
    if each is None:
        return row.append("idle", "dim")
    row.append(_fitted(inert(each.id), label)).append("  ")
    rest = width - 1 - cell_len(row.plain) - _TIME
    if rest > 0:
        row.append(_fitted(_doing(each, now), rest), "dim")
    return row.append(_clock(now - each.since).rjust(_TIME))


def _widest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _doing(each: Doing, now: float) -> str:
    lasts = now - each.doing_since
    return inert(each.doing) + (f" {_clock(lasts)}" if each.doing and lasts >= _LONG else "")


def _clock(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _fitted(text: str, width: int) -> str:
    """The text in so many columns, filled up with blanks or cut with an ellipsis."""
    if width <= 0:
        return ""
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"
