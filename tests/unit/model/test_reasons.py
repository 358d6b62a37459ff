"""Why a prediction is what it is: what decides, and that what is only a remark never does."""

from __future__ import annotations

import pytest

from validator.model import Finding, Outlook, Prediction, Severity, causes_of, gravest, reasons, why


def found(cause: str, severity: Severity) -> Finding:
    return Finding(cause, severity, f"{cause} is wrong")


FAILS, ALSO_FAILS = found("a", Severity.FAIL), found("b", Severity.FAIL)
DEGRADES, REMARK = found("c", Severity.DEGRADED), found("d", Severity.INFO)


@pytest.mark.parametrize(
    ("findings", "decide"),
    [
        ((REMARK, DEGRADES, ALSO_FAILS, FAILS), (ALSO_FAILS, FAILS)),
        ((DEGRADES, REMARK), (DEGRADES,)),
        ((DEGRADES, found("e", Severity.UNKNOWN)), (found("e", Severity.UNKNOWN),)),
        ((REMARK,), ()),
        ((), ()),
    ],
)
def test_the_gravest_decide_and_a_remark_never_does(findings: tuple[Finding, ...], decide: tuple[Finding, ...]) -> None:
    assert gravest(findings) == decide


def test_a_cause_is_named_once() -> None:
    assert causes_of((FAILS, DEGRADES, FAILS)) == "a, c"
    assert causes_of(()) == ""


@pytest.mark.parametrize(
    ("prediction", "said"),
    [
        (Prediction(Outlook.FAIL, findings=(FAILS, ALSO_FAILS, DEGRADES)), ("a is wrong", "b is wrong")),
        (Prediction(Outlook.DEGRADED, findings=(DEGRADES, REMARK)), ("c is wrong",)),
        (Prediction(Outlook.PASS, findings=(REMARK,)), ("no rule speaks against it",)),
        # Not known goes before what is only less than ideal, and the facts before the findings.
        (Prediction(Outlook.UNKNOWN, findings=(DEGRADES,), missing=("no GPU", "no driver")), ("not known: no GPU",)),
        (Prediction(Outlook.UNKNOWN, findings=(DEGRADES,)), ("not known: c is wrong",)),
        (Prediction(Outlook.UNKNOWN, findings=(REMARK,)), ("not known: the facts do not reach that far",)),
        # A failure is a failure, whatever else is not known.
        (Prediction(Outlook.FAIL, findings=(FAILS,), missing=("no driver",)), ("a is wrong",)),
    ],
)
def test_the_reasons_of_a_prediction(prediction: Prediction, said: tuple[str, ...]) -> None:
    assert reasons(prediction) == said
    assert why(prediction) == said[0]
