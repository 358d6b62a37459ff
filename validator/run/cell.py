"""One cell's way from what was made ready to its result: request, run, verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from validator.base.errors import InterruptedRunError
from validator.catalogue import checks
from validator.model import Action, Cell, CellResult, HostInfo, Matrix, RanOn
from validator.run.protocols import Progress
from validator.runners.base import OPEN, WHOLE, Gate, OnEvent, Prepared, Runner, RunOutcome, RunRequest, Share
from validator.verdict import of_error, of_outcome
from validator.verdict.agreement import Rejudge


@dataclass(frozen=True)
class Ran:
    """What running a cell came to."""

    results: tuple[CellResult, ...]
    """The cell's; of an environment that was only opened also those of its other targets, for which opening it is the same."""
    transient: bool = False
    """Whether to try again: the machine was in trouble, not the environment."""
    stuck: bool = False
    """Whether what was started is still there, and holds the cell's lanes."""


class CellRuns:
    """Runs single cells of one run. Several threads may use one."""

    def __init__(
        self, matrix: Matrix, runner: Runner, progress: Progress, host: HostInfo | None, rejudge: Rejudge | None
    ) -> None:
        self._runner = runner
        self._host = host
        self._limits = matrix.limits
        self._progress = progress
        self._rejudge = rejudge
        self._levels = checks.levels(matrix.levels)

    def request(self, cell: Cell, prepared: Prepared, share: Share = WHOLE, attempt: int = 1) -> RunRequest:
        """What would be sent for a cell."""
        return self._runner.request(cell, prepared, share=share, attempt=attempt)

    def run(
        self,
        cells: Sequence[Cell],
        prepared: Prepared,
        request: RunRequest,
        *,
        gate: Gate = OPEN,
        exclusive: bool | None = None,
    ) -> Ran:
        """Run the first of ``cells``, which are more than one only if they are the same thing opened. Whatever happens, there are
        results. Raises InterruptedRunError alone."""
        ran = self._ran(cells, prepared, lambda told: self._runner.run(request, told, gate), exclusive)
        assert ran is not None  # noqa: S101 - a run has an outcome
        return ran

    def rejoin(self, cells: Sequence[Cell], prepared: Prepared, request: RunRequest, *, gate: Gate = OPEN) -> Ran | None:
        """Go on with what an earlier process of the run started with a request; None where it is not there any more.

        As ``run`` in all else; whether it had its GPU for itself is not known.
        """
        return self._ran(cells, prepared, lambda told: self._runner.rejoin(request, told, gate), None)

    def _ran(
        self,
        cells: Sequence[Cell],
        prepared: Prepared,
        run: Callable[[OnEvent], RunOutcome | None],
        exclusive: bool | None,
    ) -> Ran | None:
        began = time.monotonic()
        try:
            outcome = run(self._told(cells[0]))
            if outcome is None:
                return None
            results = tuple(self._judged(cell, prepared, outcome, exclusive) for cell in cells)
        except InterruptedRunError:
            raise
        except Exception as error:  # noqa: BLE001 - a cell cannot crash the run; a defect is shown as what it is
            return Ran(tuple(of_error(cell, error, host=self._host) for cell in cells))
        if outcome.probe_seconds is None and outcome.start_seconds is None:
            took = time.monotonic() - began
            results = tuple(replace(result, seconds=replace(result.seconds, start=took)) for result in results)
        return Ran(results, outcome.transient, outcome.stuck)

    def failed(self, cell: Cell, error: Exception, acquire_seconds: float | None = None) -> CellResult:
        """The result of a cell that could not be run."""
        return of_error(cell, error, acquire_seconds=acquire_seconds, host=self._host)

    def _judged(self, cell: Cell, prepared: Prepared, outcome: RunOutcome, exclusive: bool | None) -> CellResult:
        host = self._host.id if self._host else HostInfo.id
        gpu = cell.gpu.device_uuid if cell.gpu and cell.action is Action.MEASURE else None
        return of_outcome(
            cell,
            prepared,
            outcome,
            self._levels,
            ran_on=RanOn(host, gpu, self._runner.name, exclusive=exclusive),
            host=self._host,
            limits=self._limits,
            rejudge=self._rejudge,
        )

    def _told(self, cell: Cell) -> OnEvent:
        """Tells the progress of each check of a cell."""

        def on_event(event: Mapping[str, object]) -> None:
            if event.get("event") == "check-start":
                self._progress.note(cell, f"check {event.get('check')}")
            elif event.get("event") == "check-end":
                status = event.get("status")
                self._progress.note(cell, f"check {event.get('check')}: {getattr(status, 'value', status)}")

        return on_event
