"""The report as JSON, for programs: results.json of a run, and the same question answered for a plan."""

from __future__ import annotations

from collections.abc import Iterator

from validator.model import Report
from validator.report.answers import plan
from validator.report.forecast import Forecast


def parts(shown: Report | Forecast, *, width: int | None = None, color: bool = False) -> Iterator[str]:
    """JSON text; the same for every terminal."""
    from validator.results import json_v1

    return json_v1.parts(shown) if isinstance(shown, Report) else plan.json_parts(shown)
