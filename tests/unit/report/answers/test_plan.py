"""A plan as JSON: each cell as predicted, and what a run would do with it."""

from __future__ import annotations

import json
from typing import Any

from values import HOST_TARGET, L4, L4_HOST, cell, environment

from validator.model import (
    Action,
    ActionReason,
    Assumption,
    AssumptionKind,
    Because,
    Cell,
    Finding,
    Missing,
    MissingKind,
    Outlook,
    Plan,
    Prediction,
    Severity,
    Status,
    Target,
)
from validator.report import Forecast
from validator.report.answers.plan import json_parts
from validator.verdict.agreement import foretold

GPU = ActionReason(Because.ON_GPU, "NVIDIA L4")
ENGINE = ActionReason(Because.NOT_SUPPORTED, "needs an engine")


def forecast(*cells: Cell) -> Forecast:
    plan = Plan(cells, "docker", "it answers")
    return Forecast(plan, tuple(map(foretold, cells)), L4_HOST, "my.yaml", "2026-11-25", "0.1.0")


def written(shown: Forecast, inline_cells: int = 100) -> dict[str, Any]:
    document: dict[str, Any] = json.loads("".join(json_parts(shown, inline_cells)))
    return document


def test_every_cell_with_its_prediction_and_its_action() -> None:
    fails = Prediction(Outlook.FAIL)
    cells = (
        cell(environment("a"), HOST_TARGET, why=GPU, gpu=L4, expect=Status.PASS, predicted=fails),
        cell(environment("b"), Target("t4"), action=Action.SKIP, why=ENGINE),
        cell(environment("c"), Target("t4"), action=Action.INSPECT, predicted=Prediction(Outlook.UNKNOWN)),
    )
    document = written(forecast(*cells))
    rows = document.pop("cells")
    assert document == {"runner": "docker", "runner_reason": "it answers", "facts_as_of": "2026-11-25"}
    assert rows[0].pop("predicted")["verdict"] == "fail"
    assert rows[0] == {
        "id": "a@host",
        "environment": "a",
        "target": "host",
        "status": "fail",
        "action": "measure",
        "reason": "trained on NVIDIA L4",
        "gpu": "GPU-1",
        "expect": "pass",
    }
    assert (rows[1]["status"], rows[1]["predicted"], rows[1]["gpu"], rows[1]["expect"]) == ("skip", None, None, None)
    assert (rows[2]["status"], rows[2]["action"]) == ("skip", "inspect")


def test_a_plan_of_few_cells_is_laid_out_as_it_always_was() -> None:
    shown = forecast(cell(environment("a"), predicted=Prediction(Outlook.FAIL)), cell(environment("b")))
    text = "".join(json_parts(shown))
    assert text == json.dumps(json.loads(text), indent=2) + "\n"
    assert "shared" not in text
    assert json.loads("".join(json_parts(forecast())))["cells"] == []


def test_what_many_cells_share_stands_once_and_says_the_same() -> None:
    old = Finding("driver_too_old", Severity.FAIL, "535 is too old ##vso[x]", "hardware", ("535 < 580",), "install 580", "a page")
    slow = Finding("fp16_no_speedup", Severity.DEGRADED, "no gain")
    assumed = Assumption(AssumptionKind.IMAGE_NAME, "as its name says")
    lacking = Missing(MissingKind.FACTS, "no row")
    predicted = (
        Prediction(Outlook.FAIL, findings=(old, slow), assumptions=(assumed,)),
        Prediction(Outlook.DEGRADED, findings=(slow,), assumptions=(assumed,), missing=(lacking,)),
        None,
    )
    cells = [cell(environment(f"e{n}"), action=Action.SKIP, why=ENGINE, predicted=predicted[n % 3]) for n in range(9)]
    inline, shared = written(forecast(*cells)), written(forecast(*cells), inline_cells=8)
    tables = shared.pop("shared")
    assert len(tables["findings"]) == 2
    assert sorted(tables["texts"]) == ["as its name says", "needs an engine", "no row"]
    for each in shared["cells"]:
        each["reason"] = tables["texts"][each["reason"]]
        if each["predicted"]:
            for name, table in (("findings", "findings"), ("assumptions", "texts"), ("missing", "texts")):
                each["predicted"][name] = [tables[table][place] for place in each["predicted"][name]]
    assert shared == inline
    lines = "".join(json_parts(forecast(*cells), 8)).splitlines()
    assert len([line for line in lines if line.startswith('    {"id":')]) == 9
    assert not any("##vso" in line for line in lines)
