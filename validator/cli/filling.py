"""The report of a run that is still going: there at once as predicted, and filled in as results come."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from validator import __version__
from validator.base.errors import StoreError
from validator.model import Cell, CellResult, HostInfo, Intent, Report, RunInfo
from validator.report import files
from validator.verdict import foretold

if TYPE_CHECKING:
    from validator.results import Store

#: Seconds between two writings, and the most of a run's time that may be spent on them.
_EVERY_SECONDS = 10.0
_PART = 0.05


class Filling:
    """A ``run.Keeper`` that hands everything on to the store, and keeps the run's report files up to date beside it."""

    def __init__(
        self, store: Store, info: RunInfo, host: HostInfo, cells: Sequence[Cell], known: Mapping[str, CellResult] | None = None
    ) -> None:
        """``known`` are the results that a run which is taken up again has already."""
        known = known or {}
        self._store = store
        self._info = info
        self._host = host
        self._results = {cell.id: known.get(cell.id) or foretold(cell) for cell in cells}
        self._again = 0.0

    @property
    def results(self) -> Sequence[CellResult]:
        """The results as they are now, what has not run yet as predicted."""
        return list(self._results.values())

    def begin(self, cell: Cell) -> None:
        """Hand it on."""
        self._store.begin(cell)

    def intend(self, intent: Intent) -> None:
        """Hand it on."""
        self._store.intend(intent)

    def keep_all(self, results: Iterable[CellResult], keys: Mapping[str, str] | None = None, *, final: bool = True) -> None:
        """Hand them on, and write them into the report after a while."""
        results = list(results)
        self._store.keep_all(results, keys, final=final)
        if final:
            self._results.update({result.id: result for result in results})
            self._write_now_and_then()

    def write(self) -> None:
        """Write the report files of the run as it is now. They are a convenience: where that fails the run goes on."""
        began = time.monotonic()
        report = Report(self._info, {self._host.id: self._host}, tuple(self._results.values()), __version__)
        with suppress(StoreError):
            self._store.write_reports(self._info.id, files(report), {})
        ended = time.monotonic()
        self._again = ended + max(_EVERY_SECONDS, (ended - began) / _PART)

    def _write_now_and_then(self) -> None:
        if time.monotonic() >= self._again:
            self.write()
