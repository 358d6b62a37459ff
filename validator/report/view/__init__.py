"""What every renderer shows: pure data made from a report or a plan."""

from validator.report.view.build import view
from validator.report.view.cause_groups import CauseGroup
from validator.report.view.cells import finding_lines
from validator.report.view.kinds import KindTable
from validator.report.view.types import Bounds, Detail, Flag, FlagKind, TableCell, TableRow, View

__all__ = [
    "Bounds",
    "CauseGroup",
    "Detail",
    "Flag",
    "FlagKind",
    "KindTable",
    "TableCell",
    "TableRow",
    "View",
    "finding_lines",
    "view",
]
