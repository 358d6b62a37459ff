"""Remedies that look at the matrix itself: what else in it works on the same target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from validator.model import Basis, CellResult, Finding, Severity, Status

_NAMED = 3


def with_alternatives(results: Sequence[CellResult]) -> tuple[CellResult, ...]:
    """The same results; a finding that something does not work also names environments that work there, and how that is known."""
    passing: dict[str, dict[Basis, list[str]]] = {}
    for result in results:
        if result.status is Status.PASS and result.basis is not None:
            passing.setdefault(result.target.id, {}).setdefault(result.basis, []).append(result.environment.id)
    return tuple(_with(result, passing.get(result.target.id, {})) for result in results)


def _with(result: CellResult, working: Mapping[Basis, Sequence[str]]) -> CellResult:
    if result.status not in (Status.FAIL, Status.DEGRADED) or not result.findings:
        return result
    # What was measured says more than what was only read or foretold: the best that is known is named, alone.
    basis = next((each for each in (Basis.MEASURED, Basis.INSPECTED, Basis.PREDICTED) if each in working), None)
    if basis is None:
        return result
    first, *rest = result.findings
    advice = _advice(working[basis], result.target.id, basis)
    if first.severity is Severity.INFO or (first.remedy and advice in first.remedy):
        return result
    return replace(result, findings=(_advised(first, advice), *rest))


def _advice(environments: Sequence[str], target: str, basis: Basis) -> str:
    more = f" (and {len(environments) - _NAMED} more)" if len(environments) > _NAMED else ""
    named = ", ".join(environments[:_NAMED])
    passes = "passes" if len(environments) == 1 else "pass"
    known = "" if basis is Basis.MEASURED else f" ({basis.value})"
    return f"In this matrix {named}{more} {passes} on {target}{known}."


def _advised(finding: Finding, advice: str) -> Finding:
    if not finding.remedy:
        return replace(finding, remedy=advice)
    remedy = finding.remedy.rstrip()
    return replace(finding, remedy=f"{remedy}{'' if remedy.endswith('.') else '.'} {advice}")
