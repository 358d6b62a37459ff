"""Renderers of a report, one module a format: pure functions from a run's report, or a plan's forecast, to text.

``FORMATS`` is the one registry: every ``--format`` choice and every file of a run is made from it. A new format is one module,
with ``render(shown, *, width, color) -> str``, and one line here; the module is imported when its format is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from validator.base.errors import InvalidInputError
from validator.base.text import quoted, suggestion
from validator.model import Report
from validator.report.forecast import Forecast

__all__ = ["FILES", "FORMATS", "Forecast", "files", "render"]


@dataclass(frozen=True)
class Format:
    """A format that a report can have."""

    module: str
    """The module that renders it."""
    file: str | None = None
    """Name of the file that every run writes in this format; None where it is only printed."""


FORMATS = {
    "table": Format("validator.report.terminal"),
    "markdown": Format("validator.report.markdown", "report.md"),
    "json": Format("validator.report.document", "results.json"),
}
#: Name of a file that every run writes → its format.
FILES = {each.file: name for name, each in FORMATS.items() if each.file}


class Renderer(Protocol):
    """What the module of a format offers."""

    def render(self, shown: Report | Forecast, *, width: int | None, color: bool) -> str:
        """The report in this format; ``width`` in columns and ``color`` matter to terminals only."""


def render(name: str, shown: Report | Forecast, *, width: int | None = None, color: bool = False) -> str:
    """The report in the named format. Raises InvalidInputError for a format that does not exist."""
    if name not in FORMATS:
        what = f"there is no report format {quoted(name)}{suggestion(name, FORMATS)}"
        raise InvalidInputError(what, hint=f"one of {', '.join(FORMATS)}")
    return cast(Renderer, import_module(FORMATS[name].module)).render(shown, width=width, color=color)


def files(report: Report) -> dict[str, str]:
    """What every run writes: file name → text."""
    return {file: render(name, report) for file, name in FILES.items()}
