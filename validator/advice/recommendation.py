"""Which environments should train on one GPU and driver, best first; and for each of the others, why not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from packaging.version import InvalidVersion, Version

from validator.base.versions import PYTORCH_CHANNELS, Dotted, channel_of
from validator.facts import Facts
from validator.facts.gpu_names import plain_name
from validator.facts.rows import Build, Release
from validator.host import usable_gpu
from validator.model import (
    Basis,
    BuiltImage,
    CellResult,
    Environment,
    Gpu,
    HostInfo,
    Outlook,
    Prediction,
    PulledImage,
    Report,
    Status,
    Target,
    Where,
    reasons,
)

_WHERE = Where("the facts", 0)
_WHEEL = Path("images/wheel")
#: Minor releases of torch looked at without a matrix: about two and a half years.
_MINORS = 10


@dataclass(frozen=True)
class Candidate:
    """An environment with what is known of it on the place asked about."""

    environment: Environment
    prediction: Prediction
    measured: CellResult | None = None
    """What an earlier run found on this GPU and driver."""

    @property
    def outlook(self) -> Outlook:
        """Measured where it was; else what the rules say."""
        return Outlook(self.measured.status.value) if self.measured else self.prediction.status

    @property
    def basis(self) -> Basis:
        """How the outlook is known."""
        return Basis.MEASURED if self.measured else self.prediction.basis

    @property
    def reason(self) -> str:
        """Why it stands where it stands, in one line."""
        if self.measured:
            return f"measured: {self.measured.reason}"
        return "; ".join(reasons(self.prediction))


@dataclass(frozen=True)
class Recommendation:
    """The answer."""

    good: tuple[Candidate, ...]
    """Best first."""
    rejected: tuple[Candidate, ...]
    unknown: tuple[Candidate, ...]


def recommend(
    environments: Iterable[Environment],
    target: Target,
    predict: Callable[[Environment, Target], Prediction],
    measured: Callable[[Environment], CellResult | None] = lambda _: None,
) -> Recommendation:
    """Judge every environment on the target and put them in order."""
    found = [Candidate(environment, predict(environment, target), measured(environment)) for environment in environments]
    good = sorted((each for each in found if each.outlook.works), key=_order)
    return Recommendation(
        tuple(good),
        tuple(each for each in found if each.outlook is Outlook.FAIL),
        tuple(each for each in found if each.outlook is Outlook.UNKNOWN),
    )


def _order(candidate: Candidate) -> tuple[object, ...]:
    """Measured before predicted, whole before degraded, then the newest torch, CUDA and Python.

    A build whose toolkit is newer than needed costs nothing where the rules pass it, and is maintained longer.
    """
    environment = candidate.environment
    cuda = Dotted(environment.cuda).numbers if environment.cuda and environment.cuda != "cpu" else (0,)
    python = Dotted(environment.python).numbers if environment.python else (0,)
    return (
        candidate.measured is None,
        candidate.outlook is not Outlook.PASS,
        candidate.basis is not Basis.INSPECTED,
        _Newest((_version(environment.torch), cuda, python)),
        environment.id,
    )


class _Newest:
    """Sorts the greater value first."""

    def __init__(self, value: tuple[object, ...]) -> None:
        self._value = value

    def __lt__(self, other: _Newest) -> bool:
        return bool(self._value > other._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Newest) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def _version(text: str | None) -> Version:
    try:
        return Version(text or "0")
    except InvalidVersion:
        return Version("0")


# ---------------------------------------------------------------- where candidates come from


def candidates(
    facts: Facts, python: str | None = None, platform: str = "linux_x86_64", *, older: bool = False
) -> list[Environment]:
    """The newest patch of the last minor releases of torch, in every CUDA build known to be published; newest first.

    As the official image where one follows from the tag's pattern, else as a wheel. ``older``: of all releases before them that
    have AMP, for a GPU or driver that the last ones have left behind.
    """
    newest: dict[tuple[int, int], Release] = {}
    for version, release in facts.releases.items():  # oldest first, so the last patch stays
        if not version.is_prerelease and version >= facts.since("cuda_amp"):
            newest[version.major, version.minor] = release
    found = []
    among = list(reversed(newest.values()))
    for release in among[_MINORS:] if older else among[:_MINORS]:
        builds = sorted(release.builds.values(), key=lambda build: build.cuda, reverse=True)
        found += [_environment(facts, release, build, python) for build in builds if platform in build.arch]
    return found


def _environment(facts: Facts, release: Release, build: Build, python: str | None) -> Environment:
    torch, cuda = str(release.version), build.cuda.text
    # The images hold one Python, which no tag names: who asks for a certain one gets the wheel.
    image = _image(facts, {"torch": torch, "cuda": cuda, "cudnn": build.cudnn.split(".")[0]}) if python is None else None
    parts = [f"torch{torch}", channel_of(cuda), *([f"py{python}"] if python else [])]
    source = PulledImage(image) if image else BuiltImage(_WHEEL)
    return Environment("-".join(parts), source, _WHERE, torch=torch, cuda=cuda, python=python)


def _image(facts: Facts, versions: Mapping[str, str]) -> str | None:
    """The image whose tag follows from these versions, the one without NVIDIA's container gate first."""
    fitting = [
        pattern
        for pattern in facts.patterns
        if {"torch", "cuda"} <= (fields := {name for _, name, _, _ in Formatter().parse(pattern.tag) if name})
        and all(versions.get(field) for field in fields)
    ]
    chosen = min(fitting, key=lambda pattern: pattern.gate, default=None)
    return f"{chosen.repository}:{chosen.tag.format(**versions)}" if chosen else None


