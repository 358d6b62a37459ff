"""A plan as JSON: each cell as predicted, and what a run would do with it."""

from __future__ import annotations

from values import HOST_TARGET, L4, L4_HOST, cell, environment

from validator.model import Action, ActionReason, Because, Outlook, Plan, Prediction, Status, Target
from validator.report import Forecast
from validator.report.answers.plan import as_json
from validator.verdict.agreement import foretold

GPU = ActionReason(Because.ON_GPU, "NVIDIA L4")
ENGINE = ActionReason(Because.NOT_SUPPORTED, "needs an engine")


def test_every_cell_with_its_prediction_and_its_action() -> None:
    fails = Prediction(Outlook.FAIL)
    cells = (
        cell(environment("a"), HOST_TARGET, why=GPU, gpu=L4, expect=Status.PASS, predicted=fails),
        cell(environment("b"), Target("t4"), action=Action.SKIP, why=ENGINE),
        cell(environment("c"), Target("t4"), action=Action.INSPECT, predicted=Prediction(Outlook.UNKNOWN)),
    )
    plan = Plan(cells, "docker", "it answers")
    document = as_json(Forecast(plan, tuple(map(foretold, cells)), L4_HOST, "my.yaml", "2026-11-25", "0.1.0"))
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
