"""From predictions to results: what is filled in, what is held against a measurement, and that unknown is never green."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import HOST_TARGET, answers, cell, environment, event, probe_report

from validator.catalogue import checks
from validator.host import NO_GPU_HERE
from validator.model import (
    Action,
    ActionReason,
    Basis,
    Because,
    Cell,
    CellResult,
    Content,
    Finding,
    Missing,
    MissingKind,
    Outlook,
    Prediction,
    Severity,
    Status,
    Target,
)
from validator.runners.base import Prepared, RunOutcome
from validator.verdict import of_outcome
from validator.verdict.agreement import agreement, foretold, reason_of, words_of

TOO_OLD = Finding(
    "driver_too_old", Severity.FAIL, "driver 470.57 is older than 525.60.13", "environment", ("470.57 < 525.60.13",)
)
END_OF_LIFE = Finding("driver_end_of_life", Severity.INFO, "branch 470 gets no updates")
ENGINE = ActionReason(Because.NOT_SUPPORTED, "needs an engine")
ELSEWHERE = Target("t4-470.57", gpu="Tesla T4", driver="470.57")


def prediction(status: Outlook, *findings: Finding, **fields: object) -> Prediction:
    return Prediction(status, tuple(finding.cause for finding in findings), findings=findings, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measured", "predicted", "agrees"),
    [
        (Status.PASS, Outlook.PASS, True),
        (Status.PASS, Outlook.DEGRADED, True),
        (Status.DEGRADED, Outlook.PASS, True),
        (Status.DEGRADED, Outlook.DEGRADED, True),
        (Status.FAIL, Outlook.FAIL, True),
        (Status.PASS, Outlook.FAIL, False),
        (Status.DEGRADED, Outlook.FAIL, False),
        (Status.FAIL, Outlook.PASS, False),
        (Status.FAIL, Outlook.DEGRADED, False),
        *((status, Outlook.UNKNOWN, None) for status in Status),
        *((status, outlook, None) for status in (Status.ERROR, Status.SKIP) for outlook in Outlook),
    ],
)
def test_agreement_is_about_the_one_question_whether_it_works(measured: Status, predicted: Outlook, agrees: bool | None) -> None:
    assert agreement(measured, prediction(predicted)) is agrees
    assert agreement(measured, None) is None


@pytest.mark.parametrize(
    ("outlook", "status", "basis"),
    [
        (Outlook.PASS, Status.PASS, Basis.PREDICTED),
        (Outlook.DEGRADED, Status.DEGRADED, Basis.PREDICTED),
        (Outlook.FAIL, Status.FAIL, Basis.PREDICTED),
        (Outlook.UNKNOWN, Status.SKIP, None),
    ],
)
def test_a_cell_that_is_not_run_has_what_the_rules_say(outlook: Outlook, status: Status, basis: Basis | None) -> None:
    asked = cell(target=ELSEWHERE, action=Action.SKIP, predicted=prediction(outlook, TOO_OLD))
    result = foretold(asked)
    assert (result.status, result.basis, result.findings, result.agrees) == (status, basis, (TOO_OLD,), None)
    assert result.inferred is (outlook is not Outlook.UNKNOWN)


def test_what_is_not_known_says_what_is_missing_and_is_no_basis_for_anything() -> None:
    unknown = prediction(Outlook.UNKNOWN, missing=(Missing(MissingKind.FACTS, "no row for torch 9.9"),))
    result = foretold(cell(target=ELSEWHERE, action=Action.SKIP, predicted=unknown))
    assert (result.status, result.basis, result.reason) == (Status.SKIP, None, "not known: no row for torch 9.9")


NO_ROW = Missing(MissingKind.FACTS, "no row")
NO_GPU = Missing(MissingKind.NO_GPU_HERE, "no GPU")


@pytest.mark.parametrize(
    ("predicted", "reason"),
    [
        (prediction(Outlook.PASS), "no rule speaks against it; not run: needs an engine"),
        (prediction(Outlook.UNKNOWN, missing=(NO_ROW,)), "not known: no row; not run: needs an engine"),
    ],
)
def test_on_this_machine_it_is_said_why_nothing_was_run(predicted: Prediction, reason: str) -> None:
    assert foretold(cell(action=Action.SKIP, why=ENGINE, predicted=predicted)).reason == reason


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (NO_GPU_HERE, "this machine has no NVIDIA GPU that answers"),
        (ActionReason(Because.GPU_UNUSABLE, detail="lost"), "no GPU of this machine can be used (lost)"),
    ],
)
def test_that_there_is_no_gpu_is_said_once(why: ActionReason, reason: str) -> None:
    unknown = prediction(Outlook.UNKNOWN, missing=(NO_GPU,))
    asked = cell(environment(cuda="12.6"), action=Action.SKIP, why=why, predicted=unknown)
    assert foretold(asked).reason == f"{reason}; --inspect opens it anyway"
    other = cell(action=Action.SKIP, why=ENGINE, predicted=unknown)
    assert foretold(other).reason == f"not known: {NO_GPU.text}; not run: needs an engine"


def test_without_a_prediction_the_reason_of_the_plan_stays() -> None:
    result = foretold(cell(action=Action.SKIP, why=ENGINE))
    assert (result.status, result.basis, result.reason) == (Status.SKIP, None, "needs an engine")


def test_a_reason_is_the_gravest_finding_and_a_remark_is_none() -> None:
    assert reason_of(prediction(Outlook.FAIL, TOO_OLD, END_OF_LIFE)) == TOO_OLD.message
    assert reason_of(prediction(Outlook.PASS, END_OF_LIFE)) == "no rule speaks against it"
    assert words_of(prediction(Outlook.FAIL, TOO_OLD, END_OF_LIFE)) == "driver_too_old"


# ---------------------------------------------------------------- next to a run


def opened_or_measured(action: Action, predicted: Prediction | None, again: Prediction, *events: object) -> CellResult:
    asked = cell(target=HOST_TARGET if action is Action.MEASURE else ELSEWHERE, action=action, predicted=predicted)
    outcome = RunOutcome(probe_report(answers(*events)), exit_code=0)  # type: ignore[arg-type]
    seen: list[tuple[Cell, Content]] = []

    def rejudge(of: Cell, content: Content) -> Prediction:
        seen.append((of, content))
        return replace(again, basis=Basis.INSPECTED)

    made = of_outcome(asked, Prepared("id"), outcome, checks.levels({}), rejudge=rejudge)
    if made.content.torch:
        assert seen == [(asked, made.content)]
    return made


def test_a_measurement_is_compared_with_what_the_rules_say_of_what_was_inside() -> None:
    made = opened_or_measured(Action.MEASURE, prediction(Outlook.FAIL, TOO_OLD), prediction(Outlook.PASS))
    assert (made.status, made.basis, made.agrees) == (Status.PASS, Basis.MEASURED, True)
    assert made.predicted is not None
    assert (made.predicted.status, made.predicted.basis) == (Outlook.PASS, Basis.INSPECTED)
    assert any("the facts alone said fail (driver_too_old)" in note and "say pass" in note for note in made.notes)


@pytest.mark.parametrize("before", [None, prediction(Outlook.PASS)])
def test_rules_that_say_the_same_once_the_inside_is_known_are_no_news(before: Prediction | None) -> None:
    made = opened_or_measured(Action.MEASURE, before, prediction(Outlook.PASS))
    assert (made.agrees, made.notes) == (True, ())


def test_a_contradiction_is_said_and_changes_no_status() -> None:
    made = opened_or_measured(Action.MEASURE, None, prediction(Outlook.FAIL, TOO_OLD))
    assert (made.status, made.agrees, made.notes) == (Status.PASS, False, ())


def test_a_model_of_the_users_that_fails_is_no_contradiction_of_the_environment() -> None:
    own = event("model", "fail", "the model takes 1 channel, the input has 3")
    made = opened_or_measured(Action.MEASURE, None, prediction(Outlook.PASS), own)
    assert (made.status, made.agrees) == (Status.FAIL, True)
    both = opened_or_measured(Action.MEASURE, None, prediction(Outlook.PASS), own, event("train_fp32", "fail", "loss is NaN"))
    assert (both.status, both.agrees) == (Status.FAIL, False)


def test_an_error_is_compared_with_nothing() -> None:
    asked = cell(predicted=prediction(Outlook.PASS))
    outcome = RunOutcome(probe_report(), exit_code=1)
    made = of_outcome(asked, Prepared("id"), outcome, checks.levels({}), rejudge=lambda *_: prediction(Outlook.FAIL))
    assert (made.status, made.agrees, made.predicted) == (Status.ERROR, None, asked.predicted)


def test_an_environment_without_torch_is_compared_with_the_facts_alone() -> None:
    broken = event("import", "fail", "no module named torch", metrics={"python_version": "3.11.7"})
    made = opened_or_measured(Action.MEASURE, prediction(Outlook.PASS), prediction(Outlook.FAIL), broken)
    assert (made.status, made.agrees) == (Status.FAIL, False)
    assert made.predicted == prediction(Outlook.PASS)


@pytest.mark.parametrize(
    ("again", "status"),
    [
        (prediction(Outlook.PASS), Status.PASS),
        (prediction(Outlook.FAIL, TOO_OLD), Status.FAIL),
        (prediction(Outlook.UNKNOWN, END_OF_LIFE, missing=(Missing(MissingKind.FACTS, "no such GPU"),)), Status.SKIP),
    ],
)
def test_an_opened_image_has_the_status_that_follows_from_what_was_read(again: Prediction, status: Status) -> None:
    made = opened_or_measured(Action.INSPECT, prediction(Outlook.PASS), again)
    assert (made.status, made.basis, made.agrees) == (status, Basis.INSPECTED, None)
    assert made.inferred is (status is not Status.SKIP)
    assert "torch 2.7.1+cu126" in made.reason
    assert made.findings == again.findings


def test_an_image_that_fails_on_opening_was_seen_to_fail() -> None:
    broken = event("import", "fail", "libcudart.so.12: cannot open", metrics={})
    made = opened_or_measured(Action.INSPECT, prediction(Outlook.PASS), prediction(Outlook.PASS), broken)
    assert (made.status, made.basis, made.inferred) == (Status.FAIL, Basis.INSPECTED, False)


def test_a_warning_on_opening_is_not_lost() -> None:
    warned = event("import", "warn", "numpy is not installed", metrics={"torch_version": "2.7.1"})
    made = opened_or_measured(Action.INSPECT, None, prediction(Outlook.PASS), warned)
    assert (made.status, made.reason) == (Status.DEGRADED, "import: numpy is not installed")
