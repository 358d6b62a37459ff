"""A ranked cause as it is told to a reader: how sure, why, and what to do about it in these circumstances."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from validator.catalogue.causes import Cause, catalogue
from validator.diagnose.circumstances import Circumstances
from validator.diagnose.evidence import Line, Named
from validator.diagnose.placeholders import fill
from validator.diagnose.predicted import finding_of
from validator.diagnose.ranking import Scored, confidence

#: How many causes are told at most, and how many lines of evidence for each.
_CAUSES, _LINES = 5, 6
#: How much of its score an alternative keeps as confidence.
_ALTERNATIVE = 0.6


def name(ranked: Sequence[Scored], here: Circumstances, spelled: Mapping[str, str]) -> tuple[Named, ...]:
    """The likeliest causes. ``spelled``: a value in lower case → as the log writes it."""
    rival = max((other.score for other in ranked[1:]), default=0.0)
    return tuple(
        _named(one, confidence(one.score, rival) if one is ranked[0] else round(one.score / 100 * _ALTERNATIVE, 2), here, spelled)
        for one in ranked[:_CAUSES]
    )


def _named(one: Scored, sure: float, here: Circumstances, spelled: Mapping[str, str]) -> Named:
    cause = catalogue()[one.cause]
    values = _shown(_known(one, here), spelled)
    return Named(
        cause=one.cause,
        family=cause.family.value,
        title=cause.title,
        severity=cause.severity,
        confidence=sure,
        evidence=_lines(one),
        explanation=cause.explanation,
        remedy=_remedy(cause, values, here),
        confirm=fill(cause.confirm, values),
    )


def _known(one: Scored, here: Circumstances) -> dict[str, str]:
    """The values that the remedy may name: those of the cause's own messages before those of the environment."""
    own: dict[str, str] = {}
    for sign in one.signs:
        for key, value in sign.values.items():
            own.setdefault(key, value)
    return {**here.values, **own}


def _shown(values: Mapping[str, str], spelled: Mapping[str, str]) -> dict[str, str]:
    """Values for a reader: spelled as the log spells them, a GPU without what follows its name."""
    shown = {key: spelled.get(value, value) for key, value in values.items()}
    if "gpu" in shown:
        shown["gpu"] = re.split(r"[,()]", shown["gpu"])[0].strip()
    return shown


def _remedy(cause: Cause, values: Mapping[str, str], here: Circumstances) -> str:
    """The catalogue's; where the rules know a way out of this very case, theirs comes first."""
    filled = fill(cause.remedy, values)
    finding = finding_of(here.predicted, cause.ident)
    if finding is None or not finding.remedy:
        return filled
    return f"{finding.remedy[0].upper()}{finding.remedy[1:].rstrip('.')}. {filled}"


def _lines(one: Scored) -> tuple[Line, ...]:
    """The lines of the weightiest signs, each once; those of the log first, in its order."""
    seen: dict[tuple[str, int | None], Line] = {}
    for sign in one.signs:
        for line in sign.places:
            seen.setdefault((line.source, line.line) if line.line is not None else (line.text, None), line)
    return tuple(sorted(list(seen.values())[:_LINES], key=lambda line: (line.line is None, line.line or 0)))
