"""Compiled code against the GPU: SASS, PTX, and what a toolkit can make code for at all."""

from __future__ import annotations

from functools import cache

from validator.base.versions import Dotted
from validator.facts import Facts
from validator.facts.rows import Capability
from validator.model import Assumption, AssumptionKind, Finding, MissingKind
from validator.rules.answer import NOTHING, Answer, assumed, degraded, fail, found, lacking
from validator.rules.builds import cudnn_too_new, either, nearest_build
from validator.rules.code import Code, device_of, has_sass, ptx_for
from validator.rules.floors import toolkit_driver
from validator.rules.place_view import PlaceView
from validator.rules.subject_view import SubjectView


def code(view: SubjectView, place: PlaceView, facts: Facts) -> Answer:
    """Torch must have code for the GPU, or PTX that the driver can compile for it.

    Source: CUDA C++ Programming Guide, binary and PTX compatibility; torch's own arch lists (wheels, build scripts).
    """
    capability = place.capability
    if view.is_cpu or capability is None or not place.has_gpu:
        return NOTHING
    if view.arch is None:
        return _by_toolkit(view, place, capability, facts)
    device = device_of(capability)
    if has_sass(view.arch, device, capability.jetson):
        return _by_cudnn(view, place, capability, facts)
    ptx = ptx_for(view.arch, device)
    if ptx is not None:
        return _by_ptx(view, place, capability, ptx, facts)
    return found(_no_code(view, place, capability, facts))


def _by_cudnn(view: SubjectView, place: PlaceView, capability: Capability, facts: Facts) -> Answer:
    """Torch has code for the GPU; convolutions are cuDNN's."""
    if view.build is None or not cudnn_too_new(view.build, capability):
        return NOTHING
    return found(
        fail(
            "arch_not_supported",
            f"{view.label} has code for {place.label}, and its cuDNN has none: convolutions fail",
            f"cuDNN {view.build.cudnn}; the last with code for compute capability {capability.cc} is {capability.last_cudnn}",
            remedy=nearest_build(view, place, facts),
            source=capability.cudnn_origin,
        )
    )


def _no_code(view: SubjectView, place: PlaceView, capability: Capability, facts: Facts, why: str = "") -> Finding:
    arch = view.arch or ()
    way = nearest_build(view, place, facts)
    return fail(
        "arch_not_supported",
        f"{view.label} has no code for {place.label}{why}",
        f"needed: compute capability {capability.cc}; there is: {' '.join(arch) if arch else 'none'}",
        remedy=way or "no build of PyTorch in the facts would do here; build torch from source for this capability",
        source=view.arch_from or None,
    )


def _by_ptx(view: SubjectView, place: PlaceView, capability: Capability, ptx: Code, facts: Facts) -> Answer:
    """PTX is compiled by the driver, which must know the PTX of the build's toolkit; the libraries beside torch are SASS.

    Source: CUDA Compatibility guide (an application that is compiled to PTX needs the driver of its toolkit).
    """
    if view.cuda is not None and capability.first_toolkit > view.cuda:
        why = f": its PTX could be compiled, but cuDNN and cuBLAS of CUDA {view.cuda} have none for it"
        return found(_no_code(view, place, capability, facts, why))
    driver = place.driver
    platform = driver.platform(view.platform) if driver else view.platform
    need = toolkit_driver(view.cuda, platform, facts) if view.cuda else None
    assumptions = []
    if driver is None:
        if need is not None:
            text = f"no driver is given: PTX of CUDA {view.cuda} is compiled from driver {need.driver} on"
            assumptions.append(Assumption(AssumptionKind.NOT_GIVEN, text))
    elif need is not None and not driver.reaches(need.driver):
        return found(
            fail(
                "ptx_too_new",
                f"{view.label} has only PTX for {place.label}, and driver {driver.text} is too old to compile it",
                f"driver {driver.text} < {need.driver}, the driver of the toolkit {need.what}",
                f"{ptx.text} is the code there is",
                remedy=either(f"install driver {need.driver} or newer", nearest_build(view, place, facts)),
                source=need.origin,
            )
        )
    return Answer(
        findings=(
            degraded(
                "ptx_jit",
                f"{view.label} has no ready code for {place.label}: the driver compiles its PTX on first use (minutes)",
                f"needed: compute capability {capability.cc}; there is: {' '.join(view.arch or ())}",
                remedy=nearest_build(view, place, facts),
                source=view.arch_from or None,
            ),
        ),
        assumptions=tuple(assumptions),
    )


