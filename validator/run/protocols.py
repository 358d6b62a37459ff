"""Who is told how a run goes, and who keeps its results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from validator.model import Cell, CellResult, Environment, Intent


class Progress(Protocol):
    """Who is told how a run goes. Called from several threads at once: it must be quick, and take care of that itself."""

    def planned(self, cells: Sequence[Cell], lanes: Sequence[str]) -> None:
        """The cells that something will be done for, in the plan's order, and the names of the lanes that they run on."""

    def acquiring(self, environment: Environment) -> None:
        """An environment is begun to be made ready."""

    def acquired(self, environment: Environment, problem: str | None) -> None:
        """It is ready, or cannot be had."""

    def cell_started(self, cell: Cell, lane: str) -> None:
        """A cell is begun on a lane."""

    def note(self, about: Cell | Environment, text: str) -> None:
        """Something happens within a cell or while an environment is made ready: a line of a build, a check."""

    def said(self, text: str) -> None:
        """Something that concerns the whole run: a GPU that another process holds, an engine that went away."""

    def cell_finished(self, result: CellResult) -> None:
        """A cell has its result."""


class Keeper(Protocol):
    """Who keeps results safe the moment they exist. Called from one thread."""

    def begin(self, cell: Cell) -> None:
        """A cell is about to run."""

    def intend(self, intent: Intent) -> None:
        """Something is about to be started for it."""

    def keep_all(self, results: Iterable[CellResult], keys: Mapping[str, str] | None = None, *, final: bool = True) -> None:
        """Results, on disk together. Those that have a key, by their cell's id, may be used again by later runs; if they are not
        final, the cells have yet to be run."""
