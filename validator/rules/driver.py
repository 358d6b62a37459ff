"""Driver against CUDA build: floors, forward compatibility, and the branches that run a GPU."""

from __future__ import annotations

from validator.base.versions import Dotted
from validator.facts import Facts
from validator.facts.driver_names import Driver
from validator.model import AssumptionKind, MissingKind, Severity
from validator.rules import forward_compat
from validator.rules.answer import NOTHING, Answer, assumed, fail, finding, found, lacking
from validator.rules.builds import either, nearest_build
from validator.rules.floors import floor_of
from validator.rules.place_view import PlaceView
from validator.rules.subject_view import SubjectView


def floor(view: SubjectView, place: PlaceView, facts: Facts) -> Answer:
    """A driver must reach the floor of the build's CUDA major; before CUDA 11 the driver of that minor's own toolkit.

    Source: CUDA release notes, minor-version compatibility; CUDA Compatibility guide.
    """
    if not place.has_gpu or view.is_cpu:
        return NOTHING
    if view.cuda is None:
        if view.torch is None or place.driver is None:
            return NOTHING
        text = f"which CUDA {view.label} is built for, so whether driver {place.driver.text} is enough"
        return lacking(MissingKind.IMAGE, text)
    driver = place.driver
    need = floor_of(view.cuda, driver.platform(view.platform) if driver else view.platform, facts)
    if driver is None:
        if need is None:
            return NOTHING
        return assumed(AssumptionKind.NOT_GIVEN, f"no driver is given: this holds from driver {need.driver} on ({need.what})")
    if need is None:
        return _beyond_the_facts(view, place, facts, driver, view.cuda)
    if driver.reaches(need.driver):
        return forward_compat.when_not_needed(view, place, facts)
    return forward_compat.when_needed(view, place, facts, driver, view.cuda, need)


def _beyond_the_facts(view: SubjectView, place: PlaceView, facts: Facts, driver: Driver, cuda: Dotted) -> Answer:
    """A CUDA version without a floor in the facts: a driver that knows only an older major does not run it by itself."""
    is_older = driver.cuda is not None and driver.cuda.numbers[0] < cuda.numbers[0] and not driver.newer
    if is_older and not forward_compat.may_help(view, place, facts):
        return found(
            fail(
                "driver_too_old",
                f"driver {driver.text} knows CUDA up to {driver.cuda}; {view.label} is of a newer major",
                f"CUDA {driver.cuda} (driver branch {driver.branch}) < CUDA {cuda}",
                remedy=either(
                    f"install a driver that shows CUDA {cuda.numbers[0]}.0 or newer", nearest_build(view, place, facts)
                ),
                source=facts.branches[max(number for number in facts.branches if number <= driver.branch)].origin,
            )
        )
    return lacking(MissingKind.FACTS, f"the lowest driver for CUDA {cuda} is not in the facts")


def branch(place: PlaceView, facts: Facts) -> Answer:
    """A driver branch can be too new for a GPU (support has ended) or too old (it did not exist).

    Source: the facts' table of capabilities (first and last branches) and that of branches (end of life).
    """
    driver, capability = place.driver, place.capability
    if driver is None:
        return NOTHING
    findings = []
    if capability is not None and capability.last_branch is not None and driver.branch > capability.last_branch:
        findings.append(
            fail(
                "driver_drops_gpu",
                f"driver branch {driver.branch} no longer runs {capability.architecture} GPUs such as {place.label}",
                f"branch {driver.branch} > {capability.last_branch}, the last for compute capability {capability.cc}",
                remedy=f"install the newest driver of branch {capability.last_branch}",
                source=capability.branch_origin,
            )
        )
    if capability is not None and capability.first_branch is not None and driver.branch < capability.first_branch:
        findings.append(
            fail(
                "driver_too_old",
                f"driver {driver.text} is older than {capability.architecture} GPUs such as {place.label}: it does not know them",
                f"branch {driver.branch} < {capability.first_branch}, the first for compute capability {capability.cc}",
                remedy=f"install a driver of branch {capability.first_branch} or newer",
                source=capability.branch_origin,
            )
        )
    row = facts.branches.get(driver.branch)
    if row is not None and row.end_of_life and row.end_of_life < facts.as_of[:7]:
        findings.append(
            finding(
                "driver_end_of_life",
                Severity.INFO,
                f"driver branch {driver.branch} has had no updates since {row.end_of_life}",
                f"end of life {row.end_of_life}, facts of {facts.as_of}",
                remedy=_newer_branch(driver.branch, place, facts),
                source=row.origin,
            )
        )
    return Answer(findings=tuple(findings))


def _newer_branch(branch_number: int, place: PlaceView, facts: Facts) -> str | None:
    """The next branch that still gets updates and runs the GPU."""
    last = place.capability.last_branch if place.capability else None
    alive = [
        row.number
        for row in facts.branches.values()
        if row.number > branch_number and row.end_of_life >= facts.as_of[:7] and (last is None or row.number <= last)
    ]
    return f"move to branch {min(alive)}" if alive else None


def modules(place: PlaceView) -> Answer:
    """The open kernel modules need a GSP (Turing and newer); Blackwell and newer run on no others.

    Source: README of NVIDIA's open-gpu-kernel-modules; the facts' table of capabilities (``open_modules``).
    """
    capability = place.capability
    if place.open_modules is None or capability is None:
        return NOTHING
    if place.open_modules and capability.open_modules == "no":
        return found(
            fail(
                "open_kernel_module_unsupported",
                f"the open kernel modules do not run {capability.architecture} GPUs such as {place.label}",
                f"compute capability {capability.cc} < 7.5, the first with a GSP",
                remedy="install the proprietary flavour of the same driver"
                + (f" (branch {capability.last_branch} or older)" if capability.last_branch else ""),
                source=capability.feature_origin,
            )
        )
    if not place.open_modules and capability.open_modules == "required":
        return found(
            fail(
                "open_kernel_module_unsupported",
                f"{place.label} runs on the open kernel modules only",
                f"compute capability {capability.cc}: {capability.architecture} has no proprietary modules",
                remedy="install the open flavour of the same driver",
                source=capability.feature_origin,
            )
        )
    return NOTHING
