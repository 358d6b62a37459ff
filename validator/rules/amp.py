"""Automatic mixed precision: the API of the release, and what the GPU computes in which type."""

from __future__ import annotations

from packaging.version import Version

from validator.base.versions import Dotted
from validator.facts import Facts
from validator.facts.rows import Boundary, Capability
from validator.model import Finding
from validator.rules.answer import NOTHING, Answer, degraded, fail
from validator.rules.place_view import PlaceView
from validator.rules.subject_view import SubjectView

#: The CUDA major whose builds were seen to give NaN on GTX 16xx (pytorch/pytorch#77955); those for CUDA 10.2 were not.
_NAN_MAJOR = 11
#: Small types that a user can need, and the cause that says the GPU does not compute in them.
_SMALL_TYPES = {"fp8": "fp8_unsupported", "fp4": "fp4_unsupported"}


def api(view: SubjectView, facts: Facts) -> Answer:
    """What the release has: AMP at all, and each API that is needed by name. Source: the facts' ``boundaries``."""
    if view.torch is None or view.level is None or view.accelerator:
        return NOTHING
    findings: list[Finding] = []
    start = facts.boundaries["cpu_autocast" if view.is_cpu else "cuda_amp"]
    if view.level < start.since:
        findings.append(_too_old(view, start, "automatic mixed precision" + (" on the CPU" if view.is_cpu else "")))
    elif view.is_cpu and view.level < facts.since("cpu_autocast_fp16"):
        boundary = facts.boundaries["cpu_autocast_fp16"]
        findings.append(
            degraded(
                "cpu_half_unsupported",
                f"autocast on the CPU takes only bfloat16 with torch {view.torch}; float16 warns and runs without it",
                f"torch {view.torch} < {boundary.since}",
                remedy=f"use bfloat16, or torch {boundary.since} or newer",
                source=boundary.origin,
            )
        )
    for boundary in facts.boundaries.values():
        if boundary.name in view.needs and boundary is not start:
            findings += _needed(view, view.level, boundary, facts)
    if facts.boundaries["cuda_amp"].name in view.needs and not findings:
        findings += _deprecated(view, facts)
    return Answer(findings=tuple(findings))


def _needed(view: SubjectView, level: Version, boundary: Boundary, facts: Facts) -> list[Finding]:
    if boundary.ident == "cuda_amp_deprecated":
        if level < facts.since("cuda_amp"):
            return [_too_old(view, facts.boundaries["cuda_amp"], boundary.name)]
        return _deprecated(view, facts)
    if level >= boundary.since:
        return _compile_on_python(view, boundary, facts)
    if boundary.ident == "cpu_autocast_fp16":
        return [
            degraded(
                "cpu_half_unsupported",
                f"autocast on the CPU takes only bfloat16 with torch {view.torch}",
                f"torch {view.torch} < {boundary.since}",
                remedy=f"use bfloat16, or torch {boundary.since} or newer",
                source=boundary.origin,
            )
        ]
    return [_too_old(view, boundary, boundary.name)]


def _deprecated(view: SubjectView, facts: Facts) -> list[Finding]:
    """torch.cuda.amp still works and warns."""
    boundary = facts.boundaries["cuda_amp_deprecated"]
    if view.level is None or view.level < boundary.since:
        return []
    return [
        degraded(
            "torch_api_removed_or_deprecated",
            f"torch.cuda.amp works but warns from torch {boundary.since} on",
            f"torch {view.torch} >= {boundary.since}",
            remedy=f"use torch.autocast and torch.amp.GradScaler (there since torch {facts.since('amp_grad_scaler')})",
            source=boundary.origin,
        )
    ]


def _compile_on_python(view: SubjectView, boundary: Boundary, facts: Facts) -> list[Finding]:
    """torch.compile came to each new Python later than torch itself."""
    later = facts.boundaries.get(f"compile_python_{(view.python or '').rstrip('t')}")
    if boundary.ident != "compile" or later is None or view.level is None or view.level >= later.since:
        return []
    return [
        fail(
            "torch_too_old",
            f"torch.compile of torch {view.torch} does not work on Python {view.python}",
            f"torch {view.torch} < {later.since}, the first for Python {view.python}",
            remedy=f"use torch {later.since} or newer, or an older Python",
            source=later.origin,
        )
    ]


def _too_old(view: SubjectView, boundary: Boundary, what: str) -> Finding:
    amp = any(word in boundary.ident for word in ("amp", "autocast", "scaler"))
    return fail(
        "torch_too_old_for_amp" if amp else "torch_too_old",
        f"torch {view.torch} has no {what}",
        f"torch {view.torch} < {boundary.since}, the first with {boundary.name}",
        remedy=f"use torch {boundary.since} or newer",
        source=boundary.origin,
    )


