"""Forward compatibility: the cuda-compat library of a newer CUDA on an older driver, on some product lines and branches only.

Source: the part on forward compatibility of NVIDIA's CUDA Compatibility guide (product lines, driver branches), as the facts have
it in ``compat_lines`` and ``compat_bases``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from validator.base.versions import Dotted
from validator.facts import Facts
from validator.facts.driver_names import Driver
from validator.facts.rows import CompatBase
from validator.model import AssumptionKind, Finding, MissingKind
from validator.rules.answer import NOTHING, Answer, assumed, degraded, fail, found, lacking
from validator.rules.builds import either, nearest_build
from validator.rules.floors import FloorOf
from validator.rules.place_view import PlaceView
from validator.rules.subject_view import SubjectView


@dataclass(frozen=True)
class _TooOld:
    """A driver below the floor of a build, and the compat library that might make up for it."""

    view: SubjectView
    place: PlaceView
    driver: Driver
    need: FloorOf
    library: Dotted | None
    """The driver that the library in the image is of; None where that is not known, or where there is none."""
    helps: bool
    """Whether there is a library, seen or only assumed, that is new enough for the build."""
    cuda: Dotted
    """The CUDA version of that library, or of the build where there is none."""
    base: CompatBase | None
    """The driver branches that a library of that CUDA version may stand on; None where the facts have no row."""
    permitted: bool | None
    """Whether this GPU and driver may use it; None where that is not known."""
    newer: str | None
    """The way out by a newer driver; None where that would no longer run the GPU."""

    @property
    def is_there(self) -> bool:
        """Whether the library was seen, or is part of an image that was named. One that is only assumed is no help."""
        return self.helps and not self.view.requirement_assumed

    @property
    def on_a_branch_for_it(self) -> bool:
        """Whether the library may stand on the driver's branch."""
        return self.base is not None and self.driver.branch in self.base.branches

    @property
    def below(self) -> str:
        """The numbers compared."""
        return f"driver {self.driver.text} < {self.need.driver}, the floor of {self.need.what}"


def when_needed(view: SubjectView, place: PlaceView, facts: Facts, driver: Driver, cuda: Dotted, need: FloorOf) -> Answer:
    """The driver is below the floor: only a compat library can help, and only where it is allowed."""
    case = _case(view, place, facts, driver, cuda, need)
    if case.helps and place.line in facts.compat_lines["refused"]:
        return found(_refused(case, facts))
    if case.is_there and case.permitted:
        return found(_through_compat(case))
    if case.is_there and place.no_gpu_given and case.on_a_branch_for_it:
        text = "no GPU is given: one of a data-centre line is meant, which alone may use the image's compat library"
        return Answer(findings=(_through_compat(case),), assumptions=assumed(AssumptionKind.NOT_GIVEN, text).assumptions)
    if case.permitted is None and (case.is_there or (case.helps and place.line is not None)):
        text = f"whether {place.label} is allowed the image's compat library, without which driver {driver.text} is too old"
        return lacking(MissingKind.INPUT if place.line is None and case.base is not None else MissingKind.FACTS, text)
    return found(_without_compat(case, cuda, facts))


def may_help(view: SubjectView, place: PlaceView, facts: Facts) -> bool:
    """Whether there is a compat library in the image that this product line does not refuse."""
    is_there = view.has_compat and not view.requirement_assumed and place.container is not False
    return bool(is_there) and place.line not in facts.compat_lines["refused"]


def _case(view: SubjectView, place: PlaceView, facts: Facts, driver: Driver, cuda: Dotted, need: FloorOf) -> _TooOld:
    library = _library(view, facts)
    helps = bool(view.has_compat) and place.container is not False and (library is None or _reaches(library, need.driver))
    compat = (_cuda_of(view, facts) if helps else None) or cuda
    base = facts.compat_bases.get(compat.major_minor)
    return _TooOld(
        view=view,
        place=place,
        driver=driver,
        need=need,
        library=library,
        helps=helps,
        cuda=compat,
        base=base,
        permitted=_permitted(base, driver, place.line, facts),
        newer=f"install driver {need.driver} or newer" if _runs(need.driver.numbers[0], place) else None,
    )


def _runs(branch: int, place: PlaceView) -> bool:
    """Whether a driver branch still runs the GPU, as far as that is known."""
    last = place.capability.last_branch if place.capability is not None else None
    return last is None or branch <= last


def _permitted(base: CompatBase | None, driver: Driver, line: str | None, facts: Facts) -> bool | None:
    """Whether a compat library may be used on a driver and a product line; None where that is not known."""
    if base is None:
        return None
    if driver.branch not in base.branches or line in facts.compat_lines["refused"]:
        return False
    return True if line in facts.compat_lines["allowed"] else None


def _refused(case: _TooOld, facts: Facts) -> Finding:
    newer = case.newer
    if newer and case.library is not None:  # the floor alone would leave the library in front
        branch = case.library.numbers[0]
        newer = f"install a driver of branch {branch} or newer ({case.need.driver} is enough without the compat library)"
        if not _runs(branch, case.place):
            newer = f"install driver {case.need.driver} and remove the cuda-compat package from the image"
    return fail(
        "forward_compat_unsupported",
        f"driver {case.driver.text} is too old for {case.view.label}; {case.place.label} refuses compat libraries (error 804)",
        case.below,
        f"product line {case.place.line}",
        remedy=either(newer, nearest_build(case.view, case.place, facts)),
        source=facts.compat_origin,
    )


def _through_compat(case: _TooOld) -> Finding:
    line = f", product line {case.place.line}" if case.place.line else ""
    return degraded(
        "driver_too_old",
        f"driver {case.driver.text} is too old for {case.view.label}; it runs through the image's compat library",
        case.below,
        f"branch {case.driver.branch} is one of {_branches(case.base)}{line}",
        remedy=case.newer,
        source=case.base.origin if case.base else None,
    )


