"""Lines of a log as a person is shown them: cleaned, of bounded length, and with what was found in them. Pure."""

from __future__ import annotations

from validator.base.text import one_line

#: How many characters of a line are shown: three lines of a terminal.
SHOWN = 240
#: How many characters stay in front of what was found, where a line is cut on its left.
_BEFORE = 60


def excerpt(line: str, literal: str) -> str:
    """The line, or the part around what was found in it where the line is long. ``literal`` is lower case."""
    if len(line) <= SHOWN:
        return one_line(line, SHOWN)
    at = line.lower().find(literal)
    start = at - _BEFORE if at + len(literal) + _BEFORE > SHOWN else 0
    if start <= 0:
        return one_line(line, SHOWN)
    return "…" + one_line(line[start:], SHOWN - 1)
