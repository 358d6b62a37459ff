"""Why a cell did not get as far as a verdict of its own, in words: errors, and the reasons of cells that never ran."""

from __future__ import annotations

from validator.base.errors import ValidatorError
from validator.runners.base import RunRequest

DURING = "the run was interrupted during this cell"
BEFORE = "the run was interrupted before this cell"
NOT_KEPT = "not begun: results could no longer be kept"


def enough_failures(failures: int) -> str:
    """The reason of a cell that was not begun because others had failed."""
    return f"not begun: {failures} {'cell' if failures == 1 else 'cells'} had failed, and the run was to end then"


def no_lane(lane: str) -> ValidatorError:
    """No lane is left that a cell could run on."""
    return ValidatorError(
        f"nothing is left that it could run on: {lane} was put aside",
        why="what ran there before could not be ended",
        hint="see what holds it (`nvidia-smi`, `docker ps`), then `validator run --resume`",
    )


def overdue(request: RunRequest) -> ValidatorError:
    """A cell has not come back, and its runner does not say why."""
    return ValidatorError(
        f"{request.name} has not come back",
        why=f"its own limit of {request.deadline_seconds:.0f} s is long over, and what runs it does not answer",
        hint="see whether it is there still (`docker ps`, `ps`) and end it, then `validator run --resume`",
    )


def unasked() -> ValidatorError:
    """A runner gave a cell up though nobody asked it to."""
    return ValidatorError("it was interrupted, though the run was not", hint="report this as a defect of the validator")
