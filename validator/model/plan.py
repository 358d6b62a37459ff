"""What a run would do with each cell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from validator.model.host import Gpu
from validator.model.matrix import Environment, Target
from validator.model.prediction import Prediction
from validator.model.words import Action, Status


class Because(str, Enum):
    """The kinds of reason why a run does with a cell what it does."""

    ON_GPU = "on_gpu"
    ON_CPU = "on_cpu"
    ASKED = "asked"
    CPU_BUILD_ELSEWHERE = "cpu_build_elsewhere"
    NOT_SUPPORTED = "not_supported"
    NO_GPU_HERE = "no_gpu_here"
    GPU_UNUSABLE = "gpu_unusable"
    ANOTHER_MACHINE = "another_machine"


@dataclass(frozen=True)
class ActionReason:
    """Why a run does with a cell what it does, as a value; ``text`` puts it into words."""

    because: Because
    what: str = ""
    """What it is about: the GPU here, or what the target asks for; of ``NOT_SUPPORTED`` the runner's own words."""
    detail: str = ""
    """What is wrong with that GPU, or the driver of the target."""

    @property
    def text(self) -> str:
        """In one line."""
        match self.because:
            case Because.ON_GPU:
                return f"trained on {self.what}"
            case Because.ON_CPU:
                return "CPU build: trained on this machine's CPU"
            case Because.ASKED:
                return "asked for"
            case Because.CPU_BUILD_ELSEWHERE:
                return "a CPU build does not use the target's GPU"
            case Because.NOT_SUPPORTED:
                return self.what
            case Because.NO_GPU_HERE:
                return "this machine has no NVIDIA GPU that answers"
            case Because.GPU_UNUSABLE:
                which = f"the {self.what} of this machine cannot" if self.what else "no GPU of this machine can"
                return f"{which} be used ({self.detail})"
            case Because.ANOTHER_MACHINE:
                return f"this machine is not the target with {self.what}" + (f" and driver {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)  # there are as many as environments times targets
class Cell:
    """One environment on one target, and what a run would do with it."""

    id: str
    environment: Environment
    target: Target
    action: Action
    why: ActionReason
    """Why this action."""
    gpu: Gpu | None = None
    """The GPU of this machine that the cell is measured on; None on the CPU or when not measured. Until the cell has been given
    its lane it is the first of ``lanes``."""
    expect: Status | None = None
    predicted: Prediction | None = None
    lanes: tuple[Gpu, ...] = ()
    """The GPUs that it may be measured on, whichever is free; a MIG device is one of its own (see ``Gpu.device_uuid``)."""
    takes_all: bool = False
    """Whether it needs all of ``lanes`` together."""

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs it is measured on: none, one, or all of ``lanes`` together."""
        if self.takes_all:
            return self.lanes
        return (self.gpu,) if self.gpu else ()

    @property
    def reason(self) -> str:
        """Why this action, in one line; where a GPU is wanting, also what would be done about it."""
        if self.why.because not in (Because.NO_GPU_HERE, Because.GPU_UNUSABLE, Because.ANOTHER_MACHINE):
            return self.why.text
        said = self.why.text + (", and the matrix does not say `cuda: cpu`" if self.environment.cuda is None else "")
        return f"opened without a GPU: {said}" if self.action is Action.INSPECT else f"{said}; --inspect opens it anyway"


@dataclass(frozen=True)
class Plan:
    """What a run would do: every cell in matrix order, and how."""

    cells: tuple[Cell, ...]
    runner: str
    runner_reason: str


@dataclass(frozen=True)
class Intent:
    """What is about to be started for a cell, written down before it is, so that it can be found again whoever died."""

    cell: str
    name: str
    """What it will be called where it runs."""
    nonce: str
    attempt: int