def _by_toolkit(view: SubjectView, place: PlaceView, capability: Capability, facts: Facts) -> Answer:
    """Without an arch list: what the toolkit can make code for, and what every published build for that CUDA has."""
    cuda = view.cuda
    if cuda is None:
        if view.torch is None:
            return NOTHING
        text = f"which CUDA {view.label} is built for, so whether it has code for {place.label}"
        return lacking(MissingKind.IMAGE, text)
    if capability.last_toolkit is not None and cuda > capability.last_toolkit:
        return found(
            fail(
                "arch_not_supported",
                f"CUDA {cuda} makes no code for {capability.architecture} GPUs such as {place.label}",
                f"CUDA {cuda} > {capability.last_toolkit}, the last for compute capability {capability.cc}",
                remedy=nearest_build(view, place, facts),
                source=capability.origin,
            )
        )
    if not _known_to(cuda, capability, facts):
        return found(
            fail(
                "arch_not_supported",
                f"CUDA {cuda} is older than {capability.architecture} GPUs such as {place.label} and makes no code for them",
                f"CUDA {cuda} < {capability.first_toolkit}, the first for compute capability {capability.cc}",
                remedy=nearest_build(view, place, facts),
                source=capability.origin,
            )
        )
    return _by_all_builds(view, place, capability, cuda, facts)


def _known_to(cuda: Dotted, capability: Capability, facts: Facts) -> bool:
    """Whether a toolkit makes SASS that runs on a device: for itself, or for a lower minor of its major."""
    device = device_of(capability)
    return any(
        row.first_toolkit <= cuda
        for row in facts.capabilities.values()
        if row.cc == capability.cc
        or (not capability.jetson and not row.jetson and device_of(row)[0] == device[0] and device_of(row)[1] <= device[1])
    )


@cache
def _builds_for(cuda: Dotted, platform: str, facts: Facts) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every torch published for a CUDA version, with what it has code for."""
    return tuple(
        (str(release.version), arch)
        for release in facts.releases.values()
        for build in release.builds.values()
        if build.cuda == cuda and (arch := build.arch.get(platform))
    )


def _by_all_builds(view: SubjectView, place: PlaceView, capability: Capability, cuda: Dotted, facts: Facts) -> Answer:
    """What the published builds for a CUDA version have in common, where the torch is not known."""
    if view.torch is not None and view.build is None and view.release is not None:
        return NOTHING  # there is no such build; rules.published says so
    device = device_of(capability)
    builds = _builds_for(cuda, view.platform, facts)
    have = [version for version, arch in builds if has_sass(arch, device, capability.jetson)]
    have_not = [version for version, arch in builds if not has_sass(arch, device, capability.jetson)]
    if view.torch is not None or not (have or have_not):
        who = view.label if view.torch is not None else f"the torch that goes with CUDA {cuda}"
        if view.torch is None:
            text = f"{who} is taken to have code for {place.label}; no published build says so"
            return assumed(AssumptionKind.NEAREST, text)
        return lacking(MissingKind.IMAGE, f"what {who} has code for is not in the facts; opening the image tells (--inspect)")
    if not have_not:
        text = f"no torch is given: every build of PyTorch for CUDA {cuda} has code for {place.label}"
        return assumed(AssumptionKind.NOT_GIVEN, text)
    if not have:
        return found(
            fail(
                "arch_not_supported",
                f"no build of PyTorch for CUDA {cuda} has code for {place.label}",
                f"torch {', '.join(have_not[:6])}: none for compute capability {capability.cc}",
                remedy=nearest_build(view, place, facts),
                source=capability.origin,
            )
        )
    some, none = ", ".join(have), ", ".join(have_not)
    text = f"the torch decides: of the builds for CUDA {cuda}, {some} have code for {place.label}, {none} have none"
    return lacking(MissingKind.INPUT, text)
