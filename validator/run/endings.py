"""Why a cell did not get as far as a verdict of its own, in words: errors, and the reasons of cells that never ran."""

from __future__ import annotations

from collections.abc import Sequence

from validator.base.errors import ValidatorError
from validator.run.busy import GpuBusyError
from validator.runners.base import RunRequest

DURING = "the run was interrupted during this cell"
BEFORE = "the run was interrupted before this cell"
NOT_KEPT = "not begun: results could no longer be kept"


def enough_failures(failures: int) -> str:
    """The reason of a cell that was not begun because others had failed."""
    return f"not begun: {failures} {'cell' if failures == 1 else 'cells'} had failed, and the run was to end then"


def engine_gone(error: ValidatorError) -> str:
    """The reason of a cell that was not begun because the engine is gone."""
    return f"not begun: {error.what}"


#: Why a lane was put aside: what ran there could not be ended, or one job after another failed for what the machine did.
STUCK = "what ran there before could not be ended"
IN_TROUBLE = "one cell after another could not be run there"


def no_lane(lanes: Sequence[str], why: str) -> ValidatorError:
    """No lane is left that a cell could run on; ``why`` the last was put aside."""
    were = "was" if len(lanes) == 1 else "were"
    return ValidatorError(
        f"nothing is left that it could run on: {', '.join(lanes)} {were} put aside",
        why=why,
        hint="see what holds it (`nvidia-smi`, `docker ps`), then `validator run --rerun-failed`",
    )


def held(lane: str, holder: str, seconds: float | None) -> ValidatorError:
    """A GPU that another run has is not waited for (any longer); ``seconds`` is how long it was."""
    waited = "" if seconds is None else f" after {seconds:.0f} s"
    return GpuBusyError(
        f"GPU busy: {lane} is held by {holder}{waited}",
        why="one GPU has one cell at a time, over all runs of this machine",
        hint="wait for that run, or longer (--busy wait, --busy-limit), then `validator run --rerun-failed`",
    )


def overdue(request: RunRequest) -> ValidatorError:
    """A cell has not come back, and its runner does not say why."""
    return ValidatorError(
        f"{request.name} has not come back",
        why=f"its own limit of {request.deadline_seconds:.0f} s is long over, and what runs it does not answer",
        hint="see whether it is there still (`docker ps`, `ps`) and end it, then `validator run --rerun-failed`",
    )


def unasked() -> ValidatorError:
    """A runner gave a cell up though nobody asked it to."""
    return ValidatorError("it was interrupted, though the run was not", hint="report this as a defect of the validator")
