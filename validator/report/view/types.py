"""What every renderer is given: a report or a plan as rows, details and groups of plain text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from validator.report.view.cause_groups import CauseGroup
from validator.report.view.kinds import KindTable


class FlagKind(str, Enum):
    """What may be wrong with a result besides its status; the value is the short form for a table."""

    CONTRADICTED = "contradicts the prediction"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True)
class Flag:
    """Something that must not be overlooked."""

    kind: FlagKind
    explanation: str

    @property
    def short(self) -> str:
        """For the table, where the explanation has no room."""
        return self.kind.value

    @property
    def sentence(self) -> str:
        """For everywhere else."""
        return f"{self.short}: {self.explanation}"


@dataclass(frozen=True)
class TableCell:
    """What the table says of one environment on one target."""

    id: str
    status: str
    basis: str | None
    cause: str
    """The cause by its title where one is named, else the reason; cut to what fits a table."""
    words: tuple[str, ...]
    """Idents of causes, for a status that comes from the rules; short enough for a narrow column."""
    flags: tuple[Flag, ...]
    marks: tuple[str, ...] = ()
    """How it came about: ``cached``, ``3 days old``, ``not exclusive``; empty where it was measured now, undisturbed."""

    @property
    def known(self) -> str:
        """The basis and the marks, as they stand behind the status; empty where there are none."""
        return ", ".join((*((self.basis,) if self.basis else ()), *self.marks))


@dataclass(frozen=True)
class TableRow:
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
    from_catalogue: bool
    """Whether ``source`` is the cause's own place in docs/causes.md, and not where a fact comes from."""


@dataclass(frozen=True)
class Detail:
    """All there is to say of a cell that is not a plain pass."""

    id: str
    status: str
    basis: str | None
    reason: str
    flags: tuple[Flag, ...]
    notes: tuple[str, ...]
    sides: tuple[tuple[str, str], ...]
    """Where prediction and measurement contradict each other: what each of them rests on."""
    checks: tuple[CheckLine, ...]
    findings: tuple[FindingLine, ...]
    log: str
    """Several lines; for failed and errored cells only, empty where nothing was printed."""
    ran: tuple[tuple[str, str], ...] = ()
    """(what it is about, text): where it was measured if not now, what ran beside it, the tries before."""


@dataclass(frozen=True)
class SkipGroup:
    """Cells skipped for the same reason."""

    reason: str
    ids: tuple[str, ...]
    """The first of them, where there are very many."""
    cells: int
    """How many there are."""

    @property
    def unnamed(self) -> int:
        """How many are not in ``ids``."""
        return self.cells - len(self.ids)


@dataclass(frozen=True)
class Bounds:
    """How much of a report is shown where its cells are too many for a table."""

    cells: int
    """More than so many are too many."""
    details: int
    """Cells told in full; as many alarms, and as many images with their digests."""
    kinds: int
    """Rows of each of the tables in its place."""
    named: int = 100
    """Cells named of one group."""


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
    """Positions in ``targets`` of those where every cell is a skip; if there is no room they are left out, and named."""
    rows: tuple[TableRow, ...]
    """Empty where there are too many cells for a table: then ``kinds`` has them in short."""
    kinds: tuple[KindTable, ...]
    cells: int
    """How many there are."""
    left_out: tuple[str, ...]
    """What of the following is not shown because there is too much of it, in words: ``120 more cells that …``."""
    summary: tuple[tuple[str, int], ...]
    unnamed: int
    """Cells that are not green and whose cause could not be named."""
    alarms: tuple[tuple[str, Flag], ...]
    """(cell, what is wrong) of contradicted predictions, then of unexpected statuses."""
    details: tuple[Detail, ...]
    skips: tuple[SkipGroup, ...]
    digests: tuple[tuple[str, str], ...]
    """(environment, digest of the image it ran from)."""
    causes: tuple[CauseGroup, ...]
    """The reasons of cells about which only the rules have something to say; the gravest first, then the most frequent."""
    inferred: bool
    """Whether there are such cells."""
    assumed: tuple[tuple[str, int], ...]
    """(what the rules assumed because it was not given, for how many cells), the most frequent first."""
    earlier: tuple[str, ...] = ()
    """The runs that results were taken from, if not all were measured now."""
    beside: str = ""
    """How many cells ran beside others."""
    actions: tuple[SkipGroup, ...] = ()
    """For a plan: what a run would do, and with which cells."""
