"""One pass over a log: which signatures occur, where first and last, how often. Linear in its length, bounded in memory.

Every pattern hangs on one rare word. A block of the log is reduced to its set of words, and where that meets no such word the
block is done with; only lines that hold one are decoded, normalised and compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from validator.diagnose.evidence import Line, Log
from validator.diagnose.patterns import Pattern, normal
from validator.diagnose.prefixes import without_prefix
from validator.diagnose.reading import blocks, lines
from validator.diagnose.signatures import Signature, signatures
from validator.text import one_line

#: Of one signature, so many places are kept (the first ones, and the last).
KEPT = 3
#: After so many places a signature is known to be there, and is not looked for any more.
ENOUGH = 500
#: Lines kept as the most telling ones where no cause is found: so many of the first, and of the last.
_TELLING_FIRST, _TELLING_LAST = 3, 6
#: A message that a terminal broke in two is looked for in two lines together, where both are no longer than this.
_WRAPPED = 400

#: Everything but letters and digits becomes a space, letters become small: the words of a block.
_WORDS = bytes(c + 32 if 65 <= c <= 90 else (c if 48 <= c <= 57 or 97 <= c <= 122 or c >= 128 else 32) for c in range(256))
_TELLING = frozenset(
    b"error errno exception failed failure fatal traceback killed critical panic aborted segfault denied refused cannot "
    b"invalid".split()
)
_TELLING_SUFFIXES = re.compile(r"(?:Error|Exception)\b|\b(?:error|fatal|failed|killed|denied|cannot)\b", re.IGNORECASE)


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
class _Index:
    """Rare word → the patterns that hang on it."""

    by_word: Mapping[bytes, tuple[tuple[Signature, Pattern], ...]]
    words: frozenset[bytes]


def words_of(text: bytes) -> list[bytes]:
    """The words of a text, as the index knows them."""
    return text.translate(_WORDS).split()


@cache
def index() -> _Index:
    """The index over all shipped signatures."""
    pairs = [(signature, pattern) for signature in signatures() for pattern in signature.patterns]
    frequency = Counter(word for _, pattern in pairs for word in _anchors(pattern))
    table: dict[bytes, list[tuple[Signature, Pattern]]] = {}
    for signature, pattern in pairs:
        words = _anchors(pattern)
        if not words:
            raise ValueError(f"{signature.id}: {pattern.text!r} has no whole word to be found by")
        table.setdefault(min(words, key=lambda word: (frequency[word] + _commonness(word), -len(word), word)), []).append(
            (signature, pattern)
        )
    return _Index({word: tuple(found) for word, found in table.items()}, frozenset(table))


#: Words that ordinary lines of a training log are full of; a pattern hangs on one only where it has no other.
_COMMON = frozenset(
    b"the a an is are to of in on for and or not no with be was has have this that your you it at by from as if can use "
    b"cuda gpu torch error file line loss epoch step train training model batch memory device python runtimeerror info warning "
    b"lib usr site packages self return data version driver nvidia failed found 0 1 2 3 docker image user please "
    b"see".split()
)


def _commonness(word: bytes) -> int:
    return 1000 if word in _COMMON else (200 if len(word) < 4 else 0)


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


def _telling(words: set[bytes], raw: bytes) -> bool:
    """Whether it may hold a line that a person would look at."""
    return bool(words & _TELLING) or b"Error" in raw or b"Exception" in raw


class Matcher:
    """Collects the hits of several texts; the log is one of them."""

    def __init__(self) -> None:
        self.hits: dict[str, Hit] = {}
        self.first: list[Line] = []
        self.last: list[Line] = []
        self.lines = 0
        self._order = 0
        self._index = index()

    def read(self, log: Log, source: str = "log") -> None:
        """Go through a text once."""
        numbered = source == "log"
        known = self._index.words
        before: tuple[int, str] | None = None
        for number, block in blocks(log):
            self.lines = max(self.lines, number + block.count(b"\n") - (block.endswith(b"\n"))) if numbered else self.lines
            present = set(block.translate(_WORDS).split())
            if not (present & known or _telling(present, block)):
                before = None
                continue
            for at, raw in lines(number, block):
                words = set(raw.translate(_WORDS).split())
                found = words & known
                telling = _telling(words, raw)
                if not found and not telling and before is None:
                    continue
                self._line(raw, found, telling, before, Line("", at if numbered else None, source))
                before = (at, raw.decode("utf-8", "replace")[:_WRAPPED]) if found and len(raw) <= _WRAPPED else None

    def _line(self, raw: bytes, found: Iterable[bytes], telling: bool, before: tuple[int, str] | None, where: Line) -> None:
        text = raw.decode("utf-8", "replace")
        line = normal(text)
        tried: set[bytes] = set()
        hit = False
        for word in sorted(found):
            tried.add(word)
            hit |= self._try(word, line, text, where)
        if before is not None and line and len(raw) <= _WRAPPED:
            joined = normal(before[1] + " " + without_prefix(text))
            parts = (normal(before[1]), line)
            for word in set(words_of(joined.encode())) & self._index.words:
                self._try(word, joined, f"{before[1].rstrip()} {text.strip()}", where, parts)
        if telling or hit:
            self._tell(text, where)

    def _try(self, word: bytes, line: str, shown: str, where: Line, parts: tuple[str, ...] = ()) -> bool:
        any_hit = False
        for signature, pattern in self._index.by_word[word]:
            known = self.hits.get(signature.id)
            if known is not None and known.count >= ENOUGH:
                continue
            if parts and (pattern.has_gap or any(pattern.match(part) is not None for part in parts)):
                continue
            values = pattern.match(line)
            if values is None or any(other.match(line) is not None for other in signature.unless):
                continue
            if known is None:
                known = self.hits[signature.id] = Hit(signature)
            self._order += 1
            known.add(Line(one_line(shown, 300), where.line, where.source), values, self._order)
            any_hit = True
        return any_hit

    def _tell(self, text: str, where: Line) -> None:
        if not _TELLING_SUFFIXES.search(text[:_WRAPPED]):
            return
        line = Line(one_line(text, 300), where.line, where.source)
        if len(self.first) < _TELLING_FIRST:
            self.first.append(line)
            return
        self.last.append(line)
        del self.last[:-_TELLING_LAST]
