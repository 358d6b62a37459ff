"""How fast a GPU should multiply, from ``data/rates.yaml``: what the probe's ``throughput`` check compares with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from validator.base.data_files import read_mapping
from validator.model import Gpu, GpuClocks


@cache
def _table() -> Mapping[str, Any]:
    return read_mapping("rates.yaml", keys=("fp16_flops_per_clock", "lesser"))


def fp16_flops_per_clock(compute_capability: str | None, name: str | None) -> int | None:
    """Operations of one multiprocessor in a clock, float16 with sums in float32; None for a capability not in the table."""
    table = _table()
    row = table["fp16_flops_per_clock"].get(compute_capability)
    if row is None:
        return None
    for lesser in table["lesser"]:
        pattern = "|".join(rf"\b{re.escape(word)}" + ("" if word == "GTX 16" else r"\b") for word in lesser["names"])
        if compute_capability == lesser["compute_capability"] and re.search(pattern, name or ""):
            return int(lesser["value"])
    return int(row["value"])


def of(gpu: Gpu) -> dict[str, Any]:
    """What the probe is told about a GPU's rate: what it should reach, and what NVML says may hold it back."""
    clocks = gpu.clocks or GpuClocks()
    return {
        "fp16_flops_per_clock": fp16_flops_per_clock(gpu.compute_capability, gpu.name),
        "clock_hz": clocks.sm_hz,
        "clock_max_hz": clocks.sm_max_hz,
        "power_limit_watts": clocks.power_limit_watts,
        "power_default_watts": clocks.power_default_watts,
        "throttle_reasons": list(clocks.throttle_reasons),
    }
