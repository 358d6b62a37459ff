"""Remedies that look at the matrix itself: what else in it works on the same target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from validator.model import CellResult, Finding, Severity, Status

_NAMED = 3


def with_alternatives(results: Sequence[CellResult]) -> tuple[CellResult, ...]:
    """The same results; a finding that something does not work also names environments that were seen to work there."""
    passing: dict[str, list[str]] = {}
    for result in results:
        if result.status is Status.PASS:
            passing.setdefault(result.target.id, []).append(result.environment.id)
    return tuple(_with(result, passing.get(result.target.id, [])) for result in results)


def _with(result: CellResult, working: Sequence[str]) -> CellResult:
    if not working or result.status not in (Status.FAIL, Status.DEGRADED) or not result.findings:
        return result
    more = f" (and {len(working) - _NAMED} more)" if len(working) > _NAMED else ""
    named = ", ".join(working[:_NAMED])
    passes = "passes" if len(working) == 1 else "pass"
    advice = f"In this matrix {named}{more} {passes} on {result.target.id}."
    first, *rest = result.findings
    if first.severity is Severity.INFO or (first.remedy and advice in first.remedy):
        return result
    return replace(result, findings=(_advised(first, advice), *rest))


def _advised(finding: Finding, advice: str) -> Finding:
    return replace(finding, remedy=f"{finding.remedy.rstrip()} {advice}" if finding.remedy else advice)