def _without_compat(case: _TooOld, cuda: Dotted, facts: Facts) -> Finding:
    branch = case.driver.branch
    evidence = [case.below]
    way = None
    if case.permitted and not case.is_there:
        way = f"put {_package(cuda)} of NVIDIA into the image (this GPU and branch {branch} may use it)"
    elif case.permitted is None and case.helps:
        way = f"name the GPU: on branch {branch} one of a data-centre line runs it ({_package(case.cuda)})"
    elif case.helps and case.base is not None and not case.on_a_branch_for_it:
        evidence.append(f"branch {branch} is not one that its compat library may stand on ({_branches(case.base)})")
    return fail(
        "driver_too_old",
        f"driver {case.driver.text} is older than what {case.view.label} needs",
        *evidence,
        remedy=either(case.newer, nearest_build(case.view, case.place, facts), way),
        source=case.need.origin,
    )


def _package(cuda: Dotted) -> str:
    """``cuda-compat-12-8``."""
    return f"cuda-compat-{cuda.major_minor.replace('.', '-')}"


def _branches(base: CompatBase | None) -> str:
    return ", ".join(str(number) for number in sorted(base.branches)) if base and base.branches else "none"


def when_not_needed(view: SubjectView, place: PlaceView, facts: Facts) -> Answer:
    """The driver is new enough by itself: a compat library that is used all the same can only harm.

    NVIDIA's runtime puts it in front where its branch is newer than the host's, whatever the GPU, and leaves it aside else
    (nvidia-container-toolkit, cmd/nvidia-cdi-hook/cudacompat; libnvidia-container, filter_by_major_version). An LD_LIBRARY_PATH
    that names /usr/local/cuda/compat puts it in front always, which with a newer driver is error 803.
    """
    driver = place.driver
    library = _library(view, facts) if view.has_compat and place.container is not False else None
    if driver is None or library is None:
        return NOTHING
    what = f"compat library of driver {library}" if view.compat_driver else f"compat library of CUDA {_cuda_of(view, facts)}"
    is_older = driver.numbers[: len(library.numbers)] > library.numbers
    if is_older and view.compat_on_path:
        return found(
            fail(
                "forward_compat_unsupported",
                f"the image puts its {what} in front of the newer driver {driver.text} (error 803)",
                f"LD_LIBRARY_PATH names the compat folder; driver {driver.text} > {library}",
                remedy="take /usr/local/cuda/compat out of LD_LIBRARY_PATH in the image",
                source=facts.compat_origin,
            )
        )
    if is_older and not view.requirement_assumed:
        text = f"NVIDIA's container runtime leaves the image's {what} aside: driver {driver.text} is newer"
        return assumed(AssumptionKind.CONTAINER, text)
    is_same = len(library.numbers) > 1 and driver.numbers == library.numbers  # the driver's own libcuda once more
    in_front = (view.compat_on_path and not is_same) or driver.branch < library.numbers[0]
    if in_front and place.line in facts.compat_lines["refused"]:
        return found(_in_front(view, place, facts, driver, library, what))
    return NOTHING


def _in_front(view: SubjectView, place: PlaceView, facts: Facts, driver: Driver, library: Dotted, what: str) -> Finding:
    """A GPU that refuses compat libraries, and one in front of its driver, which would do without."""
    branch = library.numbers[0]
    path = newer = None
    if driver.branch >= branch:  # off the path, NVIDIA's runtime leaves it aside
        path = "take /usr/local/cuda/compat out of LD_LIBRARY_PATH in the image"
    elif not view.compat_on_path and _runs(branch, place):  # on the path, a newer driver would be error 803
        newer = f"install a driver of branch {branch} or newer"
    compared = f"driver {driver.text} < {library}"
    if driver.numbers >= library.numbers:  # of the library, only the branch is known
        compared = f"LD_LIBRARY_PATH names the compat folder, of branch {branch}"
    return fail(
        "forward_compat_unsupported",
        f"the image's {what} comes before the driver's; {place.label} refuses it (error 804)",
        f"{compared}; product line {place.line}",
        remedy=either(
            path,
            newer,
            "remove the cuda-compat package from the image",
            "use an image without it (pytorch/pytorch:…-runtime)",
        ),
        source=facts.compat_origin,
    )


def _cuda_of(view: SubjectView, facts: Facts) -> Dotted | None:
    """The CUDA version of the image's compat library: that of the driver it is of, or as the image's tag has it."""
    if view.compat_driver is not None:
        known = [number for number in facts.branches if number <= view.compat_driver.numbers[0]]
        return facts.branches[max(known)].cuda if known else None
    return Dotted(view.image.cuda) if view.image.cuda not in (None, "cpu") else view.cuda


def _library(view: SubjectView, facts: Facts) -> Dotted | None:
    """The driver that the image's compat library is of: the version that was read, or the branch of its CUDA version."""
    if view.compat_driver is not None:
        return view.compat_driver
    cuda = _cuda_of(view, facts)
    return _first_branch(cuda, facts) if cuda is not None else None


@cache
def _first_branch(cuda: Dotted, facts: Facts) -> Dotted | None:
    """The oldest driver branch that supports a CUDA version and none newer."""
    branches = [row.number for row in facts.branches.values() if row.cuda == cuda]
    return Dotted(str(min(branches))) if branches else None


def _reaches(library: Dotted, floor: Dotted) -> bool:
    """Whether a library is at least of a driver, as far as its version is known."""
    return library.numbers >= floor.numbers[: len(library.numbers)]
