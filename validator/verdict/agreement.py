"""From what rules say to the result of a cell: filled in where nothing was run, and held against what was measured. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from validator.base.text import one_line
from validator.catalogue.checks import registry
from validator.model import (
    Action,
    Basis,
    Because,
    Cell,
    CellResult,
    CheckStatus,
    Content,
    Level,
    MissingKind,
    Outlook,
    Prediction,
    Severity,
    Status,
    causes_of,
    not_run,
    why,
)

#: What the rules say of a cell, given what was found inside its environment.
Rejudge = Callable[[Cell, Content], Prediction]

_STATUS = {Outlook.PASS: Status.PASS, Outlook.DEGRADED: Status.DEGRADED, Outlook.FAIL: Status.FAIL}
_REASON_CHARACTERS = 400
_WITHOUT_GPU = (Because.NO_GPU_HERE, Because.GPU_UNUSABLE)


def status_of(prediction: Prediction) -> Status:
    """The status a prediction stands for; what is not known is a skip, and never green."""
    return _STATUS.get(prediction.status, Status.SKIP)


def reason_of(prediction: Prediction) -> str:
    """Why a prediction is what it is, on one line of bounded length."""
    return one_line(why(prediction), _REASON_CHARACTERS)


def words_of(prediction: Prediction) -> str:
    """The causes of a prediction, by their idents; empty where it has none that count."""
    return causes_of(each for each in prediction.findings if each.severity is not Severity.INFO)


def agreement(status: Status, prediction: Prediction | None) -> bool | None:
    """Whether a measured status and a prediction say the same of the one question, does it work.

    ==================  ================  =====  =======
    measured            pass or degraded  fail   unknown
    ==================  ================  =====  =======
    pass or degraded    True              False  None
    fail                False             True   None
    error or skip       None              None   None
    ==================  ================  =====  =======
    """
    if prediction is None or prediction.status is Outlook.UNKNOWN or not status.is_fact:
        return None
    return status.works == prediction.status.works


def foretold(cell: Cell) -> CellResult:
    """The result of a cell that nothing is run for: what the rules say of it, or a skip that says why not even that."""
    prediction = cell.predicted
    if prediction is None:
        return not_run(cell, Status.SKIP, cell.reason)
    reason = reason_of(prediction)
    if cell.target.is_host:  # it could have been run here: say why it was not
        without = any(each.kind is MissingKind.NO_GPU_HERE for each in prediction.missing)
        told = without and cell.why.because in _WITHOUT_GPU
        reason = cell.reason if told else f"{reason}; not run: {cell.reason}"
    result = not_run(cell, status_of(prediction), reason)
    known = prediction.status is not Outlook.UNKNOWN
    return replace(result, basis=prediction.basis if known else None, findings=prediction.findings)


def compared(cell: Cell, result: CellResult, rejudge: Rejudge) -> CellResult:
    """The result of a cell that was run, next to what the rules say once they know what was found inside.

    A cell that was only opened, without trouble, has the status that follows from what was read.
    """
    if result.status is Status.ERROR or result.content.torch is None:
        return agreed(result) if result.basis is Basis.MEASURED else result
    prediction = rejudge(cell, result.content)
    notes = result.notes
    if cell.predicted is not None and cell.predicted.status is not prediction.status:
        notes = (*notes, _changed(cell.predicted, prediction))
    if cell.action is Action.INSPECT and result.status is Status.FAIL:  # seen to fail on opening: nothing to infer
        return result
    result = replace(result, predicted=prediction, notes=notes)
    if cell.action is not Action.INSPECT:
        return agreed(result)
    findings = (*prediction.findings, *(each for each in result.findings if each not in prediction.findings))
    if prediction.status is Outlook.UNKNOWN:
        return replace(result, reason=f"{result.reason}; {reason_of(prediction)}", findings=findings)
    reason = f"{reason_of(prediction)} ({result.reason})"
    status = status_of(prediction)
    warned = next((check for check in result.checks if check.status in (CheckStatus.FAIL, CheckStatus.WARN)), None)
    if status is Status.PASS and warned is not None and warned.level is not Level.SKIP:
        status, reason = Status.DEGRADED, f"{warned.name}: {warned.message}"
    return replace(result, status=status, reason=one_line(reason, _REASON_CHARACTERS), findings=findings)


def agreed(result: CellResult) -> CellResult:
    """With ``agrees`` set. A failure of the user's own model alone says nothing against an environment that trains."""
    failed = [check for check in result.checks if check.status is CheckStatus.FAIL and check.level is Level.REQUIRED]
    known = registry()
    own = bool(failed) and all(check.name in known and known[check.name].model for check in failed)
    status = Status.PASS if own and result.status is Status.FAIL else result.status
    return replace(result, agrees=agreement(status, result.predicted))


def _changed(before: Prediction, after: Prediction) -> str:
    return (
        f"the facts alone said {_in_words(before)}; with what was read inside the environment the rules say {_in_words(after)}"
    )


def _in_words(prediction: Prediction) -> str:
    causes = words_of(prediction)
    return f"{prediction.status.value} ({causes})" if causes else prediction.status.value
