"""The rows of the facts: one frozen type for each table. Versions are values that compare by their numbers.

What a field means, and where such rows come from in general, stands here. Where a single row comes from, of which day that is and
how sure it is, stands in its ``origin``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import Version

from validator.base.versions import Dotted
from validator.facts.reader import Origin

#: What wheels are built for.
PLATFORMS = ("linux_x86_64", "linux_aarch64", "windows")
#: Product lines, which decide about forward compatibility and about the brands of a container gate.
LINES = ("datacenter", "workstation", "geforce", "titan", "jetson")
#: What a GPU computes in hardware (CUDA C++ Programming Guide, features by compute capability): fp16, bf16, fp8, fp4.
FEATURES = ("tensor_cores", "bf16", "fp8", "fp4")


@dataclass(frozen=True)
class Toolkit:
    """One release of the CUDA toolkit and the driver it was released with (CUDA release notes, table of toolkit drivers)."""

    version: str
    """The full version: ``12.8.1``."""
    cuda: Dotted
    """Its first two numbers: ``12.8``."""
    linux: Dotted | None
    """Driver version; None where no source names one."""
    windows: Dotted | None
    origin: Origin


@dataclass(frozen=True)
class Floor:
    """The lowest driver that runs every minor of a CUDA major (CUDA release notes, minor-version compatibility)."""

    major: int
    linux: Dotted
    windows: Dotted
    exceptions: Mapping[str, Dotted]
    """CUDA version (``11.0``) → its own floor on Linux, where it was released on an older driver than its major's."""
    origin: Origin


@dataclass(frozen=True)
class Branch:
    """One branch of the driver (NVIDIA's data-centre driver pages, banners of nvidia-smi)."""

    number: int
    """What its versions begin with: 580."""
    cuda: Dotted
    """What nvidia-smi shows: the newest CUDA the branch knows."""
    kind: str
    """What NVIDIA calls it, which says how long it is updated: ``LTS`` (three years), ``production`` (one year), ``new feature``
    (until the next one), ``legacy`` (the last for old GPUs); empty where no source says. It is shown, and no rule goes by it."""
    end_of_life: str
    """The month after which there are no updates (``2026-06``); empty where no source says."""
    origin: Origin


@dataclass(frozen=True)
class Distribution:
    """The driver branch that a distribution's own driver package is of."""

    name: str
    """As people say it, in lower case: ``debian 12``."""
    branch: int
    origin: Origin


@dataclass(frozen=True)
class CompatBase:
    """Which driver branches the cuda-compat library of a CUDA version may stand on (CUDA Compatibility guide)."""

    cuda: Dotted
    branches: frozenset[int]
    origin: Origin


@dataclass(frozen=True)
class Gate:
    """What NVIDIA_REQUIRE_CUDA of the nvidia/cuda images of a CUDA version says, as printed from published images."""

    cuda: Dotted
    requirement: str
    """The whole variable: alternatives with a space between them, conditions that must hold together with a comma."""
    origin: Origin


@dataclass(frozen=True)
class Capability:
    """One compute capability: a generation of GPUs that run the same code."""

    cc: Dotted
    architecture: str
    """``Ampere``."""
    first_toolkit: Dotted
    """The first CUDA version whose compiler makes code for it."""
    last_toolkit: Dotted | None
    """The last one; None where the newest still does."""
    first_branch: int | None
    """The first driver branch that runs it; None where no source says."""
    last_branch: int | None
    """The last driver branch that runs it; None where the newest still does."""
    last_cudnn: int | None
    """The last major version of cuDNN with code for it; None where each has some."""
    features: frozenset[str]
    """Those of ``FEATURES`` that it has."""
    open_modules: str
    """Whether NVIDIA's open kernel modules run it: ``no``, ``optional`` or ``required``."""
    jetson: bool
    """Whether it is that of a Jetson or Drive module, which runs only code made for exactly it (torch's DEVICE_REQUIREMENT)."""
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
    """As sold, in GB; shown only."""
    line: str
    """One of ``LINES``."""
    first_driver: Dotted | None
    """The first release known to list it; an upper bound, for it may be in an earlier one."""
    tensor_cores: bool | None
    """False where the product lacks what its capability has; None: as its capability."""
    defects: tuple[str, ...]
    """Known defects, by the cause they are named by (``fp16_nan``)."""
    host: str
    """The platform of the only machines it is in; empty where any."""
    origin: Origin
    defect_origin: Origin


