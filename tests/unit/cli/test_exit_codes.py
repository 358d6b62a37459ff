"""The exit code of a run is about what happened here, and about what the matrix expects."""

from __future__ import annotations

import pytest
from values import report, result

from validator.base.errors import ExitCode
from validator.cli.exit_codes import exit_code
from validator.model import Basis, CellResult, Outlook, Prediction, Status

OK, FAILED, NOT_FOUND_OUT = ExitCode.OK, ExitCode.FAILED, ExitCode.NOT_FOUND_OUT


def foretold(status: Status, basis: Basis = Basis.PREDICTED, **fields: object) -> CellResult:
    return result(status, on="t4", basis=basis, predicted=Prediction(Outlook(status.value), basis=basis), **fields)  # type: ignore[arg-type]


GOOD = result(env="good")


@pytest.mark.parametrize(
    ("other", "code", "strict"),
    [
        (foretold(Status.FAIL), OK, FAILED),
        (foretold(Status.FAIL, Basis.INSPECTED), OK, FAILED),
        (foretold(Status.DEGRADED), OK, FAILED),
        (foretold(Status.PASS), OK, OK),
        (foretold(Status.FAIL, expect=Status.FAIL), OK, OK),
        (foretold(Status.PASS, expect=Status.FAIL), FAILED, FAILED),
        (foretold(Status.FAIL, expect=Status.PASS), FAILED, FAILED),
        (result(Status.FAIL), FAILED, FAILED),
        # Seen to fail on opening: no rule says so, and the prediction beside it is of the facts alone.
        (result(Status.FAIL, basis=Basis.INSPECTED, predicted=Prediction(Outlook.PASS)), FAILED, FAILED),
        (result(Status.FAIL, predicted=Prediction(Outlook.FAIL), agrees=True), FAILED, FAILED),
        (result(Status.DEGRADED), OK, FAILED),
        (result(Status.ERROR, basis=None), NOT_FOUND_OUT, NOT_FOUND_OUT),
        (result(Status.SKIP, on="t4"), OK, OK),
    ],
)
def test_beside_a_cell_that_passed(other: CellResult, code: ExitCode, strict: ExitCode) -> None:
    assert exit_code(report(GOOD, other), strict=False) is code
    assert exit_code(report(GOOD, other), strict=True) is strict


@pytest.mark.parametrize("status", [Status.PASS, Status.DEGRADED, Status.FAIL])
def test_predictions_alone_find_nothing_out(status: Status) -> None:
    assert exit_code(report(foretold(status)), strict=False) is NOT_FOUND_OUT


def test_an_opened_image_is_something_found_out() -> None:
    assert exit_code(report(foretold(Status.PASS, Basis.INSPECTED)), strict=False) is OK
