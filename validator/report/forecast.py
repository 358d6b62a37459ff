"""What is shown of a plan: its cells as predicted."""

from __future__ import annotations

from dataclasses import dataclass

from validator.model import CellResult, HostInfo, Plan


@dataclass(frozen=True)
class Forecast:
    """A plan with what is predicted for each of its cells; nothing was run."""

    plan: Plan
    cells: tuple[CellResult, ...]
    """One for each cell of the plan, in its order."""
    host: HostInfo
    matrix: str
    """The matrix file."""
    facts_as_of: str
    """Date of the newest fact."""
    tool_version: str
