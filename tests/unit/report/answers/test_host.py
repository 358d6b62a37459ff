"""This machine as text and as JSON: what is there, what is not, and why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from values import BARE_HOST, L4, L4_HOST

from validator.host.stack import StackFinding, StackState
from validator.model import EngineInfo, Gpu, GpuClocks, GpuProcess, HostInfo, NvmlInfo
from validator.report.answers import host as answer
from validator.report.answers.host import FORMATS, as_json, as_text


def of_gpu(gpu: Gpu) -> list[str]:
    """The lines of one GPU."""
    shown = as_text(replace(L4_HOST, nvml=NvmlInfo("580.95.05", "13.0", (gpu,))), 80).splitlines()
    return shown[3 : next(number for number, line in enumerate(shown) if line.startswith("engine"))]


@pytest.fixture(autouse=True)
def nothing_known_of_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of versions is data, and changes with it."""
    monkeypatch.setattr(answer, "stack_findings", lambda engine: ())


def test_what_is_known_of_what_starts_containers_is_told_within_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (
        StackFinding("runc", "1.3.3", StackState.PATCHED, as_of="2026-11-28"),
        StackFinding("docker", "20.10.24+dfsg1", StackState.UNKNOWN, why_unknown="a distribution's build " * 5),
    )
    monkeypatch.setattr(answer, "stack_findings", lambda engine: found)
    first, *others = as_text(L4_HOST, 80).splitlines()[-5:]
    while not first.startswith("stack"):
        first, *others = others
    assert first == "stack         runc 1.3.3: no known weakness as of 2026-11-28"
    assert others[0].startswith("              docker 20.10.24+dfsg1: not known whether it has known weaknesses")
    assert all(len(line) <= 80 for line in others)
    assert [each["state"] for each in as_json(L4_HOST)["stack"]] == ["patched", "unknown"]


def test_a_whole_machine() -> None:
    engine = replace(L4_HOST.engine, default_runtime="runc", cdi_devices=("nvidia.com/gpu=0",), cdi_dirs=("/etc/cdi", "/run/cdi"))
    assert as_text(replace(L4_HOST, engine=replace(engine, toolkit_mode="cdi")), 80).splitlines() == [
        "system        Debian, Linux 6.1, x86_64; 2 CPUs, 8.0 GiB memory; Python 3.11.7",
        "driver        580.95.05",
        "CUDA driver   13.0",
        "GPU 0         NVIDIA L4 (GPU-1): compute capability 8.9; 24.0 GiB",
        "              power capped at 60 W of 72 W",
        "              clock held down by power_cap",
        "              process 1  0.0 GiB",
        "engine        docker 27.1.1, API 1.46, at unix:///run/docker.sock",
        "runtimes      runc, nvidia (default runc)",
        "CDI           1 devices; folders /etc/cdi, /run/cdi",
        "NVIDIA Container Toolkit  1.17.0, mode cdi",
    ]


def test_what_does_not_answer_is_said_with_its_reason() -> None:
    assert as_text(BARE_HOST, 80).splitlines() == [
        "system        Debian; 2 CPUs; Python 3.11.7",
        "driver        none that answers",
        "CUDA driver   unknown",
        "NVML          no NVIDIA driver is loaded",
        "engine        none that answers: nothing listens at /run/docker.sock",
        "NVIDIA Container Toolkit  not found on this machine",
    ]


def test_an_engine_without_runtimes_and_devices() -> None:
    shown = as_text(replace(L4_HOST, engine=EngineInfo("podman", "5.4", "1.41", "unix:///p")), 80).splitlines()
    assert "runtimes      none named (default unnamed)" in shown
    assert "CDI           no devices discovered; folders none" in shown


def test_all_that_is_known_of_a_gpu() -> None:
    busy = (GpuProcess(7, "python", 3 << 30), GpuProcess(8, "top", None))
    gpu = Gpu(
        1, "GPU-2", "NVIDIA A100", "8.0", 80 << 30, 79 << 30, True, ("MIG-1", "MIG-2"), False, "exclusive_process", busy,
        problem="too hot",
    )  # fmt: skip
    assert of_gpu(gpu) == [
        "GPU 1         NVIDIA A100 (GPU-2): compute capability 8.0; 80.0 GiB, 79.0 GiB free; MIG on; ECC off; "
        "compute mode exclusive_process",
        "              MIG device MIG-1",
        "              MIG device MIG-2",
        "              process 7 python 3.0 GiB",
        "              process 8 top memory unknown",
        "              problem: too hot",
    ]


def test_a_gpu_that_tells_nothing() -> None:
    assert of_gpu(Gpu(0, None, None)) == ["GPU 0         unknown (no UUID): compute capability unknown"]


@pytest.mark.parametrize(
    ("clocks", "told"),
    [
        (None, []),
        (GpuClocks(210e6, 2040e6, 72.0, 72.0), []),
        (GpuClocks(210e6, 2040e6, None, 72.0), []),
        (GpuClocks(210e6, 2040e6, 71.5, 72.0), ["power capped at 71.5 W of 72 W"]),
        (GpuClocks(210e6, 2040e6, 80.0, 72.0, ("heat", "power_cap")), ["clock held down by heat, power_cap"]),
    ],
)
def test_what_holds_a_gpu_down_is_told_and_nothing_where_nothing_does(clocks: GpuClocks | None, told: list[str]) -> None:
    assert [line.strip() for line in of_gpu(replace(L4, clocks=clocks, processes=()))[1:]] == told


@pytest.mark.parametrize("host", [L4_HOST, BARE_HOST], ids=["gpu", "bare"])
def test_the_json_is_the_machine(host: HostInfo) -> None:
    document = as_json(host)
    assert document["nvml"]["driver_version"] == host.nvml.driver_version
    assert document["engine"]["problem"] == host.engine.problem
    assert len(document["nvml"]["gpus"]) == len(host.nvml.gpus)
    assert json.loads(FORMATS["json"](host, 80)) == json.loads(json.dumps(document))
