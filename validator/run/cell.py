"""One cell's way from plan to result: prepare, request, run, verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping

from validator.catalogue import checks
from validator.model import Action, Cell, CellResult, HostInfo, Matrix, RanOn
from validator.run.protocols import Progress
from validator.runners.base import Prepared, Runner, RunOutcome
from validator.verdict import foretold, of_error, of_outcome
from validator.verdict.agreement import Rejudge


class CellRuns:
    """The state shared by the cells of one run: what was made ready, and what was opened, is so only once."""

    def __init__(
        self, matrix: Matrix, runner: Runner, progress: Progress, host: HostInfo | None, rejudge: Rejudge | None
    ) -> None:
        self._runner = runner
        self._host = host
        self._limits = matrix.limits
        self._progress = progress
        self._rejudge = rejudge
        self._levels = checks.levels(matrix.levels)
        self._prepared: dict[str, Prepared | Exception] = {}
        self._opened: dict[str, RunOutcome] = {}

    def result(self, cell: Cell) -> CellResult:
        """What comes of a cell; whatever happens, there is a result. Only an interrupt gets through."""
        if cell.action is Action.SKIP:
            return foretold(cell)
        began = time.monotonic()
        try:
            prepared = self._prepare(cell)
        except Exception as error:  # noqa: BLE001 - a cell cannot crash the run; a defect is shown as what it is
            return of_error(cell, error, acquire_seconds=time.monotonic() - began, host=self._host)
        try:
            outcome = self._outcome(cell, prepared)
            return of_outcome(
                cell,
                prepared,
                outcome,
                self._levels,
                ran_on=self._ran_on(cell),
                host=self._host,
                limits=self._limits,
                rejudge=self._rejudge,
            )
        except Exception as error:  # noqa: BLE001 - as above
            return of_error(cell, error, host=self._host)

    def _ran_on(self, cell: Cell) -> RanOn:
        """Where it ran: on the one machine there is, and with no other cell beside it."""
        host = self._host.id if self._host else HostInfo.id
        return RanOn(host, cell.gpu.device_uuid if cell.gpu else None, self._runner.name, alone=True)

    def _prepare(self, cell: Cell) -> Prepared:
        known = self._prepared.get(cell.environment.id)
        if known is None:
            try:
                known = self._runner.prepare(cell.environment, lambda line: self._progress.note(cell, line))
            except Exception as error:  # noqa: BLE001 - kept and raised for every cell of the environment; see result()
                known = error
            self._prepared[cell.environment.id] = known
        if isinstance(known, Exception):
            raise known
        return known

    def _outcome(self, cell: Cell, prepared: Prepared) -> RunOutcome:
        """What running it gives; an image that is only opened gives the same for every target, and is opened once."""
        if cell.action is Action.INSPECT and cell.environment.id in self._opened:
            return self._opened[cell.environment.id]

        def on_event(event: Mapping[str, object]) -> None:
            if event.get("event") == "check-start":
                self._progress.note(cell, f"check {event.get('check')}")
            elif event.get("event") == "check-end":
                status = event.get("status")
                self._progress.note(cell, f"check {event.get('check')}: {getattr(status, 'value', status)}")

        outcome = self._runner.run(self._runner.request(cell, prepared), on_event)
        if cell.action is Action.INSPECT:
            self._opened[cell.environment.id] = outcome
        return outcome
