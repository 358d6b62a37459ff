"""What a change of driver, GPU, torch or CUDA would do to a matrix: pure, before anybody touches a machine.

Each environment on each target is judged twice, as it is and as it would be. Rules that say the same both times mean that
the change makes no difference there, whatever an earlier run has measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from validator.facts.image_names import split_reference
from validator.model import (
    Basis,
    CellResult,
    Environment,
    HostInterpreter,
    Outlook,
    Prediction,
    PulledImage,
    Status,
    Target,
    cell_id,
    gravest,
    reasons,
)

#: What the rules say of an environment on a target.
Predict = Callable[[Environment, Target], Prediction]
_KNOWN = {Status.PASS: Outlook.PASS, Status.DEGRADED: Outlook.DEGRADED, Status.FAIL: Outlook.FAIL}


class Effect(str, Enum):
    """What the change does to one cell."""

    STOPS = "stops working"
    STARTS = "newly works"
    UNKNOWN = "unknown"
    NONE = "unaffected"


@dataclass(frozen=True)
class Change:
    """What would be replaced; None stays as it is."""

    driver: str | None = None
    gpu: str | None = None
    torch: str | None = None
    cuda: str | None = None

    def __str__(self) -> str:
        parts = (("driver", self.driver), ("GPU", self.gpu), ("torch", self.torch), ("CUDA", self.cuda))
        return ", ".join(f"{name} {value}" for name, value in parts if value)


@dataclass(frozen=True)
class Affected:
    """One cell before and after."""

    id: str
    environment: Environment
    """As it would be."""
    target: Target
    """As it would be."""
    before: Outlook
    basis: Basis
    """How ``before`` is known."""
    after: Prediction
    effect: Effect
    reason: str


@dataclass(frozen=True)
class Replaced:
    """An environment with a change in it, or why the change does not apply to it."""

    environment: Environment
    why_not: str | None = None


def upgrade(
    environments: Iterable[Environment],
    targets: Iterable[Target],
    change: Change,
    *,
    before: Predict,
    after: Predict,
    results: Mapping[str, CellResult] | None = None,
) -> tuple[list[Affected], tuple[str, ...]]:
    """Every cell with what the change does to it, and a sentence for each environment that the change does not apply to.

    ``after`` judges as ``before`` does, on machines that have the change. ``results`` are an earlier run's, by the cell's id.
    """
    affected, remarks = [], []
    changed_targets = [(target, on_target(target, change)) for target in targets]
    for environment in environments:
        made = in_environment(environment, change)
        if made.why_not:
            remarks.append(f"{environment.id} stays as it is: {made.why_not}")
        for target, changed in changed_targets:
            id_ = cell_id(environment, target)
            now, then = before(environment, target), after(made.environment, changed)
            known = (results or {}).get(id_)
            affected.append(_affected(id_, made.environment, changed, now, then, known))
    return affected, tuple(remarks)


def _affected(
    id_: str, environment: Environment, target: Target, now: Prediction, then: Prediction, known: CellResult | None
) -> Affected:
    outlook, basis = now.status, now.basis
    if known is not None and known.basis in (Basis.MEASURED, Basis.INSPECTED) and known.status in _KNOWN:
        outlook, basis = _KNOWN[known.status], known.basis
    effect = _effect(outlook, now.status, then.status)
    return Affected(id_, environment, target, outlook, basis, then, effect, _reason(effect, outlook, then))


def _effect(known: Outlook, now: Outlook, then: Outlook) -> Effect:
    """What the change does; the first row that holds decides. ``known`` is the measurement, or else the rules' own ``now``.

    ========================================================  =============
    nothing is known of before, or the rules not of after     unknown
    the rules say the same before and after                   none
    it works (or fails) already as the rules say of after     none
    the rules say that it works after                         newly works
    otherwise                                                 stops working
    ========================================================  =============
    """
    if then is Outlook.UNKNOWN or known is Outlook.UNKNOWN:
        return Effect.UNKNOWN
    if _works(now) == _works(then):
        return Effect.NONE
    if _works(known) == _works(then):
        return Effect.NONE
    return Effect.STARTS if _works(then) else Effect.STOPS


def _works(outlook: Outlook) -> bool | None:
    return None if outlook is Outlook.UNKNOWN else outlook is not Outlook.FAIL


def _reason(effect: Effect, before: Outlook, then: Prediction) -> str:
    if effect is Effect.UNKNOWN:
        return str(then.missing[0]) if then.missing else "whether it works today is not known"
    if effect is Effect.STARTS or gravest(then.findings):
        return "; ".join(reasons(then))
    return f"{before.value} before and after"


def on_target(target: Target, change: Change) -> Target:
    """A target with the driver and the GPU of a change."""
    if change.gpu is not None:
        target = replace(target, gpu=change.gpu, compute_capability=None)
    return replace(target, driver=change.driver) if change.driver is not None else target


def in_environment(environment: Environment, change: Change) -> Replaced:
    """An environment with the torch and CUDA of a change, where that makes sense.

    A reference that names the version gets the new one; one that does not cannot be changed from here, and a CPU build stays one.
    """
    if change.torch is None and change.cuda is None:
        return Replaced(environment)
    if isinstance(environment.source, HostInterpreter):
        return Replaced(environment, "it is an interpreter of this machine, which the validator never changes")
    made = environment
    for axis, new in (("torch", change.torch), ("cuda", change.cuda)):
        old = getattr(made, axis)
        if new is None or old == new:
            continue
        if axis == "cuda" and environment.is_cpu:
            return Replaced(environment, "a CPU build has no CUDA version")
        if old is None:
            return Replaced(environment, f"the matrix does not say its {axis} version")
        source = made.source
        if isinstance(source, PulledImage):
            reference = _with_version(source.reference, old, new)
            if reference is None:
                return Replaced(environment, f"its reference {source.reference} does not name {axis} {old}")
            source = PulledImage(reference)
        made = replace(made, source=source, torch=new) if axis == "torch" else replace(made, source=source, cuda=new)
    return Replaced(made)


def _with_version(reference: str, old: str, new: str) -> str | None:
    """A reference with one version in its tag replaced, where it stands there as a whole; None where it does not."""
    name, tag, digest = split_reference(reference)
    if tag is None or digest is not None:
        return None
    for begin in range(len(tag)):
        end = begin + len(old)
        whole = tag[begin:end] == old and not _continues(tag[begin - 1 : begin]) and not _continues(tag[end : end + 1])
        if whole:
            return f"{name}:{tag[:begin]}{new}{tag[end:]}"
    return None


def _continues(character: str) -> bool:
    return character.isdigit() or character == "."
