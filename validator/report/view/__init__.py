"""What every renderer shows: pure data made from a report or a plan."""

from validator.report.view.build import view
from validator.report.view.cause_groups import CauseGroup, MessageGroup
from validator.report.view.cells import finding_lines
from validator.report.view.types import CheckLine, Detail, FindingLine, Flag, FlagKind, Row, SkipGroup, TableCell, View

__all__ = [
    "CauseGroup",
    "CheckLine",
    "Detail",
    "FindingLine",
    "Flag",
    "FlagKind",
    "MessageGroup",
    "Row",
    "SkipGroup",
    "TableCell",
    "View",
    "finding_lines",
    "view",
]
