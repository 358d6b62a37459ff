"""Who is told how a run goes, and who keeps its results."""

from __future__ import annotations

from typing import Protocol

from validator.model import Cell, CellResult


class Progress(Protocol):
    """Who is told how a run goes."""

    def cell_started(self, cell: Cell, number: int, total: int) -> None:
        """A cell is begun."""

    def note(self, cell: Cell, text: str) -> None:
        """Something happens within it: a line of a build, a check."""

    def cell_finished(self, result: CellResult) -> None:
        """A cell has its result."""


class Keeper(Protocol):
    """Who keeps results safe the moment they exist."""

    def begin(self, cell: Cell) -> None:
        """A cell is about to run."""

    def keep(self, result: CellResult) -> None:
        """Its result."""
