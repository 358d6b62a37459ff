"""Forward compatibility: the cuda-compat library of a newer CUDA on an older driver, on some product lines and branches only."""

from __future__ import annotations

from validator.base.versions import Dotted
from validator.facts import Facts
from validator.facts.rows import CompatBase
from validator.model import Assumption, AssumptionKind, Finding, MissingKind
from validator.rules.answer import NOTHING, Answer, assumed, degraded, fail, lacking
from validator.rules.builds import either, nearest_build
from validator.rules.floors import FloorOf
from validator.rules.place_view import PlaceView
from validator.rules.subject_view import SubjectView


def base_of(cuda: Dotted, facts: Facts) -> CompatBase | None:
    """The row of a CUDA version; None where the facts have none."""
    return facts.compat_bases.get(cuda.major_minor)


def allowed(cuda: Dotted, place: PlaceView, facts: Facts) -> bool | None:
    """Whether the compat library of a CUDA version may stand on this driver and GPU; None where that is not known."""
    if place.driver is None or base_of(cuda, facts) is None:
        return None
    if place.line in facts.compat_lines["refused"] or not _stands_on(cuda, place, facts):
        return False
    if place.line is None:
        return None
    return True if place.line in facts.compat_lines["allowed"] else None


def _stands_on(cuda: Dotted, place: PlaceView, facts: Facts) -> bool:
    """Whether the branch of the driver is one that the compat library of a CUDA version may stand on."""
    base = base_of(cuda, facts)
    return base is not None and place.driver is not None and place.driver.branch in base.branches


def package(cuda: Dotted) -> str:
    """``cuda-compat-12-8``."""
    return f"cuda-compat-{cuda.major_minor.replace('.', '-')}"


def when_needed(view: SubjectView, place: PlaceView, facts: Facts, need: FloorOf) -> Answer:
    """The driver is below the floor: only a compat library can help, and only where it is allowed."""
    driver, cuda = place.driver, view.cuda
    assert driver is not None  # noqa: S101 - for the type checker; the caller has seen to it
    assert cuda is not None  # noqa: S101
    below = f"driver {driver.text} < {need.driver}, the floor of {need.what}"
    newer = f"install driver {need.driver} or newer"
    last = place.capability.last_branch if place.capability is not None else None
    if last is not None and need.driver.numbers[0] > last:
        newer = ""  # that driver would no longer run the GPU
    library = _library(view, facts)
    helps = view.has_compat and place.container is not False and (library is None or _reaches(library, need.driver))
    compat = (_cuda_of(view, facts) if helps else None) or cuda
    permitted = allowed(compat, place, facts)
    if helps and place.line in facts.compat_lines["refused"]:
        if newer and library is not None:  # the floor alone would leave the library in front
            newer = (
                f"install a driver of branch {library.numbers[0]} or newer ({need.driver} is enough without the compat library)"
            )
        return Answer(
            findings=(
                fail(
                    "forward_compat_unsupported",
                    f"driver {driver.text} is too old for {view.label}; {place.label} refuses compat libraries (error 804)",
                    below,
                    f"product line {place.line}",
                    remedy=either(newer, nearest_build(view, place, facts)),
                    source=facts.compat_origin,
                ),
            )
        )
    # A library that is there may help, so the driver is no fault yet; one that is only assumed to be there is no help.
    is_there = helps and not view.requirement_assumed
    if is_there and permitted:
        return Answer(findings=(_through_compat(compat, view, place, facts, below, newer),))
    if is_there and place.no_gpu_given and _stands_on(compat, place, facts):
        text = "no GPU is given: one of a data-centre line is meant, which alone may use the image's compat library"
        return Answer(
            findings=(_through_compat(compat, view, place, facts, below, newer),),
            assumptions=(Assumption(AssumptionKind.NOT_GIVEN, text),),
        )
    if permitted is None and (is_there or (helps and place.line is not None)):
        text = f"whether {place.label} is allowed the image's compat library, without which driver {driver.text} is too old"
        return lacking(MissingKind.INPUT if place.line is None else MissingKind.FACTS, text)
    remedy = either(newer, nearest_build(view, place, facts))
    if permitted and not is_there:
        remedy = either(remedy, f"put {package(cuda)} of NVIDIA into the image (this GPU and branch {driver.branch} may use it)")
    base = base_of(compat, facts)
    evidence = [below]
    if permitted is None and helps:
        remedy = either(remedy, f"name the GPU: on branch {driver.branch} one of a data-centre line runs it ({package(compat)})")
    elif helps and base is not None and not _stands_on(compat, place, facts):
        evidence.append(f"branch {driver.branch} is none of those its compat library may stand on ({_branches(base)})")
    return Answer(
        findings=(
            fail(
                "driver_too_old",
                f"driver {driver.text} is older than what {view.label} needs",
                *evidence,
                remedy=remedy,
                source=need.origin,
            ),
        )
    )


