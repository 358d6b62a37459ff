"""The lines to show where no cause can be named: those that speak of an error, else the last ones of the log."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from validator.base.text import one_line
from validator.diagnose.evidence import Line
from validator.diagnose.log_lines import lines
from validator.diagnose.showing import SHOWN

#: How many telling lines are shown: from the beginning, and from the end.
_FIRST, _LAST = 3, 6
#: How many of the last lines are shown where none is telling.
_ENDING = 4
#: Bytes at the beginning of a line that are looked at and shown.
_HEAD = 400
_TELLING_WORDS = frozenset(
    b"error errno exception failed failure fatal traceback killed critical panic aborted segfault denied refused cannot "
    b"invalid".split()
)
_TELLING_LINE = re.compile(rb"(?:Error|Exception)\b|\b(?:error|fatal|failed|killed|denied|cannot)\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Block:
    """Some lines as they were read."""

    number: int
    raw: bytes
    source: str

    def heads(self) -> Iterator[tuple[bytes, Line]]:
        """The beginning of every line, raw and as it is shown. Only lines of the log have numbers."""
        for number, raw in lines(self.number, self.raw):
            head = raw[:_HEAD]
            shown = one_line(head.decode("utf-8", "replace"), SHOWN)
            yield head, Line(shown, number if self.source == "log" else None, self.source)

    def telling(self) -> list[Line]:
        return [line for head, line in self.heads() if _TELLING_LINE.search(head)]


class TellingLines:
    """Keeps the few blocks such lines can come from; the lines themselves are only cut out where they are asked for."""

    def __init__(self) -> None:
        self._first: list[_Block] = []
        self._last: deque[_Block] = deque(maxlen=_LAST)
        self._tail: deque[_Block] = deque(maxlen=2)
        """The last blocks of the log that are not blank."""

    def see(self, number: int, raw: bytes, words: set[bytes], source: str) -> None:
        """Take note of a block: the number of its first line, its text and the words in it."""
        block = _Block(number, raw, source)
        if source == "log" and not raw.isspace():
            self._tail.append(block)
        if words & _TELLING_WORDS or b"Error" in raw or b"Exception" in raw:
            if len(self._first) < _FIRST:
                self._first.append(block)
            self._last.append(block)

    def telling(self) -> tuple[Line, ...]:
        """The lines a person would look at first: some from the beginning, and the last ones."""
        first, last = ([line for block in kept for line in block.telling()] for kept in (self._first, self._last))
        first = first[:_FIRST]
        return (*first, *[line for line in last if line not in first][-_LAST:])

    def ending(self) -> tuple[Line, ...]:
        """The last lines of the log that are not blank; none where it is empty."""
        return tuple(line for block in self._tail for _, line in block.heads() if line.text)[-_ENDING:]
