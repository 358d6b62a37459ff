"""The container gate: an image's own condition on driver, CUDA and brand, checked before anything in it runs."""

from __future__ import annotations

from validator.base.text import one_line
from validator.base.versions import Dotted
from validator.facts import Facts
from validator.facts.driver_names import Driver
from validator.facts.rows import GpuRow
from validator.model import AssumptionKind, MissingKind
from validator.rules.answer import NOTHING, Answer, assumed, fail, found, lacking
from validator.rules.builds import either
from validator.rules.floors import toolkit_driver
from validator.rules.place_view import PlaceView
from validator.rules.requirement import Alternatives, Machine, holds, parse
from validator.rules.subject_view import SubjectView


def gate(view: SubjectView, place: PlaceView, facts: Facts) -> Answer:
    """Whether NVIDIA's runtime lets the container start.

    Source: the variable as published images have it (the facts' ``gates``); how it is read: see ``requirement``.
    """
    if view.requirement is None or place.container is False or not place.has_gpu:
        return NOTHING
    driver = place.driver
    if driver is None:
        first = _cuda_wanted(view.requirement)
        need = toolkit_driver(Dotted(first), "linux_x86_64", facts) if first else None
        if need is None and view.requirement_in_part:
            return lacking(
                MissingKind.FACTS, f"from which driver on the image starts ({_short(view.requirement)} is newer than the facts)"
            )
        if need is None:
            return NOTHING
        text = f"no driver is given: the image starts without question from driver {need.driver} on ({view.requirement_from})"
        return assumed(AssumptionKind.NOT_GIVEN, text)
    brands = frozenset(brand for row in place.gpus for brand in brands_of(row))
    cc = place.cc.numbers if place.cc else None
    try:
        alternatives = parse(view.requirement)
    except ValueError as error:
        return lacking(MissingKind.IMAGE, f"the image's NVIDIA_REQUIRE_CUDA cannot be read: {error}")
    answer = holds(alternatives, Machine(driver.cuda.numbers if driver.cuda else None, driver.numbers, cc, brands))
    if answer:
        return NOTHING
    if answer is None and place.no_gpu_given and holds(alternatives, _of_any_brand(driver, alternatives)):
        text = "no GPU is given: the image starts on this driver for some brands only, and whether on yours is not judged"
        return assumed(AssumptionKind.NOT_GIVEN, f"{text} ({_short(view.requirement)})")
    if answer is None or driver.newer or view.requirement_in_part:
        kind, hangs_on = _open_question(view, driver, brands)
        return lacking(kind, f"whether the image's container gate opens depends on {hangs_on} ({_short(view.requirement)})")
    wanted = _cuda_wanted(view.requirement)
    need = toolkit_driver(Dotted(wanted), "linux_x86_64", facts) if wanted else None
    what = f"a container of nvidia/cuda for CUDA {view.cuda}" if view.requirement_assumed else "the container"
    return found(
        fail(
            "driver_too_old",
            f"NVIDIA's runtime does not start {what}: driver {driver.text} does not meet its requirement"
            + (f" (unsatisfied condition: cuda>={wanted})" if wanted else ""),
            f"driver {driver.text} knows CUDA {driver.cuda or 'unknown'}; brand {' or '.join(sorted(brands)) or 'unknown'}",
            f"required: {_short(view.requirement)}",
            remedy=either(
                f"install driver {need.driver} or newer" if need else None,
                f"use an image for CUDA {driver.cuda} or older" if driver.cuda else None,
                "set NVIDIA_DISABLE_REQUIRE=1, where the build inside needs no newer driver than that",
                "judge a torch wheel outside such an image with --torch" if view.requirement_assumed else None,
            ),
            source=view.requirement_from,
        )
    )


def _open_question(view: SubjectView, driver: Driver, brands: frozenset[str]) -> tuple[MissingKind, str]:
    """What would have to be known to tell whether a gate opens, and who could say it."""
    if driver.newer or driver.cuda is None:
        age = "newer" if driver.newer else "older"
        return MissingKind.FACTS, f"which CUDA driver {driver.text} knows, which is {age} than the facts"
    if view.requirement_in_part:
        return MissingKind.FACTS, "the older drivers that the image names, which is newer than the facts"
    if not brands:
        return MissingKind.INPUT, "the brand of the GPU"
    return MissingKind.INPUT, f"the exact release of driver {driver.text}"


def _of_any_brand(driver: Driver, alternatives: Alternatives) -> Machine:
    """A machine of every brand that a requirement names."""
    brands = frozenset(row.value for terms in alternatives for row in terms if row.name == "brand")
    return Machine(driver.cuda.numbers if driver.cuda else None, driver.numbers, None, brands)


def _cuda_wanted(requirement: str) -> str | None:
    """The version of the first plain ``cuda>=X.Y``."""
    try:
        alternatives = parse(requirement)
    except ValueError:
        return None
    return next((c.value for terms in alternatives for c in terms if c.name == "cuda" and c.operator == ">="), None)


def _short(requirement: str) -> str:
    return one_line(requirement, 120)


def brands_of(row: GpuRow) -> frozenset[str]:
    """The brands NVML may give a product; newer drivers split some of them (nvmlBrandType_t of nvml.h)."""
    name = row.name.casefold()
    if row.line == "geforce":
        return frozenset({"geforce", "geforcertx"} if "rtx" in name else {"geforce"})
    if row.line == "titan":
        return frozenset({"titan", "titanrtx", "geforce"} if "rtx" in name or "geforce" in name else {"titan"})
    if row.line == "workstation":
        if name.startswith("quadro"):
            return frozenset({"quadro", "quadrortx"} if "rtx" in name else {"quadro"})
        return frozenset({"nvidiartx", "quadrortx"}) if "rtx" in name else frozenset({"nvidia"})
    if row.line == "datacenter":
        return frozenset({"grid"} if name.startswith("grid") else {"tesla"} if name.startswith("tesla") else {"nvidia", "tesla"})
    return frozenset({"nvidia"})
