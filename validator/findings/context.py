"""What is known around a cell, by the names that remedies use for it."""

from __future__ import annotations

from collections.abc import Mapping

from validator.model import BuiltImage, CellResult, HostInfo, Limits, PulledImage
from validator.text import one_line


def context(result: CellResult, host: HostInfo | None, limits: Limits | None) -> Mapping[str, str]:
    """Name → text of what is known; a name is absent where nothing is."""
    content, environment, target = result.content, result.environment, result.target
    known: dict[str, str | None] = {
        "environment": environment.id,
        "target": target.id,
        "torch": content.torch or environment.torch,
        "cuda": content.cuda or environment.cuda,
        "python": content.python or environment.python,
        "arch_list": " ".join(content.arch_list),
        "python_command": environment.python_command,
        "image": _image(result),
        "gpu": target.gpu,
        "driver": target.driver,
    }
    if host is not None and target.is_host:
        nvml = host.nvml
        gpu = nvml.gpus[0] if nvml.gpus else None
        known |= {
            "driver": nvml.driver_version,
            "cuda_driver": nvml.cuda_driver_version,
            "gpu": gpu.name if gpu else None,
            "compute_capability": gpu.compute_capability if gpu else None,
            "engine": host.engine.name,
        }
    if limits is not None:
        known |= {
            "shm": size(limits.shm_bytes),
            "memory": size(limits.memory_bytes) if limits.memory_bytes else None,
            "scratch": size(limits.scratch_bytes),
            "pids": str(limits.pids),
            "timeout": f"{limits.timeout_seconds:g} s",
        }
    return {name: one_line(text, 200) for name, text in known.items() if text}


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
