"""Small reports for the tests of the renderers and the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from validator.model import (
    Basis,
    BuiltImage,
    CellResult,
    CheckResult,
    CheckStatus,
    Content,
    EngineInfo,
    Environment,
    Finding,
    Gpu,
    GpuClocks,
    GpuProcess,
    HostInfo,
    HostInterpreter,
    Level,
    NvmlInfo,
    Outlook,
    Prediction,
    PulledImage,
    Report,
    RunInfo,
    Seconds,
    Severity,
    Source,
    Status,
    Target,
    Where,
)

#: What an image could print to reach beyond the place it is shown in.
HOSTILE = (
    "a|b <script>alert(1)</script> `x` ```` [red]r[/red] [l](http://evil.example) ![i](http://evil.example/i) "
    "https://evil.example www.evil.example @someone #12 me@evil.example **b** _i_ ~~s~~ $x$ &lt; \\| "
    "\x1b[31mred\x1b]8;;http://evil.example\x07\u202egnp\u200b\x9b2J\x00"
    "\r\n| 1 | 2 |\n# heading\n- item\n"
)


def environment(id_: str = "torch2.7.1-cu126", source: Source | None = None, **fields: Any) -> Environment:
    return Environment(
        id_, source or PulledImage("example.org/torch:2.7.1"), Where("matrix.yaml", 3), **{"torch": "2.7.1", **fields}
    )


def target(id_: str = "host") -> Target:
    return Target(id_, is_host=id_ == "host")


def cell(
    status: Status = Status.PASS,
    env: str | Environment = "torch2.7.1-cu126",
    on: str = "host",
    reason: str = "trains: fp32",
    basis: Basis | None = Basis.MEASURED,
    **fields: Any,
) -> CellResult:
    env = environment(env) if isinstance(env, str) else env
    return CellResult(f"{env.id}@{on}", env, target(on), status, None if status is Status.SKIP else basis, reason, **fields)


def check(status: CheckStatus = CheckStatus.FAIL, message: str = "loss did not fall", **fields: Any) -> CheckResult:
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


GPU = Gpu(
    0,
    "GPU-1",
    "NVIDIA L4",
    "8.9",
    24 << 30,
    processes=(GpuProcess(1, None, 5),),
    clocks=GpuClocks(210e6, 2040e6, 60.0, 72.0, ("power_cap",)),
)
HOST = HostInfo(
    nvml=NvmlInfo("580.95.05", "13.0", (GPU,)),
    engine=EngineInfo("docker", "27.1.1", "1.46", "unix:///run/docker.sock", ("runc", "nvidia"), toolkit_version="1.17.0"),
    system="Debian, Linux 6.1, x86_64",
    python="3.11.7",
    cpu_count=2,
    memory_bytes=8 << 30,
)
BARE_HOST = HostInfo(
    NvmlInfo(problem="no NVIDIA driver is loaded", problem_kind="no_driver"),
    EngineInfo(problem="nothing listens at /run/docker.sock"),
    "Debian",
    "3.11.7",
    2,
    None,
)


def report(*cells: CellResult, host: HostInfo = HOST, **run: Any) -> Report:
    return Report(run_info(**run), host, cells, "0.1.0")


def every_kind() -> Report:
    """A report that has every status, every kind of source, and a value in every field."""
    full = check(
        metrics={"t": True, "n": 3, "x": 0.5, "none": None, "list": ["sm_80", 1, None]},
        died="signal 11 (SIGSEGV)",
        output="tail",
    )
    return report(
        cell(
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
            log_tail="last words",
        ),
        cell(Status.PASS, environment("cpu", BuiltImage(Path("/somewhere/images/wheel")))),
        cell(Status.DEGRADED, environment("conda", HostInterpreter(Path("/opt/conda/bin/python"))), reason="bf16 emulated"),
        cell(Status.ERROR, "gone", reason="pull refused", basis=None),
        cell(Status.SKIP, "gone", "t4-535", reason="this machine is not the target"),
    )
