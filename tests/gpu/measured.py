"""What a GPU showed, as a page of docs/measured and as a short table. Pure: values in, text out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from validator.base.text import one_line
from validator.model import Gpu, NvmlInfo
from validator.report.markdown import escape

Document = Mapping[str, Any]


def file_name(gpu: Gpu) -> str:
    """``gpu-nvidia-a100-sxm4-80gb.md``."""
    return f"gpu-{re.sub(r'[^a-z0-9]+', '-', (gpu.name or 'unnamed').lower()).strip('-')}.md"


def table(cell: Document) -> str:
    """The checks, a line each."""
    rows = []
    for each in cell["checks"]:
        rows.append(f"{each['status']:5} {each['name']:16} {each['seconds']:6.1f} s  {one_line(each['message'], 140)}")
    return "\n".join([*rows, "", f"{cell['status']}: {one_line(cell['reason'], 200)}"])


def page(cell: Document, gpu: Gpu, nvml: NvmlInfo, tests: str, date: str) -> str:
    """The whole report: the machine, every check, every metric."""
    content = cell["content"]
    facts = {
        "GPU": gpu.name,
        "compute capability": gpu.compute_capability,
        "memory": gpu.memory_total_bytes and f"{gpu.memory_total_bytes / 2**30:.1f} GiB",
        "driver": nvml.driver_version,
        "CUDA driver version": nvml.cuda_driver_version,
        "torch": content["torch"],
        "CUDA runtime version": content["cuda"],
        "Python": content["python"],
        "arch list": " ".join(content["arch_list"]),
        "date": date,
        "status": f"{cell['status']}: {cell['reason']}",
        "tests/gpu": tests,
    }
    if gpu.clocks:
        limit, usual = gpu.clocks.power_limit_watts, gpu.clocks.power_default_watts
        facts["power limit"] = f"{limit} W of {usual} W" if limit and usual else None
        facts["held back by"] = ", ".join(gpu.clocks.throttle_reasons) or None
    lines = [
        f"# Measured: {_cell(gpu.name)}",
        "",
        "Written by `make gpu-check`; not edited by hand. docs/checks.md says what each check does.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_cell(value)} |" for name, value in facts.items() if value),
        "",
        "| check | status | seconds | |",
        "|---|---|---:|---|",
    ]
    for each in cell["checks"]:
        lines.append(f"| {_cell(each['name'])} | {each['status']} | {each['seconds']:.1f} | {_cell(each['message'])} |")
    for each in cell["checks"]:
        if each["metrics"]:
            lines += ["", f"## {_cell(each['name'])}", "", "| metric | value |", "|---|---|"]
            lines += [f"| {_cell(name)} | {_cell(_value(value))} |" for name, value in each["metrics"].items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _cell(value: object) -> str:
    return escape(one_line(str(value), 1000))
