"""Small model values for tests: each builder gives a plain, valid value, and a test names only what it is about."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from validator.catalogue import checks
from validator.model import (
    Action,
    BuiltImage,
    Cell,
    CheckStatus,
    EngineInfo,
    Environment,
    Gpu,
    HostInfo,
    Matrix,
    NvmlInfo,
    PulledImage,
    Target,
    Where,
)
from validator.probe_host import CheckEvent, ProbePlan, ProbeReport, new_nonce

WHERE = Where("matrix.yaml", 3)
HOST = Target("host", is_host=True)
T4 = Gpu(index=0, uuid="GPU-1111", name="Tesla T4", compute_capability="7.5", memory_total_bytes=16 << 30)

#: What the check `import` reads out of an environment with torch 2.7.1 for CUDA 12.6.
CONTENT = {
    "torch_version": "2.7.1+cu126",
    "cuda_runtime": "12.6",
    "python_version": "3.12.4",
    "arch_list": ["sm_75", "sm_90"],
}


def environment(id: str = "torch2.7.1-cu126", **fields: Any) -> Environment:
    fields.setdefault("source", PulledImage("example/torch:2.7.1"))
    fields.setdefault("where", WHERE)
    return Environment(id=id, **fields)


def cpu_environment(id: str = "torch2.13.0-cpu", **fields: Any) -> Environment:
    return environment(id, cuda="cpu", **fields)


def built(context: Any = "images/wheel", **fields: Any) -> BuiltImage:
    return BuiltImage(context, **fields)


def host(*gpus: Gpu, driver: str | None = "580.95.05", engine: EngineInfo | None = None) -> HostInfo:
    return HostInfo(
        nvml=NvmlInfo(driver_version=driver if gpus else None, gpus=gpus),
        engine=engine or EngineInfo(),
        system="Linux 6.1 x86_64",
        python="3.12.4",
        cpu_count=2,
        memory_bytes=8 << 30,
    )


def matrix(*environments: Environment, targets: tuple[Target, ...] = (HOST,), **fields: Any) -> Matrix:
    return Matrix("matrix.yaml", environments or (environment(),), targets, **fields)


def cell(of: Environment | None = None, target: Target = HOST, *, action: Action = Action.MEASURE, **fields: Any) -> Cell:
    of = of or environment()
    return Cell(f"{of.id}@{target.id}", of, target, action, fields.pop("reason", "a reason"), **fields)


def event(name: str, status: str = "pass", message: str = "", **fields: Any) -> CheckEvent:
    fields = {"seconds": 1.0, "metrics": {}, "died": None, "output": ""} | fields
    return CheckEvent(name=name, status=CheckStatus(status), message=message or f"{name} holds", **fields)


def answers(*changed: CheckEvent, without: Collection[str] = ()) -> tuple[CheckEvent, ...]:
    """The events of every registered check, all passing but for those given."""
    events = {name: event(name) for name in checks.registry() if name not in without}
    if "import" in events:
        events["import"] = event("import", message="torch 2.7.1+cu126", metrics=CONTENT)
    return tuple((events | {one.name: one for one in changed}).values())


def report(events: tuple[CheckEvent, ...] | None = None, **fields: Any) -> ProbeReport:
    """A whole and valid report; ``fields`` break it."""
    whole = {
        "complete": True,
        "started": True,
        "facts": {},
        "checks": answers() if events is None else events,
        "running": None,
        "violations": (),
        "stray": "",
    }
    return ProbeReport(**(whole | fields))


def silence(**fields: Any) -> ProbeReport:
    """The report of a probe that never said a word."""
    return report((), **({"complete": False, "started": False} | fields))


def probe_plan(*names: str, device: str = "cpu", deadline_seconds: float = 60.0, **fields: Any) -> ProbePlan:
    """A plan for the named checks, or for all."""
    known = checks.registry()
    chosen = tuple(known[name] for name in names) if names else tuple(known.values())
    fields.setdefault("host_gpu", None)
    return ProbePlan(nonce=new_nonce(), checks=chosen, device=device, deadline_seconds=deadline_seconds, **fields)
