"""Which of a plan's cells a run is about: a part of them for one of several machines, or those that are named."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from validator.model import Plan


def shard(plan: Plan, part: int, parts: int) -> Plan:
    """Part ``part`` of ``parts`` (1 to ``parts``) of a plan: whole environments, so that each is made ready in one part only.

    Which part an environment belongs to follows from its place in the plan, so parts that are made from the same matrix and
    options on several machines have every cell once.
    """
    environments = dict.fromkeys(cell.environment.id for cell in plan.cells)
    ours = set(list(environments)[part - 1 :: parts])
    return replace(plan, cells=tuple(cell for cell in plan.cells if cell.environment.id in ours))


def only(plan: Plan, cells: Collection[str]) -> Plan:
    """The cells of a plan that have one of these ids."""
    return replace(plan, cells=tuple(cell for cell in plan.cells if cell.id in cells))
