"""The frozen values that flow through a run. No I/O, no behaviour beyond what is derived from the fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from validator.base.versions import channel_of

#: What a probe may report as a metric: bounded, finite, and nothing nested deeper than a list (enforced by probe_host).
Metric = str | int | float | bool | None | list[str | int | float | bool | None]
Metrics = Mapping[str, Metric]


class Status(str, Enum):
    """What is known of a cell. ``skip`` and ``error`` are never green."""

    PASS = "pass"  # noqa: S105
    DEGRADED = "degraded"
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"


class Basis(str, Enum):
    """How we know it, from weakest to strongest."""

    PREDICTED = "predicted"
    INSPECTED = "inspected"
    MEASURED = "measured"


class Level(str, Enum):
    """How much a check counts for the status of its cell."""

    REQUIRED = "required"
    ADVISORY = "advisory"
    SKIP = "skip"


class CheckStatus(str, Enum):
    """What one check found."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Action(str, Enum):
    """What a run will do for a cell."""

    MEASURE = "measure"
    INSPECT = "inspect"
    SKIP = "skip"


# ---------------------------------------------------------------- matrix


@dataclass(frozen=True)
class Where:
    """A place in a file a person edits."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class PulledImage:
    """An image taken by reference from a registry, or from the engine's own store."""

    reference: str


@dataclass(frozen=True)
class BuiltImage:
    """An image built from a folder that holds a Dockerfile; the local runner makes a virtual environment in its place."""

    context: Path
    args: Mapping[str, str] = field(default_factory=dict)
    """Build arguments the user set; the axes are added to them (TORCH, CUDA, PYTHON …)."""
    requirements: tuple[str, ...] = ()
    """What is installed beside torch (PEP 508)."""


@dataclass(frozen=True)
class HostInterpreter:
    """A Python interpreter of this machine, used as it stands; local runner only."""

    path: Path


Source = PulledImage | BuiltImage | HostInterpreter


@dataclass(frozen=True)
class Environment:
    """What is inside an image, and where the image comes from. One point of the axes of one matrix entry."""

    id: str
    source: Source
    where: Where
    torch: str | None = None
    cuda: str | None = None
    """CUDA version of the torch build, ``cpu``, or None where the matrix does not say."""
    python: str | None = None
    python_command: str = "python3"
    """The interpreter's name inside an image."""
    keep_entrypoint: bool = True
    """Whether the image's own ENTRYPOINT runs, as it does for its users."""

    @property
    def is_cpu(self) -> bool:
        """Whether the matrix asks for a CPU build of torch."""
        return self.cuda == "cpu"

    @property
    def channel(self) -> str | None:
        """PyTorch's wheel channel (``cu128``, ``cpu``), or None where the matrix does not say which build."""
        return channel_of(self.cuda) if self.cuda else None


@dataclass(frozen=True)
class Target:
    """What an environment runs on. ``host`` is this machine, whatever it has."""

    id: str
    is_host: bool = False
    gpu: str | None = None
    """GPU name as NVML prints it, or a common short form."""
    compute_capability: str | None = None
    driver: str | None = None


@dataclass(frozen=True)
class Limits:
    """What a container may use."""

    timeout_seconds: float = 600.0
    memory_bytes: int | None = None
    shm_bytes: int = 1 << 30
    scratch_bytes: int = 4 << 30
    pids: int = 1024


@dataclass(frozen=True)
class BuildOptions:
    """How images are built."""

    network: str | None = None
    """Network mode of the build (``host``, ``none``, a network's name); None leaves it to the engine."""


@dataclass(frozen=True)
class PackageOptions:
    """Package sources the matrix sets; they win over what the host has configured."""

    index: str | None = None
    extra_indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    channel_url: str | None = None
    """URL of a PyTorch channel with ``{channel}`` in it; None is PyTorch's own, an empty text asks no channel at all."""


