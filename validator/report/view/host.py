"""The machine of a run, in a line each: its GPUs, its engine."""

from __future__ import annotations

from validator.model import EngineInfo, Gpu, NvmlInfo
from validator.report.view.lines import line


def gpus_line(nvml: NvmlInfo) -> str:
    """Driver and GPUs, or why there are none."""
    parts = []
    if nvml.driver_version:
        parts.append(f"driver {nvml.driver_version}")
    if nvml.cuda_driver_version:
        parts.append(f"CUDA driver version {nvml.cuda_driver_version}")
    parts.extend(_gpu(gpu) for gpu in nvml.gpus)
    if not nvml.gpus:
        parts.append(f"none: {nvml.problem or 'the driver lists no GPU'}")
    elif nvml.problem:
        parts.append(nvml.problem)
    return line(", ".join(parts))


def _gpu(gpu: Gpu) -> str:
    facts = []
    if gpu.compute_capability:
        facts.append(f"compute capability {gpu.compute_capability}")
    if gpu.memory_total_bytes is not None:
        facts.append(f"{gpu.memory_total_bytes >> 30} GiB")
    if gpu.mig_enabled:
        facts.append(f"MIG, {len(gpu.mig_devices)} devices")
    if gpu.problem:
        facts.append(gpu.problem)
    return (gpu.name or f"GPU {gpu.index}") + (f" ({', '.join(facts)})" if facts else "")


def engine_line(engine: EngineInfo) -> str:
    """The container engine and NVIDIA's toolkit, or why no engine answers."""
    if engine.name is None:
        return line(f"none: {engine.problem or 'not looked for'}")
    parts = [f"{engine.name} {engine.version or 'of unknown version'}"]
    if engine.toolkit_version:
        mode = f" (mode {engine.toolkit_mode})" if engine.toolkit_mode else ""
        parts.append(f"NVIDIA Container Toolkit {engine.toolkit_version}{mode}")
    if engine.problem:
        parts.append(engine.problem)
    return line(", ".join(parts))
