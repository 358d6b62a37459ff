"""Who measures rates now: cells that run side by side on the CPU take turns, while all the others pause.

A cell that comes to its rates waits until every cell beside it has come to its own, or has ended. Then they go one after another,
and until the last of them is through no further cell starts (``quiet``): one that did would make the rest wait for it. Nor does
one start when many have while a cell waits: cells without rates, one after another, would make it wait for all of them.
"""

from __future__ import annotations

import threading
import time

#: While a cell waits, so many cells may still start for each that runs; then none does until the turns have been taken.
_PATIENCE = 2


class Turns:
    """The cells that run beside each other, and whose turn it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: list[CellGate] = []
        self._waiting: list[CellGate] = []
        """In the order in which they asked."""
        self._turn: CellGate | None = None
        self._taking = False
        """Whether turns are being taken."""
        self._passed = 0
        """How many cells have started since one has been waiting."""

    def enter(self) -> CellGate | None:
        """The gate of a cell that starts now; it is to ``leave`` when it ends. None while no cell may start (``quiet``)."""
        with self._lock:
            if self._closed():
                return None
            self._passed += bool(self._waiting)
            gate = CellGate(self)
            self._cells.append(gate)
            return gate

    @property
    def quiet(self) -> bool:
        """Whether no cell may start, because turns are being taken, or because they have been waited for long enough."""
        with self._lock:
            return self._closed()

    def _asked(self, gate: CellGate) -> None:
        with self._lock:
            if gate in self._cells and gate not in self._waiting:
                self._waiting.append(gate)
            self._next()

    def _granted(self, gate: CellGate) -> bool:
        """A cell that has left, because it was given up, and goes on all the same, waits for nobody and nobody for it."""
        with self._lock:
            return self._turn is gate or gate not in self._cells

    def _ended(self, gate: CellGate) -> None:
        with self._lock:
            if gate in self._waiting:
                self._waiting.remove(gate)
            if self._turn is gate:
                self._turn = None
            self._next()

    def _left(self, gate: CellGate) -> None:
        with self._lock:
            if gate in self._cells:
                self._cells.remove(gate)
        self._ended(gate)

    def _closed(self) -> bool:
        return self._taking or self._passed >= _PATIENCE * max(1, len(self._cells))

    def _next(self) -> None:
        """Give the turn on. Within a round those that had theirs may still run a last check; they do not hold up the rest."""
        if self._turn is not None:
            return
        if not self._waiting:
            self._taking = False
            self._passed = 0
        elif self._taking or all(cell in self._waiting for cell in self._cells):
            self._taking = True
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
        waited, since = self._waited, self._since  # read once: the cell's own thread changes them meanwhile
        return waited + (time.monotonic() - since if since is not None else 0.0)

    def ask(self) -> CellGate:
        """Ask for a turn."""
        if self._since is None:
            self._since = time.monotonic()
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
        since = self._since
        if since is not None:
            self._waited += time.monotonic() - since
            self._since = None
