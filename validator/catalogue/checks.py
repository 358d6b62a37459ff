"""The registry of checks in ``data/checks.yaml``: the one list that the matrix, the plan and the host side of the probe use."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from validator.base.data_files import read_table
from validator.model import Level


@dataclass(frozen=True)
class CheckSpec:
    """One check of the probe as the host knows it."""

    name: str
    level: Level
    deadline_seconds: float
    needs: tuple[str, ...]
    inspect: bool
    model: bool = False
    """Whether it needs the user's own model, and is left out without one."""
    alone: bool = False
    """Whether it measures a rate, which cells running beside it would falsify."""
    quick: bool = False
    """Whether it is part of the short probe."""


@cache
def registry() -> Mapping[str, CheckSpec]:
    """Every check by name, in the order they run."""
    required, optional = ("level", "deadline_seconds", "needs", "inspect"), ("model", "alone", "quick")
    rows = read_table("checks.yaml", required=required, optional=optional)
    return {
        name: CheckSpec(
            name=name,
            level=Level(row["level"]),
            deadline_seconds=float(row["deadline_seconds"]),
            needs=tuple(row["needs"]),
            inspect=bool(row["inspect"]),
            model=bool(row.get("model", False)),
            alone=bool(row.get("alone", False)),
            quick=bool(row.get("quick", False)),
        )
        for name, row in rows.items()
    }


def levels(overrides: Mapping[str, Level]) -> dict[str, Level]:
    """The level of every check, with the matrix's own settings on top."""
    return {name: overrides.get(name, spec.level) for name, spec in registry().items()}


def selected(overrides: Mapping[str, Level], *, inspect: bool, model: bool = False) -> list[CheckSpec]:
    """The checks that a run sends to the probe, in order: those not set to skip.

    If an environment is only opened, only those that need no GPU; without the user's own model, only those that do not need it.
    """
    effective = levels(overrides)
    return [
        spec
        for spec in registry().values()
        if effective[spec.name] is not Level.SKIP and (spec.inspect or not inspect) and (model or not spec.model)
    ]


def in_short(among: Sequence[CheckSpec]) -> list[CheckSpec]:
    """Those of some checks that the short probe has, with what these need, in order."""
    return chosen([spec.name for spec in among if spec.quick], among)


def chosen(globs: Sequence[str], among: Sequence[CheckSpec]) -> list[CheckSpec]:
    """The checks that match one of the globs, and all that these need, in order. Raises KeyError for a glob that matches none."""
    known = {spec.name: spec for spec in among}
    wanted: set[str] = set()
    for glob in globs:
        matching = fnmatch.filter(known, glob)
        if not matching:
            raise KeyError(glob)
        wanted.update(matching)
    # Needs come earlier in the order, so one pass from the end finds the needs of needs too.
    for spec in reversed(among):
        if spec.name in wanted:
            wanted.update(spec.needs)
    return [spec for spec in among if spec.name in wanted]
