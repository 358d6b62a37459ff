"""Why, for the cells whose status is what rules say: grouped, because one cause speaks for many cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from validator.causes import catalogue
from validator.model import CellResult, Finding, Severity
from validator.text import one_line

#: Evidence shown of one finding; results.json has all of it.
EVIDENCE_LINES = 8
_TEXT_CHARACTERS = 1000
_SEVERITIES = (Severity.FAIL, Severity.ERROR, Severity.DEGRADED, Severity.UNKNOWN, Severity.INFO)


@dataclass(frozen=True)
class MessageGroup:
    """Cells of which rules say the same, word for word."""

    message: str
    evidence: tuple[str, ...]
    remedy: str | None
    ids: tuple[str, ...]


@dataclass(frozen=True)
class CauseGroup:
    """One cause that rules name, and the cells it applies to."""

    cause: str
    title: str
    severity: str
    cells: int
    messages: tuple[MessageGroup, ...]


def cause_groups(cells: Sequence[CellResult]) -> tuple[CauseGroup, ...]:
    """The findings of the cells whose status is what rules say: by cause, then by what is said."""
    groups: dict[str, dict[Finding, list[str]]] = {}
    for cell in cells:
        if cell.inferred:
            for finding in cell.findings:
                groups.setdefault(finding.cause, {}).setdefault(finding, []).append(_line(cell.id))
    made = [_cause_group(cause, said) for cause, said in groups.items()]
    return tuple(sorted(made, key=lambda group: (_SEVERITIES.index(Severity(group.severity)), -group.cells)))


def _cause_group(cause: str, said: Mapping[Finding, Sequence[str]]) -> CauseGroup:
    known = catalogue().get(cause)
    gravest = min((finding.severity for finding in said), key=_SEVERITIES.index)
    return CauseGroup(
        cause=_line(cause),
        title=known.title if known else "",
        severity=gravest.value,
        cells=len({cell for ids in said.values() for cell in ids}),
        messages=tuple(
            MessageGroup(
                _line(finding.message),
                tuple(_line(text) for text in finding.evidence[:EVIDENCE_LINES]),
                _line(finding.remedy) if finding.remedy else None,
                tuple(ids),
            )
            for finding, ids in sorted(said.items(), key=lambda pair: -len(pair[1]))
        ),
    )


def _line(text: str) -> str:
    return one_line(text, _TEXT_CHARACTERS)
