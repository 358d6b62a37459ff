"""What the rules are asked about: an environment as far as it is known, and the place it is to run on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from validator.model import Content, Environment, PulledImage

#: What NVIDIA's container tools take for yes (strconv.ParseBool of Go).
_TRUE = ("1", "t", "true")
_COMPAT = "/usr/local/cuda/compat"


@dataclass(frozen=True)
class Inspected:
    """What was read inside an environment; it stands in for the facts. A field that was not read is None or empty."""

    torch: str | None = None
    cuda: str | None = None
    """CUDA version torch was built with; ``cpu`` for a build without."""
    python: str | None = None
    arch_list: tuple[str, ...] = ()
    libc: str | None = None
    """``glibc 2.36`` or ``2.36``."""
    numpy: str | None = None
    require_cuda: str | None = None
    """NVIDIA_REQUIRE_CUDA of the image's own environment; an empty text where it was looked for and is not set."""
    disable_require: bool = False
    """Whether the image sets NVIDIA_DISABLE_REQUIRE."""
    labels: tuple[tuple[str, str], ...] = ()
    """Labels of the image that name a torch or CUDA version."""
    has_compat_libs: bool | None = None
    """Whether /usr/local/cuda/compat has a libcuda."""
    compat_driver: str | None = None
    """The driver that libcuda is of (``550.54.15``)."""
    compat_on_path: bool = False
    """Whether LD_LIBRARY_PATH names that folder, so that it is used whatever the driver is. (NVIDIA's own images name a folder
    below it, which their entry point makes only where it is of use.)"""


@dataclass(frozen=True)
class Subject:
    """An environment. What is not given is not judged, and the answer says so."""

    torch: str | None = None
    cuda: str | None = None
    """CUDA version of the torch build, or ``cpu``."""
    python: str | None = None
    image: str | None = None
    """Image reference; its tag tells what the fields above leave open."""
    platform: str = "linux_x86_64"
    """``linux_x86_64``, ``linux_aarch64`` or ``windows``."""
    libc: str | None = None
    numpy: str | None = None
    needs: tuple[str, ...] = ()
    """What it must be able to do besides AMP training (``bf16``, ``fp8``, ``compile``, ``torch.amp.GradScaler`` …)."""
    wheel: bool = True
    """Whether torch comes as a wheel of the package index or of PyTorch's channels, so that its Python must have one."""
    inspected: Inspected | None = None

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Kept: a plan asks for the same environment many times."""
        stated = (self.torch, self.cuda, self.python, self.image, self.platform, self.libc, self.numpy, self.needs)
        return hash((stated, self.wheel, self.inspected))


@dataclass(frozen=True)
class Place:
    """What it is to run on. What is not given is not judged, and the answer says so."""

    gpu: str | None = None
    """As NVML prints it, or a short form."""
    compute_capability: str | None = None
    driver: str | None = None
    """A version (``580.95.05``), a branch (``535``), or what nvidia-smi calls the CUDA version (``CUDA 12.2``)."""
    is_container: bool | None = None
    open_kernel_modules: bool | None = None
    has_gpu: bool = True
    """False for a machine known to have none: nothing about GPUs is judged then."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.gpu, self.compute_capability, self.driver, self.is_container, self.open_kernel_modules, self.has_gpu))


def subject_of(environment: Environment, content: Content | None = None, *, platform: str = "linux_x86_64") -> Subject:
    """An environment of a matrix; with what was found inside it, where it has been opened."""
    image = environment.source.reference if isinstance(environment.source, PulledImage) else None
    return Subject(
        torch=environment.torch,
        cuda=environment.cuda,
        python=environment.python,
        image=image,
        platform=platform,
        wheel=image is None,
        inspected=inspected_of(content) if content is not None else None,
    )


def inspected_of(content: Content) -> Inspected | None:
    """What the probe read inside; None where it read nothing."""
    if content == Content():
        return None
    # Only an engine tells an image's variables, and it tells all that decide; a virtual environment has none of its own.
    variables = content.variables
    return Inspected(
        torch=content.torch,
        cuda=content.cuda or ("cpu" if content.torch else None),
        python=content.python,
        arch_list=content.arch_list,
        libc=content.libc,
        numpy=content.numpy,
        require_cuda=variables.get("NVIDIA_REQUIRE_CUDA", "") if content.from_image else None,
        disable_require=variables.get("NVIDIA_DISABLE_REQUIRE", "").lower() in _TRUE,
        labels=tuple(sorted(content.labels.items())),
        has_compat_libs=content.compat_driver is not None if content.from_image else None,
        compat_driver=content.compat_driver,
        compat_on_path=_COMPAT in variables.get("LD_LIBRARY_PATH", "").split(":"),
    )
