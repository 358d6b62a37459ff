"""What every renderer shows: pure data made from a report or a plan."""

from validator.report.view.build import view
from validator.report.view.cause_groups import CauseGroup
from validator.report.view.cells import finding_lines
from validator.report.view.types import Detail, Flag, FlagKind, TableCell, TableRow, View

__all__ = [
    "CauseGroup",
    "Detail",
    "Flag",
    "FlagKind",
    "TableCell",
    "TableRow",
    "View",
    "finding_lines",
    "view",
]
