"""The report as JSON, for programs: results.json of a run, and the same question answered for a plan."""

from __future__ import annotations

import json

from validator.model import Report
from validator.report.answers import plan
from validator.report.forecast import Forecast


def render(shown: Report | Forecast, *, width: int | None = None, color: bool = False) -> str:
    """JSON text; the same for every terminal."""
    from validator.results import dump

    return dump(shown) if isinstance(shown, Report) else json.dumps(plan.as_json(shown), indent=2, ensure_ascii=False) + "\n"
