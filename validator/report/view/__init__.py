"""What every renderer shows: pure data made from a report or a plan."""

from validator.report.view.build import view
from validator.report.view.cause_groups import CauseGroup, MessageGroup
from validator.report.view.cells import finding_lines
from validator.report.view.plan import plan_view
from validator.report.view.types import CheckLine, Detail, FindingLine, Row, SkipGroup, TableCell, View

__all__ = [
    "CauseGroup",
    "CheckLine",
    "Detail",
    "FindingLine",
    "MessageGroup",
    "Row",
    "SkipGroup",
    "TableCell",
    "View",
    "finding_lines",
    "plan_view",
    "view",
]
