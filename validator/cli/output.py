"""Where things are printed: the result on stdout, everything else on stderr; colour, width and volume in one place."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass

import click

from validator.base.errors import StoreError

#: Columns where no terminal says how wide it is (a pipe, a CI log).
_PLAIN_WIDTH = 120


@dataclass(frozen=True)
class Output:
    """What the global options ask for."""

    quiet: bool = False
    verbose: bool = False

    @property
    def width(self) -> int:
        """Columns of the result."""
        if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
            return max(20, shutil.get_terminal_size((_PLAIN_WIDTH, 24)).columns)
        return _PLAIN_WIDTH

    @property
    def color(self) -> bool:
        """Whether the result is coloured: on a terminal, unless NO_COLOR (https://no-color.org) or a dumb one says no."""
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def result(self, text: str) -> None:
        """Print a result. A reader that went away (``| head``) does not change the exit code."""
        try:
            click.echo(text.rstrip("\n"), color=True if self.color else None)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise StoreError("the result cannot be written to stdout", why=error.strerror or str(error)) from error

    def note(self, text: str) -> None:
        """Say something about how it goes."""
        if not self.quiet:
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Say something that is heard with -q too."""
        click.echo(text, err=True)
