"""One pass over a log: which signatures occur, where first and last, how often. Linear in its length, bounded in memory.

A block of the log is reduced to its set of words; where no pattern has all its words there, the block is done. Of its lines, only
those that contain all the words of some pattern are decoded, normalised and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from validator.diagnose.evidence import Line, Log
from validator.diagnose.index import Entry, index, words_in
from validator.diagnose.log_lines import blocks, lines
from validator.diagnose.patterns import normal
from validator.diagnose.prefixes import without_prefix
from validator.diagnose.repeats import Repeats
from validator.diagnose.showing import excerpt
from validator.diagnose.signatures import Signature
from validator.diagnose.telling import TellingLines

#: How many places of one signature are kept: the first ones and the last.
KEPT = 3
#: A signature seen this often is known to be there, and is not looked for any more.
ENOUGH = 500
#: A message that a terminal broke in two is looked for in two lines together, where both are no longer than this.
_WRAPPED = 400


@dataclass
class Hit:
    """A signature that occurs."""

    signature: Signature
    order: int
    """Position of the first place among everything that was found, from 1."""
    count: int = 0
    places: list[Line] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    """What its patterns took, from the first place that had it."""

    def add(self, line: Line, values: Mapping[str, str]) -> None:
        """One more place."""
        self.count += 1
        if len(self.places) < KEPT:
            self.places.append(line)
        else:
            self.places[-1] = line
        for name, value in values.items():
            self.values.setdefault(name, value)


@dataclass(frozen=True)
class _Before:
    """The line before, where it may be the first half of a message."""

    raw: bytes
    words: set[bytes]
    filed: set[bytes]
    """Those of its words that patterns are filed under."""


class Matcher:
    """Collects the hits of several texts; the log is one of them."""

    def __init__(self) -> None:
        self.hits: dict[str, Hit] = {}
        """By the id of the signature, in the order they were first seen."""
        self.lines = 0
        """How many lines the log has."""
        self.spelled: dict[str, str] = {}
        """A value that a pattern took, in lower case → as the log writes it."""
        self.unnamed = TellingLines()
        """What to show where no cause is named."""
        self._found = 0
        self._wanted = dict(index())
        """The patterns still looked for, by the word they are filed under."""
        self._repeats = Repeats()

    def read(self, log: Log, source: str = "log") -> None:
        """Go through a text once."""
        numbered = source == "log"
        before: _Before | None = None
        for number, block in blocks(log):
            if numbered:
                self.lines = max(self.lines, number + block.count(b"\n") - block.endswith(b"\n"))
            present = words_in(block)
            self.unnamed.see(number, block, present, source)
            possible = {
                word for word in present & self._wanted.keys() if any(entry.needs <= present for entry in self._wanted[word])
            }
            if not possible:
                before = None
                continue
            for at, raw in lines(number, block):
                if self._repeats.exhausted(raw):
                    continue
                words = words_in(raw)
                filed = words & possible
                where = Line("", at if numbered else None, source)
                if filed:
                    self._line(raw, words, filed, where)
                if before is not None and (filed or before.filed) and len(raw) <= _WRAPPED:
                    self._joined(before, raw, words, filed, where)
                before = _Before(raw, words, filed) if words and len(raw) <= _WRAPPED else None

    def _line(self, raw: bytes, words: set[bytes], filed: set[bytes], where: Line) -> None:
        """Compare one line with the patterns all of whose words it contains."""
        entries = [entry for word in sorted(filed) for entry in self._wanted.get(word, ()) if entry.needs <= words]
        if entries:
            self._compare(entries, raw.decode("utf-8", "replace"), where)

    def _joined(self, before: _Before, raw: bytes, words: set[bytes], filed: set[bytes], where: Line) -> None:
        """Look for what a terminal broke in two: only literal messages that were not seen whole anywhere."""
        both = words | before.words
        entries = [
            entry
            for word in sorted(filed | before.filed)
            for entry in self._wanted.get(word, ())
            if entry.needs <= both
            and not entry.needs <= words
            and not entry.needs <= before.words
            and entry.signature.id not in self.hits
            and not entry.pattern.has_gap
        ]
        if entries:
            first = before.raw.decode("utf-8", "replace").rstrip()
            self._compare(entries, f"{first} {without_prefix(raw.decode('utf-8', 'replace')).strip()}", where)

    def _compare(self, entries: Iterable[Entry], text: str, where: Line) -> None:
        line = normal(text)
        for entry in entries:
            values = entry.pattern.match(line)
            if values is None or any(other in line for other in entry.signature.unless):
                continue
            self._found += 1
            for value in values.values():
                self.spelled.setdefault(value, _as_written(value, text))
            hit = self.hits.setdefault(entry.signature.id, Hit(entry.signature, self._found))
            hit.add(Line(excerpt(text, entry.pattern.literals[0]), where.line, where.source), values)
            if hit.count == ENOUGH:
                self._drop(entry.signature)

    def _drop(self, signature: Signature) -> None:
        """Look for a signature no longer."""
        for word, entries in list(self._wanted.items()):
            left = tuple(entry for entry in entries if entry.signature is not signature)
            if left:
                self._wanted[word] = left
            else:
                del self._wanted[word]


def _as_written(value: str, text: str) -> str:
    at = text.lower().find(value)
    return text[at : at + len(value)] if at >= 0 and text[at : at + len(value)].lower() == value else value