def _through_compat(compat: Dotted, view: SubjectView, place: PlaceView, facts: Facts, below: str, newer: str) -> Finding:
    base = base_of(compat, facts)
    driver = place.driver
    return degraded(
        "driver_too_old",
        f"driver {driver.text if driver else ''} is too old for {view.label}; it runs through the image's compat library",
        below,
        f"branch {driver.branch if driver else ''} is one of {_branches(base) if base else ''}"
        + (f", product line {place.line}" if place.line else ""),
        remedy=newer or None,
        source=base.origin if base else None,
    )


def _branches(base: CompatBase) -> str:
    return ", ".join(str(number) for number in sorted(base.branches)) or "none"


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
        return Answer(
            findings=(
                fail(
                    "forward_compat_unsupported",
                    f"the image puts its {what} in front of the newer driver {driver.text} (error 803)",
                    f"LD_LIBRARY_PATH names the compat folder; driver {driver.text} > {library}",
                    remedy="take /usr/local/cuda/compat out of LD_LIBRARY_PATH in the image",
                    source=facts.compat_origin,
                ),
            )
        )
    if is_older and not view.requirement_assumed:
        text = f"NVIDIA's container runtime leaves the image's {what} aside: driver {driver.text} is newer"
        return assumed(AssumptionKind.CONTAINER, text)
    in_front = view.compat_on_path or driver.branch < library.numbers[0]
    if in_front and place.line in facts.compat_lines["refused"]:
        return Answer(
            findings=(
                fail(
                    "forward_compat_unsupported",
                    f"the image's {what} comes before the driver's; {place.label} refuses it (error 804)",
                    f"driver {driver.text} < {library}; product line {place.line}",
                    remedy=either(
                        f"install a driver of branch {library.numbers[0]} or newer",
                        "remove the cuda-compat package from the image",
                        "use an image without it (pytorch/pytorch:…-runtime)",
                    ),
                    source=facts.compat_origin,
                ),
            )
        )
    return NOTHING


def _cuda_of(view: SubjectView, facts: Facts) -> Dotted | None:
    """The CUDA version of the image's compat library: that of the driver it is of, or as the image's tag has it."""
    if view.compat_driver is not None:
        known = [number for number in facts.branches if number <= view.compat_driver.numbers[0]]
        return facts.branches[max(known)].cuda if known else None
    return Dotted(view.image.cuda) if view.image.cuda else view.cuda


def _library(view: SubjectView, facts: Facts) -> Dotted | None:
    """The driver that the image's compat library is of: the version that was read, or the branch of its CUDA version."""
    if view.compat_driver is not None:
        return view.compat_driver
    cuda = _cuda_of(view, facts)
    branches = [row.number for row in facts.branches.values() if row.cuda == cuda]
    return Dotted(str(min(branches))) if branches else None


def _reaches(library: Dotted, floor: Dotted) -> bool:
    """Whether a library is at least of a driver, as far as its version is known."""
    return library.numbers >= floor.numbers[: len(library.numbers)]
