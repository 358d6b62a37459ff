"""Causes found, and what rules say of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from validator.model.words import Basis, Outlook, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause with its evidence and remedy in one cell."""

    cause: str
    severity: Severity
    message: str
    family: str | None = None
    evidence: tuple[str, ...] = ()
    remedy: str | None = None
    source: str | None = None


class MissingKind(str, Enum):
    """Where what is missing would have to come from."""

    NO_GPU_HERE = "no_gpu_here"
    """A GPU: this machine is meant, and none of its GPUs can be used."""
    FACTS = "facts"
    """The facts, which do not reach that far."""
    IMAGE = "image"
    """The inside of an image or environment: opening it would tell."""
    INPUT = "input"
    """Whoever asked: a value leaves it open, or cannot be read."""
    UNSTATED = "unstated"
    """Not said: read from a results.json that has the sentence alone."""


@dataclass(frozen=True)
class Missing:
    """What would have to be known for a firm answer."""

    kind: MissingKind
    text: str
    """One sentence."""

    def __str__(self) -> str:
        return self.text


class AssumptionKind(str, Enum):
    """Why something had to be taken for granted."""

    IMAGE_NAME = "image_name"
    """An image is taken to hold what its name says."""
    GPU_NAME = "gpu_name"
    """A GPU's name is taken for that of a product, or its compute capability stands in for a name."""
    DRIVER_NAME = "driver_name"
    """A driver was given as a branch, a CUDA version, a package, or is newer than the facts."""
    DEFAULT = "default"
    """A value was left out and is filled in with what people mean then."""
    NEAREST = "nearest"
    """The facts have no row for it: it is judged by the nearest that they have."""
    NOT_GIVEN = "not_given"
    """A value was left out, so that part is not judged or the answer holds only from some value on."""
    CONTAINER = "container"
    """How NVIDIA's container runtime treats the image."""
    UNSTATED = "unstated"
    """Not said: read from a results.json that has the sentence alone."""


@dataclass(frozen=True)
class Assumption:
    """What was taken for granted because it was not given or is not in the facts."""

    kind: AssumptionKind
    text: str
    """One sentence."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Prediction:
    """What rules say of a cell before anything runs, or once its image has been opened."""

    status: Outlook
    causes: tuple[str, ...] = ()
    """The idents of the findings, in their order."""
    basis: Basis = Basis.PREDICTED
    """``predicted`` from the facts alone; ``inspected`` where what was read inside the image replaced them."""
    findings: tuple[Finding, ...] = ()
    """Every cause that applies, the gravest first; each with the numbers compared."""
    assumptions: tuple[Assumption, ...] = ()
    missing: tuple[Missing, ...] = ()
    """What is lacking for a firm answer; the status is ``unknown`` unless something fails all the same."""
