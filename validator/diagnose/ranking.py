"""From signs to an order of causes: how the signs of a cause add up, and what is a root and what its aftermath."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from validator.diagnose.signatures import ANY, relations
from validator.diagnose.signs import ALSO, Sign

#: The share of what is missing to certainty that a second sign of the same cause makes up for, if it is certain itself.
_SECOND = 0.2
#: What the first of several signs gains over the last one; enough to decide between equals only.
_EARLY = 4.0
#: A cause this firm can explain others.
_FIRM = 60.0
#: What remains of a cause that a firm one brings about.
_AFTERMATH = 0.5
#: By how much aftermath may outweigh its root and still be explained by it.
_LOUDER = 25.0
#: Causes that go with a timeout but do not explain it.
_WAITS = ("nccl_error", "network_proxy_tls", "native_crash")
#: A cause with a lower score is not named; it is an alternative at most.
NAMED_FROM = 30.0


@dataclass
class Scored:
    """A cause with all its signs, the weightiest first."""

    cause: str
    score: float
    signs: list[Sign]


def rank(found: Iterable[Sign], named_from: float = NAMED_FROM) -> list[Scored]:
    """Causes by score, the likeliest first; empty where even that one is too weak to be named."""
    by_cause: dict[str, list[Sign]] = {}
    for sign in found:
        by_cause.setdefault(sign.cause, []).append(sign)
    if not by_cause:
        return []
    last = max(sign.order for group in by_cause.values() for sign in group) or 1
    scored = {cause: _score(cause, group, last) for cause, group in by_cause.items()}
    _discount(scored)
    order = sorted(scored.values(), key=lambda one: (-one.score, min(sign.order for sign in one.signs), one.cause))
    return order if order[0].score >= named_from else []


def confidence(score: float, rival: float) -> float:
    """0 … 0.99: the score as a share, less where another cause is nearly as likely."""
    own = min(score, 99.0) / 100
    lead = max(0.0, score - rival) / max(score, 1.0)
    return round(own * (0.55 + 0.45 * min(1.0, 2.5 * lead)), 2)


def _score(cause: str, signs: list[Sign], last: int) -> Scored:
    """``last``: the order of the last sign of any cause."""
    ordered = sorted(signs, key=lambda sign: (-sign.weight, sign.order))
    score = ordered[0].weight
    if score > ALSO:
        if len(ordered) > 1:
            score += _SECOND * (100 - score) * ordered[1].weight / 100
        score += _EARLY * (1 - min(sign.order for sign in ordered) / last)
    return Scored(cause, score, ordered)


def _discount(scored: Mapping[str, Scored]) -> None:
    """Let roots explain their aftermath: what a firm cause brings about counts less, once for each such root."""
    firm = {cause: one.score for cause, one in scored.items() if one.score >= _FIRM}
    for root, brought in relations().items():
        for cause in brought:
            if cause not in scored:
                continue
            roots = [other for other in firm if other not in (cause, *_WAITS)] if root == ANY else [root]
            if any(firm[other] + _LOUDER >= scored[cause].score for other in roots if other in firm):
                scored[cause].score *= _AFTERMATH
