"""The lanes of a machine: what one cell at a time has for itself. Every GPU is one, and so are parts of the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from validator.host.gpus import lane_name
from validator.model import Action, Cell, Gpu, HostInfo
from validator.runners.base import Share

#: Of the machine's memory, what cells that the matrix sets no limit for may use together; the rest is the machine's own.
_MEMORY_SHARE = 0.8


@dataclass(frozen=True)
class Lane:
    """One lane."""

    name: str
    """What people call it; no two lanes have the same."""
    gpu: Gpu | None
    """The GPU or MIG device that it is; None for a part of the CPU."""
    share: Share
    """The part of the machine that a cell on it has."""


def lanes_of(cells: Iterable[Cell], host: HostInfo | None, side_by_side: int, cpus: Sequence[int] = ()) -> tuple[Lane, ...]:
    """The lanes that a plan's cells need: the GPUs first, then the parts of the CPU.

    ``side_by_side`` is how many cells may run on the CPU at once, ``cpus`` the numbers of the processors they share. No more
    lanes are made than there are cells for them, nor than processors.
    """
    gpus: dict[str, Gpu] = {}
    on_cpu = 0
    for cell in cells:
        if cell.action is not Action.SKIP:
            on_cpu += not cell.lanes
            gpus.update((gpu.device_uuid or str(gpu.index), gpu) for gpu in cell.lanes)
    parts = max(1, min(side_by_side, on_cpu, len(cpus) or side_by_side))
    together = len(gpus) + (parts if on_cpu else 0)
    whole = int(host.memory_bytes * _MEMORY_SHARE) if host and host.memory_bytes else None
    memory = whole // together if whole and together > 1 else None
    found = [Lane(lane_name(gpu), gpu, Share((), memory)) for gpu in gpus.values()]
    if on_cpu:
        found += _parts(parts, cpus, memory)
    return tuple(found)


def share_of(lanes: Sequence[Lane]) -> Share:
    """What a cell has that is given several lanes together: all that they have."""
    memory = [lane.share.memory_bytes for lane in lanes if lane.share.memory_bytes is not None]
    cpus = tuple(cpu for lane in lanes for cpu in lane.share.cpus)
    return Share(cpus, sum(memory) if len(memory) == len(lanes) else None)


def _parts(parts: int, cpus: Sequence[int], memory: int | None) -> list[Lane]:
    """The CPU in parts; neighbouring processors, which share caches, stay together."""
    if parts == 1:
        return [Lane("CPU", None, Share((), memory))]
    edges = [len(cpus) * part // parts for part in range(parts + 1)]
    return [Lane(f"CPU {part + 1}", None, Share(tuple(cpus[edges[part] : edges[part + 1]]), memory)) for part in range(parts)]
