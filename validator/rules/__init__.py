"""The rules: what is to be expected of an environment on a place, from facts alone. Pure; nothing is run, read or asked.

``judge`` is the one entry. docs/verdicts.md says in words how a verdict comes about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from validator.facts import Facts
from validator.model import Finding, Outlook, Prediction, Severity
from validator.rules import amp, arch, container_gate, driver, published, python_libs
from validator.rules import mismatch as labels
from validator.rules.answer import Answer
from validator.rules.place_view import PlaceView, view_place
from validator.rules.subject import Inspected, Place, Subject
from validator.rules.subject_view import SubjectView, view_subject

__all__ = ["Inspected", "Place", "Subject", "judge"]


def judge(subject: Subject, place: Place, facts: Facts) -> Prediction:
    """What the rules say, with evidence, assumptions, and what was missing.

    Raises ValueError with a sentence where a value of subject or place is not one at all (``torch banana``); a value that is one
    but is not in the facts gives ``unknown``. What is known of one subject and of one place is kept with the facts.
    """
    spot = _place(place, facts)
    if spot.candidates and (same := _whichever(subject, place, spot, facts)):
        return same
    spot_says: tuple[str, ...] = ()
    if spot.platform and subject.platform != spot.platform and subject.platform != "windows":
        subject = replace(subject, platform=spot.platform)
        spot_says = (f"{spot.label} is in {spot.platform} machines only: the builds for that platform are judged",)
    view = _subject(subject, facts)
    answers = (
        container_gate.gate(view, spot, facts),
        driver.floor(view, spot, facts),
        arch.code(view, spot, facts),
        python_libs.cpu_build(view, spot, asked_for=_asked_for_cpu(subject)),
        python_libs.vendor(view, spot),
        amp.hardware(view, spot, facts),
    )
    findings = [*spot.findings, *view.findings]
    assumptions = [*view.assumptions, *spot_says, *spot.assumptions]
    missing = [*view.missing, *spot.missing]
    for answer in answers:
        findings += answer.findings
        assumptions += answer.assumptions
        missing += answer.missing
    if len(findings) > 1:
        findings.sort(key=lambda finding: finding.severity.rank)
    return Prediction(
        status=_status(findings, missing),
        causes=tuple(dict.fromkeys([finding.cause for finding in findings])),
        basis=view.basis,
        findings=tuple(findings),
        assumptions=tuple(dict.fromkeys([*assumptions, *_not_given(view, spot)])),
        missing=tuple(dict.fromkeys(missing)) if missing else (),
    )


def _whichever(subject: Subject, place: Place, spot: PlaceView, facts: Facts) -> Prediction | None:
    """The answer for a GPU name that leaves the capability open, where it works on each, or fails on each; else None."""
    answers = [judge(subject, replace(place, compute_capability=cc.text), facts) for cc in spot.candidates]
    statuses = {answer.status for answer in answers}
    if statuses != {Outlook.FAIL} and not all(status.works for status in statuses):
        return None
    worst = next((answer for answer in answers if answer.status is not Outlook.PASS), answers[0])
    capabilities = ", ".join(cc.text for cc in spot.candidates)
    told = "the answer is the same for each" if len(statuses) == 1 else "degraded on some of them"
    text = f"{spot.asked!r} leaves the compute capability open ({capabilities}): {told}"
    return replace(worst, assumptions=(text, *worst.assumptions))


def _status(findings: list[Finding], missing: list[str]) -> Outlook:
    """A known fault outweighs what is not known; what is not known outweighs a known flaw."""
    severities = [finding.severity for finding in findings]
    if Severity.FAIL in severities:
        return Outlook.FAIL
    if missing or Severity.UNKNOWN in severities:
        return Outlook.UNKNOWN
    return Outlook.DEGRADED if Severity.DEGRADED in severities else Outlook.PASS


def _not_given(view: SubjectView, place: PlaceView) -> Iterable[str]:
    """What was not judged because it was not given."""
    if place.has_gpu and place.cc is None and not place.missing and not place.vendor and not view.is_cpu:
        yield "no GPU is given: whether there is code for it is not judged"
    if view.torch is None and view.cuda is None and not view.is_cpu:
        yield "no torch and no CUDA is given: only driver and GPU are judged"
    elif view.torch is None:
        yield "no torch is given: its AMP API and Python are not judged"


def _asked_for_cpu(subject: Subject) -> bool:
    """Whether a CPU build was meant, not only found."""
    return subject.cuda == "cpu" or bool(subject.torch and "+cpu" in subject.torch)


def _subject(subject: Subject, facts: Facts) -> SubjectView:
    key = ("subject", subject)
    view = facts.memory.get(key)
    if view is None:
        view = view_subject(subject, facts)
        wheel = subject.wheel and not (subject.inspected is not None and subject.inspected.torch)
        for answer in (
            labels.content(subject, view.image),
            published.known(view, facts),
            published.build(view, facts),
            published.python(view, facts, wheel=wheel),
            published.libc(view, wheel=wheel),
            python_libs.numpy(view, facts),
            amp.api(view, facts),
        ):
            _add(view, answer)
        facts.memory[key] = view
    return view


def _place(place: Place, facts: Facts) -> PlaceView:
    key = ("place", place)
    view = facts.memory.get(key)
    if view is None:
        view = view_place(place, facts)
        for answer in (driver.branch(view, facts), driver.modules(view)):
            _add(view, answer)
        facts.memory[key] = view
    return view


def _add(view: SubjectView | PlaceView, answer: Answer) -> None:
    view.findings += answer.findings
    view.assumptions += answer.assumptions
    view.missing += answer.missing
