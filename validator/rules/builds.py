"""Ways out: which build of torch would do where one does not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache

from packaging.version import Version

from validator.base.versions import channel_of
from validator.facts import Facts
from validator.facts.driver_names import reaches
from validator.facts.rows import Build, Capability, Release
from validator.rules.code import device_of, has_sass
from validator.rules.floors import floor_of
from validator.rules.place_view import PlaceView
from validator.rules.subject_view import SubjectView

Choice = tuple[int, Release, Build]


#: What decides which builds work: compute capability, driver (its numbers and the platform whose floors count), platform, Python.
Wants = tuple[str | None, tuple[tuple[int, ...], str] | None, str, str | None]


def working_builds(place: PlaceView, platform: str, python: str | None, facts: Facts) -> Sequence[Choice]:
    """Every published build with AMP, code for the GPU, a floor the driver reaches and a wheel for the Python; oldest first."""
    return _working_builds(_wants(place, platform, python), facts)


def _wants(place: PlaceView, platform: str, python: str | None) -> Wants:
    cc = place.capability.cc.text if place.capability else None
    driver = (place.driver.numbers, place.driver.platform(platform)) if place.driver else None
    return cc, driver, platform, python


@cache
def _working_builds(wants: Wants, facts: Facts) -> tuple[Choice, ...]:
    """By values alone, which many places share."""
    cc, driver, platform, python = wants
    capability = facts.capabilities[cc] if cc is not None else None
    return tuple(
        (position, release, build)
        for position, release in enumerate(facts.releases.values())
        if release.version >= facts.since("cuda_amp") and (python is None or python in release.python_on(platform))
        for build in release.builds.values()
        if _has_code(build, capability, platform) and (driver is None or _has_driver(build, *driver, facts))
    )


def _has_code(build: Build, capability: Capability | None, platform: str) -> bool:
    arch = build.arch.get(platform)
    if arch is None or capability is None:
        return arch is not None
    return has_sass(arch, device_of(capability), capability.jetson) and not cudnn_too_new(build, capability)


def _has_driver(build: Build, driver: tuple[int, ...], platform: str, facts: Facts) -> bool:
    floor = floor_of(build.cuda, platform, facts)
    return floor is not None and reaches(driver, floor.driver)


def cudnn_too_new(build: Build, capability: Capability) -> bool:
    """Whether the cuDNN that comes with a build has no code for a GPU any more, though torch itself has."""
    major = build.cudnn.split(".")[0]
    return capability.last_cudnn is not None and major.isdigit() and int(major) > capability.last_cudnn


def nearest_build(view: SubjectView, place: PlaceView, facts: Facts) -> str | None:
    """The build that works and is nearest to the one asked for, in words: same torch first, then the nearest release."""
    here = _position(view.torch, facts) if view.torch is not None else None
    major = view.cuda.numbers[0] if view.cuda else 0
    choice = _nearest(_wants(place, view.platform, view.python), here, major, facts)
    if choice is None:
        return None
    _, release, build = choice
    return _words(release.version, build.cuda.text, release is view.release)


@cache
def _nearest(wants: Wants, here: int | None, major: int, facts: Facts) -> Choice | None:
    """Of the builds that work the one nearest to a position among the releases; the newest of all where there is none."""
    builds = _working_builds(wants, facts)
    if not builds or here is None:
        return builds[-1] if builds else None
    after = bisect_left(builds, here, key=lambda choice: choice[0])
    positions = {builds[index][0] for index in (after - 1, after) if 0 <= index < len(builds)}
    nearest = min(positions, key=lambda position: (abs(position - here), -position))
    first = bisect_left(builds, nearest, key=lambda choice: choice[0])
    last = bisect_left(builds, nearest + 1, key=lambda choice: choice[0])

    def distance(choice: Choice) -> tuple[int, int]:
        numbers = choice[2].cuda.numbers
        return abs(numbers[0] - major), -numbers[-1]

    return min(builds[first:last], key=distance)


@cache
def _position(torch: Version, facts: Facts) -> int:
    """Where a torch stands, or would stand, among the releases."""
    return min(bisect_left(list(facts.releases), Version(torch.public)), len(facts.releases) - 1)


@cache
def _words(torch: Version, cuda: str, same: bool) -> str:
    channel = channel_of(cuda)
    what = f"the {channel} build of {f'this torch ({torch})' if same else f'torch {torch}'}"
    return f"use {what} (pip install torch=={torch} --index-url https://download.pytorch.org/whl/{channel})"


def either(*ways: str | None) -> str | None:
    """Several ways out as one sentence."""
    given = [way for way in ways if way]
    return "; or ".join(given) if given else None
