"""The rows of the facts: one frozen type a table, each with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import Version

from validator.base.versions import Dotted
from validator.facts.reader import Origin

PLATFORMS = ("linux_x86_64", "linux_aarch64", "windows")
LINES = ("datacenter", "workstation", "geforce", "titan", "jetson")
FEATURES = ("tensor_cores", "bf16", "fp8", "fp4")


@dataclass(frozen=True)
class Toolkit:
    """One release of the CUDA toolkit and the driver it was released with."""

    version: str
    cuda: Dotted
    linux: Dotted | None
    windows: Dotted | None
    origin: Origin


@dataclass(frozen=True)
class Floor:
    """The lowest driver that runs every minor of a CUDA major."""

    major: int
    linux: Dotted
    windows: Dotted
    exceptions: Mapping[str, Dotted]
    """CUDA versions that were released on an older driver still."""
    origin: Origin


@dataclass(frozen=True)
class Branch:
    """One branch of the driver."""

    number: int
    cuda: Dotted
    """What nvidia-smi shows: the newest CUDA the branch knows."""
    kind: str
    end_of_life: str
    """``2026-06``, or empty."""
    origin: Origin


@dataclass(frozen=True)
class Distribution:
    """The driver branch that a distribution's own package is of."""

    name: str
    branch: int
    origin: Origin


@dataclass(frozen=True)
class CompatBase:
    """Which driver branches the cuda-compat library of a CUDA version may stand on."""

    cuda: Dotted
    branches: frozenset[int]
    origin: Origin


@dataclass(frozen=True)
class Gate:
    """What NVIDIA_REQUIRE_CUDA of the images of a CUDA version says."""

    cuda: Dotted
    requirement: str
    origin: Origin


@dataclass(frozen=True)
class Capability:
    """One compute capability."""

    cc: Dotted
    architecture: str
    first_toolkit: Dotted
    last_toolkit: Dotted | None
    first_branch: int | None
    last_branch: int | None
    last_cudnn: int | None
    """The last major version of cuDNN with code for it; None where each has some."""
    features: frozenset[str]
    open_modules: str
    jetson: bool
    origin: Origin
    """Of the toolkits."""
    branch_origin: Origin
    cudnn_origin: Origin
    feature_origin: Origin
    """Of the features, and of the kernel modules."""


@dataclass(frozen=True)
class GpuRow:
    """One product, by the name NVML prints without the vendor."""

    name: str
    cc: Dotted
    memory_gb: int | None
    line: str
    first_driver: Dotted | None
    tensor_cores: bool | None
    """False where the product lacks what its capability has; None: as its capability."""
    defects: tuple[str, ...]
    host: str
    """The platform of the only machines it is in; empty where any."""
    origin: Origin
    defect_origin: Origin


@dataclass(frozen=True)
class Build:
    """One CUDA build of a torch release."""

    cuda: Dotted
    arch: Mapping[str, tuple[str, ...]]
    """Platform → what it has code for (``sm_86``, ``compute_120``)."""
    cudnn: str
    nccl: str
    glibc: Dotted | None
    origin: Origin


@dataclass(frozen=True)
class Release:
    """One release of torch."""

    version: Version
    released: str
    default: str
    default_other: Mapping[str, str]
    python: tuple[str, ...]
    python_other: Mapping[str, tuple[str, ...]]
    glibc: Dotted
    triton: str
    unsure: tuple[str, ...]
    builds: Mapping[str, Build]
    origin: Origin

    def default_on(self, platform: str) -> str:
        """The CUDA build (or ``cpu``) that a plain ``pip install torch`` gives."""
        return self.default_other.get(platform, "cpu" if platform == "windows" else self.default)

    def python_on(self, platform: str) -> tuple[str, ...]:
        """The Python versions with a wheel."""
        return self.python_other.get(platform, self.python)


@dataclass(frozen=True)
class Boundary:
    """From which torch on something is there."""

    ident: str
    name: str
    since: Version
    cc: Dotted | None
    origin: Origin


@dataclass(frozen=True)
class TagPattern:
    """How the tags of an image family are read."""

    repository: str
    tag: str
    gate: bool
    compat: bool
    origin: Origin


@dataclass(frozen=True)
class ImageTag:
    """One image by its whole reference."""

    reference: str
    torch: str
    cuda: str
    origin: Origin


@dataclass(frozen=True)
class NgcArch:
    """Code in NGC's own builds of torch from a month on."""

    month: Dotted
    arch: tuple[str, ...]
    origin: Origin
