"""What can go wrong with the driver: a stable word for it, and a sentence that says what to do."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from validator.base.text import one_line

_T = TypeVar("_T")


class Problem(NamedTuple):
    """A problem as it ends up in NvmlInfo."""

    kind: str
    sentence: str
    """In the tables below, ``{words}`` stands for what NVML itself said."""


_PROBLEMS = {
    "NVML_ERROR_LIBRARY_NOT_FOUND": Problem(
        "no_library",
        "NVML cannot be loaded ({words}). Either this machine has no NVIDIA driver, or this is a container without the "
        "driver's 'utility' capability. Install the driver; start a container with a GPU and "
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility.",
    ),
    "NVML_ERROR_DRIVER_NOT_LOADED": Problem(
        "no_driver",
        "The NVIDIA driver is installed but not loaded ({words}). Its module was not built for the running kernel, "
        "Secure Boot refuses it, or nouveau holds the GPU: `sudo modprobe nvidia` and `sudo dmesg` tell which.",
    ),
    "NVML_ERROR_LIB_RM_VERSION_MISMATCH": Problem(
        "version_mismatch",
        "The loaded NVIDIA kernel module and the driver's library have different versions ({words}). The driver was "
        "updated under a loaded module, or a container brings its own library. Reboot, or stop what uses the GPU and "
        "reload the nvidia modules.",
    ),
    "NVML_ERROR_NO_PERMISSION": Problem(
        "no_permission",
        "NVML refuses to answer this user ({words}). The device files are closed to it, or a container's device rules "
        "are. Look at `ls -l /dev/nvidia*` and join the group that owns them.",
    ),
    "NVML_ERROR_GPU_IS_LOST": Problem(
        "gpu_lost",
        "The GPU dropped out while it was asked ({words}): it fell off the bus or needs a reset. Look for Xid lines in "
        "`sudo dmesg`, check its power and cooling, then reboot.",
    ),
    "NVML_ERROR_TIMEOUT": Problem(
        "timeout",
        "NVML gave up waiting for the driver ({words}). Look for Xid lines in `sudo dmesg`, then reboot.",
    ),
}
_UNKNOWN = Problem(
    "unknown",
    "NVML failed ({words}). See whether `nvidia-smi` says the same and what `sudo dmesg` has on NVRM. A container that "
    "lost its GPU needs a restart, a machine a reboot.",
)

#: NVML counts a GPU and then has no handle for it.
NOT_SHOWN = Problem("unknown", "NVML counts it but does not show it.")


def explain(nvml: Any, error: Any) -> Problem:
    """What an NVMLError of the ``nvml`` library means."""
    words = f"NVML: {one_line(str(error)).rstrip('.')}, code {error.value}"
    problem = by_code(nvml, _PROBLEMS).get(error.value, _UNKNOWN)
    if problem.kind == "no_library":
        # pynvml drops the loader's own reason, which tells a missing library from a damaged one.
        try:
            ctypes.CDLL("libnvidia-ml.so.1")
        except OSError as reason:
            words = one_line(str(reason))
    return Problem(problem.kind, problem.sentence.format(words=words))


def no_devices(driver: str | None) -> Problem:
    """A driver that answers and counts no GPU."""
    return Problem(
        "no_devices",
        f"The NVIDIA driver {driver} answers but shows no GPU. A container was given none "
        "(NVIDIA_VISIBLE_DEVICES); on the machine itself, no GPU could be started: see `lspci -d 10de:` and the "
        "NVRM lines of `sudo dmesg`.",
    )


def of_gpu(index: int, problem: Problem) -> Problem:
    """A problem of one GPU, with its number in front."""
    return Problem(problem.kind, f"GPU {index}: {problem.sentence}")


def worst_kind(problems: Sequence[Problem]) -> str | None:
    """The kind that stands for all of them: a lost GPU outweighs the rest, then the first counts."""
    return min(problems, key=lambda problem: problem.kind != "gpu_lost").kind if problems else None


def by_code(nvml: Any, table: Mapping[str, _T]) -> dict[int, _T]:
    """A table keyed by the names of NVML's constants, as one keyed by their numbers."""
    return {getattr(nvml, name): value for name, value in table.items()}
