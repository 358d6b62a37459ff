"""What came of a run: checks, content, results of cells, the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from validator.model.host import HostInfo
from validator.model.matrix import Environment, Target
from validator.model.plan import Cell
from validator.model.prediction import Finding, Prediction
from validator.model.words import UNKNOWN_CAUSE, Basis, CheckStatus, Level, Metrics, Status


@dataclass(frozen=True)
class CheckResult:
    """What one check of the probe found."""

    name: str
    status: CheckStatus
    level: Level
    message: str
    seconds: float
    metrics: Metrics = field(default_factory=dict)
    died: str | None = None
    """How the worker ended when this check killed it: ``signal 11 (SIGSEGV)``, ``deadline of 60 s``; None when it did not."""
    output: str = ""
    """Bounded tail of what the environment printed during the check; untrusted text."""


@dataclass(frozen=True)
class Seconds:
    """Where the time of a cell went, in seconds; None where a phase did not happen."""

    acquire: float | None = None
    start: float | None = None
    probe: float | None = None
    total: float | None = None


@dataclass(frozen=True)
class Content:
    """What was found inside an environment, as opposed to what the matrix calls it."""

    torch: str | None = None
    cuda: str | None = None
    python: str | None = None
    arch_list: tuple[str, ...] = ()
    libc: str | None = None
    """``glibc 2.31``, or what else there is in its place."""
    numpy: str | None = None
    cudnn: str | None = None
    platform: str | None = None
    """Kernel, release and machine type, as the inside sees them; or operating system and architecture of the image."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The image's own variables that decide about GPUs: ``NVIDIA_REQUIRE_CUDA``, ``CUDA_VERSION`` …"""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The image's own labels that name CUDA or PyTorch."""
    compat_driver: str | None = None
    """Driver version of the CUDA compatibility libraries inside, where there are any."""
    from_image: bool = False
    """Whether an engine told ``variables`` and ``labels``: one that is not there is then not set."""


@dataclass(frozen=True)
class Mismatch:
    """Something inside an environment that is not what the matrix calls it."""

    what: str
    """``torch``, ``cuda`` or ``python``."""
    said: str
    """What the matrix says: a version, or ``cpu``."""
    found: str | None
    """What is inside; None for a build without CUDA."""


@dataclass(frozen=True)
class RanOn:
    """Where a cell ran."""

    host: str
    """Id of the machine, one of ``Report.hosts``."""
    gpu_uuid: str | None = None
    """The GPU or MIG device it had, as NVML names it; None on the CPU."""
    runner: str | None = None
    alone: bool | None = None
    """Whether no other cell of the run ran beside it; None where that is not known."""
    beside: int | None = None
    """How many cells of the run ran beside it at most; None where that is not known."""
    exclusive: bool | None = None
    """Whether nothing else on the machine used the GPU as the cell began; None on the CPU and where that is not known."""


@dataclass(frozen=True)
class Attempt:
    """One try at a cell that the machine ended and not the environment, so that the cell was tried again."""

    at: str
    """ISO 8601, UTC."""
    problem: str
    seconds: float


@dataclass(frozen=True)
class Origin:
    """The earlier run that a result was measured in."""

    run: str
    at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class CellResult:
    """The answer for one cell. Whatever happened, there is one."""

    id: str
    environment: Environment
    target: Target
    status: Status
    basis: Basis | None
    """None where nothing is known: skipped, or an error before anything was found."""
    reason: str
    """The status in one line."""
    checks: tuple[CheckResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    content: Content = Content()
    mismatches: tuple[Mismatch, ...] = ()
    """Where the inside is not what the matrix says."""
    ran_on: RanOn | None = None
    """None where nothing ran, and in older files."""
    digest: str | None = None
    notes: tuple[str, ...] = ()
    """What a reader must know of how this came about (a package source that was not the one asked for, say)."""
    seconds: Seconds = Seconds()
    expect: Status | None = None
    predicted: Prediction | None = None
    agrees: bool | None = None
    cached: bool = False
    """Whether it was measured by an earlier run and used again because nothing that decides it has changed."""
    origin: Origin | None = None
    """Where it was measured, if not in the run at hand; None for the run's own, and in older files."""
    attempts: tuple[Attempt, ...] = ()
    """The tries before the one that this is the result of."""
    log_tail: str = ""
    """Bounded tail of the container's own output; untrusted text."""

    @property
    def unexpected(self) -> bool:
        """Whether the matrix expected something else, and this is a fact (not an error or a skip)."""
        return self.expect is not None and self.status.is_fact and self.status is not self.expect

    @property
    def inferred(self) -> bool:
        """Whether the status is what rules say (of the facts, or of what an opened image holds), not what was seen to happen."""
        by_rules = self.basis in (Basis.PREDICTED, Basis.INSPECTED)
        return self.status.is_fact and by_rules and self.predicted is not None and self.basis is self.predicted.basis


@dataclass(frozen=True)
class RunInfo:
    """One run."""

    id: str
    started: str
    """ISO 8601, UTC."""
    seconds: float
    runner: str
    runner_reason: str
    interrupted: bool
    matrix: str
    inspect: bool = False
    """Whether environments that cannot be trained here were opened."""
    quick: bool = False
    """Whether the probe was the short one."""


@dataclass(frozen=True)
class Report:
    """Everything a renderer needs."""

    run: RunInfo
    hosts: Mapping[str, HostInfo]
    """The machines by their ids; the first is the one that the run was started on. There is at least one."""
    cells: tuple[CellResult, ...]
    tool_version: str

    @property
    def host(self) -> HostInfo:
        """The machine that the run was started on."""
        return next(iter(self.hosts.values()))

    def host_of(self, result: CellResult) -> HostInfo:
        """The machine that a cell ran on; where that was not recorded, the one that the run was started on."""
        return self.hosts.get(result.ran_on.host, self.host) if result.ran_on else self.host


def not_run(cell: Cell, status: Status, reason: str, *, acquire_seconds: float | None = None) -> CellResult:
    """The result of a cell of which nothing was seen: skipped, or its environment could not be had."""
    return CellResult(
        id=cell.id,
        environment=cell.environment,
        target=cell.target,
        status=status,
        basis=None,
        reason=reason,
        seconds=Seconds(acquire=acquire_seconds, total=acquire_seconds),
        expect=cell.expect,
        predicted=cell.predicted,
    )


def count(cells: Sequence[CellResult]) -> dict[Status, int]:
    """How many cells have each status; a status that none has counts zero."""
    return {status: sum(cell.status is status for cell in cells) for status in Status}


def unnamed(cells: Sequence[CellResult]) -> int:
    """How many cells have a finding whose cause is unknown."""
    return sum(any(finding.cause == UNKNOWN_CAUSE for finding in cell.findings) for cell in cells)
