"""Causes found, and what rules say of a cell."""

from __future__ import annotations

from dataclasses import dataclass

from validator.model.words import Basis, Outlook, Severity


@dataclass(frozen=True)
class Finding:
    """A cause with its evidence and remedy in one cell."""

    cause: str
    severity: Severity
    message: str
    family: str | None = None
    evidence: tuple[str, ...] = ()
    remedy: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Prediction:
    """What rules say of a cell before anything runs, or once its image has been opened."""

    status: Outlook
    causes: tuple[str, ...] = ()
    """The idents of the findings, in their order."""
    basis: Basis = Basis.PREDICTED
    """``predicted`` from the facts alone; ``inspected`` where what was read inside the image replaced them."""
    findings: tuple[Finding, ...] = ()
    """Every cause that applies, the gravest first; each with the numbers compared."""
    assumptions: tuple[str, ...] = ()
    """What was taken for granted because it was not given; a sentence each."""
    missing: tuple[str, ...] = ()
    """What the facts lack for a firm answer; a sentence each."""
