"""Who measures rates now: cells that run side by side on the CPU take turns, while all the others pause.

A cell that comes to its rates waits until every cell beside it has come to its own, or has ended. Then they go one after another,
and until the last of them is through no further cell starts (``quiet``): one that did would make the rest wait for it.
"""

from __future__ import annotations

import threading
import time


class Turns:
    """The cells that run beside each other, and whose turn it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: list[CellGate] = []
        self._waiting: list[CellGate] = []
        """In the order in which they asked."""
        self._turn: CellGate | None = None
        self._quiet = False

    def enter(self) -> CellGate | None:
        """The gate of a cell that starts now; it is to ``leave`` when it ends. None while turns are being taken."""
        with self._lock:
            if self._quiet:
                return None
            gate = CellGate(self)
            self._cells.append(gate)
            return gate

    @property
    def quiet(self) -> bool:
        """Whether turns are being taken, so that no cell may start."""
        with self._lock:
            return self._quiet

    def _asked(self, gate: CellGate) -> None:
        with self._lock:
            if gate not in self._waiting:
                self._waiting.append(gate)
            self._next()

    def _granted(self, gate: CellGate) -> bool:
        with self._lock:
            return self._turn is gate

    def _ended(self, gate: CellGate) -> None:
        with self._lock:
            if gate in self._waiting:
                self._waiting.remove(gate)
            if self._turn is gate:
                self._turn = None
            self._next()

    def _left(self, gate: CellGate) -> None:
        self._ended(gate)
        with self._lock:
            if gate in self._cells:
                self._cells.remove(gate)
            self._next()

    def _next(self) -> None:
        """Give the turn on. Within a round those that had theirs may still run a last check; they do not hold up the rest."""
        if self._turn is not None:
            return
        if not self._waiting:
            self._quiet = False
        elif self._quiet or all(cell in self._waiting for cell in self._cells):
            self._quiet = True
            self._turn = self._waiting[0]


class CellGate:
    """The gate of one cell (a ``runners.base.Gate``), which is its own turn as well: a cell asks for one at a time."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._since: float | None = None
        self._waited = 0.0

    @property
    def waited(self) -> float:
        """Seconds that the cell has waited for its turns, the present wait among them."""
        return self._waited + (time.monotonic() - self._since if self._since is not None else 0.0)

    def ask(self) -> CellGate:
        """Ask for a turn."""
        self._since = self._since or time.monotonic()
        self._turns._asked(self)
        return self

    @property
    def granted(self) -> bool:
        """Whether it is this cell's turn."""
        granted = self._turns._granted(self)
        if granted:
            self._stop_waiting()
        return granted

    def end(self) -> None:
        """The turn is over."""
        self._stop_waiting()
        self._turns._ended(self)

    def leave(self) -> None:
        """The cell has ended."""
        self._stop_waiting()
        self._turns._left(self)

    def _stop_waiting(self) -> None:
        if self._since is not None:
            self._waited += time.monotonic() - self._since
            self._since = None
