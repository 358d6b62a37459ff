"""What is decided about a cell: its status, how it is known, and why."""

from __future__ import annotations

from dataclasses import dataclass

from validator.model import Basis, Status


@dataclass(frozen=True)
class Verdict:
    """A status, how it is known, and why, in one line."""

    status: Status
    basis: Basis | None
    reason: str
