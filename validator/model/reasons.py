"""Why a prediction is what it is: the findings that decide it, and the same in words."""

from __future__ import annotations

from collections.abc import Iterable

from validator.model.prediction import Finding, Prediction
from validator.model.words import Outlook, Severity


def gravest(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings of the gravest severity, which decide; a remark decides nothing."""
    counting = [finding for finding in findings if finding.severity is not Severity.INFO]
    rank = min((finding.severity.rank for finding in counting), default=None)
    return tuple(finding for finding in counting if finding.severity.rank == rank)


def causes_of(findings: Iterable[Finding]) -> str:
    """The causes that findings name, each once; empty where there are none."""
    return ", ".join(dict.fromkeys(finding.cause for finding in findings))


def reasons(prediction: Prediction) -> tuple[str, ...]:
    """Every reason of a prediction, the gravest first: what the facts lack, what decides, or that nothing speaks against it."""
    said = tuple(finding.message for finding in gravest(prediction.findings))
    if prediction.status is Outlook.UNKNOWN:
        lacking = (*map(str, prediction.missing), *said, "the facts do not reach that far")
        return (f"not known: {lacking[0]}",)
    return said or ("no rule speaks against it",)


def why(prediction: Prediction) -> str:
    """The first of its reasons, for where the findings are listed beside it."""
    return reasons(prediction)[0]
