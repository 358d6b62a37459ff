"""A finding from a cause and what was seen: bounded, cleaned, with the catalogue's remedy filled from the context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from validator.base.text import one_line
from validator.catalogue.causes import anchor, catalogue
from validator.diagnose.placeholders import fill
from validator.model import UNKNOWN_CAUSE, Finding, Severity

_MESSAGE_CHARS = 500
_EVIDENCE_LINES = 6
_EVIDENCE_CHARS = 300


def finding(
    cause: str,
    severity: Severity,
    message: str,
    evidence: Iterable[str] = (),
    *,
    context: Mapping[str, str] | None = None,
    remedy: str | None = None,
) -> Finding:
    """A finding; ``remedy`` None takes the catalogue's. A cause that is not in the catalogue becomes ``unknown``."""
    entry = catalogue().get(cause)
    lines = dict.fromkeys(line for text in evidence if (line := one_line(text, _EVIDENCE_CHARS)))
    return Finding(
        cause=entry.ident if entry else UNKNOWN_CAUSE,
        severity=severity if entry else Severity.UNKNOWN,
        message=one_line(message, _MESSAGE_CHARS),
        family=entry.family.value if entry else None,
        evidence=tuple(lines)[:_EVIDENCE_LINES],
        remedy=(remedy or fill(entry.remedy, context or {}) or None) if entry else remedy,
        source=anchor(entry.ident) if entry else None,
    )
