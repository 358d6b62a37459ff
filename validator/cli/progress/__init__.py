"""How a run goes, on stderr: one live view on a terminal, plain lines and a heartbeat elsewhere, nothing with -q."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from validator.cli.output import Output
from validator.cli.progress.going import Going
from validator.model import Cell, CellResult, Environment
from validator.run.protocols import Progress


@contextmanager
def make_progress(output: Output, expected: Mapping[str, float] | None = None) -> Iterator[Progress]:
    """The display that fits the terminal and the options; taken down again at the end, whatever happened.

    ``expected`` are the seconds that cells took before, by id; the others are taken to last as long as those finished by now.
    """
    if output.quiet:
        yield _Silent()
        return
    going = Going(expected or {})
    if output.verbose or not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        from validator.cli.progress.lines import Lines

        with Lines(output, going) as lines:
            yield lines
    else:
        from validator.cli.progress.live import LiveView

        with LiveView(going) as live:
            yield live


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
