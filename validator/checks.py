"""The registry of checks: loads ``data/checks.yaml``, the one list that the matrix, the plan and the probe's host side go by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import yaml

from validator.model import Level
from validator.resources import DATA


@dataclass(frozen=True)
class CheckSpec:
    """One check of the probe as the host knows it."""

    name: str
    level: Level
    deadline_seconds: float
    needs: tuple[str, ...]
    inspect: bool


@cache
def registry() -> Mapping[str, CheckSpec]:
    """Every check by name, in the order they run."""
    rows = yaml.safe_load((DATA / "checks.yaml").read_text(encoding="utf-8"))
    return {
        name: CheckSpec(
            name=name,
            level=Level(row["level"]),
            deadline_seconds=float(row["deadline_seconds"]),
            needs=tuple(row["needs"]),
            inspect=bool(row["inspect"]),
        )
        for name, row in rows.items()
    }


def levels(overrides: Mapping[str, Level]) -> dict[str, Level]:
    """The level of every check, with the matrix's own settings on top."""
    return {name: overrides.get(name, spec.level) for name, spec in registry().items()}


def selected(overrides: Mapping[str, Level], *, inspect: bool) -> Iterable[CheckSpec]:
    """The checks a run sends to the probe, in order: those not set to skip and, when inspecting, those that need no GPU."""
    effective = levels(overrides)
    return [
        spec for spec in registry().values() if effective[spec.name] is not Level.SKIP and (spec.inspect or not inspect)
    ]