@dataclass(frozen=True)
class Expectation:
    """A status that cells matching a glob are expected to have."""

    glob: str
    status: Status
    where: Where


@dataclass(frozen=True)
class UserModel:
    """The user's own model, and what it is fed. Exactly one of ``file`` and ``module``."""

    file: str | None
    """Name of the file it is in, without a folder; the file travels with the probe."""
    content: bytes | None
    """What is in the file."""
    module: str | None
    """Name of the module it is in, installed inside the environment."""
    factory: str
    """What makes the model: a function or class, called without arguments."""
    input: str | None
    """Shape of one sample, ``1x640x640``; of several inputs with commas between."""
    dtype: str | None = None
    """Dtypes of the inputs, with commas between; ``long:1000`` are integers below 1000. None is float32."""
    loss: str | None = None
    """``auto``, ``mean``, ``cross_entropy``, or the name of a function beside the factory; None is ``auto``."""
    batch: str | None = None
    """Samples in a batch, ``0`` for none; None leaves it to the probe."""
    amp: str | None = None
    """The dtype of autocast; None takes what the device has."""
    folder: str | None = None
    """Folder of the file on this machine, for what lies beside it; None where the probe runs elsewhere."""


@dataclass(frozen=True)
class Matrix:
    """A matrix.yaml, read and expanded."""

    file: str
    environments: tuple[Environment, ...]
    targets: tuple[Target, ...]
    levels: Mapping[str, Level] = field(default_factory=dict)
    """Levels the matrix sets; checks not named have the level of the check registry."""
    limits: Limits = Limits()
    pull: str = "missing"
    build: BuildOptions = BuildOptions()
    packages: PackageOptions = PackageOptions()
    expectations: tuple[Expectation, ...] = ()
    model: UserModel | None = None
    """A model of the user's own that is trained in every environment."""
    facts: Path | None = None
    """A file of facts of the user's own, laid over the shipped ones."""


# ---------------------------------------------------------------- host


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds memory on a GPU."""

    pid: int
    name: str | None
    memory_bytes: int | None


@dataclass(frozen=True)
class GpuClocks:
    """How fast a GPU may run, as NVML says before anything runs on it; None where it does not say."""

    sm_hz: float | None = None
    """Clock of the multiprocessors now; low on an idle GPU."""
    sm_max_hz: float | None = None
    power_limit_watts: float | None = None
    power_default_watts: float | None = None
    throttle_reasons: tuple[str, ...] = ()
    """What holds the clock down, being idle left out: ``power_cap``, ``hardware_slowdown``, ``thermal`` …"""


@dataclass(frozen=True)
class Gpu:
    """One GPU as NVML describes it. A field is None where this GPU or driver does not answer for it."""

    index: int
    uuid: str | None
    name: str | None
    compute_capability: str | None = None
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    mig_enabled: bool | None = None
    mig_devices: tuple[str, ...] = ()
    """UUIDs of the MIG devices made on it."""
    ecc_enabled: bool | None = None
    compute_mode: str | None = None
    """``default``, ``exclusive_thread``, ``prohibited`` or ``exclusive_process``."""
    processes: tuple[GpuProcess, ...] = ()
    clocks: GpuClocks | None = None
    problem: str | None = None
    """Why this GPU could not be (fully) read: lost, no permission …; None when it answered."""

    @property
    def in_slices(self) -> bool:
        """Whether only its MIG devices can be computed on, not the GPU as a whole."""
        return bool(self.mig_enabled and self.mig_devices)

    @property
    def device_uuid(self) -> str | None:
        """What to ask for to compute on it: its own UUID, or that of its first MIG device."""
        return self.mig_devices[0] if self.in_slices else self.uuid


@dataclass(frozen=True)
class NvmlInfo:
    """What NVML says. ``problem`` is a sentence when it says nothing, or not everything."""

    driver_version: str | None = None
    cuda_driver_version: str | None = None
    gpus: tuple[Gpu, ...] = ()
    problem: str | None = None
    problem_kind: str | None = None
    """A stable word for the problem: ``no_library``, ``no_driver``, ``version_mismatch``, ``no_permission``, ``no_devices``,
    ``gpu_lost``, ``timeout``, ``crashed``, ``unknown``."""


@dataclass(frozen=True)
class EngineInfo:
    """The container engine, or its absence."""

    name: str | None = None
    """``docker`` or ``podman``; None when no engine answers."""
    version: str | None = None
    api_version: str | None = None
    address: str | None = None
    runtimes: tuple[str, ...] = ()
    default_runtime: str | None = None
    cdi_dirs: tuple[str, ...] = ()
    cdi_devices: tuple[str, ...] = ()
    toolkit_version: str | None = None
    """Version of the NVIDIA Container Toolkit on this machine, where its command answers."""
    toolkit_mode: str | None = None
    problem: str | None = None
    """Why no engine answers; None when one does."""


@dataclass(frozen=True)
class HostInfo:
    """This machine."""

    nvml: NvmlInfo
    engine: EngineInfo
    system: str
    """Operating system, kernel and architecture, in words."""
    python: str
    cpu_count: int
    memory_bytes: int | None
    kernel_modules: str | None = None
    """``open`` or ``proprietary``: which of NVIDIA's kernel modules are loaded; None where none are, or where it is not said."""


