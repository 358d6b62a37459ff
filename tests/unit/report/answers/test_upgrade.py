"""What a change would do, as text and as JSON: by effect, then by reason, each with its remedy."""

from __future__ import annotations

from values import environment

from validator.advice.upgrading import Affected, Change, Effect
from validator.model import Basis, Finding, Outlook, Prediction, Severity, Target
from validator.report.answers.upgrade import Upgraded, as_json, as_text

OLD = Finding("driver_too_old", Severity.FAIL, "the driver is old", remedy="update it")
ARCH = Finding("arch_not_supported", Severity.FAIL, "no code")
EMULATED = Finding("bf16_emulated", Severity.DEGRADED, "bfloat16 is emulated", remedy="use float16")


def affected(name: str, effect: Effect, reason: str, *findings: Finding, before: Outlook = Outlook.PASS) -> Affected:
    after = Prediction(Outlook.FAIL if effect is Effect.STOPS else Outlook.PASS, findings=findings)
    return Affected(f"{name}@t4", environment(name), Target("t4"), before, Basis.MEASURED, after, effect, reason)


CELLS = (
    affected("lone", Effect.STOPS, "no code", ARCH, EMULATED),
    *(affected(name, Effect.STOPS, "the driver is old; no code", OLD, ARCH, OLD, EMULATED) for name in "abcdef"),
    affected("new", Effect.STARTS, "bfloat16 is emulated", EMULATED, before=Outlook.FAIL),
    affected("who", Effect.UNKNOWN, "nobody knows"),
    affected("same", Effect.NONE, "pass before and after"),
    affected("also", Effect.NONE, "otherwise said", before=Outlook.PASS),
    affected("bad", Effect.NONE, "fail before and after", before=Outlook.FAIL),
)
ANSWER = Upgraded(Change(driver="470", gpu="T4"), CELLS, ("x stays as it is", "y too"), "run-1")


def test_the_text_has_what_stops_first_and_the_reason_that_holds_for_most_before_others() -> None:
    assert as_text(ANSWER, 80).splitlines() == [
        "With driver 470, GPU T4 (compared with what run run-1 measured, else what is predicted):",
        "",
        "stops working: 7 of 12 cells",
        "  driver_too_old, arch_not_supported: the driver is old; no code",
        "    a@t4, b@t4, c@t4, d@t4 and 2 more",
        "    try: update it",
        "  arch_not_supported: no code",
        "    lone@t4",
        "newly works: 1 of 12 cells",
        "  bfloat16 is emulated",
        "    new@t4",
        "unknown: 1 of 12 cells",
        "  nobody knows",
        "    who@t4",
        "unaffected: 3 of 12 cells",
        "  pass measured today: 2",
        "  fail measured today: 1",
        "",
        "x stays as it is",
        "y too",
    ]


def test_without_an_earlier_run_the_baseline_is_predicted_and_four_cells_are_all_named() -> None:
    shown = as_text(Upgraded(Change(torch="2.7.1"), CELLS[1:5], ()), 80).splitlines()
    assert shown[0] == "With torch 2.7.1 (compared with what is predicted):"
    assert "    a@t4, b@t4, c@t4, d@t4" in shown
    assert shown[-1] == "unaffected: 0 of 4 cells"


def test_the_json_has_every_cell_before_and_after() -> None:
    document = as_json(ANSWER)
    assert document["change"] == {"driver": "470", "gpu": "T4"}
    assert document["remarks"] == ["x stays as it is", "y too"]
    assert document["summary"] == {"stops working": 7, "newly works": 1, "unknown": 1, "unaffected": 3}
    first = document["cells"][0]
    assert first.pop("after")["findings"][0]["cause"] == "arch_not_supported"
    assert first == {
        "id": "lone@t4",
        "effect": "stops working",
        "reason": "no code",
        "before": {"verdict": "pass", "basis": "measured"},
    }
    assert len(document["cells"]) == 12
