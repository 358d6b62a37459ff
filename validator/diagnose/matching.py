"""One pass over a log: which signatures occur, where first and last, how often. Linear in its length, bounded in memory.

Every pattern hangs on one rare word. A block of the log is reduced to its set of words, and where they hold those of no pattern
the block is done with. Of its lines, only those that hold all words of some pattern are decoded, normalised and compared.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from validator.base.text import one_line
from validator.diagnose.evidence import Line, Log
from validator.diagnose.log_lines import blocks, lines
from validator.diagnose.patterns import Pattern, normal
from validator.diagnose.prefixes import without_prefix
from validator.diagnose.showing import SHOWN, excerpt
from validator.diagnose.signatures import Signature, signatures

#: Of one signature, so many places are kept (the first ones, and the last).
KEPT = 3
#: After so many places a signature is known to be there, and is not looked for any more.
ENOUGH = 500
#: A line that differs in its numbers only is looked at so often; of so many such lines it is known how often they came.
_REPEATED, _TEMPLATES = 8, 4096
#: Lines told as the most telling ones where no cause is found: so many of the first, and of the last.
_TELLING_FIRST, _TELLING_LAST = 3, 6
#: Where no line is telling either, so many of the last ones are told.
_ENDING = 4
#: A message that a terminal broke in two is looked for in two lines together, where both are no longer than this.
_WRAPPED = 400

#: Everything but letters and digits becomes a space, letters become small: the words of a block.
_WORDS = bytes(c + 32 if 65 <= c <= 90 else (c if 48 <= c <= 57 or 97 <= c <= 122 else 32) for c in range(256))
_TELLING = frozenset(
    b"error errno exception failed failure fatal traceback killed critical panic aborted segfault denied refused cannot "
    b"invalid".split()
)
_TELLING_LINE = re.compile(rb"(?:Error|Exception)\b|\b(?:error|fatal|failed|killed|denied|cannot)\b", re.IGNORECASE)


@dataclass
class Hit:
    """A signature that occurs."""

    signature: Signature
    count: int = 0
    places: list[Line] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    """What its patterns took, from the first place that had it."""
    order: int = 0
    """Position of the first place among all that was read, from 0."""

    def add(self, line: Line, values: Mapping[str, str], order: int) -> None:
        """One more place."""
        if not self.count:
            self.order = order
        self.count += 1
        if len(self.places) < KEPT:
            self.places.append(line)
        else:
            self.places[-1] = line
        for name, value in values.items():
            self.values.setdefault(name, value)


@dataclass(frozen=True)
class _Block:
    """Some lines as they were read."""

    number: int
    raw: bytes
    source: str

    def telling(self) -> list[Line]:
        """Those of its lines that a person would look at."""
        numbered = self.source == "log"
        return [
            Line(one_line(raw[:_WRAPPED].decode("utf-8", "replace"), SHOWN), at if numbered else None, self.source)
            for at, raw in lines(self.number, self.raw)
            if _TELLING_LINE.search(raw[:_WRAPPED])
        ]


@dataclass(frozen=True)
class _Before:
    """The line before, where it may be the first half of a message."""

    raw: bytes
    words: set[bytes]
    found: set[bytes]
    """Those of its words that patterns hang on."""


@dataclass(frozen=True)
class _Entry:
    """A pattern, with the words that a line it is in must hold."""

    signature: Signature
    pattern: Pattern
    needs: frozenset[bytes]


@dataclass(frozen=True)
class _Index:
    """Rare word → the patterns that hang on it."""

    by_word: Mapping[bytes, tuple[_Entry, ...]]
    words: frozenset[bytes]


def words_of(text: bytes) -> list[bytes]:
    """The words of a text, as the index knows them."""
    return text.translate(_WORDS).split()


@cache
def index() -> _Index:
    """The index over all shipped signatures."""
    pairs = [(signature, pattern) for signature in signatures() for pattern in signature.patterns]
    frequency = Counter(word for _, pattern in pairs for word in _anchors(pattern))
    table: dict[bytes, list[_Entry]] = {}
    for signature, pattern in pairs:
        words = _anchors(pattern)
        if not words:
            raise ValueError(f"{signature.id}: {pattern.text!r} has no whole word to be found by")
        rarest = min(words, key=lambda word: (frequency[word] + _commonness(word), -len(word), word))
        table.setdefault(rarest, []).append(_Entry(signature, pattern, frozenset(words)))
    return _Index({word: tuple(found) for word, found in table.items()}, frozenset(table))


#: Words that ordinary lines of a training log are full of; a pattern hangs on one only where it has no other.
_COMMON = frozenset(
    b"the a an is are to of in on for and or not no with be was has have this that your you it at by from as if can use "
    b"cuda gpu torch error file line loss epoch step train training model batch memory device python runtimeerror info warning "
    b"lib usr site packages self return data version driver nvidia failed found docker image user please see "
    b"saved saving checkpoint checkpoints out ignored label labels downloading downloaded download invalid images dataset "
    b"loading loaded scanning workers rank time iter val test eval trainer steps using started process step pt path all".split()
)


def _commonness(word: bytes) -> int:
    return 1000 if word in _COMMON else 900 if word.isdigit() else 200 if len(word) < 4 else 0


def _anchors(pattern: Pattern) -> set[bytes]:
    """Words that stand whole in every line the pattern is in: not those that touch a value or a gap without a space."""
    found: set[bytes] = set()
    for position, part in enumerate(pattern.parts):
        if not isinstance(part, str):
            continue
        text = part.encode()
        words = text.translate(_WORDS)
        pieces = words.split()
        inner = list(pieces)
        if position and pieces and words[:1] != b" ":
            inner = inner[1:]
        if position < len(pattern.parts) - 1 and inner and words[-1:] != b" ":
            inner = inner[:-1]
        found.update(inner)
    return found


def _as_written(value: str, text: str) -> str:
    at = text.lower().find(value)
    return text[at : at + len(value)] if at >= 0 and text[at : at + len(value)].lower() == value else value


def _telling(words: set[bytes], raw: bytes) -> bool:
    """Whether it may hold a line that a person would look at."""
    return bool(words & _TELLING) or b"Error" in raw or b"Exception" in raw


class Matcher:
    """Collects the hits of several texts; the log is one of them."""

    def __init__(self) -> None:
        self.hits: dict[str, Hit] = {}
        self.lines = 0
        self.spelled: dict[str, str] = {}
        """A value that a pattern took, in small letters → as the log writes it."""
        self._first: list[_Block] = []
        self._last: deque[_Block] = deque(maxlen=_TELLING_LAST)
        """Blocks that hold telling lines; they are only looked into where no cause is found."""
        self._tail: deque[_Block] = deque(maxlen=2)
        """The last blocks of the log that hold more than blanks."""
        self._order = 0
        self._by_word = dict(index().by_word)
        """What is still looked for: a signature that was found often enough leaves."""
        self._words = set(index().words)
        self._templates: dict[bytes, int] = {}

    @property
    def telling(self) -> tuple[Line, ...]:
        """The lines a person would look at first: some of the first, and the last."""
        first, last = ([line for block in kept for line in block.telling()] for kept in (self._first, self._last))
        return (*first[:_TELLING_FIRST], *[line for line in last if line not in first[:_TELLING_FIRST]][-_TELLING_LAST:])

    @property
    def ending(self) -> tuple[Line, ...]:
        """The last lines of the log that hold anything; none where it is empty."""
        rows = [(at, one_line(raw[:_WRAPPED].decode("utf-8", "replace"), SHOWN)) for at, raw in self._tail_lines()]
        return tuple(Line(text, at) for at, text in rows if text)[-_ENDING:]

    def _tail_lines(self) -> list[tuple[int, bytes]]:
        return [row for block in self._tail for row in lines(block.number, block.raw)]

    def read(self, log: Log, source: str = "log") -> None:
        """Go through a text once."""
        numbered = source == "log"
        before: _Before | None = None
        for number, block in blocks(log):
            if numbered:
                if not block.isspace():
                    self._tail.append(_Block(number, block, source))
                self.lines = max(self.lines, number + block.count(b"\n") - block.endswith(b"\n"))
            present = set(block.translate(_WORDS).split())
            if _telling(present, block):
                self._keep(_Block(number, block, source))
            possible = {
                word for word in present & self._words if any(entry.needs <= present for entry in self._by_word[word])
            }
            if not possible:
                before = None
                continue
            for at, raw in lines(number, block):
                if self._often(raw):
                    continue
                words = set(raw.translate(_WORDS).split())
                found = words & possible
                where = Line("", at if numbered else None, source)
                if found:
                    self._line(raw, words, found, where)
                if before is not None and (found or before.found) and len(raw) <= _WRAPPED:
                    self._joined(before, raw, words, found, where)
                before = _Before(raw, words, found) if len(raw) <= _WRAPPED and (found or words) else None

    def _often(self, raw: bytes) -> bool:
        """Whether this line, but for its numbers, has come so often that it cannot say anything new."""
        if len(raw) > _WRAPPED:
            return False
        template = raw.translate(None, b"0123456789")
        seen = self._templates.get(template, 0)
        if seen >= _REPEATED:
            return True
        if len(self._templates) >= _TEMPLATES:
            self._templates.clear()
        self._templates[template] = seen + 1
        return False

    def _line(self, raw: bytes, words: set[bytes], found: set[bytes], where: Line) -> None:
        """Compare one line with the patterns all of whose words it holds."""
        entries = [entry for word in found for entry in self._by_word.get(word, ()) if entry.needs <= words]
        if not entries:
            return
        text = raw.decode("utf-8", "replace")
        line = normal(text)
        for entry in entries:
            self._compare(entry.signature, entry.pattern, line, text, where)

    def _joined(self, before: _Before, raw: bytes, words: set[bytes], found: set[bytes], where: Line) -> None:
        """Look for what a terminal broke in two: only literal messages that were not seen whole anywhere."""
        both = words | before.words
        entries = [
            entry
            for word in found | before.found
            for entry in self._by_word.get(word, ())
            if entry.needs <= both
            and not entry.needs <= words
            and not entry.needs <= before.words
            and entry.signature.id not in self.hits
            and not entry.pattern.has_gap
        ]
        if not entries:
            return
        first = before.raw.decode("utf-8", "replace").rstrip()
        text = f"{first} {without_prefix(raw.decode('utf-8', 'replace')).strip()}"
        line = normal(text)
        for entry in entries:
            self._compare(entry.signature, entry.pattern, line, text, where)

    def _compare(self, signature: Signature, pattern: Pattern, line: str, shown: str, where: Line) -> None:
        values = pattern.match(line)
        if values is None or any(other in line for other in signature.unless):
            return
        known = self.hits.get(signature.id)
        if known is None:
            known = self.hits[signature.id] = Hit(signature)
        self._order += 1
        for value in values.values():
            self.spelled.setdefault(value, _as_written(value, shown))
        known.add(Line(excerpt(shown, pattern.literals[0]), where.line, where.source), values, self._order)
        if known.count == ENOUGH:
            self._leave(signature)

    def _leave(self, signature: Signature) -> None:
        for word, entries in list(self._by_word.items()):
            left = tuple(entry for entry in entries if entry.signature is not signature)
            if len(left) != len(entries):
                self._by_word[word] = left
                if not left:
                    self._words.discard(word)

    def _keep(self, block: _Block) -> None:
        if len(self._first) < _TELLING_FIRST:
            self._first.append(block)
        self._last.append(block)
