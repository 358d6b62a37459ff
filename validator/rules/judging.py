"""Asks every rule about a subject on a place, and makes one prediction of what they answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from validator.facts import Facts
from validator.model import Assumption, AssumptionKind, Finding, Missing, Outlook, Prediction, Severity
from validator.rules import amp, arch, container_gate, driver, mismatch, published, python_libs
from validator.rules.answer import Answer
from validator.rules.place_view import PlaceView, view_place
from validator.rules.subject import Place, Subject
from validator.rules.subject_view import SubjectView, view_subject

_View = TypeVar("_View", SubjectView, PlaceView)


def judge(subject: Subject, place: Place, facts: Facts) -> Prediction:
    """The answer to a single question. Who has many asks one ``Judge``. Raises ValueError as a ``Judge`` does."""
    return Judge(facts)(subject, place)


@dataclass(frozen=True)
class _Known(Generic[_View]):
    """A subject or a place, resolved, with what the rules say of it whatever the other one is."""

    view: _View
    says: Answer


class Judge:
    """Answers what is to be expected of a subject on a place, from one set of facts.

    It remembers every subject and place it was asked about, since the cells of a plan share them. Several threads may ask the
    same judge at once: what it remembers is complete before another thread can see it and is not changed after that.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._subjects: dict[Subject, _Known[SubjectView]] = {}
        self._places: dict[Place, _Known[PlaceView]] = {}
        self._precision: dict[tuple[object, ...], Answer] = {}
        self._findings: dict[tuple[object, ...], Finding] = {}

    def __call__(self, subject: Subject, place: Place) -> Prediction:
        """What the rules say, with evidence, assumptions, and what was missing.

        Raises ValueError with a sentence where a value of subject or place cannot be read (``torch banana``); one that is only
        not in the facts gives ``unknown``.
        """
        spot = self._place(place)
        if spot.view.candidates and (same := self._whichever(subject, place, spot.view)):
            return same
        moved: tuple[Assumption, ...] = ()
        if spot.view.platform and subject.platform != spot.view.platform and subject.platform != "windows":
            subject = replace(subject, platform=spot.view.platform)
            text = f"{spot.view.label} is in {spot.view.platform} machines only: the builds for that platform are judged"
            moved = (Assumption(AssumptionKind.DEFAULT, text),)
        known = self._subject(subject)
        both = _joined(
            container_gate.gate(known.view, spot.view, self.facts),
            driver.floor(known.view, spot.view, self.facts),
            arch.code(known.view, spot.view, self.facts),
            python_libs.cpu_build(known.view, spot.view, asked_for=_asked_for_cpu(subject)),
            python_libs.vendor(known.view, spot.view),
            self._precision_of(known.view, spot.view),
        )
        findings = [*spot.says.findings, *known.says.findings, *map(self._shared, both.findings)]
        findings.sort(key=lambda finding: finding.severity.rank)
        assumptions = [*known.says.assumptions, *moved, *spot.says.assumptions, *both.assumptions, *_not_given(known.view, spot)]
        missing = [*known.says.missing, *spot.says.missing, *both.missing]
        return Prediction(
            status=_status(findings, missing=bool(missing)),
            causes=tuple(dict.fromkeys([finding.cause for finding in findings])),
            basis=known.view.basis,
            findings=tuple(findings),
            # By their sentences: hashing a value with a kind costs many times as much, and this is a plan's inner loop.
            assumptions=tuple({each.text: each for each in assumptions}.values()),
            missing=tuple({each.text: each for each in missing}.values()) if missing else (),
        )

    def _whichever(self, subject: Subject, place: Place, spot: PlaceView) -> Prediction | None:
        """The answer for a GPU name that leaves the capability open, where it works on each, or fails on each; else None."""
        answers = [self(subject, replace(place, compute_capability=cc.text)) for cc in spot.candidates]
        statuses = {answer.status for answer in answers}
        if statuses != {Outlook.FAIL} and not all(status.works for status in statuses):
            return None
        worst = next((answer for answer in answers if answer.status is not Outlook.PASS), answers[0])
        capabilities = ", ".join(cc.text for cc in spot.candidates)
        told = "the answer is the same for each" if len(statuses) == 1 else "degraded on some of them"
        text = f"{spot.asked!r} leaves the compute capability open ({capabilities}): {told}"
        return replace(worst, assumptions=(Assumption(AssumptionKind.GPU_NAME, text), *worst.assumptions))

    def _subject(self, subject: Subject) -> _Known[SubjectView]:
        known = self._subjects.get(subject)
        if known is not None:
            return known
        view = view_subject(subject, self.facts)
        wheel = subject.wheel and not (subject.inspected is not None and subject.inspected.torch)
        says = _joined(
            Answer(assumptions=view.assumptions, missing=view.missing),
            mismatch.content(subject, view.image),
            published.known(view, self.facts),
            published.build(view, self.facts),
            published.python(view, self.facts, wheel=wheel),
            published.libc(view, wheel=wheel),
            python_libs.numpy(view, self.facts),
            amp.api(view, self.facts),
        )
        return self._subjects.setdefault(subject, _Known(view, says))

    def _place(self, place: Place) -> _Known[PlaceView]:
        known = self._places.get(place)
        if known is not None:
            return known
        view = view_place(place, self.facts)
        says = _joined(
            Answer(assumptions=view.assumptions, missing=view.missing),
            driver.branch(view, self.facts),
            driver.modules(view),
        )
        return self._places.setdefault(place, _Known(view, says))

    def _shared(self, finding: Finding) -> Finding:
        """The one value that stands for all that are equal: a large plan is mostly made of findings that many cells have."""
        known = self._findings.setdefault((finding.message, finding.remedy, finding.evidence), finding)
        return known if known == finding else finding

    def _precision_of(self, view: SubjectView, place: PlaceView) -> Answer:
        """What depends only on torch, CUDA, needs and GPU: the same for many subjects and places."""
        key = (view.precision, place.precision)
        known = self._precision.get(key)
        if known is None:
            known = self._precision.setdefault(key, amp.hardware(view, place, self.facts))
        return known


