"""What a probe is asked to do, and the environment variables that carry it."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from validator.catalogue.checks import CheckSpec
from validator.model import Gpu, UserModel
from validator.probe_host import rates
from validator.probe_host.pack import PART_CHARS, pack

PROTOCOL = 2


def new_nonce() -> str:
    """128 random bits as 32 hex digits; one for each attempt."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class ProbePlan:
    """What a probe is asked to do."""

    nonce: str
    """What every event must carry; told to the supervisor once it asks for it, where it ``listens``."""
    checks: tuple[CheckSpec, ...]
    device: str
    """``cpu``, ``cuda``, or ``none`` where the environment is only opened."""
    host_gpu: Gpu | None
    deadline_seconds: float
    """For all checks together; past it the probe stops by itself and still reports."""
    scratch: str | None = None
    """A writable folder inside the environment; None takes the interpreter's own choice of temporary folder."""
    asked: Mapping[str, str | None] = field(default_factory=dict)
    """What the matrix says is inside: ``torch``, ``cuda`` (``cpu`` for a CPU build), ``python``; None where it does not say."""
    quick: bool = False
    """Fewer steps and a smaller net: an answer in little more than the time of ``import torch``."""
    model: UserModel | None = None
    """The user's own model, where there is one."""
    listens: bool = True
    """Whether the supervisor can be talked to over its stdin. If not, the nonce travels with the plan, where all can read it."""
    turns: bool = False
    """Whether the supervisor asks before each check that is to run ``alone``, and waits until it is told that it may."""


def answer(name: str, value: str) -> bytes:
    """The line that tells the supervisor its ``nonce``, or that it is the ``turn`` of a check."""
    return json.dumps({name: value}).encode("ascii") + b"\n"


def environment(plan: ProbePlan) -> dict[str, str]:
    """The environment variables that carry the probe and its plan."""
    gpu = plan.host_gpu
    document = {
        "protocol": PROTOCOL,
        "nonce": None if plan.listens else plan.nonce,
        "deadline_seconds": plan.deadline_seconds,
        "device": plan.device,
        "host_gpu": gpu
        and {
            # A slice has a name and a memory of its own; NVML's are those of the whole GPU.
            "name": None if gpu.in_slices else gpu.name,
            "compute_capability": gpu.compute_capability,
            "memory_total_bytes": None if gpu.in_slices else gpu.memory_total_bytes,
            "uuid": gpu.device_uuid,
            "rates": rates.of(gpu),
        },
        "scratch": plan.scratch,
        "asked": dict(plan.asked),
        "quick": plan.quick,
        "model": _told(plan.model) if plan.model else {},
        "checks": [
            {
                "name": spec.name,
                "deadline_seconds": spec.deadline_seconds,
                "needs": list(spec.needs),
                "alone": spec.alone and plan.turns and plan.listens,
            }
            for spec in plan.checks
        ],
    }
    packed = base64.b64encode(pack(plan.model)).decode("ascii")
    parts = [packed[at : at + PART_CHARS] for at in range(0, len(packed), PART_CHARS)]
    return {
        "VALIDATOR_PROBE_PARTS": str(len(parts)),
        **{f"VALIDATOR_PROBE_ZIP_{number}": part for number, part in enumerate(parts)},
        "VALIDATOR_PROBE_PLAN": json.dumps(document),
    }


def _told(model: UserModel) -> dict[str, str]:
    """The model as the probe is told of it; its file travels beside the probe."""
    names = ("file", "module", "factory", "input", "dtype", "loss", "batch", "amp", "folder")
    return {name: value for name in names if (value := getattr(model, name)) is not None}