def lines(environment: Environment, channel_url: str | None = None) -> dict[str, str]:
    """What to copy: ``from`` and ``pull`` of an image, ``pip`` of a wheel."""
    copied: dict[str, str] = {}
    if isinstance(environment.source, PulledImage):
        reference = environment.source.reference
        copied |= {"from": f"FROM {reference}", "pull": f"docker pull {reference}"}
    if environment.torch and environment.cuda:
        url = (channel_url or PYTORCH_CHANNELS).replace("{channel}", channel_of(environment.cuda))
        copied["pip"] = f"pip install torch=={environment.torch} --index-url {url}"
    return copied


# ---------------------------------------------------------------- what an earlier run measured


def measured_on(target: Target, report: Report) -> Callable[[Environment], CellResult | None]:
    """Looks up what was measured of an environment on the same GPU and driver; a failure there counts before a pass."""
    known = (result for result in report.cells if result.basis is Basis.MEASURED and result.status.is_fact)
    here = [result for result in known if _same(target, result, report.host_of(result))]

    def look_up(environment: Environment) -> CellResult | None:
        same = [result for result in here if result.environment.id == environment.id]
        return min(same, key=lambda result: result.status is not Status.FAIL, default=None)

    return look_up


def _same(target: Target, result: CellResult, machine: HostInfo) -> bool:
    """Whether a result was measured on the GPU and driver of the target. ``machine`` is the one it was measured on."""
    if result.environment.cuda == "cpu":
        return False
    if target.driver not in (None, result.target.driver or machine.nvml.driver_version):
        return False
    gpu = _gpu_of(result, machine)
    name = gpu.name if gpu else result.target.gpu
    if target.gpu is not None:
        return name is not None and plain_name(name) == plain_name(target.gpu)
    capability = gpu.compute_capability if gpu else result.target.compute_capability
    return target.compute_capability is not None and capability == target.compute_capability


def _gpu_of(result: CellResult, machine: HostInfo) -> Gpu | None:
    """The GPU a result was measured on; where a result does not say, as old ones do not, the one that `host` stands for."""
    if result.ran_on is not None:
        return machine.gpu_with(result.ran_on.gpu_uuid)
    return usable_gpu(machine) if result.target.is_host else None
