"""What the probe found, as text and as JSON."""

from __future__ import annotations

from dataclasses import replace

from values import check_result, result

from validator.model import CheckStatus, Finding, Severity, Status
from validator.report.answers.probe import Probed, as_json, as_text

LONG = "x" * 599


def test_the_text_has_a_line_a_check_then_the_status_and_what_to_do() -> None:
    checks = (
        replace(check_result(CheckStatus.PASS, LONG), name="device", seconds=12.34),
        check_result(message=LONG + " cut"),
        check_result(CheckStatus.WARN, "slow\nvery"),
    )
    named = Finding("what", Severity.FAIL, "broken", remedy="mend")
    found = result(Status.FAIL, reason="no loss", checks=checks, findings=(named,))
    assert as_text(Probed(found, is_own=True), 80).splitlines() == [
        f"pass  device             12.3 s  {'x' * 99}…",
        f"fail  train_amp_fp16      1.5 s  {LONG}…",
        "warn  train_amp_fp16      1.5 s  slow very",
        "",
        "fail: no loss",
        "cause what: broken",
        "  try: mend",
    ]


def test_who_probed_the_interpreter_of_the_validator_is_told_how_to_name_another() -> None:
    failed = result(Status.FAIL, checks=(replace(check_result(), name="import"),))
    passed = result(checks=(replace(check_result(CheckStatus.PASS), name="import"),))
    assert "--python PATH" in as_text(Probed(failed, is_own=True), 80)
    assert "--python PATH" not in as_text(Probed(failed, is_own=False), 80)
    assert "--python PATH" not in as_text(Probed(passed, is_own=True), 80)


def test_the_json_is_a_cell_of_results_json() -> None:
    document = as_json(Probed(result(Status.FAIL, reason="no loss", checks=(check_result(),)), is_own=False))
    assert (document["status"], document["reason"]) == ("fail", "no loss")
    assert document["checks"][0]["message"] == "loss did not fall"