@dataclass(frozen=True)
class Build:
    """One CUDA build of a torch release, as PyTorch published it."""

    cuda: Dotted
    arch: Mapping[str, tuple[str, ...]]
    """Platform → what it has code for (``sm_86``, ``compute_120``): read from the wheel, or from the scripts that built it."""
    cudnn: str
    """The version it comes with; empty where no source says."""
    nccl: str
    """As ``cudnn``."""
    glibc: Dotted | None
    """The lowest glibc its wheel needs, where that is another than the release's."""
    origin: Origin


@dataclass(frozen=True)
class Release:
    """One release of torch: the package index (versions, Pythons, glibc) and PyTorch's channels (CUDA builds)."""

    version: Version
    released: str
    """Day (``2025-06-04``); empty where no source says."""
    default: str
    """The CUDA version of the wheel on the package index for Linux x86_64."""
    default_other: Mapping[str, str]
    """Platform → the same there (``cpu`` for a build without CUDA), where it differs."""
    python: tuple[str, ...]
    """Pythons with a wheel: ``3.12``; ``3.13t`` is free-threaded."""
    python_other: Mapping[str, tuple[str, ...]]
    """Platform → the same there, where it differs."""
    glibc: Dotted
    """The lowest glibc its wheels need, by their tag (manylinux_2_28 is 2.28)."""
    triton: str
    """The version it pins; empty where no source says."""
    unsure: tuple[str, ...]
    """CUDA versions of which no source says whether the release was published for them: neither a build nor a fault."""
    builds: Mapping[str, Build]
    """CUDA version (``12.8``) → its build; one without CUDA exists of every release."""
    origin: Origin

    def default_on(self, platform: str) -> str:
        """The CUDA build (or ``cpu``) that a plain ``pip install torch`` gives."""
        return self.default_other.get(platform, "cpu" if platform == "windows" else self.default)

    def python_on(self, platform: str) -> tuple[str, ...]:
        """The Python versions with a wheel."""
        return self.python_other.get(platform, self.python)


@dataclass(frozen=True)
class Boundary:
    """From which torch on something is there (PyTorch's release notes, or the wheels on both sides of the boundary)."""

    ident: str
    name: str
    """What a user calls it, who needs it (``--need``): ``torch.amp.GradScaler``, ``compile``, ``fp8``."""
    since: Version
    cc: Dotted | None
    """The lowest compute capability on which it works, where there is one."""
    origin: Origin


@dataclass(frozen=True)
class TagPattern:
    """How the tags of an image family are read."""

    repository: str
    tag: str
    """The tag with fields for what varies: ``{torch}-cuda{cuda}-cudnn{cudnn}-runtime``."""
    gate: bool
    """Whether its images carry NVIDIA_REQUIRE_CUDA."""
    compat: bool
    """Whether its images carry the cuda-compat library."""
    origin: Origin


@dataclass(frozen=True)
class ImageTag:
    """One image that was seen, by its whole reference."""

    reference: str
    torch: str
    """The version inside; empty where no source says."""
    cuda: str
    """As ``torch``."""
    origin: Origin


@dataclass(frozen=True)
class NgcArch:
    """Code in NGC's own builds of torch from a month on (NGC container release notes)."""

    month: Dotted
    """As their tags have it: ``25.01``."""
    arch: tuple[str, ...]
    origin: Origin