def hardware(view: SubjectView, place: PlaceView, facts: Facts) -> Answer:
    """fp16, bf16, fp8 and fp4 on the GPU.

    Source: CUDA C++ Programming Guide, features by compute capability (the facts' ``capabilities``); from which torch on bfloat16
    is refused or emulated: ``boundaries``.
    """
    capability = place.capability
    if view.is_cpu or capability is None or not place.has_gpu:
        return NOTHING
    return Answer(
        findings=(
            *_fp16(view, place, capability),
            *_bf16(view, place, capability, facts),
            *_small_types(view, place, capability, facts),
            *_compile(view, place, capability, facts),
        )
    )


def _fp16(view: SubjectView, place: PlaceView, capability: Capability) -> list[Finding]:
    found = []
    major = view.cuda.numbers[0] if view.cuda is not None else None
    if place.gpus and all("fp16_nan" in row.defects for row in place.gpus) and (major is None or major >= _NAN_MAJOR):
        seen = major == _NAN_MAJOR
        make = fail if seen else degraded
        found.append(
            make(
                "fp16_nan",
                f"half-precision convolutions give NaN on {place.label} with builds for CUDA {_NAN_MAJOR}"
                + ("" if seen else "; no source says that later ones do not"),
                f"product with the TU116 or TU117 chip; CUDA {view.cuda or 'not given'}",
                remedy="train in fp32 on this GPU" if seen else "look for NaN in a few steps first, or train in fp32",
                source=place.gpus[0].defect_origin,
            )
        )
    lacking = place.gpus and all(row.tensor_cores is False for row in place.gpus)
    if lacking or "tensor_cores" not in capability.features:
        found.append(
            degraded(
                "fp16_no_speedup",
                f"{place.label} has no fp16 tensor cores: AMP saves memory, not time",
                f"compute capability {capability.cc}, {capability.architecture}",
                remedy="use fp32 unless memory is short, or a GPU of compute capability 7.0 or newer",
                source=capability.feature_origin,
            )
        )
    return found


def _bf16(view: SubjectView, place: PlaceView, capability: Capability, facts: Facts) -> list[Finding]:
    level = view.level
    if "bf16" in capability.features:
        return []
    first, emulated = facts.boundaries["bf16_autocast"], facts.boundaries["bf16_emulation"]
    needed = "bf16" in view.needs
    if level is None and not needed:
        return []
    if level is not None and level < first.since:
        return []  # api() has said so where it is needed
    evidence = f"compute capability {capability.cc} < {_first_with('bf16', facts)}"
    if level is not None and level < emulated.since:
        return [_no_bf16(place, f"{evidence}, torch {view.torch} < {emulated.since}", needed=needed, source=emulated.origin)]
    known = f"torch {view.torch} >= {emulated.since}" if level else f"no torch is given: before {emulated.since} it is an error"
    return [
        degraded(
            "bf16_emulated",
            f"bfloat16 is only emulated on {place.label}: slow, though torch.cuda.is_bf16_supported() says True",
            f"{evidence}, {known}",
            remedy="use float16 with a gradient scaler",
            source=emulated.origin,
        )
    ]


def _no_bf16(place: PlaceView, evidence: str, *, needed: bool, source: object) -> Finding:
    make = fail if needed else degraded
    return make(
        "bf16_unsupported",
        f"autocast to bfloat16 raises an error on {place.label}",
        evidence,
        remedy="use float16 with a gradient scaler",
        source=source,
    )


def _small_types(view: SubjectView, place: PlaceView, capability: Capability, facts: Facts) -> list[Finding]:
    """fp8 and fp4, where they are needed."""
    return [
        fail(
            cause,
            f"{place.label} does not compute in {name}",
            f"compute capability {capability.cc} < {_first_with(name, facts)}",
            remedy=f"use a GPU of compute capability {_first_with(name, facts)} or newer, or another type",
            source=capability.feature_origin,
        )
        for name, cause in _SMALL_TYPES.items()
        if name in view.needs and name not in capability.features
    ]


def _first_with(feature: str, facts: Facts) -> Dotted:
    return min(row.cc for row in facts.capabilities.values() if feature in row.features)


def _compile(view: SubjectView, place: PlaceView, capability: Capability, facts: Facts) -> list[Finding]:
    boundary = facts.boundaries["compile"]
    if boundary.name not in view.needs or boundary.cc is None or capability.cc >= boundary.cc:
        return []
    return [
        fail(
            "arch_not_supported",
            f"torch.compile needs Triton, which does not make code for {place.label}",
            f"compute capability {capability.cc} < {boundary.cc}",
            remedy="run without torch.compile on this GPU",
            source=boundary.origin,
        )
    ]
