"""This machine as the validator sees it: the answer of ``validator host``."""

from __future__ import annotations

from dataclasses import asdict
from textwrap import wrap
from typing import Any

from validator.host.stack import stack_findings
from validator.model import Gpu, GpuClocks, HostInfo
from validator.report.answers import formats


def as_json(host: HostInfo) -> dict[str, Any]:
    """All that was found, as ``host`` of results.json has it; and what is known of the weaknesses of its container stack."""
    stack = [
        {**asdict(each), "state": each.state.value, "cves": list(each.cves), "sources": list(each.sources), "text": each.text}
        for each in stack_findings(host.engine)
    ]
    return {**asdict(host), "stack": stack}


def as_text(host: HostInfo, width: int) -> str:
    """Driver, GPUs, engine and toolkit, a line each; in place of what does not answer, why."""
    nvml, engine = host.nvml, host.engine
    memory = f", {_gib(host.memory_bytes)} memory" if host.memory_bytes else ""
    lines = [
        f"system        {host.system}; {host.cpu_count} CPUs{memory}; Python {host.python}",
        f"driver        {nvml.driver_version or 'none that answers'}",
        f"CUDA driver   {nvml.cuda_driver_version or 'unknown'}",
    ]
    if nvml.problem:
        lines.append(f"NVML          {nvml.problem}")
    lines += [line for gpu in nvml.gpus for line in _gpu(gpu)]
    if engine.problem:
        lines.append(f"engine        none that answers: {engine.problem}")
    else:
        cdi = f"{len(engine.cdi_devices)} devices" if engine.cdi_devices else "no devices discovered"
        lines += [
            f"engine        {engine.name} {engine.version}, API {engine.api_version}, at {engine.address}",
            f"runtimes      {', '.join(engine.runtimes) or 'none named'} (default {engine.default_runtime or 'unnamed'})",
            f"CDI           {cdi}; folders {', '.join(engine.cdi_dirs) or 'none'}",
        ]
    mode = f", mode {engine.toolkit_mode}" if engine.toolkit_mode else ""
    version = engine.toolkit_version
    lines.append(f"NVIDIA Container Toolkit  {version + mode if version else 'not found on this machine'}")
    for at, each in enumerate(stack_findings(host.engine)):
        lines += wrap(each.text, max(width, 60), initial_indent=f"{'' if at else 'stack':14}", subsequent_indent=" " * 16)
    return "\n".join(lines)


def _gpu(gpu: Gpu) -> list[str]:
    known = [f"compute capability {gpu.compute_capability or 'unknown'}"]
    if gpu.memory_total_bytes is not None:
        free = f", {_gib(gpu.memory_free_bytes)} free" if gpu.memory_free_bytes is not None else ""
        known.append(f"{_gib(gpu.memory_total_bytes)}{free}")
    for word, state in (("MIG", gpu.mig_enabled), ("ECC", gpu.ecc_enabled)):
        if state is not None:
            known.append(f"{word} {'on' if state else 'off'}")
    if gpu.compute_mode:
        known.append(f"compute mode {gpu.compute_mode}")
    lines = [f"GPU {gpu.index}         {gpu.name or 'unknown'} ({gpu.uuid or 'no UUID'}): {'; '.join(known)}"]
    if gpu.clocks:
        lines += [f"              {text}" for text in _clocks(gpu.clocks)]
    lines += [f"              MIG device {uuid}" for uuid in gpu.mig_devices]
    lines += [
        f"              process {process.pid} {process.name or ''} "
        f"{_gib(process.memory_bytes) if process.memory_bytes is not None else 'memory unknown'}"
        for process in gpu.processes
    ]
    if gpu.problem:
        lines.append(f"              problem: {gpu.problem}")
    return lines


def _clocks(clocks: GpuClocks) -> list[str]:
    """What keeps a GPU below its usual rate; nothing where nothing does."""
    lines = []
    limit, usual = clocks.power_limit_watts, clocks.power_default_watts
    if limit and usual and limit < usual:
        lines.append(f"power capped at {limit:g} W of {usual:g} W")
    if clocks.throttle_reasons:
        lines.append(f"clock held down by {', '.join(clocks.throttle_reasons)}")
    return lines


def _gib(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**30:.1f} GiB"


FORMATS = formats(as_text, as_json)
