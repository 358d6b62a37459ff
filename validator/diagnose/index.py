"""Which patterns a text can contain, judged by its words alone: every pattern is filed under the rarest word it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from validator.diagnose.patterns import MessagePattern
from validator.diagnose.signatures import Signature, signatures

#: Everything but letters and digits becomes a space, and letters become lower case.
_WORDS = bytes(c + 32 if 65 <= c <= 90 else (c if 48 <= c <= 57 or 97 <= c <= 122 else 32) for c in range(256))
#: Words that ordinary lines of a training log are full of; a pattern is filed under one only where it has no other.
_COMMON = frozenset(
    b"the a an is are to of in on for and or not no with be was has have this that your you it at by from as if can use "
    b"cuda gpu torch error file line loss epoch step train training model batch memory device python runtimeerror info warning "
    b"lib usr site packages self return data version driver nvidia failed found docker image user please see "
    b"saved saving checkpoint checkpoints out ignored label labels downloading downloaded download invalid images dataset "
    b"loading loaded scanning workers rank time iter val test eval trainer steps using started process step pt path all".split()
)


@dataclass(frozen=True)
class Entry:
    """A pattern, with the words that every line containing it must have."""

    signature: Signature
    pattern: MessagePattern
    needs: frozenset[bytes]


def words_in(text: bytes) -> set[bytes]:
    """The words of a text in the form the index has them: ASCII letters and digits, lower case."""
    return set(text.translate(_WORDS).split())


@cache
def index() -> Mapping[bytes, tuple[Entry, ...]]:
    """Rare word → the patterns filed under it. Raises ValueError for a pattern that has no whole word."""
    pairs = [(signature, pattern) for signature in signatures() for pattern in signature.patterns]
    frequency = Counter(word for _, pattern in pairs for word in _needed(pattern))
    table: dict[bytes, list[Entry]] = {}
    for signature, pattern in pairs:
        words = _needed(pattern)
        if not words:
            raise ValueError(f"{signature.id}: {pattern.text!r} has no whole word to be found by")
        rarest = min(words, key=lambda word: (frequency[word] + _commonness(word), -len(word), word))
        table.setdefault(rarest, []).append(Entry(signature, pattern, frozenset(words)))
    return {word: tuple(found) for word, found in table.items()}


def _commonness(word: bytes) -> int:
    return 1000 if word in _COMMON else 900 if word.isdigit() else 200 if len(word) < 4 else 0


def _needed(pattern: MessagePattern) -> set[bytes]:
    """Words that stand whole in every line with the pattern: not those that touch a value or a gap without a space."""
    found: set[bytes] = set()
    for position, part in enumerate(pattern.parts):
        if not isinstance(part, str):
            continue
        spaced = part.encode().translate(_WORDS)
        words = spaced.split()
        if position and spaced[:1] != b" ":
            words = words[1:]
        if position < len(pattern.parts) - 1 and spaced[-1:] != b" ":
            words = words[:-1]
        found.update(words)
    return found
