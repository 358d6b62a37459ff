"""How a run goes, on stderr: a live line on a terminal, plain lines elsewhere, nothing with -q."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from validator.base.text import one_line
from validator.cli.output import Output
from validator.model import Basis, Cell, CellResult, Environment, Status
from validator.run.protocols import Progress


@contextmanager
def make_progress(output: Output) -> Iterator[Progress]:
    """The display that fits the terminal and the options; taken down again at the end, whatever happened."""
    if output.quiet:
        yield _Silent()
    elif output.verbose or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _Lines(output)
    else:
        from rich.console import Console
        from rich.status import Status as Spinner

        console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")))
        with Spinner("", console=console) as spinner:
            yield _Live(spinner, console)


def _worth_a_line(result: CellResult) -> bool:
    """Whether something was done for a cell; what was only skipped or predicted stands in the table."""
    return result.basis not in (None, Basis.PREDICTED) or result.status is Status.ERROR


class _Silent:
    """Says nothing."""

    def planned(self, cells: Sequence[Cell], lanes: Sequence[str]) -> None:
        """Nothing."""

    def acquiring(self, environment: Environment) -> None:
        """Nothing."""

    def acquired(self, environment: Environment, problem: str | None) -> None:
        """Nothing."""

    def cell_started(self, cell: Cell, lane: str) -> None:
        """Nothing."""

    def note(self, about: Cell | Environment, text: str) -> None:
        """Nothing."""

    def said(self, text: str) -> None:
        """Nothing."""

    def cell_finished(self, result: CellResult) -> None:
        """Nothing."""


class _Lines(_Silent):
    """A line for each cell and each check; every line of a build with -v, else one now and then as a sign of life."""

    #: Seconds between two lines of a build or pull without -v.
    _EVERY = 15.0

    def __init__(self, output: Output) -> None:
        self._output = output
        self._last = 0.0

    def cell_started(self, cell: Cell, lane: str) -> None:
        self._output.note(f"{cell.id}: {cell.action.value}: {cell.reason}")
        self._last = time.monotonic()

    def note(self, about: Cell | Environment, text: str) -> None:
        now = time.monotonic()
        if self._output.verbose or text.startswith(("check ", "pulling ", "building ")) or now - self._last >= self._EVERY:
            self._last = now
            self._output.note(f"      {one_line(text)}")

    def cell_finished(self, result: CellResult) -> None:
        if _worth_a_line(result):
            self._output.note(f"      {result.status.value}: {one_line(result.reason, 300)}")


class _Live(_Silent):
    """One changing line, and a lasting one for each finished cell."""

    def __init__(self, spinner: object, console: object) -> None:
        from rich.console import Console
        from rich.status import Status as Spinner

        assert isinstance(spinner, Spinner)  # noqa: S101 - typed here so that rich is imported only where it is shown
        assert isinstance(console, Console)  # noqa: S101
        self._spinner, self._console = spinner, console
        self._head = ""

    def cell_started(self, cell: Cell, lane: str) -> None:
        self._head = cell.id
        self._show(cell.reason)

    def note(self, about: Cell | Environment, text: str) -> None:
        self._show(text)

    def cell_finished(self, result: CellResult) -> None:
        from rich.text import Text

        if _worth_a_line(result):
            self._console.print(Text(f"{result.status.value:9}{result.id}: {one_line(result.reason, 300)}"))

    def _show(self, text: str) -> None:
        from rich.text import Text

        width = max(20, self._console.width - 4)
        self._spinner.update(Text(one_line(f"{self._head}: {text}", width)))