# ---------------------------------------------------------------- causes


class Severity(str, Enum):
    """What a finding means for its cell."""

    FAIL = "fail"
    DEGRADED = "degraded"
    ERROR = "error"
    UNKNOWN = "unknown"
    INFO = "info"


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


# ---------------------------------------------------------------- plan


class Outlook(str, Enum):
    """What rules say of an environment on a target. ``unknown`` is an answer: the facts do not reach that far."""

    PASS = "pass"  # noqa: S105
    DEGRADED = "degraded"
    FAIL = "fail"
    UNKNOWN = "unknown"


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


@dataclass(frozen=True)
class Cell:
    """One environment on one target, and what a run would do with it."""

    id: str
    environment: Environment
    target: Target
    action: Action
    reason: str
    """Why this action, in one line."""
    gpu: Gpu | None = None
    """The GPU of this machine that the cell is measured on; None on the CPU or when not measured."""
    expect: Status | None = None
    predicted: Prediction | None = None


@dataclass(frozen=True)
class Plan:
    """What a run would do: every cell in matrix order, and how."""

    cells: tuple[Cell, ...]
    runner: str
    runner_reason: str


# ---------------------------------------------------------------- results


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
    digest: str | None = None
    notes: tuple[str, ...] = ()
    """What a reader must know of how this came about (a package source that was not the one asked for, say)."""
    seconds: Seconds = Seconds()
    expect: Status | None = None
    predicted: Prediction | None = None
    agrees: bool | None = None
    cached: bool = False
    log_tail: str = ""
    """Bounded tail of the container's own output; untrusted text."""

    @property
    def unexpected(self) -> bool:
        """Whether the matrix expected something else, and this is a fact (not an error or a skip)."""
        known = self.status in (Status.PASS, Status.DEGRADED, Status.FAIL)
        return self.expect is not None and known and self.status is not self.expect

    @property
    def inferred(self) -> bool:
        """Whether the status is what rules say (of the facts, or of what an opened image holds), not what was seen to happen."""
        known = self.status in (Status.PASS, Status.DEGRADED, Status.FAIL)
        by_rules = self.basis in (Basis.PREDICTED, Basis.INSPECTED)
        return known and by_rules and self.predicted is not None and self.basis is self.predicted.basis


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


@dataclass(frozen=True)
class Report:
    """Everything a renderer needs."""

    run: RunInfo
    host: HostInfo
    cells: tuple[CellResult, ...]
    tool_version: str
