"""The one table every renderer shows, and what stands around it: pure data made from a Report.

Every text in a view is cleaned and bounded, and on one line (``Detail.log`` alone has several); renderers escape it for their
format and lay it out, and decide nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from validator.base.text import clean, one_line
from validator.catalogue.causes import UNKNOWN, catalogue
from validator.model import (
    Basis,
    CellResult,
    CheckResult,
    CheckStatus,
    EngineInfo,
    Finding,
    Gpu,
    NvmlInfo,
    Report,
    RunInfo,
    Severity,
    Status,
)
from validator.report.view.cause_groups import SEVERITIES, CauseGroup, cause_groups

_T = TypeVar("_T")
_CAUSE_CHARACTERS = 70
_TEXT_CHARACTERS = 1000
_LOG_CHARACTERS = 4000
_EVIDENCE_CHARACTERS = 300
_EVIDENCE_LINES = 6
#: What is looked at first: what contradicts, then what does not work, then what is not known.
_ORDER = (Status.FAIL, Status.ERROR, Status.DEGRADED, Status.PASS, Status.SKIP)


@dataclass(frozen=True)
class TableCell:
    """What the table says of one environment on one target."""

    id: str
    status: str
    basis: str | None
    cause: str
    """The cause by its title where one is named, else the reason; cut to what fits a table."""
    words: tuple[str, ...]
    """Idents of causes, where rules say why and not a run: short enough for a narrow column."""
    flags: tuple[str, ...]
    """What must not be overlooked: an unexpected status, a contradicted prediction."""


@dataclass(frozen=True)
class Row:
    """One environment on every target; None where the run had no such cell."""

    environment: str
    cells: tuple[TableCell | None, ...]


@dataclass(frozen=True)
class CheckLine:
    """A check that failed or warned."""

    name: str
    status: str
    level: str
    message: str
    died: str | None


@dataclass(frozen=True)
class FindingLine:
    """A named cause, and what to do about it."""

    cause: str
    title: str
    """What the catalogue calls it; empty where it has no such cause (``unknown``, a newer catalogue's)."""
    message: str
    """What was seen, where the cell's reason does not say the same; else empty."""
    evidence: tuple[str, ...]
    """What was seen beside that."""
    remedy: str | None
    source: str | None


@dataclass(frozen=True)
class Detail:
    """All there is to say of a cell that is not a plain pass."""

    id: str
    status: str
    basis: str | None
    reason: str
    flags: tuple[str, ...]
    notes: tuple[str, ...]
    sides: tuple[tuple[str, str], ...]
    """Where prediction and measurement contradict each other: what each of them rests on."""
    checks: tuple[CheckLine, ...]
    findings: tuple[FindingLine, ...]
    log: str
    """Several lines; for failed and errored cells only, empty where nothing was printed."""


@dataclass(frozen=True)
class SkipGroup:
    """Cells skipped for the same reason."""

    reason: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """A report, ready to be laid out."""

    title: str
    """What this is; empty for a run."""
    run: str
    runner: str
    interrupted: bool
    gpu: str
    engine: str
    targets: tuple[str, ...]
    idle_targets: tuple[int, ...]
    """Positions in ``targets`` of those where every cell is a skip; may be left out where there is no room, saying so."""
    rows: tuple[Row, ...]
    summary: tuple[tuple[str, int], ...]
    unnamed: int
    """Cells that are not green and whose cause could not be named."""
    alarms: tuple[tuple[str, str], ...]
    """(cell, what is wrong) of contradicted predictions, then of unexpected statuses."""
    details: tuple[Detail, ...]
    skips: tuple[SkipGroup, ...]
    digests: tuple[tuple[str, str], ...]
    """(environment, digest of the image it ran from)."""
    causes: tuple[CauseGroup, ...]
    """Why, for the cells that rules speak for and nothing else is to be said of; gravest first, then the most frequent."""
    inferred: bool
    """Whether there are such cells."""
    assumed: tuple[tuple[str, int], ...]
    """(what rules took for granted because it was not given, for how many cells), the most frequent first."""
    actions: tuple[SkipGroup, ...] = ()
    """For a plan: what a run would do, and with which cells."""


def view(report: Report) -> View:
    """What there is to show of a report."""
    cells = report.cells
    at = {(cell.environment.id, cell.target.id): cell for cell in cells}
    environments = _unique(cell.environment.id for cell in cells)
    targets = _unique(cell.target.id for cell in cells)
    busy = {cell.target.id for cell in cells if cell.status is not Status.SKIP}
    telling = [cell for cell in cells if not _plain_pass(cell) and not _plain_skip(cell) and not _plainly_inferred(cell)]
    alarming = sorted((cell for cell in cells if _flags(cell)), key=_urgency)
    return View(
        title="",
        run=_run(report.run, report.tool_version),
        runner=_line(f"{report.run.runner} ({report.run.runner_reason})"),
        interrupted=report.run.interrupted,
        gpu=_gpus(report.host.nvml),
        engine=_engine(report.host.engine),
        targets=tuple(_line(target) for target in targets),
        idle_targets=tuple(index for index, target in enumerate(targets) if target not in busy),
        rows=tuple(
            Row(_line(environment), tuple(_table_cell(at.get((environment, target))) for target in targets))
            for environment in environments
        ),
        summary=tuple((status.value, number) for status, number in count(cells).items()),
        unnamed=unnamed(cells),
        alarms=tuple((_line(cell.id), flag) for cell in alarming for flag in _flags(cell)),
        details=tuple(_detail(cell) for cell in sorted(telling, key=_urgency)),
        skips=_skips(cells),
        digests=tuple(
            _unique((_line(cell.environment.id), _line(cell.digest)) for cell in cells if cell.digest is not None)
        ),
        causes=cause_groups([cell for cell in cells if _plainly_inferred(cell)]),
        inferred=any(cell.inferred for cell in cells),
        assumed=tuple((_line(text), number) for text, number in _assumed(cells).most_common()),
    )


def count(cells: Sequence[CellResult]) -> dict[Status, int]:
    """How many cells have each status; a status that none has counts zero."""
    return {status: sum(cell.status is status for cell in cells) for status in Status}


def unnamed(cells: Sequence[CellResult]) -> int:
    """How many cells have a finding whose cause is unknown."""
    return sum(any(finding.cause == UNKNOWN for finding in cell.findings) for cell in cells)


# ---------------------------------------------------------------- cells


def _plain_pass(cell: CellResult) -> bool:
    return cell.status is Status.PASS and not _flags(cell) and not cell.notes and not cell.findings and not _bad(cell)


def _plain_skip(cell: CellResult) -> bool:
    """Nothing was run, and there is no more to say than why."""
    return cell.status is Status.SKIP and not _flags(cell) and not cell.notes and not cell.findings and not cell.checks


def _plainly_inferred(cell: CellResult) -> bool:
    """Rules say so, and all they say stands under the causes."""
    return cell.inferred and not _flags(cell) and not cell.notes and not _bad(cell)


def _bad(cell: CellResult) -> tuple[CheckResult, ...]:
    return tuple(check for check in cell.checks if check.status in (CheckStatus.FAIL, CheckStatus.WARN))


def _flags(cell: CellResult) -> tuple[str, ...]:
    flags = []
    if cell.agrees is False:
        predicted = cell.predicted.status.value if cell.predicted else "otherwise"
        causes = f" ({', '.join(cell.predicted.causes)})" if cell.predicted and cell.predicted.causes else ""
        flags.append(f"contradicts the prediction: {predicted} was predicted{causes}, {cell.status.value} came out")
    if cell.unexpected and cell.expect is not None:
        came = "is predicted" if cell.basis is Basis.PREDICTED else "came out"
        flags.append(f"unexpected: the matrix expects {cell.expect.value}, {cell.status.value} {came}")
    return tuple(flags)


def _urgency(cell: CellResult) -> tuple[bool, bool, int]:
    return cell.agrees is not False, not cell.unexpected, _ORDER.index(cell.status)


def _table_cell(cell: CellResult | None) -> TableCell | None:
    if cell is None:
        return None
    flags = tuple(flag.partition(":")[0] for flag in _flags(cell))
    return TableCell(
        id=_line(cell.id),
        status=cell.status.value,
        basis=cell.basis.value if cell.basis else None,
        cause=one_line(_in_table(cell), _CAUSE_CHARACTERS),
        words=_words(cell),
        flags=flags,
    )


def _in_table(cell: CellResult) -> str:
    """What there is room for: the measured words are below the table."""
    first = next((finding.cause for finding in cell.findings), None)
    entry = catalogue().get(first) if first and cell.status in (Status.FAIL, Status.ERROR, Status.DEGRADED) else None
    return entry.title if entry else cell.reason


def _detail(cell: CellResult) -> Detail:
    return Detail(
        id=_line(cell.id),
        status=cell.status.value,
        basis=cell.basis.value if cell.basis else None,
        reason=_line(cell.reason),
        flags=_flags(cell),
        notes=tuple(_line(note) for note in cell.notes),
        sides=_sides(cell),
        checks=tuple(
            CheckLine(
                name=_line(check.name),
                status=check.status.value,
                level=check.level.value,
                message=_line(check.message),
                died=_line(check.died) if check.died else None,
            )
            for check in _bad(cell)
        ),
        findings=tuple(_finding(finding, cell) for finding in cell.findings),
        log=_log(cell),
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
    message = _line(finding.message)
    said = {_line(cell.reason), *(f"{_line(check.name)}: {_line(check.message)}" for check in _bad(cell))}
    return FindingLine(
        cause=_line(finding.cause),
        title=entry.title if entry else "",
        message="" if message in said else message,
        evidence=tuple(
            one_line(text, _EVIDENCE_CHARACTERS)
            for text in finding.evidence[:_EVIDENCE_LINES]
            if not any(_line(text) in each for each in (*said, message))
        ),
        remedy=_line(finding.remedy) if finding.remedy else None,
        source=one_line(finding.source, _EVIDENCE_CHARACTERS) if finding.source else None,
    )


def _assumed(cells: Iterable[CellResult]) -> Counter[str]:
    return Counter(text for cell in cells if cell.inferred and cell.predicted for text in cell.predicted.assumptions)


def _words(cell: CellResult) -> tuple[str, ...]:
    """The causes of the gravest kind alone: beside a failure nobody asks for what else is less than ideal."""
    if not cell.inferred:
        return ()
    counting = [finding for finding in cell.findings if finding.severity is not Severity.INFO]
    gravest = min((finding.severity for finding in counting), key=SEVERITIES.index, default=None)
    return _unique(_line(finding.cause) for finding in counting if finding.severity is gravest)


def _sides(cell: CellResult) -> tuple[tuple[str, str], ...]:
    """What a contradicted prediction and its measurement rest on."""
    if cell.agrees is not False or cell.predicted is None:
        return ()
    said = [_with_evidence(finding) for finding in cell.predicted.findings if finding.severity is not Severity.INFO]
    rules = "; ".join(said) or "; ".join(cell.predicted.assumptions) or "no rule speaks against it"
    telling = _bad(cell) or [check for check in cell.checks if check.status is not CheckStatus.SKIP]
    seen = "; ".join(f"{check.name} {check.status.value}: {check.message}" for check in telling) or cell.reason
    basis = cell.basis.value if cell.basis else "seen"
    return (
        (f"{cell.predicted.basis.value} {cell.predicted.status.value}", _line(rules)),
        (f"{basis} {cell.status.value}", _line(seen)),
    )


def _with_evidence(finding: Finding) -> str:
    return f"{finding.cause}: {finding.message}" + (f" [{'; '.join(finding.evidence)}]" if finding.evidence else "")


def _log(cell: CellResult) -> str:
    """What the bad checks printed, then what the container did."""
    if cell.status not in (Status.FAIL, Status.ERROR):
        return ""
    parts = [*(check.output for check in _bad(cell)), cell.log_tail]
    return clean("\n".join(part.strip("\n") for part in parts if part.strip()), _LOG_CHARACTERS)


def _skips(cells: Sequence[CellResult]) -> tuple[SkipGroup, ...]:
    groups: dict[str, list[str]] = {}
    for cell in cells:
        if _plain_skip(cell):
            groups.setdefault(_line(cell.reason), []).append(_line(cell.id))
    return tuple(SkipGroup(reason, tuple(ids)) for reason, ids in groups.items())


# ---------------------------------------------------------------- run and host


def _run(run: RunInfo, tool_version: str) -> str:
    return _line(f"{run.id}, started {run.started}, {run.seconds:.0f} s, matrix {run.matrix}, validator {tool_version}")


def _gpus(nvml: NvmlInfo) -> str:
    parts = []
    if nvml.driver_version:
        parts.append(f"driver {nvml.driver_version}")
    if nvml.cuda_driver_version:
        parts.append(f"CUDA driver version {nvml.cuda_driver_version}")
    parts.extend(_gpu(gpu) for gpu in nvml.gpus)
    if not nvml.gpus:
        parts.append(f"none: {nvml.problem or 'the driver lists no GPU'}")
    elif nvml.problem:
        parts.append(nvml.problem)
    return _line(", ".join(parts))


def _gpu(gpu: Gpu) -> str:
    facts = []
    if gpu.compute_capability:
        facts.append(f"compute capability {gpu.compute_capability}")
    if gpu.memory_total_bytes is not None:
        facts.append(f"{gpu.memory_total_bytes >> 30} GiB")
    if gpu.mig_enabled:
        facts.append(f"MIG, {len(gpu.mig_devices)} devices")
    if gpu.problem:
        facts.append(gpu.problem)
    return (gpu.name or f"GPU {gpu.index}") + (f" ({', '.join(facts)})" if facts else "")


def _engine(engine: EngineInfo) -> str:
    if engine.name is None:
        return _line(f"none: {engine.problem or 'not looked for'}")
    parts = [f"{engine.name} {engine.version or 'of unknown version'}"]
    if engine.toolkit_version:
        mode = f" (mode {engine.toolkit_mode})" if engine.toolkit_mode else ""
        parts.append(f"NVIDIA Container Toolkit {engine.toolkit_version}{mode}")
    if engine.problem:
        parts.append(engine.problem)
    return _line(", ".join(parts))


def _line(text: str) -> str:
    return one_line(text, _TEXT_CHARACTERS)


def _unique(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))
