"""Where things are printed: the result on stdout, everything else on stderr; colour, width and volume in one place.

Whatever is printed goes through here, so here it is made safe for whoever shows it: no control characters on a terminal, nothing
that the CI system obeys which reads the job's log.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import click

from validator.base.errors import StoreError
from validator.base.text import clean, inert

#: Columns where no terminal says how wide it is (a pipe, a CI log).
_PLAIN_WIDTH = 120
#: Characters that are printed at a time.
_PIECE = 1 << 16


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

    def result(self, text: str | Iterable[str]) -> None:
        """Print a result: a text, or its parts one after the other, each whole lines, as they are made.

        A reader that went away (``| head``) does not change the exit code; the parts that nobody reads are not made.
        """
        color = self.color
        try:
            for piece in _pieces([text.rstrip("\n") + "\n"] if isinstance(text, str) else text):
                # With colours, the escapes in it are the renderer's own.
                click.echo(inert(piece) if color else printable(piece), nl=False, color=True if color else None)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise StoreError("the result cannot be written to stdout", why=error.strerror or str(error)) from error

    def note(self, text: str) -> None:
        """Say something about how it goes."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Say something that is heard with -q too."""
        click.echo(printable(text), err=True)


def _pieces(parts: Iterable[str]) -> Iterator[str]:
    """Parts put together, so that there is not a call of the system for every line."""
    held: list[str] = []
    characters = 0
    for part in parts:
        held.append(part)
        characters += len(part)
        if characters >= _PIECE:
            yield "".join(held)
            held, characters = [], 0
    if held:
        yield "".join(held)


def printable(text: str) -> str:
    """Text as it may be printed, wherever it comes from."""
    return inert(clean(text))
