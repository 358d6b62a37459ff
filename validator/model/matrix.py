"""What a matrix file says: environments, targets, limits, options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from validator.base.versions import channel_of
from validator.model.words import Level, Status


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
    where: Where | None = field(default=None, compare=False)
    """Where the matrix says so; two targets that ask for the same are the same, wherever they stand."""


def cell_id(environment: Environment, target: Target) -> str:
    """What the cell of an environment on a target is called; it is never parsed back."""
    return f"{environment.id}@{target.id}"


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
    quick: bool = False
    """Whether the probe takes fewer steps and a smaller net; of the command line, no key of the file."""
