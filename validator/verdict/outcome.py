"""The one door for a verdict: from what came back of a cell, or from what went wrong, to its result. Pure.

The same steps for every caller, in this order: what was found inside, the status, the prediction beside it, the causes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from validator.base.errors import ValidatorError
from validator.base.text import one_line
from validator.model import Action, Cell, CellResult, CheckResult, HostInfo, Level, Limits, RanOn, Seconds, Status, not_run
from validator.probe_host import CheckEvent
from validator.runners.base import Prepared, RunOutcome
from validator.verdict import findings
from validator.verdict.agreement import Rejudge, agreed, compared
from validator.verdict.content import content_of, mismatches_of, sentence
from validator.verdict.status import verdict_of


def of_outcome(
    cell: Cell,
    prepared: Prepared,
    outcome: RunOutcome,
    levels: Mapping[str, Level],
    *,
    ran_on: RanOn | None = None,
    host: HostInfo | None = None,
    limits: Limits | None = None,
    rejudge: Rejudge | None = None,
) -> CellResult:
    """The result of a cell that ran.

    ``host`` is the machine it ran on, which findings then speak of; ``limits`` are those its container had; ``rejudge`` says
    what the rules make of it once it is known what is inside. Without one of them, less is said.
    """
    result = _judged(cell, prepared, outcome, levels, ran_on)
    result = compared(cell, result, rejudge) if rejudge else result
    seen = findings.of_result(result, prepared, outcome, host=host, limits=limits)
    return replace(result, findings=findings.joined(result.findings, seen))


def of_kept(cell: Cell, kept: CellResult, rejudge: Rejudge | None = None) -> CellResult:
    """The result of a cell that was measured by an earlier run and is used again: what was seen stands, what the matrix and the
    rules say of it is as of now.

    Of an environment that was only opened the rules' word is the result itself, so that it stands as well: it is used again only
    where they would say the same.
    """
    result = replace(
        kept, id=cell.id, environment=cell.environment, target=cell.target, expect=cell.expect, cached=True, attempts=()
    )
    if cell.action is Action.INSPECT:
        return result
    known = rejudge is not None and result.content.torch is not None
    return agreed(replace(result, predicted=rejudge(cell, result.content) if known and rejudge else cell.predicted))


def of_error(
    cell: Cell, error: Exception, *, acquire_seconds: float | None = None, host: HostInfo | None = None
) -> CellResult:
    """The result of a cell of which nothing was seen, because of ``error``: what it names as the cause is the finding."""
    reason = _in_short(error) if isinstance(error, ValidatorError) else _defect(error)
    result = not_run(cell, Status.ERROR, reason, acquire_seconds=acquire_seconds)
    return replace(result, findings=findings.of_error(error, result, host=host))


def _judged(
    cell: Cell, prepared: Prepared, outcome: RunOutcome, levels: Mapping[str, Level], ran_on: RanOn | None
) -> CellResult:
    checks = tuple(_result(event, levels) for event in outcome.report.checks)
    content = content_of(checks, prepared, outcome.report.facts)
    mismatches = mismatches_of(cell.environment, content)
    verdict = verdict_of(cell, prepared, outcome, checks, content, mismatches)
    told = (sentence(mismatch) for mismatch in mismatches)
    return CellResult(
        id=cell.id,
        environment=cell.environment,
        target=cell.target,
        ran_on=ran_on,
        status=verdict.status,
        basis=verdict.basis,
        reason=verdict.reason,
        checks=checks,
        content=content,
        mismatches=mismatches,
        digest=prepared.digest,
        notes=(*prepared.notes, *(text for text in told if text != verdict.reason)),
        seconds=Seconds(
            acquire=prepared.seconds,
            start=outcome.start_seconds,
            probe=outcome.probe_seconds,
            total=prepared.seconds + (outcome.start_seconds or 0.0) + (outcome.probe_seconds or 0.0),
        ),
        expect=cell.expect,
        predicted=cell.predicted,
        log_tail="\n".join(part for part in (outcome.report.stray, outcome.stderr) if part),
    )


def _result(event: CheckEvent, levels: Mapping[str, Level]) -> CheckResult:
    return CheckResult(
        name=event.name,
        status=event.status,
        level=levels[event.name],
        message=event.message,
        seconds=event.seconds,
        metrics=event.metrics,
        died=event.died,
        output=event.output,
    )


def _in_short(error: ValidatorError) -> str:
    parts = [one_line(error.what, 300)]
    if error.why:
        parts.append(one_line(error.why, 500))
    return ": ".join(parts)


def _defect(error: Exception) -> str:
    return f"a defect of the validator itself: {type(error).__name__}: {one_line(str(error), 300)}; please report it"
