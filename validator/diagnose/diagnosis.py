"""The diagnosis itself: read once, weigh in the circumstances, rank, explain."""

from __future__ import annotations

from validator.catalogue.causes import catalogue
from validator.diagnose.circumstances import circumstances_of
from validator.diagnose.evidence import Diagnosis, Evidence, Unnamed
from validator.diagnose.matching import Matcher
from validator.diagnose.naming import name
from validator.diagnose.ranking import NAMED_FROM, Scored, rank
from validator.diagnose.signs import signs_of
from validator.diagnose.structured import predicted_signs, structured_signs
from validator.model import CheckStatus

#: A check of the probe is not the user's program: a sign that some exception was raised, and no more, names nothing there.
_NAMED_IN_A_RUN = 39.0
#: The catalogue's neighbours fill the alternatives up to this number, with this score.
_ALTERNATIVES = 2
_NEIGHBOUR = 8.0


def diagnose(evidence: Evidence) -> Diagnosis:
    """The causes of a failure, the likeliest first, or the lines that say most where none can be named."""
    matcher = Matcher()
    matcher.read(evidence.log)
    if evidence.engine_words:
        matcher.read(evidence.engine_words, "engine")
    for check in evidence.checks:
        if check.status in (CheckStatus.FAIL, CheckStatus.WARN):
            matcher.read(f"{check.message}\n{check.output}", f"check {check.name}")
    here = circumstances_of(evidence, matcher)
    signs = [*structured_signs(evidence), *predicted_signs(here.predicted), *signs_of(matcher.hits.values(), here)]
    ranked = rank(signs, _NAMED_IN_A_RUN if evidence.checks else NAMED_FROM)
    if ranked:
        return Diagnosis(causes=name(_with_neighbours(ranked), here, matcher.spelled), lines=matcher.lines)
    telling, ending = matcher.unnamed.telling(), matcher.unnamed.ending()
    why = Unnamed.UNDECIDED if telling else Unnamed.HEALTHY if ending else Unnamed.EMPTY
    return Diagnosis(informative=telling or ending, unnamed=why, lines=matcher.lines)


def _with_neighbours(ranked: list[Scored]) -> list[Scored]:
    """Where little else was seen, what the first cause is easily mistaken for follows, as the least likely."""
    known = {one.cause for one in ranked}
    near = [cause for cause in catalogue()[ranked[0].cause].neighbours or {} if cause not in known]
    return ranked + [Scored(cause, _NEIGHBOUR, []) for cause in near[: max(0, _ALTERNATIVES + 1 - len(ranked))]]
