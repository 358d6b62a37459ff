"""Small model values for tests: each builder gives a plain, valid value, and a test names only what it is about."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from validator.catalogue import checks
from validator.model import (
    Action,
    ActionReason,
    Assumption,
    AssumptionKind,
    Attempt,
    Basis,
    Because,
    BuiltImage,
    Cell,
    CellResult,
    CheckResult,
    CheckStatus,
    Content,
    EngineComponent,
    EngineInfo,
    Environment,
    Finding,
    Gpu,
    GpuClocks,
    GpuProcess,
    HostInfo,
    HostInterpreter,
    Level,
    Matrix,
    Mismatch,
    NvmlInfo,
    Origin,
    Outlook,
    Prediction,
    PulledImage,
    RanOn,
    Report,
    RunInfo,
    Seconds,
    Severity,
    Source,
    Status,
    Target,
    Where,
)
from validator.probe_host import CheckEvent, ProbePlan, ProbeReport, new_nonce

WHERE = Where("matrix.yaml", 3)
HOST_TARGET = Target("host", is_host=True)
T4 = Gpu(index=0, uuid="GPU-1111", name="Tesla T4", compute_capability="7.5", memory_total_bytes=16 << 30)

#: What the check `import` reads out of an environment with torch 2.7.1 for CUDA 12.6.
CONTENT = {
    "torch_version": "2.7.1+cu126",
    "cuda_runtime": "12.6",
    "python_version": "3.12.4",
    "arch_list": ["sm_75", "sm_90"],
}


def environment(id: str = "torch2.7.1-cu126", source: Source | None = None, **fields: Any) -> Environment:
    fields.setdefault("where", WHERE)
    return Environment(id=id, source=source or PulledImage("example/torch:2.7.1"), **fields)


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


def matrix(*environments: Environment, targets: tuple[Target, ...] = (HOST_TARGET,), **fields: Any) -> Matrix:
    return Matrix("matrix.yaml", environments or (environment(),), targets, **fields)


def cell(of: Environment | None = None, target: Target = HOST_TARGET, *, action: Action = Action.MEASURE, **fields: Any) -> Cell:
    of = of or environment()
    if fields.get("gpu"):
        fields.setdefault("lanes", (fields["gpu"],))
    return Cell(f"{of.id}@{target.id}", of, target, action, fields.pop("why", ActionReason(Because.ASKED)), **fields)


def event(name: str, status: str = "pass", message: str = "", **fields: Any) -> CheckEvent:
    fields = {"seconds": 1.0, "metrics": {}, "died": None, "output": ""} | fields
    return CheckEvent(name=name, status=CheckStatus(status), message=message or f"{name} holds", **fields)


def answers(*changed: CheckEvent, without: Collection[str] = ()) -> tuple[CheckEvent, ...]:
    """The events of every registered check, all passing but for those given."""
    events = {name: event(name) for name in checks.registry() if name not in without}
    if "import" in events:
        events["import"] = event("import", message="torch 2.7.1+cu126", metrics=CONTENT)
    return tuple((events | {one.name: one for one in changed}).values())


def probe_report(events: tuple[CheckEvent, ...] | None = None, **fields: Any) -> ProbeReport:
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
    return probe_report((), **({"complete": False, "started": False} | fields))


def probe_plan(*names: str, device: str = "cpu", deadline_seconds: float = 60.0, **fields: Any) -> ProbePlan:
    """A plan for the named checks, or for all."""
    known = checks.registry()
    chosen = tuple(known[name] for name in names) if names else tuple(known.values())
    fields.setdefault("host_gpu", None)
    return ProbePlan(nonce=new_nonce(), checks=chosen, device=device, deadline_seconds=deadline_seconds, **fields)


# ---------------------------------------------------------------- results

#: What an image could print to reach beyond the place it is shown in.
HOSTILE = (
    "a|b <script>alert(1)</script> `x` ```` [red]r[/red] [l](http://evil.example) ![i](http://evil.example/i) "
    "https://evil.example www.evil.example @someone #12 me@evil.example **b** _i_ ~~s~~ $x$ &lt; \\| "
    "\x1b[31mred\x1b]8;;http://evil.example\x07\u202egnp\u200b\x9b2J\x00"
    "\r\n| 1 | 2 |\n# heading\n- item\n"
    " ::error file=x::y\n::stop-commands::z\n##[group]w ##vso[task.complete]v ##teamcity[u] section_start:1:t\n"
)


def target(id_: str = "host") -> Target:
    return Target(id_, is_host=id_ == "host", where=Where("matrix.yaml", 9))


def assumed(*texts: str) -> tuple[Assumption, ...]:
    """What was taken for granted, in these sentences."""
    return tuple(Assumption(AssumptionKind.DEFAULT, text) for text in texts)


def result(
    status: Status = Status.PASS,
    env: str | Environment = "torch2.7.1-cu126",
    on: str = "host",
    reason: str = "trains: fp32",
    basis: Basis | None = Basis.MEASURED,
    **fields: Any,
) -> CellResult:
    env = environment(env, torch="2.7.1") if isinstance(env, str) else env
    return CellResult(f"{env.id}@{on}", env, target(on), status, None if status is Status.SKIP else basis, reason, **fields)


def check_result(status: CheckStatus = CheckStatus.FAIL, message: str = "loss did not fall", **fields: Any) -> CheckResult:
    return CheckResult("train_amp_fp16", status, Level.REQUIRED, message, 1.5, **fields)


def run_info(id_: str = "20261124T120000Z-a1b2c3", **fields: Any) -> RunInfo:
    return RunInfo(
        **{
            "id": id_,
            "started": "2026-11-24T12:00:00+00:00",
            "seconds": 12.5,
            "runner": "docker",
            "runner_reason": "an engine answers",
            "interrupted": False,
            "matrix": "matrix.yaml",
            **fields,
        }
    )


L4 = Gpu(
    0,
    "GPU-1",
    "NVIDIA L4",
    "8.9",
    24 << 30,
    processes=(GpuProcess(1, None, 5),),
    clocks=GpuClocks(210e6, 2040e6, 60.0, 72.0, ("power_cap",)),
)
L4_HOST = HostInfo(
    nvml=NvmlInfo("580.95.05", "13.0", (L4,)),
    engine=EngineInfo(
        "docker",
        "27.1.1",
        "1.46",
        "unix:///run/docker.sock",
        ("runc", "nvidia"),
        toolkit_version="1.17.0",
        components=(EngineComponent("runc", "1.1.12"),),
    ),
    system="Debian, Linux 6.1, x86_64",
    python="3.11.7",
    cpu_count=2,
    memory_bytes=8 << 30,
    id="gpu-a1",
)
BARE_HOST = HostInfo(
    NvmlInfo(problem="no NVIDIA driver is loaded", problem_kind="no_driver"),
    EngineInfo(problem="nothing listens at /run/docker.sock"),
    "Debian",
    "3.11.7",
    2,
    None,
)


def report(*cells: CellResult, host: HostInfo = L4_HOST, **run: Any) -> Report:
    return Report(run_info(**run), {host.id: host}, cells, "0.1.0")


def every_kind() -> Report:
    """A report that has every status, every kind of source, and a value in every field."""
    full = check_result(
        metrics={"t": True, "n": 3, "x": 0.5, "none": None, "list": ["sm_80", 1, None]},
        died="signal 11 (SIGSEGV)",
        output="tail",
    )
    return report(
        result(
            Status.FAIL,
            environment(cuda="12.6", python="3.11"),
            reason="train_amp_fp16: died",
            checks=(full,),
            findings=(Finding("sm-missing", Severity.FAIL, "no kernel", "environment", ("seen",), "take cu128", "docs"),),
            content=Content(
                "2.7.1+cu126",
                "12.6",
                "3.11.7",
                ("sm_80",),
                libc="glibc 2.36",
                variables={"NVIDIA_REQUIRE_CUDA": "cuda>=12.6"},
                labels={"maintainer.cuda": "someone"},
            ),
            digest="sha256:" + "ab" * 32,
            notes=("the configured index was used",),
            seconds=Seconds(1.0, 0.5, 2.0, 3.5),
            expect=Status.PASS,
            predicted=Prediction(Outlook.PASS, ("none",)),
            agrees=False,
            cached=True,
            origin=Origin("20261123T120000Z-a1b2c3", "2026-11-23T12:00:00+00:00"),
            attempts=(Attempt("2026-11-23T11:59:00+00:00", "the engine restarted", 12.5),),
            mismatches=(Mismatch("torch", "2.6.0", "2.7.1+cu126"), Mismatch("cuda", "12.6", None)),
            ran_on=RanOn("gpu-a1", "GPU-1", "docker", alone=True),
            log_tail="last words",
        ),
        result(Status.PASS, environment("cpu", BuiltImage(Path("/somewhere/images/wheel")))),
        result(Status.DEGRADED, environment("conda", HostInterpreter(Path("/opt/conda/bin/python"))), reason="bf16 emulated"),
        result(Status.ERROR, "gone", reason="pull refused", basis=None),
        result(Status.SKIP, "gone", "t4-535", reason="this machine is not the target"),
    )
