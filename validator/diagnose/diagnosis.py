"""The diagnosis itself: read once, weigh in context, rank, explain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from validator.catalogue.causes import Cause, catalogue
from validator.diagnose.circumstances import known_values, place_of
from validator.diagnose.conditions import Place
from validator.diagnose.evidence import Diagnosis, Evidence, Line, Named, Unnamed
from validator.diagnose.matching import Matcher
from validator.diagnose.placeholders import fill
from validator.diagnose.predicted import finding_of
from validator.diagnose.ranking import NAMED_FROM, Scored, confidence, rank, signs
from validator.diagnose.structured import predicted_signs, structured_signs
from validator.model import CheckStatus

#: So many causes are told at most, and so many lines of evidence for each.
MOST_CAUSES = 5
MOST_LINES = 6
#: A check of the probe is no program of the user's: what only says that some exception was raised names nothing there.
_NAMED_IN_A_RUN = 39.0
#: So many alternatives are filled up from the catalogue's neighbours, with this score.
_ALTERNATIVES = 2
_NEIGHBOUR = 8.0


def diagnose(evidence: Evidence) -> Diagnosis:
    """The causes of a failure, the likeliest first, or the most telling lines where none can be named."""
    matcher = Matcher()
    matcher.read(evidence.log)
    if evidence.engine_words:
        matcher.read(evidence.engine_words, "engine")
    for check in evidence.checks:
        if check.status in (CheckStatus.FAIL, CheckStatus.WARN):
            matcher.read(f"{check.message}\n{check.output}", f"check {check.name}")
    place = place_of(evidence, matcher)
    found = [*structured_signs(evidence), *predicted_signs(place.predicted), *signs(matcher.hits.values(), place)]
    ranked = _with_neighbours(rank(found, _NAMED_IN_A_RUN if evidence.checks else NAMED_FROM))
    values = {cause: _shown(known, matcher.spelled) for cause, known in known_values(ranked, place).items()}
    named = tuple(_named(ranked, position, values, place) for position in range(min(len(ranked), MOST_CAUSES)))
    if named:
        return Diagnosis(causes=named, lines=matcher.lines)
    telling = matcher.telling
    why = Unnamed.UNDECIDED if telling else Unnamed.HEALTHY if matcher.ending else Unnamed.EMPTY
    return Diagnosis(informative=telling or matcher.ending, unnamed=why, lines=matcher.lines)


def _with_neighbours(ranked: list[Scored]) -> list[Scored]:
    """Where little else was seen, what the first cause is easily mistaken for is told too, as the least likely."""
    if not ranked:
        return ranked
    known = {one.cause for one in ranked}
    near = [cause for cause in catalogue()[ranked[0].cause].neighbours or {} if cause not in known]
    return ranked + [Scored(cause, _NEIGHBOUR, []) for cause in near[: max(0, _ALTERNATIVES + 1 - len(ranked))]]


def _named(ranked: Sequence[Scored], position: int, values: Mapping[str, Mapping[str, str]], place: Place) -> Named:
    one = ranked[position]
    rivals = [other.score for other in ranked if other is not one]
    cause: Cause = catalogue()[one.cause]
    return Named(
        cause=one.cause,
        family=cause.family.value,
        title=cause.title,
        severity=cause.severity,
        confidence=confidence(one.score, max(rivals, default=0.0)) if not position else round(one.score / 100 * 0.6, 2),
        evidence=_lines(one),
        explanation=cause.explanation,
        remedy=_remedy(cause, values[one.cause], place),
        confirm=fill(cause.confirm, values[one.cause]),
    )


def _shown(values: Mapping[str, str], spelled: Mapping[str, str]) -> dict[str, str]:
    """Values for a reader: spelled as the log spells them, a GPU without what stands behind its name."""
    shown = {name: spelled.get(value, value) for name, value in values.items()}
    if "gpu" in shown:
        shown["gpu"] = re.split(r"[,()]", shown["gpu"])[0].strip()
    return shown


def _remedy(cause: Cause, values: Mapping[str, str], place: Place) -> str:
    """That of the catalogue; where the rules know a way out of this very case, theirs comes first."""
    filled = fill(cause.remedy, values)
    finding = finding_of(place.predicted, cause.ident)
    if finding is None or not finding.remedy:
        return filled
    return f"{finding.remedy[0].upper()}{finding.remedy[1:].rstrip('.')}. {filled}"


def _lines(one: Scored) -> tuple[Line, ...]:
    seen: dict[tuple[str, int | None], Line] = {}
    for sign in one.signs:
        for line in sign.places:
            seen.setdefault((line.source, line.line) if line.line is not None else (line.text, None), line)
    chosen = list(seen.values())[:MOST_LINES]
    return tuple(sorted(chosen, key=lambda line: (line.line is None, line.line or 0)))
