"""Renderers of a report, one module a format: pure functions from a Report to text.

A renderer's module has ``render(report, *, width, color) -> str`` and is imported when its format is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from validator.base.errors import InvalidInputError
from validator.base.text import quoted, suggestion
from validator.model import Report

#: Name of a format → the module that renders it.
FORMATS = {
    "table": "validator.report.terminal",
    "markdown": "validator.report.markdown",
    "json": "validator.report.json_v1",
}


class Renderer(Protocol):
    """What the module of a format offers."""

    def render(self, report: Report, *, width: int | None, color: bool) -> str:
        """The report in this format; ``width`` in columns and ``color`` matter to terminals only."""


def render(name: str, report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The report in the named format. Raises InvalidInputError for a format there is none of."""
    if name not in FORMATS:
        what = f"there is no report format {quoted(name)}{suggestion(name, FORMATS)}"
        raise InvalidInputError(what, hint=f"one of {', '.join(FORMATS)}")
    return cast(Renderer, import_module(FORMATS[name])).render(report, width=width, color=color)
