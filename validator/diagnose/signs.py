"""Signs: what each message found means in its circumstances, as evidence for a cause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from validator.diagnose.circumstances import Circumstances
from validator.diagnose.conditions import holds
from validator.diagnose.evidence import Line
from validator.diagnose.matching import Hit

#: The most that a sign may weigh for a cause its message does not mean here, but can come from.
ALSO = 24.0
#: What remains of a message that a logger calls a warning: what stopped the program counts more.
_ONLY_WARNED = 0.85
_WARNING = re.compile(r"\bWARN(?:ING)?\b|^\[W\b|^W\d{4} ")
#: Where in a line the logger's level is looked for.
_HEAD = 60
#: How many lines apart still belong together: the start of a download, the frames of a traceback, its exception.
_CLOSE = 30


@dataclass(frozen=True)
class Sign:
    """One piece of evidence for one cause."""

    cause: str
    weight: float
    """0 … 100."""
    places: tuple[Line, ...]
    order: int = 0
    """Position of the first place among everything that was found; 0 for what is not text."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What the message or the check said in numbers and names."""


def signs_of(hits: Iterable[Hit], here: Circumstances) -> list[Sign]:
    """The signs of every hit. The first case that holds decides what it means; the signature itself where none does."""
    hits = tuple(hits)
    return [sign for hit in hits for sign in _signs(hit, hits, here)]


def _signs(hit: Hit, hits: Iterable[Hit], here: Circumstances) -> list[Sign]:
    signature, places = hit.signature, tuple(hit.places)
    case = next((case for case in signature.cases if holds(case.when, here, _near(hit, hits, case.when))), signature)
    if not case.cause:
        return []
    weight = float(case.weight)
    if all(_WARNING.search(line.text[:_HEAD]) for line in places):
        weight = float(round(weight * _ONLY_WARNED))
    found = [Sign(case.cause, weight, places, hit.order, hit.values)]
    if signature.cause and signature.cause != case.cause:
        found.append(Sign(signature.cause, min(ALSO, weight - 1), places, hit.order))
    for position, other in enumerate(signature.also):
        if other != case.cause:
            found.append(Sign(other, min(ALSO - position, weight - 1), places, hit.order))
    return found


def _near(hit: Hit, others: Iterable[Hit], conditions: Iterable[str]) -> frozenset[str]:
    """The signatures seen within a few lines of a hit; looked for only where a condition asks for them."""
    if not any("near:" in condition for condition in conditions):
        return frozenset()
    return frozenset(
        other.signature.id
        for other in others
        if any(
            one.source == two.source and abs((one.line or 0) - (two.line or 0)) <= _CLOSE
            for one in hit.places
            for two in other.places
        )
    )
