"""The JSON of ``validator plan``; as a table it is a report like any other."""

from __future__ import annotations

from typing import Any

from validator.report.answers import prediction
from validator.report.forecast import Forecast


def as_json(forecast: Forecast) -> dict[str, Any]:
    """Every cell as predicted, and what a run would do with it."""
    return {
        "runner": forecast.plan.runner,
        "runner_reason": forecast.plan.runner_reason,
        "facts_as_of": forecast.facts_as_of,
        "cells": [
            {
                "id": cell.id,
                "environment": cell.environment.id,
                "target": cell.target.id,
                "status": foretold.status.value,
                "predicted": prediction.as_json(cell.predicted) if cell.predicted else None,
                "action": cell.action.value,
                "reason": cell.reason,
                "gpu": cell.gpu.uuid if cell.gpu else None,
                "expect": cell.expect.value if cell.expect else None,
            }
            for cell, foretold in zip(forecast.plan.cells, forecast.cells, strict=True)
        ],
    }
