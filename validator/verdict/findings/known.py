"""What is known around a cell: by the names that diagnosis and remedies use, and the limits that bear on a cause."""

from __future__ import annotations

from collections.abc import Mapping

from validator.base.text import one_line
from validator.host.gpus import usable_gpu
from validator.model import BuiltImage, CellResult, Gpu, HostInfo, Limits, PulledImage


def context(result: CellResult, host: HostInfo | None, *, in_container: bool = False) -> Mapping[str, str]:
    """Name → text of what is known; a name is absent where nothing is."""
    content, environment, target = result.content, result.environment, result.target
    known: dict[str, str | None] = {
        "torch": content.torch or environment.torch,
        "cuda": content.cuda or (None if environment.is_cpu else environment.cuda),
        "python": content.python or environment.python,
        "image": _image(result),
        "gpu": target.gpu,
        "driver": target.driver,
        "in_container": str(in_container).lower(),
    }
    if host is not None and (gpu := _gpu(result, host)):
        known |= {"driver": host.nvml.driver_version, "gpu": gpu.name, "cc": gpu.compute_capability}
    return {name: one_line(text, 200) for name, text in known.items() if text}


def _gpu(result: CellResult, host: HostInfo) -> Gpu | None:
    """The GPU that a cell ran on, or would have; on a machine with several that is not just any of them."""
    if result.ran_on is not None:
        return host.gpu_with(result.ran_on.gpu_uuid)
    return usable_gpu(host) if result.target.is_host and not result.environment.is_cpu else None


def limit_of(cause: str, limits: Limits | None) -> str | None:
    """The limit of matrix.yaml that a cause is about, with its value, as evidence; None where it is about none."""
    if limits is None:
        return None
    match cause:
        case "killed_by_oom_killer" if limits.memory_bytes:
            return f"limits.memory is {size(limits.memory_bytes)}"
        case "shm_too_small":
            return f"limits.shm is {size(limits.shm_bytes)}"
        case "pids_limit":
            return f"limits.pids is {limits.pids}"
        case "disk_full":
            return f"limits.scratch is {size(limits.scratch_bytes)}"
        case "hang":
            return f"limits.timeout is {limits.timeout_seconds:g} s"
    return None


def size(count: int) -> str:
    """Bytes in the largest unit that leaves a whole number, as matrix.yaml spells it: ``64m``, ``1g``."""
    for unit, shift in (("g", 30), ("m", 20), ("k", 10)):
        if count >= 1 << shift and count % (1 << shift) == 0:
            return f"{count >> shift}{unit}"
    return str(count)


def _image(result: CellResult) -> str | None:
    source = result.environment.source
    if isinstance(source, PulledImage):
        return source.reference
    return source.context.name if isinstance(source, BuiltImage) else None
