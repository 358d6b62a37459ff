"""What a run would do with each cell."""

from __future__ import annotations

from dataclasses import dataclass

from validator.model.host import Gpu
from validator.model.matrix import Environment, Target
from validator.model.prediction import Prediction
from validator.model.words import Action, Status


@dataclass(frozen=True)
class Cell:
    """One environment on one target, and what a run would do with it."""

    id: str
    environment: Environment
    target: Target
    action: Action
    reason: str
    """Why this action, in one line."""
    gpu: Gpu | None = None
    """The GPU of this machine that the cell is measured on; None on the CPU or when not measured."""
    expect: Status | None = None
    predicted: Prediction | None = None


@dataclass(frozen=True)
class Plan:
    """What a run would do: every cell in matrix order, and how."""

    cells: tuple[Cell, ...]
    runner: str
    runner_reason: str
