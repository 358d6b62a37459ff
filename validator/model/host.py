"""This machine: its GPUs as NVML describes them, its container engine, its system."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds memory on a GPU."""

    pid: int
    name: str | None
    memory_bytes: int | None
    computes: bool | None = None
    """False where it only draws, as a desktop does; None where that is not known."""
    mig_device: str | None = None
    """UUID of the MIG device that it is on; None on a whole GPU, and where the driver does not tell this user."""


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
class EngineComponent:
    """A program that the engine is made of, as the engine lists it."""

    name: str
    """``Engine``, ``containerd``, ``runc``, ``Podman Engine`` …"""
    version: str
    commit: str = ""
    """What it was built from; of a distribution's build often the version of its package."""


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
    components: tuple[EngineComponent, ...] = ()


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
    id: str = "host"
    """What results call this machine: its name in the network, so that results of several machines can be told apart."""
    kernel_modules: str | None = None
    """``open`` or ``proprietary``: which of NVIDIA's kernel modules are loaded; None where none are, or where it is not said."""

    def gpu_with(self, uuid: str | None) -> Gpu | None:
        """The GPU that has this UUID, or the MIG device with it; None where there is none."""
        return next((gpu for gpu in self.nvml.gpus if uuid is not None and uuid in (gpu.uuid, *gpu.mig_devices)), None)
