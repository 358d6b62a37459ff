"""What earlier runs measured of a run's cells, where nothing that decides it has changed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from validator.base.text import one_line
from validator.model import Cell, CellResult, HostInfo, Matrix
from validator.run.cache import key_of, placements
from validator.run.protocols import Progress
from validator.run.settings import Known
from validator.runners.base import Prepared
from validator.verdict import of_kept
from validator.verdict.agreement import Rejudge


@dataclass(frozen=True)
class Reuse:
    """Asks earlier runs; without ``host``, on which results hang, they are not asked."""

    known: Known
    matrix: Matrix
    host: HostInfo | None
    runner: str
    facts: str
    rejudge: Rejudge | None
    progress: Progress

    def key(self, cell: Cell, prepared: Prepared) -> str | None:
        """What would make a cell's result the same again; None where that is not known."""
        if self.host is None:
            return None
        return key_of(cell, prepared, self.matrix, self.host, runner=self.runner, facts=self.facts)

    def of(self, cells: Iterable[tuple[int, Cell, Prepared]]) -> Mapping[int, tuple[str, CellResult]]:
        """The key and the result of each cell that has one, by its number; all are asked for at once.

        A history that cannot be read has nothing to tell: the cells are measured, as if it had never been.
        """
        try:
            of_number: dict[int, Cell] = {}
            keys: dict[int, list[str]] = {}
            for number, cell, prepared in cells:
                of_number[number] = cell
                keys[number] = [key for each in placements(cell) if (key := self.key(each, prepared)) is not None]
            known = self.known.reusable(key for some in keys.values() for key in some)
            found = {number: key for number, some in keys.items() for key in reversed(some) if key in known}
            return {number: (key, of_kept(of_number[number], known[key], self.rejudge)) for number, key in found.items()}
        except Exception as error:  # noqa: BLE001 - see above
            self.progress.said(f"earlier results cannot be used again: {one_line(str(error), 200)}")
            return {}
