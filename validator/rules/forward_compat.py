"""Forward compatibility: the cuda-compat library of a newer CUDA on an older driver, on some product lines and branches only."""

from __future__ import annotations

from validator.facts import Facts
from validator.facts_rows import CompatBase
from validator.model import Finding
from validator.rules.answer import NOTHING, Answer, degraded, fail
from validator.rules.floors import FloorOf
from validator.rules.remedies import either, nearest_build
from validator.rules.view import PlaceView, SubjectView
from validator.versions import Dotted


def base_of(cuda: Dotted, facts: Facts) -> CompatBase | None:
    """The row of a CUDA version; None where the facts have none."""
    return facts.compat_bases.get(".".join([*cuda.text.split("."), "0"][:2]))


def allowed(cuda: Dotted, place: PlaceView, facts: Facts) -> bool | None:
    """Whether the compat library of a CUDA version may stand on this driver and GPU; None where that is not known."""
    base, driver = base_of(cuda, facts), place.driver
    if driver is None or base is None:
        return None
    if place.line in facts.compat_lines["refused"] or driver.branch not in base.branches:
        return False
    if place.line is None:
        return None
    return True if place.line in facts.compat_lines["allowed"] else None


def package(cuda: Dotted) -> str:
    """``cuda-compat-12-8``."""
    return "cuda-compat-" + "-".join([*cuda.text.split("."), "0"][:2])


def when_needed(view: SubjectView, place: PlaceView, facts: Facts, need: FloorOf) -> Answer:
    """The driver is below the floor: only a compat library can help, and only where it is allowed."""
    driver, cuda = place.driver, view.cuda
    assert driver is not None  # noqa: S101 - for the type checker; the caller has seen to it
    assert cuda is not None  # noqa: S101
    permitted = allowed(cuda, place, facts)
    below = f"driver {driver.text} < {need.driver}, the floor of {need.what}"
    newer = f"install driver {need.driver} or newer"
    last = place.capability.last_branch if place.capability is not None else None
    if last is not None and need.driver.numbers[0] > last:
        newer = ""  # that driver would no longer run the GPU
    if view.has_compat and place.container is not False:
        if place.line in facts.compat_lines["refused"]:
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
        if permitted:
            return Answer(findings=(_through_compat(view, place, facts, below, newer),))
        if permitted is None and place.line is not None:
            text = f"whether {place.label} is allowed the image's compat library, without which driver {driver.text} is too old"
            return Answer(missing=(text,))
    remedy = either(newer, nearest_build(view, place, facts))
    if permitted and not view.has_compat:
        remedy = either(remedy, f"put {package(cuda)} of NVIDIA into the image (this GPU and branch {driver.branch} may use it)")
    base = base_of(cuda, facts)
    evidence = [below]
    if permitted is None and view.has_compat and place.line is None:
        remedy = either(remedy, f"name the GPU: on branch {driver.branch} one of a data-centre line runs it ({package(cuda)})")
    elif view.has_compat and base is not None:
        evidence.append(f"branch {driver.branch} is none of those its compat library may stand on ({_branches(base)})")
    return Answer(
        findings=(
            fail(
                "driver_too_old",
                f"driver {driver.text} is older than {view.label} needs",
                *evidence,
                remedy=remedy,
                source=need.origin,
            ),
        )
    )


def _through_compat(view: SubjectView, place: PlaceView, facts: Facts, below: str, newer: str) -> Finding:
    base = base_of(view.cuda, facts) if view.cuda else None
    driver = place.driver
    return degraded(
        "driver_too_old",
        f"driver {driver.text if driver else ''} is too old for {view.label}; it runs through the image's compat library",
        below,
        f"branch {driver.branch if driver else ''} is one of {_branches(base) if base else ''}, product line {place.line}",
        remedy=newer or None,
        source=base.origin if base else None,
    )


def _branches(base: CompatBase) -> str:
    return ", ".join(str(number) for number in sorted(base.branches)) or "none"


def when_not_needed(view: SubjectView, place: PlaceView, facts: Facts) -> Answer:
    """The driver is new enough by itself: a compat library that is used all the same can only harm.

    NVIDIA's runtime puts it in front wherever its branch is newer than the host's, whatever the GPU (NVIDIA/nvidia-docker#1294);
    an LD_LIBRARY_PATH that names /usr/local/cuda/compat does so always, which with a newer driver is error 803
    (vllm-project/vllm#34821).
    """
    driver, cuda = place.driver, view.cuda
    if not view.has_compat or place.container is False or driver is None or cuda is None or driver.cuda is None:
        return NOTHING
    ours = view.image.cuda or cuda.text
    compat = Dotted(ours)
    if view.compat_on_path and driver.cuda > compat:
        return Answer(
            findings=(
                fail(
                    "forward_compat_unsupported",
                    f"the image puts its compat library of CUDA {compat} in front of the newer driver {driver.text} (error 803)",
                    f"LD_LIBRARY_PATH names the compat folder; driver knows CUDA {driver.cuda} > {compat}",
                    remedy="take /usr/local/cuda/compat out of LD_LIBRARY_PATH in the image",
                    source=facts.compat_origin,
                ),
            )
        )
    in_front = view.compat_on_path or (driver.cuda < compat and not driver.newer)
    if in_front and place.line in facts.compat_lines["refused"]:
        return Answer(
            findings=(
                fail(
                    "forward_compat_unsupported",
                    f"the image's compat library (CUDA {compat}) comes before the driver's; {place.label} refuses it (error 804)",
                    f"driver knows CUDA {driver.cuda}; product line {place.line}",
                    remedy=either(
                        f"install a driver that knows CUDA {compat}",
                        "remove the cuda-compat package from the image",
                        "use an image without it (pytorch/pytorch:…-runtime)",
                    ),
                    source=facts.compat_origin,
                ),
            )
        )
    return NOTHING
