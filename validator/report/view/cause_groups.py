"""The reasons of cells whose status comes from the rules, grouped: one cause applies to many cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from validator.catalogue.causes import catalogue
from validator.model import CellResult, Finding, Severity
from validator.report.view.lines import line

#: Evidence shown of one finding; results.json has all of it.
EVIDENCE_LINES = 8
#: Cells named behind one message; the table has every one.
NAMED_CELLS = 100
#: Message and remedy.
_Said = tuple[str, str | None]


@dataclass(frozen=True)
class MessageGroup:
    """Cells of which the rules say the same, word for word."""

    message: str
    evidence: tuple[str, ...]
    remedy: str | None
    ids: tuple[str, ...]
    """The first of them."""
    cells: int
    """How many there are."""


@dataclass(frozen=True)
class CauseGroup:
    """One cause that the rules name, and the cells it applies to."""

    cause: str
    title: str
    severity: str
    cells: int
    messages: tuple[MessageGroup, ...]


def cause_groups(cells: Sequence[CellResult]) -> tuple[CauseGroup, ...]:
    """The findings of some cells: by cause, then by what is said and advised."""
    groups: dict[str, dict[_Said, dict[str, Finding]]] = {}
    for cell in cells:
        # As the rules put it: what a run adds for each target (which other environment works there) would part the groups,
        # and the table shows it.
        foretold = cell.predicted.findings if cell.predicted else ()
        for finding in foretold or cell.findings:
            said = groups.setdefault(finding.cause, {}).setdefault((finding.message, finding.remedy), {})
            said.setdefault(cell.id, finding)
    made = [_cause_group(cause, said) for cause, said in groups.items()]
    return tuple(sorted(made, key=lambda group: (Severity(group.severity).rank, -group.cells)))


def _cause_group(cause: str, said: Mapping[_Said, Mapping[str, Finding]]) -> CauseGroup:
    known = catalogue().get(cause)
    severities = (finding.severity for found in said.values() for finding in found.values())
    gravest = min(severities, key=lambda severity: severity.rank)
    return CauseGroup(
        cause=line(cause),
        title=known.title if known else "",
        severity=gravest.value,
        cells=len({cell for found in said.values() for cell in found}),
        messages=tuple(
            MessageGroup(
                line(message),
                _evidence(found.values()),
                line(remedy) if remedy else None,
                tuple(map(line, islice(found, NAMED_CELLS))),
                len(found),
            )
            for (message, remedy), found in sorted(said.items(), key=lambda pair: -len(pair[1]))
        ),
    )


def _evidence(findings: Iterable[Finding]) -> tuple[str, ...]:
    """What was compared, over all cells; each line once."""
    different = dict.fromkeys(text for finding in findings for text in finding.evidence)
    return tuple(dict.fromkeys(map(line, different)))[:EVIDENCE_LINES]
