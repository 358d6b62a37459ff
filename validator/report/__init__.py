"""Renderers of a report, one module a format: pure functions from a run's report, or a plan's forecast, to text.

``FORMATS`` is the one registry: every ``--format`` choice and every file of a run is made from it. A new format is one module,
with ``parts(shown, *, width, color) -> Iterator[str]``, and one line here; the module is imported when its format is asked for.
A report may have a hundred thousand cells: its text is made part by part, each of whole lines, and need never be in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from validator.base.errors import InvalidInputError
from validator.base.text import inert, quoted, suggestion
from validator.model import Report
from validator.report.forecast import Forecast

__all__ = ["FILES", "FORMATS", "Forecast", "files", "parts", "render"]


@dataclass(frozen=True)
class Format:
    """A format that a report can have."""

    module: str
    """The module that renders it."""
    file: str | None = None
    """Name of the file that every run writes in this format; None where it is only printed."""
    is_data: bool = False
    """Whether programs read it: then its own module sees to it that no CI system finds a command in it."""


FORMATS = {
    "table": Format("validator.report.terminal"),
    "markdown": Format("validator.report.markdown", "report.md"),
    "json": Format("validator.report.document", "results.json", is_data=True),
}
#: Name of a file that every run writes → its format.
FILES = {each.file: name for name, each in FORMATS.items() if each.file}


class Renderer(Protocol):
    """What the module of a format offers."""

    def parts(self, shown: Report | Forecast, *, width: int | None, color: bool) -> Iterator[str]:
        """The report in this format, in parts of whole lines; ``width`` in columns and ``color`` matter to terminals only."""


def parts(name: str, shown: Report | Forecast, *, width: int | None = None, color: bool = False) -> Iterator[str]:
    """The report in the named format, part by part. Raises InvalidInputError for a format that does not exist."""
    if name not in FORMATS:
        what = f"there is no report format {quoted(name)}{suggestion(name, FORMATS)}"
        raise InvalidInputError(what, hint=f"one of {', '.join(FORMATS)}")
    made = cast(Renderer, import_module(FORMATS[name].module)).parts(shown, width=width, color=color)
    return made if FORMATS[name].is_data else map(inert, made)


def render(name: str, shown: Report | Forecast, *, width: int | None = None, color: bool = False) -> str:
    """As ``parts``, as a whole."""
    return "".join(parts(name, shown, width=width, color=color))


def files(report: Report) -> dict[str, Parts]:
    """What every run writes: file name → its text."""
    return {file: Parts(name, report) for file, name in FILES.items()}


@dataclass(frozen=True)
class Parts:
    """The text of a report in one format: made, part by part, each time it is gone through."""

    format_name: str
    report: Report

    def __iter__(self) -> Iterator[str]:
        return parts(self.format_name, self.report)

    def __str__(self) -> str:
        return "".join(self)
