"""Which environments should train on a GPU and driver: the answer of ``validator recommend``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from validator.model import Environment, Outlook, PulledImage, Target, causes_of, gravest
from validator.report.answers import formats, prediction

if TYPE_CHECKING:
    from validator.advice.recommendation import Candidate, Recommendation
    from validator.facts import Facts

#: Environments in the text unless all are asked for; JSON has every one.
_SHOWN = 5


@dataclass(frozen=True)
class Recommended:
    """A recommendation, and what was asked."""

    found: Recommendation
    target: Target
    needs: tuple[str, ...]
    facts: Facts
    everything: bool = False
    """Whether the text has every environment that should work, and not only the first few."""


def as_json(answer: Recommended) -> dict[str, Any]:
    """Every environment, best first, with what the rules say of it."""
    found, target, facts = answer.found, answer.target, answer.facts
    return {
        "target": {"gpu": target.gpu, "compute_capability": target.compute_capability, "driver": target.driver},
        "needs": list(answer.needs),
        "recommended": [_candidate(each, facts) for each in found.good],
        "rejected": [_candidate(each, facts) for each in found.rejected],
        "unknown": [_candidate(each, facts) for each in found.unknown],
    }


def _candidate(each: Candidate, facts: Facts) -> dict[str, Any]:
    from validator.advice.recommendation import lines

    environment = each.environment
    image = _image(environment)
    return {
        "id": environment.id,
        "torch": environment.torch,
        "cuda": environment.cuda,
        "python": environment.python,
        "verdict": each.outlook.value,
        "basis": each.basis.value,
        "reason": each.reason,
        "predicted": prediction.as_json(each.prediction),
        "image": image,
        "image_seen": image in facts.tags,
        **lines(environment),
    }


def as_text(answer: Recommended, _width: int) -> str:
    """The best ones with lines to copy, then why the others are not among them."""
    found, facts = answer.found, answer.facts
    wanted = f", able to do {', '.join(answer.needs)}" if answer.needs else ""
    text = [f"For {answer.target.id}{wanted} (facts of {facts.as_of}):"]
    if not found.good:
        text += ["", "Nothing is known to work."]
    shown = found.good if answer.everything else found.good[:_SHOWN]
    assumed = _assumed(found)
    for number, each in enumerate(shown, 1):
        rank = _rank(each, shown[number - 2] if number > 1 else None)
        text += ["", f"{number}. {each.environment.id}  {each.outlook.value} ({each.basis.value}): {rank}"]
        text += [f"   {each.reason}"] if each.measured or each.outlook is not Outlook.PASS else []
        own = [one for one in each.prediction.assumptions if str(one) not in assumed and not _of_its_image(one, each.environment)]
        text += [f"   assumed: {one}" for one in own]
        text += [f"   {line}" for line in _copied(each.environment, facts)]
    if len(found.good) > len(shown):
        text += ["", f"… and {len(found.good) - len(shown)} more that should work (--all)"]
    if assumed:
        text += ["", *(f"assumed: {line}" for line in assumed)]
    for heading, group in (("Not these:", found.rejected), ("Not known:", found.unknown)):
        if group:
            text += ["", heading, *_reasons(group)]
    return "\n".join(text)


def _assumed(found: Recommendation) -> list[str]:
    """What was taken for granted of every candidate: the place asked about, as far as it was not given."""
    every = [[str(each) for each in one.prediction.assumptions] for one in (*found.good, *found.rejected, *found.unknown)]
    return [text for text in every[0] if all(text in others for others in every)] if every else []


def _of_its_image(assumption: object, environment: Environment) -> bool:
    """Whether it only says what the line to copy says: that the image holds what its tag names."""
    return isinstance(environment.source, PulledImage) and str(assumption).startswith(environment.source.reference)


def _image(environment: Environment) -> str | None:
    return environment.source.reference if isinstance(environment.source, PulledImage) else None


def _rank(each: Candidate, better: Candidate | None) -> str:
    """Why it stands here and not above."""
    if each.measured:
        return "measured on this GPU and driver"
    why = "" if each.outlook is not Outlook.PASS else "no rule speaks against it; "
    if better is None:
        return f"{why}the newest torch that fits"
    if better.measured:
        return f"{why}not measured"
    if better.outlook is not each.outlook:
        return f"{each.outlook.value} where the others above are {better.outlook.value}"
    if better.environment.torch == each.environment.torch:
        return f"{why}the same torch in an older build"
    return f"{why}an older torch"


def _copied(environment: Environment, facts: Facts) -> list[str]:
    """Lines to copy: of the image where somebody has seen it, else also how to look for it and how to do without."""
    from validator.advice.recommendation import lines

    copied = lines(environment)
    if image := _image(environment):
        if image in facts.tags:
            return [copied["from"], copied["pull"]]
        unseen = f"# named as its family is, not seen yet; look first: docker manifest inspect {image}"
        return [unseen, copied["from"], copied["pull"], *([copied["pip"]] if "pip" in copied else [])]
    return [copied["pip"]] if "pip" in copied else []


def _reasons(group: Sequence[Candidate]) -> list[str]:
    """By cause, in the words of the first; every one is named, for it was asked about."""
    by_cause: dict[str, list[Candidate]] = {}
    for each in group:
        causes = causes_of(gravest(each.prediction.findings))
        by_cause.setdefault("measured" if each.measured else causes, []).append(each)
    text = []
    for cause, each_of in by_cause.items():
        text.append(f"  {cause + ': ' if cause else ''}{each_of[0].reason}")
        text.append(f"    {', '.join(each.environment.id for each in each_of)}")
    return text


FORMATS = formats(as_text, as_json)
