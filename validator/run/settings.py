"""How a run is to go, and what it builds on: values that the command line fills in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from validator.model import CellResult, Intent


@dataclass(frozen=True)
class Settings:
    """How a run is to go."""

    jobs: int = 1
    """Environments that are made ready at once."""
    side_by_side: int = 1
    """Cells that run on the CPU at once, each on its part of it."""
    cpus: tuple[int, ...] = ()
    """Numbers of the processors that those parts are made of; empty where the machine does not tell."""
    tries: int = 3
    """How often at most something is tried that the machine, not the environment, keeps from working."""
    max_failures: int | None = None
    """After so many failed cells and errors nothing new is begun; None for no limit."""
    prune: bool = False
    """Whether environments that this run made ready are thrown away once their cells are through."""
    facts: str = ""
    """What stands for the user's own facts in the key of a result."""


def _none(keys: Iterable[str]) -> Mapping[str, CellResult]:
    return {}


@dataclass(frozen=True)
class Known:
    """What earlier runs left."""

    results: Mapping[str, CellResult] = field(default_factory=dict)
    """Of a run that is resumed: the results that stand, by cell."""
    intents: Mapping[str, Intent] = field(default_factory=dict)
    """Of a run that is resumed: what was begun, by cell."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long cells took the last time, by cell."""
    acquire_seconds: Mapping[str, float] = field(default_factory=dict)
    """How long environments took to be made ready, by environment."""
    reusable: Callable[[Iterable[str]], Mapping[str, CellResult]] = _none
    """The newest results that have one of these keys and may be used again, by key."""