def _joined(*answers: Answer) -> Answer:
    """All answers as one, in their order."""
    findings: list[Finding] = []
    assumptions: list[Assumption] = []
    missing: list[Missing] = []
    for answer in answers:
        findings += answer.findings
        assumptions += answer.assumptions
        missing += answer.missing
    return Answer(tuple(findings), tuple(assumptions), tuple(missing))


def _status(findings: Sequence[Finding], *, missing: bool) -> Outlook:
    """A known fault outweighs what is not known; what is not known outweighs a known flaw."""
    severities = [finding.severity for finding in findings]
    if Severity.FAIL in severities:
        return Outlook.FAIL
    if missing or Severity.UNKNOWN in severities:
        return Outlook.UNKNOWN
    return Outlook.DEGRADED if Severity.DEGRADED in severities else Outlook.PASS


_NO_GPU = Assumption(AssumptionKind.NOT_GIVEN, "no GPU is given: whether there is code for it is not judged")
_NO_TORCH = Assumption(AssumptionKind.NOT_GIVEN, "no torch is given: its AMP API and Python are not judged")
_NEITHER_TORCH_NOR_CUDA = Assumption(AssumptionKind.NOT_GIVEN, "no torch and no CUDA is given: only driver and GPU are judged")


def _not_given(view: SubjectView, spot: _Known[PlaceView]) -> Iterable[Assumption]:
    """What was not judged because it was not given."""
    place = spot.view
    if place.has_gpu and place.cc is None and not spot.says.missing and not place.vendor and not view.is_cpu:
        yield _NO_GPU
    if view.torch is None and view.cuda is None and not view.is_cpu:
        yield _NEITHER_TORCH_NOR_CUDA
    elif view.torch is None:
        yield _NO_TORCH


def _asked_for_cpu(subject: Subject) -> bool:
    """Whether a CPU build was meant, not only found."""
    return subject.cuda == "cpu" or bool(subject.torch and "+cpu" in subject.torch)
