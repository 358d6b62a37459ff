"""What the probe found in one interpreter: the answer of ``validator probe``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from validator.base.text import one_line
from validator.model import CellResult, CheckResult, CheckStatus
from validator.report.answers import formats
from validator.report.view import finding_lines


@dataclass(frozen=True)
class Probed:
    """The result of one interpreter."""

    result: CellResult
    is_own: bool
    """Whether it is the interpreter that runs the validator, which has no need of torch."""


def as_json(answer: Probed) -> Any:
    """As a cell of results.json."""
    from validator.results.json_v1 import dump_cell

    return json.loads(dump_cell(answer.result))


def as_text(answer: Probed, _width: int) -> str:
    """A line a check, then the status, why, and what to do."""
    result = answer.result
    rows = [f"{check.status.value:5} {check.name:16} {check.seconds:6.1f} s  {_short(check)}" for check in result.checks]
    told = [f"{result.status.value}: {result.reason}", *finding_lines(result)]
    if answer.is_own and any(check.name == "import" and check.status is CheckStatus.FAIL for check in result.checks):
        told.append("that is validator's own interpreter; --python PATH names the one that holds your torch")
    return "\n".join([*rows, "", *told])


def _short(check: CheckResult) -> str:
    """A message in one line: whole where something is wrong, cut where nothing is."""
    return one_line(check.message, 100 if check.status is CheckStatus.PASS else 600)


FORMATS = formats(as_text, as_json)
