"""The report as JSON, for programs: results.json of a run, and the same question answered for a plan."""

from __future__ import annotations

from validator.model import Report
from validator.report.answers import json_text, plan
from validator.report.forecast import Forecast


def render(shown: Report | Forecast, *, width: int | None = None, color: bool = False) -> str:
    """JSON text; the same for every terminal."""
    from validator.results import dump

    return dump(shown) if isinstance(shown, Report) else json_text(plan.as_json(shown)) + "\n"
