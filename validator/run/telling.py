"""Tells how a run goes, to one who may have stopped listening: a terminal that is closed must not end the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ParamSpec

from validator.model import Cell, CellResult, Environment
from validator.run.protocols import Progress

_P = ParamSpec("_P")


class Telling:
    """A ``Progress`` that hands all on to another one, until that cannot write any more (a closed terminal, a broken pipe)."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._gone = False

    def planned(self, cells: Sequence[Cell], lanes: Sequence[str]) -> None:
        """Handed on."""
        self._tell(self._progress.planned, cells, lanes)

    def acquiring(self, environment: Environment) -> None:
        """Handed on."""
        self._tell(self._progress.acquiring, environment)

    def acquired(self, environment: Environment, problem: str | None) -> None:
        """Handed on."""
        self._tell(self._progress.acquired, environment, problem)

    def cell_started(self, cell: Cell, lane: str) -> None:
        """Handed on."""
        self._tell(self._progress.cell_started, cell, lane)

    def note(self, about: Cell | Environment, text: str) -> None:
        """Handed on."""
        self._tell(self._progress.note, about, text)

    def said(self, text: str) -> None:
        """Handed on."""
        self._tell(self._progress.said, text)

    def cell_finished(self, result: CellResult) -> None:
        """Handed on."""
        self._tell(self._progress.cell_finished, result)

    def _tell(self, told: Callable[_P, None], *arguments: _P.args, **named: _P.kwargs) -> None:
        if not self._gone:
            try:
                told(*arguments, **named)
            except (OSError, ValueError):  # ValueError: the stream is closed
                self._gone = True
