"""What there is to show of one cell: in the table, and below it."""

from __future__ import annotations

from validator.base.text import clean, one_line
from validator.catalogue.causes import anchor, catalogue
from validator.model import Basis, CellResult, CheckResult, CheckStatus, Finding, Severity, Status, gravest
from validator.report.view.lines import line, unique
from validator.report.view.ran import disturbed, marks_of, ran_lines
from validator.report.view.types import CheckLine, Detail, FindingLine, Flag, FlagKind, TableCell

_CAUSE_CHARACTERS = 70
_LOG_CHARACTERS = 4000
_EVIDENCE_CHARACTERS = 300
_EVIDENCE_LINES = 6
#: What is looked at first: what contradicts, then what does not work, then what is not known.
_ORDER = (Status.FAIL, Status.ERROR, Status.DEGRADED, Status.PASS, Status.SKIP)


def plain_pass(cell: CellResult) -> bool:
    """Whether it passed and there is nothing else to say."""
    quiet = not flags_of(cell) and not cell.notes and not cell.findings and not _bad(cell) and not disturbed(cell)
    return cell.status is Status.PASS and quiet


def plain_skip(cell: CellResult) -> bool:
    """Whether it was skipped and there is nothing to say but the reason."""
    return cell.status is Status.SKIP and not flags_of(cell) and not cell.notes and not cell.findings and not cell.checks


def plainly_inferred(cell: CellResult) -> bool:
    """Whether its status comes from the rules, and everything they say is shown by cause."""
    return cell.inferred and not flags_of(cell) and not cell.notes and not _bad(cell) and not disturbed(cell)


def _bad(cell: CellResult) -> tuple[CheckResult, ...]:
    return tuple(check for check in cell.checks if check.status in (CheckStatus.FAIL, CheckStatus.WARN))


def flags_of(cell: CellResult) -> tuple[Flag, ...]:
    """What must not be overlooked."""
    flags = []
    if cell.agrees is False:
        predicted = cell.predicted.status.value if cell.predicted else "otherwise"
        causes = f" ({', '.join(cell.predicted.causes)})" if cell.predicted and cell.predicted.causes else ""
        flags.append(Flag(FlagKind.CONTRADICTED, line(f"{predicted} was predicted{causes}, {cell.status.value} came out")))
    if cell.unexpected and cell.expect is not None:
        came = "is predicted" if cell.basis is Basis.PREDICTED else "came out"
        flags.append(Flag(FlagKind.UNEXPECTED, f"the matrix expects {cell.expect.value}, {cell.status.value} {came}"))
    return tuple(flags)


def urgency(cell: CellResult) -> tuple[bool, bool, int]:
    """A key that sorts cells by how soon they should be looked at."""
    return cell.agrees is not False, not cell.unexpected, _ORDER.index(cell.status)


def table_cell(cell: CellResult | None, started: str) -> TableCell | None:
    """The cell as the table shows it, in a run that started then; None where the run had no such cell."""
    if cell is None:
        return None
    return TableCell(
        id=line(cell.id),
        status=cell.status.value,
        basis=cell.basis.value if cell.basis else None,
        cause=one_line(_in_table(cell), _CAUSE_CHARACTERS),
        words=_words(cell),
        flags=flags_of(cell),
        marks=marks_of(cell, started),
    )


def _in_table(cell: CellResult) -> str:
    """The cause by its title, or else the reason; what was measured is below the table."""
    first = next((finding.cause for finding in cell.findings), None)
    entry = catalogue().get(first) if first and cell.status in (Status.FAIL, Status.ERROR, Status.DEGRADED) else None
    return entry.title if entry else cell.reason


def detail_of(cell: CellResult, started: str) -> Detail:
    """All there is to say of the cell, below the table, in a run that started then."""
    return Detail(
        id=line(cell.id),
        status=cell.status.value,
        basis=cell.basis.value if cell.basis else None,
        reason=line(cell.reason),
        flags=flags_of(cell),
        notes=tuple(line(note) for note in cell.notes),
        sides=_sides(cell),
        checks=tuple(
            CheckLine(
                name=line(check.name),
                status=check.status.value,
                level=check.level.value,
                message=line(check.message),
                died=line(check.died) if check.died else None,
            )
            for check in _bad(cell)
        ),
        findings=tuple(_finding(finding, cell) for finding in cell.findings),
        log=_log(cell),
        ran=ran_lines(cell, started),
    )


def finding_lines(cell: CellResult) -> list[str]:
    """The findings of one cell as plain lines, for where no report is laid out."""
    lines = []
    for finding in (_finding(each, cell) for each in cell.findings):
        said = ". ".join(text for text in (finding.title, finding.message) if text)
        lines.append(f"cause {finding.cause}: {said or 'could not be named'}")
        lines.extend(f"  seen: {text}" for text in finding.evidence)
        lines.extend(f"  {name}: {text}" for name, text in (("try", finding.remedy), ("more", finding.source)) if text)
    return lines


def _finding(finding: Finding, cell: CellResult) -> FindingLine:
    entry = catalogue().get(finding.cause)
    message = line(finding.message)
    said = {line(cell.reason), *(f"{line(check.name)}: {line(check.message)}" for check in _bad(cell))}
    return FindingLine(
        cause=line(finding.cause),
        title=entry.title if entry else "",
        message="" if message in said else message,
        evidence=tuple(
            one_line(text, _EVIDENCE_CHARACTERS)
            for text in finding.evidence[:_EVIDENCE_LINES]
            if not any(line(text) in each for each in (*said, message))
        ),
        remedy=line(finding.remedy) if finding.remedy else None,
        source=one_line(finding.source, _EVIDENCE_CHARACTERS) if finding.source else None,
        from_catalogue=finding.source == anchor(finding.cause),
    )


def _words(cell: CellResult) -> tuple[str, ...]:
    """Only the gravest causes: next to a failure, nobody asks what else is less than ideal."""
    if not cell.inferred:
        return ()
    return unique(line(finding.cause) for finding in gravest(cell.findings))


def _sides(cell: CellResult) -> tuple[tuple[str, str], ...]:
    """What a contradicted prediction and its measurement rest on."""
    if cell.agrees is not False or cell.predicted is None:
        return ()
    said = [_with_evidence(finding) for finding in cell.predicted.findings if finding.severity is not Severity.INFO]
    rules = "; ".join(said) or "; ".join(map(str, cell.predicted.assumptions)) or "no rule speaks against it"
    telling = _bad(cell) or [check for check in cell.checks if check.status is not CheckStatus.SKIP]
    seen = "; ".join(f"{check.name} {check.status.value}: {check.message}" for check in telling) or cell.reason
    basis = cell.basis.value if cell.basis else "seen"
    return (
        (f"{cell.predicted.basis.value} {cell.predicted.status.value}", line(rules)),
        (f"{basis} {cell.status.value}", line(seen)),
    )


def _with_evidence(finding: Finding) -> str:
    return f"{finding.cause}: {finding.message}" + (f" [{'; '.join(finding.evidence)}]" if finding.evidence else "")


def _log(cell: CellResult) -> str:
    """What the bad checks printed, then what the container did."""
    if cell.status not in (Status.FAIL, Status.ERROR):
        return ""
    parts = [*(check.output for check in _bad(cell)), cell.log_tail]
    return clean("\n".join(part.strip("\n") for part in parts if part.strip()), _LOG_CHARACTERS)
