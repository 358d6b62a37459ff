"""One cell's way from plan to result: prepare, request, run, verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from validator.base.errors import ValidatorError
from validator.base.text import one_line
from validator.catalogue import checks
from validator.model import Action, Cell, CellResult, HostInfo, Matrix, Status, not_run
from validator.run.protocols import Progress
from validator.runners.base import Prepared, Runner, RunOutcome
from validator.verdict.agreement import Rejudge, compared, foretold
from validator.verdict.findings import joined, of_error, of_result
from validator.verdict.judgement import judge


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
        except ValidatorError as error:
            seconds = time.monotonic() - began
            return self._named(not_run(cell, Status.ERROR, _in_short(error), acquire_seconds=seconds), error)
        except Exception as error:  # noqa: BLE001 - a cell cannot crash the run; a defect is shown as what it is
            return self._named(not_run(cell, Status.ERROR, _defect(error)), error)
        try:
            outcome = self._outcome(cell, prepared)
            result = judge(cell, prepared, outcome, self._levels)
            result = compared(cell, result, self._rejudge) if self._rejudge else result
            seen = of_result(result, prepared, outcome, host=self._host, limits=self._limits)
            return replace(result, findings=joined(result.findings, seen))
        except ValidatorError as error:
            return self._named(not_run(cell, Status.ERROR, _in_short(error)), error)
        except Exception as error:  # noqa: BLE001 - as above
            return self._named(not_run(cell, Status.ERROR, _defect(error)), error)

    def _named(self, result: CellResult, error: Exception) -> CellResult:
        """The result of a cell that nothing was seen of, with what the error names as its cause."""
        return replace(result, findings=of_error(error, result, host=self._host))

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


def _in_short(error: ValidatorError) -> str:
    parts = [one_line(error.what, 300)]
    if error.why:
        parts.append(one_line(error.why, 500))
    return ": ".join(parts)


def _defect(error: Exception) -> str:
    return f"a defect of the validator itself: {type(error).__name__}: {one_line(str(error), 300)}; please report it"
