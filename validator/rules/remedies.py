"""Ways out: which build of torch would do where one does not."""

from __future__ import annotations

from bisect import bisect_left

from packaging.version import Version

from validator.facts import Facts
from validator.facts_rows import Build, Release
from validator.rules.code import device_of, has_sass
from validator.rules.floors import floor_of
from validator.rules.view import PlaceView, SubjectView
from validator.versions import channel_of

Choice = tuple[int, Release, Build]


def working_builds(place: PlaceView, platform: str, python: str | None, facts: Facts) -> list[Choice]:
    """Every published build with code for the GPU, a floor the driver reaches and a wheel for the Python; oldest first."""
    cc = place.cc.text if place.cc else None
    key = ("builds", cc, place.driver.numbers if place.driver else None, platform, python)
    if key not in facts.memory:
        facts.memory[key] = [
            (position, release, build)
            for position, release in enumerate(facts.releases.values())
            if python is None or python in release.python_on(platform)
            for build in release.builds.values()
            if _works(build, place, platform, facts)
        ]
    return facts.memory[key]  # type: ignore[no-any-return]


def _works(build: Build, place: PlaceView, platform: str, facts: Facts) -> bool:
    arch = build.arch.get(platform)
    if arch is None:
        return False
    capability = place.capability
    if capability is not None and not has_sass(arch, device_of(capability), capability.jetson):
        return False
    if place.driver is None:
        return True
    floor = floor_of(build.cuda, platform, facts)
    return floor is not None and place.driver.reaches(floor.driver)


def nearest_build(view: SubjectView, place: PlaceView, facts: Facts) -> str | None:
    """The build that works and is nearest to the one asked for, in words: same torch first, then the nearest release."""
    builds = working_builds(place, view.platform, view.python, facts)
    if not builds:
        return None
    if view.torch is None:
        return _say(builds[-1], view)
    known = list(facts.releases)
    public = Version(view.torch.public)
    here = known.index(public) if public in facts.releases else min(bisect_left(known, public), len(known) - 1)
    cuda = view.cuda.numbers if view.cuda else (0,)

    def distance(choice: Choice) -> tuple[int, int, int]:
        position, _, build = choice
        return abs(position - here), -position, abs(build.cuda.numbers[0] * 100 - cuda[0] * 100) - build.cuda.numbers[-1]

    return _say(min(builds, key=distance), view)


def _say(choice: Choice, view: SubjectView) -> str:
    _, release, build = choice
    channel = channel_of(build.cuda.text)
    same = view.torch is not None and release.version == Version(view.torch.public)
    what = f"the {channel} build of {f'this torch ({release.version})' if same else f'torch {release.version}'}"
    return f"use {what} (pip install torch=={release.version} --index-url https://download.pytorch.org/whl/{channel})"


def either(*ways: str | None) -> str | None:
    """Several ways out as one sentence."""
    given = [way for way in ways if way]
    return "; or ".join(given) if given else None
