"""The rules applied to the cells of a matrix: on the facts alone, and again on what was found inside an environment."""

from __future__ import annotations

import platform
from dataclasses import replace
from functools import cache

from validator.facts import Facts
from validator.facts.image_names import read_image
from validator.host import NO_GPU_HERE, usable_gpu
from validator.model import (
    Cell,
    Content,
    Environment,
    Gpu,
    HostInfo,
    HostInterpreter,
    Missing,
    MissingKind,
    Outlook,
    Prediction,
    PulledImage,
    Target,
)
from validator.rules import Judge
from validator.rules.subject import Place, Subject, subject_of

#: How ``platform.machine()`` says what wheels are made for.
_PLATFORMS = {"x86_64": "linux_x86_64", "amd64": "linux_x86_64", "aarch64": "linux_aarch64", "arm64": "linux_aarch64"}


@cache
def _platform_in(words: str) -> str:
    found = (_PLATFORMS[word] for word in words.replace("/", " ").lower().split() if word in _PLATFORMS)
    return next(found, "linux_x86_64")


class Predictor:
    """What the rules say of environments on targets, ``host`` being a machine that is known.

    An environment and a target are made into the rules' own words once, however many cells they are part of.
    """

    def __init__(self, facts: Facts, host: HostInfo | None, *, in_containers: bool, needs: tuple[str, ...] = ()) -> None:
        self.facts = facts
        self._judge = Judge(facts)
        self._host = host
        self._in_containers = in_containers
        self._needs = needs
        self._subjects: dict[int, tuple[Environment, Subject]] = {}
        self._places: dict[tuple[int, bool, bool], tuple[Target, Place]] = {}

    def __call__(self, environment: Environment, target: Target) -> Prediction:
        """On the facts alone."""
        return self._judged(environment, self._place(environment, target), self._subject(environment))

    def again(self, cell: Cell, content: Content) -> Prediction:
        """A cell that was run: with what was found inside in place of the facts, on the GPU and driver that it had."""
        if cell.gpu is None:
            return self.opened(cell.environment, cell.target, content)
        place = self._here(cell.gpu, cell.target, self._contained(cell.environment))
        return self._judged(cell.environment, place, self._inside(cell.environment, content))

    def opened(self, environment: Environment, target: Target, content: Content) -> Prediction:
        """With what was found inside an environment in place of the facts."""
        return self._judged(environment, self._place(environment, target), self._inside(environment, content))

    def _inside(self, environment: Environment, content: Content) -> Subject:
        return replace(subject_of(environment, content, platform=self._platform(content)), needs=self._needs)

    def _judged(self, environment: Environment, place: Place, subject: Subject) -> Prediction:
        inside = subject.inspected.cuda if subject.inspected else None
        if not place.has_gpu and (inside or environment.cuda) != "cpu":
            return Prediction(Outlook.UNKNOWN, missing=(Missing(MissingKind.NO_GPU_HERE, NO_GPU_HERE.text),))
        try:
            prediction = self._judge(subject, place)
            if prediction.status.works and not self._names_torch(subject):
                missing = Missing(MissingKind.INPUT, f"which torch is in {environment.id}: the matrix does not say")
                return replace(prediction, status=Outlook.UNKNOWN, missing=(missing, *prediction.missing))
            return prediction
        except ValueError as error:  # the matrix allows spellings of a version that no rule can read
            return Prediction(Outlook.UNKNOWN, missing=(Missing(MissingKind.INPUT, str(error)),))

    def _names_torch(self, subject: Subject) -> bool:
        """Whether it is known which torch is judged: of one that nobody names nothing could speak against it."""
        if subject.torch or (subject.inspected and subject.inspected.torch):
            return True
        return subject.image is not None and read_image(subject.image, self.facts).torch is not None

    def _subject(self, environment: Environment) -> Subject:
        known = self._subjects.get(id(environment))
        if known is None or known[0] is not environment:
            subject = replace(subject_of(environment, platform=self._platform(Content())), needs=self._needs)
            known = self._subjects[id(environment)] = (environment, subject)
        return known[1]

    def _platform(self, content: Content) -> str:
        """Of the inside where it says so; else this machine's, which is what images are pulled for."""
        return _platform_in(content.platform or platform.machine())

    def _place(self, environment: Environment, target: Target) -> Place:
        kind = (environment.is_cpu, self._contained(environment))
        key = (id(target), *kind)
        known = self._places.get(key)
        if known is None or known[0] is not target:
            known = self._places[key] = (target, self._new_place(target, *kind))
        return known[1]

    def _contained(self, environment: Environment) -> bool:
        if isinstance(environment.source, HostInterpreter):
            return False
        return self._in_containers or isinstance(environment.source, PulledImage)

    def _new_place(self, target: Target, is_cpu: bool, contained: bool) -> Place:
        if not target.is_host:
            return Place(target.gpu, target.compute_capability, target.driver, contained)
        gpu = usable_gpu(self._host) if self._host else None
        if target.gpu is not None and not is_cpu:
            return Place(target.gpu, None, self._driver(target), contained)
        if gpu is None or is_cpu:
            return Place(driver=self._driver(target), is_container=contained, has_gpu=False)
        return self._here(gpu, target, contained)

    def _here(self, gpu: Gpu, target: Target, contained: bool) -> Place:
        """A GPU of this machine."""
        modules = self._host.kernel_modules if self._host else None
        open_modules = None if modules is None else modules == "open"
        return Place(gpu.name, gpu.compute_capability, self._driver(target), contained, open_modules)

    def _driver(self, target: Target) -> str | None:
        """This machine's driver; a target that stands for this machine may say what would be changed about it."""
        return target.driver or (self._host.nvml.driver_version if self._host else None)
