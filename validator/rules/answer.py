"""What a rule answers: findings, and what it took for granted or could not know."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern

from validator.catalogue.causes import catalogue
from validator.model import Assumption, AssumptionKind, Finding, Missing, MissingKind, Severity


@dataclass(frozen=True)
class Answer:
    """What one rule says of one subject on one place."""

    findings: tuple[Finding, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    missing: tuple[Missing, ...] = ()
    """What would have to be known; a cell for which something is missing is not passed."""


NOTHING = Answer()


def found(finding: Finding) -> Answer:
    """The answer of a rule that found one thing."""
    return Answer(findings=(finding,))


def assumed(kind: AssumptionKind, text: str) -> Answer:
    """The answer of a rule that holds only if something is so."""
    return Answer(assumptions=(Assumption(kind, text),))


def lacking(kind: MissingKind, text: str) -> Answer:
    """The answer of a rule that would have to know something first."""
    return Answer(missing=(Missing(kind, text),))


def finding(
    cause: str, severity: Severity, message: str, *evidence: str, remedy: str | None = None, source: object = None
) -> Finding:
    """A finding with its family from the catalogue."""
    return Finding(
        cause=cause,
        severity=severity,
        message=message,
        family=catalogue()[cause].family.value,
        evidence=evidence,
        remedy=remedy,
        source=intern(str(source)) if source else None,  # one text for all that a row of the facts is the source of
    )


def fail(cause: str, message: str, *evidence: str, remedy: str | None = None, source: object = None) -> Finding:
    """It does not work."""
    return finding(cause, Severity.FAIL, message, *evidence, remedy=remedy, source=source)


def degraded(cause: str, message: str, *evidence: str, remedy: str | None = None, source: object = None) -> Finding:
    """It works, but not as a user would think."""
    return finding(cause, Severity.DEGRADED, message, *evidence, remedy=remedy, source=source)
