"""From hits to an order of causes: what each hit means here, how they add up, what is a root and what its aftermath."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from validator.diagnose.conditions import Place
from validator.diagnose.evidence import Line
from validator.diagnose.matching import Hit
from validator.diagnose.signatures import ANY, Case, relations

#: A second, different sign of the same cause closes this share of what is missing to certainty.
_SECOND = 0.2
#: What the very first of several signs gains over the last one; decides between equals only.
_EARLY = 4.0
#: What is left of a cause that another one, firmly seen, brings about.
_AFTERMATH = 0.5
#: Aftermath may be so much louder than its root, and still be explained by it.
_LOUDER = 25.0
#: Causes that a timeout goes with, and is not explained by.
_WAITS = ("nccl_error", "network_proxy_tls", "native_crash")
#: A cause is firm enough to explain others away from here on.
_FIRM = 60.0
#: What a message counts that a logger calls a warning: what stopped the program is said louder.
_ONLY_WARNED = 0.85
_WARNING = re.compile(r"\bWARN(?:ING)?\b|^\[W\b|^W\d{4} ")
_HEAD = 60
#: Lines apart that still belong together: a download's announcement, the frames of a traceback, its exception.
_CLOSE = 30
#: Less than this names nothing, and is told as an alternative at most.
NAMED_FROM = 30.0
#: What else a message may come from.
_ALSO = 24.0


@dataclass
class Sign:
    """One piece of evidence for one cause."""

    cause: str
    weight: float
    places: tuple[Line, ...]
    order: int
    id: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Scored:
    """A cause with all its signs, the weightiest first."""

    cause: str
    score: float
    signs: list[Sign]


def signs(hits: Iterable[Hit], place: Place) -> list[Sign]:
    """What the hits mean in this place: the first case that holds decides, else the signature itself."""
    hits = tuple(hits)
    found = []
    for hit in hits:
        signature = hit.signature
        case = next((case for case in signature.cases if place.holds(case.when, _near(hit, hits, case))), None)
        cause = case.cause if case else signature.cause
        weight = case.weight if case else signature.weight
        if not cause:
            continue
        if all(_WARNING.search(line.text[:_HEAD]) for line in hit.places):
            weight = round(weight * _ONLY_WARNED)
        found.append(Sign(cause, float(weight), tuple(hit.places), hit.order, signature.id, hit.values))
        if signature.cause and signature.cause != cause:
            found.append(Sign(signature.cause, min(_ALSO, weight - 1.0), tuple(hit.places), hit.order, f"also:{signature.id}"))
        for position, other in enumerate(signature.also):
            if other != cause:
                weak = min(_ALSO - position, weight - 1.0)
                found.append(Sign(other, weak, tuple(hit.places), hit.order, f"also:{signature.id}"))
    return found


def _near(hit: Hit, others: Iterable[Hit], case: Case) -> frozenset[str]:
    """Those of the signatures a case asks for by ``near:`` that were seen within a few lines."""
    if not any("near:" in condition for condition in case.when):
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


def rank(found: Iterable[Sign], named_from: float = NAMED_FROM) -> list[Scored]:
    """Causes by score, the likeliest first; none where even that one is too weak to be named."""
    by_cause: dict[str, list[Sign]] = {}
    for sign in found:
        by_cause.setdefault(sign.cause, []).append(sign)
    if not by_cause:
        return []
    last = max(sign.order for group in by_cause.values() for sign in group) or 1
    scored = {}
    for cause, group in by_cause.items():
        group.sort(key=lambda sign: (-sign.weight, sign.order))
        score = group[0].weight
        if len(group) > 1:
            score += _SECOND * (100 - score) * group[1].weight / 100
        if group[0].weight > _ALSO:
            score += _EARLY * (1 - min(sign.order for sign in group) / last)
        else:
            score = group[0].weight
        scored[cause] = Scored(cause, score, group)
    _discount(scored)
    order = sorted(scored.values(), key=lambda one: (-one.score, min(sign.order for sign in one.signs), one.cause))
    return order if order[0].score >= named_from else []


def _discount(scored: Mapping[str, Scored]) -> None:
    """Let roots explain their aftermath: what a firm cause brings about counts less, once for each such root."""
    firm = {cause: one.score for cause, one in scored.items() if one.score >= _FIRM}
    for root, brought in relations().items():
        for cause in brought:
            if cause not in scored:
                continue
            roots = [other for other in firm if other not in (cause, *_WAITS)] if root == ANY else [root]
            if any(firm.get(other, 0.0) + _LOUDER >= scored[cause].score for other in roots if other in firm):
                scored[cause].score *= _AFTERMATH


def confidence(score: float, rival: float) -> float:
    """0 … 0.99: the score itself, less where another cause is nearly as likely."""
    own = min(score, 99.0) / 100
    lead = max(0.0, score - rival) / max(score, 1.0)
    return round(own * (0.55 + 0.45 * min(1.0, 2.5 * lead)), 2)
