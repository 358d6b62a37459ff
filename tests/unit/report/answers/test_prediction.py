"""What rules say of one environment, as text and as JSON: nothing of it is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from values import assumed

from validator.model import Basis, Finding, Outlook, Prediction, Severity
from validator.report.answers.prediction import FORMATS, as_json, as_text

COMPARED = ("470 < 525", "CUDA 12")
WHOLE = Finding("driver_too_old", Severity.FAIL, "the driver is old", "environment", COMPARED, "update it", "a table")
BARE = Finding("ptx_jit", Severity.INFO, "compiled on first use")
PREDICTION = Prediction(
    Outlook.FAIL, ("driver_too_old",), Basis.INSPECTED, (WHOLE, BARE), ("it is Linux", "on x86"), ("which GPU", "its age")
)


def test_the_text_has_each_finding_with_its_evidence_then_what_is_not_known_and_what_was_assumed() -> None:
    assert as_text(PREDICTION, 80).splitlines() == [
        "fail  (inspected; nothing was run)",
        "",
        "fail: the driver is old  [driver_too_old]",
        "    470 < 525",
        "    CUDA 12",
        "    try: update it",
        "    source: a table",
        "",
        "info: compiled on first use  [ptx_jit]",
        "",
        "not known:",
        "  - which GPU",
        "  - its age",
        "",
        "assumed:",
        "  - it is Linux",
        "  - on x86",
    ]


def test_what_there_is_nothing_to_say_of_has_no_heading() -> None:
    assert as_text(Prediction(Outlook.PASS), 80) == "pass  (predicted; nothing was run)"


def test_the_json_has_every_field() -> None:
    first, second = as_json(PREDICTION)["findings"]
    assert first == {
        "cause": "driver_too_old",
        "family": "environment",
        "severity": "fail",
        "message": "the driver is old",
        "evidence": ["470 < 525", "CUDA 12"],
        "remedy": "update it",
        "source": "a table",
    }
    assert (second["family"], second["evidence"], second["remedy"], second["source"]) == (None, [], None, None)
    rest: dict[str, Any] = {name: value for name, value in as_json(PREDICTION).items() if name != "findings"}
    assert rest == {
        "verdict": "fail",
        "basis": "inspected",
        "assumptions": ["it is Linux", "on x86"],
        "missing": ["which GPU", "its age"],
    }


@pytest.mark.parametrize("status", Outlook)
def test_json_is_for_people_too_and_carries_no_escapes(status: Outlook) -> None:
    text = FORMATS["json"](Prediction(status, assumptions=assumed("größer \x1b[31m\u202e")), 80)
    assert json.loads(text)["verdict"] == status.value
    assert json.loads(text)["assumptions"] == ["größer \ufffd"]
    assert '"größer' in text
    assert text.startswith('{\n  "')
