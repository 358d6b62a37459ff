"""NVML is asked through the real pynvml, in a real child process; only the driver's library is a stand-in.

``nvml/libnvidia_ml_fake.c`` says what it can play, and tests/nvml_stand_in.py makes it. Without it,
GPUs that drop out, hang or crash could not be had at all.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nvml_stand_in import SLICED_A100, build, processes, scenario

from validator.host import nvml
from validator.host.nvml import child, reading
from validator.model import Gpu, GpuClocks, GpuProcess, NvmlInfo

A100 = Gpu(
    index=0,
    uuid="GPU-5a1f0e6c-3a0b-4b52-9d6f-0f7f6f1d2c11",
    name="NVIDIA A100-SXM4-80GB",
    compute_capability="8.0",
    memory_total_bytes=85_899_345_920,
    memory_free_bytes=85_027_192_832,
    mig_enabled=False,
    ecc_enabled=True,
    compute_mode="default",
)
T4 = Gpu(
    index=1,
    uuid="GPU-b7d8c1f2-91d4-4f0e-8a57-6e21c3d4a502",
    name="Tesla T4",
    compute_capability="7.5",
    memory_total_bytes=16_106_127_360,
    memory_free_bytes=15_655_239_680,
    mig_enabled=None,
    ecc_enabled=True,
    compute_mode="exclusive_process",
)
RTX4090 = Gpu(
    index=2,
    uuid="GPU-0c9e4d7a-62b8-4c1d-b3f5-2f9a8b7c6d03",
    name="NVIDIA GeForce RTX 4090",
    compute_capability="8.9",
    memory_total_bytes=25_757_220_864,
    memory_free_bytes=24_696_061_952,
    mig_enabled=None,
    ecc_enabled=None,
    compute_mode="prohibited",
)
MACHINE = NvmlInfo(driver_version="580.95.05", cuda_driver_version="13.0", gpus=(A100, T4, RTX4090))

#: MACHINE as the stand-in reads it: UUID, capability, memory in bytes, MIG, ECC, compute mode as a number, name.
SCENARIO = """\
driver 580.95.05
cuda 13000
gpu GPU-5a1f0e6c-3a0b-4b52-9d6f-0f7f6f1d2c11 8 0 85899345920 85027192832 0 1 0 NVIDIA A100-SXM4-80GB
gpu GPU-b7d8c1f2-91d4-4f0e-8a57-6e21c3d4a502 7 5 16106127360 15655239680 -1 1 3 Tesla T4
gpu GPU-0c9e4d7a-62b8-4c1d-b3f5-2f9a8b7c6d03 8 9 25757220864 24696061952 -1 -1 2 NVIDIA GeForce RTX 4090
"""
ONE_GPU = "".join(SCENARIO.splitlines(keepends=True)[:3])

Ask = Callable[..., NvmlInfo]


@pytest.fixture(scope="session")
def compile_library(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles the stand-in and returns the folder that it lies in, under the name that the driver's library has."""
    return lambda *options: build(tmp_path_factory.mktemp("nvml"), *options)


@pytest.fixture(scope="session")
def current_library(compile_library: Callable[..., Path]) -> Path:
    return compile_library()


@pytest.fixture
def ask(current_library: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Asks a driver whose library plays a scenario."""

    def ask_it(scenario: str, *, library: Path = current_library, timeout_seconds: float = 60.0) -> NvmlInfo:
        monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
        monkeypatch.setenv("FAKE_NVML", scenario)
        return nvml.query(timeout_seconds)

    return ask_it


@pytest.fixture
def pidfile(tmp_path: Path) -> Iterator[Path]:
    """Where the stand-in writes who asked it; whatever of that is left when the test ends is killed."""
    path = tmp_path / "pids"
    yield path
    for pid in map(int, path.read_text().split() if path.exists() else ()):
        if pid > 0 and is_running(pid):
            os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---------------------------------------------------------------- a driver that answers


def test_every_gpu_is_read_in_full(ask: Ask) -> None:
    assert ask(SCENARIO) == MACHINE


@pytest.mark.parametrize(
    ("number", "version"), [("13000", "13.0"), ("12020", "12.2"), ("12080", "12.8"), ("11040", "11.4"), ("12100", "12.10")]
)
def test_cuda_driver_version_is_made_from_its_number(ask: Ask, number: str, version: str) -> None:
    assert ask(SCENARIO.replace("cuda 13000", f"cuda {number}")).cuda_driver_version == version


def test_cuda_driver_version_without_libcuda_is_the_one_the_driver_knows(ask: Ask) -> None:
    assert ask(ONE_GPU + "fail nvmlSystemGetCudaDriverVersion_v2 12") == dataclasses.replace(MACHINE, gpus=(A100,))


def test_mig_devices_are_listed_whatever_their_slots(ask: Ask) -> None:
    enabled = ONE_GPU.replace(" 0 1 0 NVIDIA A100", " 1 1 0 NVIDIA A100")
    first, second = "MIG-2f4b6d1e-0c3a-5e7f-9b8d-1a2c3e4f5061", "MIG-7c9d0e1f-2a3b-5c4d-8e6f-708192a3b4c5"

    (gpu,) = ask(f"{enabled}mig 1 {first}\nmig 5 {second}\n").gpus

    assert gpu == dataclasses.replace(A100, mig_enabled=True, mig_devices=(first, second))


def test_mig_devices_are_not_asked_for_where_mig_is_off(ask: Ask) -> None:
    assert ask(ONE_GPU + "mig 0 MIG-2f4b6d1e-0c3a-5e7f-9b8d-1a2c3e4f5061").gpus == (A100,)


def test_processes_are_merged_by_pid_and_named_where_they_can_be(ask: Ask) -> None:
    scenario = (
        ONE_GPU
        + "compute 4711 1073741824\ncompute 90 -1\ngraphics 90 209715200\ngraphics 5000 -1\n"
        + "named 4711 python3 train.py\nnamed 90 /usr/lib/xorg/Xorg\n"
    )
    (gpu,) = ask(scenario).gpus

    assert gpu.problem is None
    assert gpu.processes == (
        GpuProcess(pid=90, name="/usr/lib/xorg/Xorg", memory_bytes=209_715_200, computes=True),
        GpuProcess(pid=4711, name="python3 train.py", memory_bytes=1_073_741_824, computes=True),
        GpuProcess(pid=5000, name=None, memory_bytes=None, computes=False),
    )


@pytest.mark.parametrize("restricted", ["", "restrict\n"])
def test_processes_are_told_by_the_mig_device_they_are_on(ask: Ask, restricted: str) -> None:
    first, second = SLICED_A100.mig_devices
    on_slices = (*processes(7, mig_device=second), *processes(8, 9, memory_bytes=None, mig_device=first))
    shown = dataclasses.replace(SLICED_A100, processes=on_slices)

    (gpu,) = ask(scenario(shown) + restricted).gpus

    assert gpu == dataclasses.replace(shown, index=0, memory_free_bytes=None, memory_total_bytes=None) if restricted else shown


def test_what_is_told_to_administrators_alone_is_no_problem_of_a_gpu_in_mig_devices_only(ask: Ask) -> None:
    whole = dataclasses.replace(SLICED_A100, mig_enabled=False, mig_devices=())
    assert ask(scenario(SLICED_A100) + "restrict\n").problem is None
    assert ask(scenario(SLICED_A100) + "fail nvmlDeviceGetMemoryInfo 4\n").problem is None
    assert ask(scenario(whole) + "fail nvmlDeviceGetMemoryInfo 4\n").problem_kind == "no_permission"
    assert ask(scenario(SLICED_A100) + "fail nvmlDeviceGetMemoryInfo 999\n").problem_kind == "unknown"


def test_what_is_played_can_stand_in_a_file(ask: Ask, tmp_path: Path) -> None:
    played = tmp_path / "played"
    for text in (SCENARIO, ONE_GPU):
        played.write_text(text)
        assert ask(f"@{played}") == dataclasses.replace(MACHINE, gpus=MACHINE.gpus[: text.count("gpu ")])
    assert ask(f"@{tmp_path / 'absent'}").problem_kind is not None


def test_clocks_are_read_in_units_and_being_idle_is_no_reason(ask: Ask) -> None:
    (gpu,) = ask(ONE_GPU + "clocks 210 1410 250000 400000 101\n").gpus  # idle 1 + power cap 4 + 32 + 64

    assert gpu.problem is None
    assert gpu.clocks == GpuClocks(
        sm_hz=210e6,
        sm_max_hz=1410e6,
        power_limit_watts=250.0,
        power_default_watts=400.0,
        throttle_reasons=("power_cap", "thermal", "hardware_thermal"),
    )


@pytest.mark.parametrize(
    ("bit", "reason"),
    [
        (1, None),
        (2, "applications_clocks"),
        (4, "power_cap"),
        (8, "hardware_slowdown"),
        (16, "sync_boost"),
        (32, "thermal"),
        (64, "hardware_thermal"),
        (128, "hardware_power_brake"),
        (256, "display_clocks"),
    ],
)
def test_each_reason_has_its_bit(ask: Ask, bit: int, reason: str | None) -> None:
    (gpu,) = ask(f"{ONE_GPU}clocks 210 1410 250000 400000 {bit}\n").gpus

    assert gpu.clocks is not None
    assert gpu.clocks.throttle_reasons == ((reason,) if reason else ())


@pytest.mark.parametrize(
    ("code", "mode"), [(0, "default"), (1, "exclusive_thread"), (2, "prohibited"), (3, "exclusive_process"), (9, None)]
)
def test_each_compute_mode_has_its_number(ask: Ask, code: int, mode: str | None) -> None:
    (gpu,) = ask(ONE_GPU.replace(" 0 NVIDIA A100", f" {code} NVIDIA A100")).gpus

    assert gpu.compute_mode == mode


def test_clocks_that_are_refused_are_no_problem_of_the_gpu(ask: Ask) -> None:
    (gpu,) = ask(ONE_GPU + "clocks 210 1410 250000 400000 0\nfail nvmlDeviceGetEnforcedPowerLimit 4\n").gpus

    assert gpu.problem is None
    assert gpu.clocks == GpuClocks(sm_hz=210e6, sm_max_hz=1410e6, power_default_watts=400.0)


BUSY = """
import json, sys
sys.path.insert(0, sys.argv[1])
from validator.probe.nvml_now import Gpu
print(json.dumps(Gpu(sys.argv[2] or None).now()))
"""


def busy(library: Path, scenario: str, uuid: str) -> dict[str, object]:
    """What the probe reads inside an environment, in a process of its own."""
    variables = {**os.environ, "LD_LIBRARY_PATH": str(library), "FAKE_NVML": scenario}
    command = [sys.executable, "-c", BUSY, str(Path(__file__).parents[3]), uuid]
    return dict(json.loads(subprocess.run(command, env=variables, capture_output=True, check=True).stdout))


def test_the_probe_reads_the_busy_gpu_it_was_given(current_library: Path) -> None:
    scenario = SCENARIO + "clocks 345 1410 250000 400000 73\nbusy 61500 88\nfail nvmlDeviceGetHandleByIndex_v2 15\n"
    assert busy(current_library, scenario, str(T4.uuid)) == {
        "busy_clock_hz": 345e6,
        "busy_power_watts": 61.5,
        "busy_temperature_celsius": 88,
        "busy_throttle_reasons": ["hardware_slowdown", "hardware_thermal"],  # 73: idle 1 + 8 + 64
    }


@pytest.mark.parametrize("uuid", ["", "MIG-not-known-in-here"])
def test_the_probe_takes_the_only_gpu_where_its_uuid_leads_nowhere(current_library: Path, uuid: str) -> None:
    assert busy(current_library, ONE_GPU + "clocks 1400 1410 1 1 0\n", uuid) == {
        "busy_clock_hz": 1400e6,
        "busy_throttle_reasons": [],
    }


def test_the_probe_reads_nothing_where_nvml_is_not_to_be_had(tmp_path: Path, current_library: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_text("no library", encoding="utf-8")
    assert busy(tmp_path, ONE_GPU, "") == {}
    assert busy(current_library, ONE_GPU + "fail nvmlInitWithFlags 9\n", "") == {}


def test_process_name_that_is_not_utf8_is_left_out(ask: Ask) -> None:
    not_utf8 = os.fsdecode(b"\xff\xfe")
    (gpu,) = ask(f"{ONE_GPU}compute 4711 1024\nnamed 4711 {not_utf8}\n").gpus

    assert gpu.processes == (GpuProcess(pid=4711, name=None, memory_bytes=1024, computes=True),)
    assert gpu.problem is None


def test_texts_of_the_driver_arrive_without_control_characters(ask: Ask) -> None:
    (gpu,) = ask(ONE_GPU.replace("NVIDIA A100-SXM4-80GB", "NVIDIA \x1b[31mA100\u202e")).gpus

    assert gpu.name == "NVIDIA A100\ufffd"


def test_what_the_library_prints_does_not_spoil_the_answer(ask: Ask) -> None:
    assert ask(SCENARIO + "print You should always run with the library of the driver\n") == MACHINE


def test_bytes_are_taken_where_pynvml_still_gives_them() -> None:
    assert reading._text(b"Tesla T4") == "Tesla T4"


# ---------------------------------------------------------------- single questions without an answer


@pytest.mark.parametrize(
    ("function", "unknown"),
    [
        ("nvmlDeviceGetUUID", {"uuid": None}),
        ("nvmlDeviceGetName", {"name": None}),
        ("nvmlDeviceGetCudaComputeCapability", {"compute_capability": None}),
        ("nvmlDeviceGetMemoryInfo", {"memory_total_bytes": None, "memory_free_bytes": None}),
        ("nvmlDeviceGetMigMode", {"mig_enabled": None}),
        ("nvmlDeviceGetEccMode", {"ecc_enabled": None}),
        ("nvmlDeviceGetComputeMode", {"compute_mode": None}),
    ],
)
def test_unsupported_question_leaves_only_its_field_unknown(ask: Ask, function: str, unknown: dict[str, None]) -> None:
    info = ask(f"{ONE_GPU}fail {function} 3")

    assert info.gpus == (dataclasses.replace(A100, **unknown),)
    assert info.problem is None


def test_refused_question_leaves_its_field_unknown_and_is_told(ask: Ask) -> None:
    info = ask(ONE_GPU + "fail nvmlDeviceGetEccMode 4")
    (gpu,) = info.gpus

    assert dataclasses.replace(gpu, problem=None) == dataclasses.replace(A100, ecc_enabled=None)
    assert info.problem_kind == "no_permission"
    assert info.problem == gpu.problem
    assert gpu.problem is not None
    assert gpu.problem.startswith("GPU 0: NVML refuses")


def test_old_library_without_the_newer_functions_still_answers(ask: Ask, compile_library: Callable[..., Path]) -> None:
    scenario = ONE_GPU.replace("580.95.05", "470.256.02").replace("13000", "11040")

    info = ask(scenario, library=compile_library("-DOLD"))

    assert info == NvmlInfo("470.256.02", "11.4", gpus=(dataclasses.replace(A100, mig_enabled=None),))


def test_old_library_still_tells_the_processes(ask: Ask, compile_library: Callable[..., Path]) -> None:
    pynvml = pytest.importorskip("pynvml")
    if not hasattr(pynvml, "nvmlDeviceGetComputeRunningProcesses_v2"):
        pytest.skip("this release of nvidia-ml-py cannot call the older function")

    (gpu,) = ask(ONE_GPU + "compute 4711 1024\ngraphics 90 2048\n", library=compile_library("-DOLD")).gpus

    assert gpu.processes == (GpuProcess(90, None, 2048, computes=False), GpuProcess(4711, None, 1024, computes=True))


# ---------------------------------------------------------------- a driver that does not answer


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (9, "no_driver", ["Driver Not Loaded", "modprobe nvidia"]),
        (18, "version_mismatch", ["version mismatch", "Reboot"]),
        (4, "no_permission", ["Insufficient Permissions", "/dev/nvidia*"]),
        (10, "timeout", ["Timeout", "reboot"]),
        (999, "unknown", ["Unknown Error, code 999", "nvidia-smi"]),
        (4242, "unknown", ["Words of the library for 4242", "nvidia-smi"]),
    ],
)
def test_error_at_the_start_is_a_fact_with_a_remedy(ask: Ask, code: int, kind: str, words: list[str]) -> None:
    info = ask(f"{SCENARIO}fail nvmlInitWithFlags {code}")

    assert dataclasses.replace(info, problem=None) == NvmlInfo(problem_kind=kind)
    assert info.problem is not None
    assert [word for word in words if word not in info.problem] == []


def test_driver_without_devices_is_told_with_its_version(ask: Ask) -> None:
    info = ask("driver 580.95.05\ncuda 13000\n")

    assert dataclasses.replace(info, problem=None) == dataclasses.replace(MACHINE, gpus=(), problem_kind="no_devices")
    assert "580.95.05" in (info.problem or "")


def test_failure_to_count_the_gpus_keeps_what_was_read_before(ask: Ask) -> None:
    info = ask(SCENARIO + "fail nvmlDeviceGetCount_v2 999")

    assert dataclasses.replace(info, problem=None) == dataclasses.replace(MACHINE, gpus=(), problem_kind="unknown")


def test_gpu_that_is_counted_and_not_shown_is_told(ask: Ask) -> None:
    info = ask(ONE_GPU + "fail nvmlDeviceGetHandleByIndex_v2 6")  # not found

    (gpu,) = info.gpus
    assert gpu == Gpu(0, None, None, problem="GPU 0: NVML counts it but does not show it.")
    assert (info.problem, info.problem_kind) == (gpu.problem, "unknown")


#: How much of a GPU is known when it is lost after so many calls: its handle, UUID, name and capability come first.
LOST_AFTER = {
    0: Gpu(1, None, None),
    1: Gpu(1, None, None),
    2: Gpu(1, T4.uuid, None),
    4: Gpu(1, T4.uuid, T4.name, T4.compute_capability),
}


@pytest.mark.parametrize("calls", LOST_AFTER)
def test_gpu_that_drops_out_keeps_what_was_read_and_spoils_no_other(ask: Ask, calls: int) -> None:
    info = ask(f"{SCENARIO}lose 1 {calls}\n")

    first, lost, last = info.gpus
    assert (first, last) == (A100, RTX4090)
    assert dataclasses.replace(lost, problem=None) == LOST_AFTER[calls]
    assert lost.problem is not None
    assert lost.problem.startswith("GPU 1: The GPU dropped out")
    assert (info.problem, info.problem_kind) == (lost.problem, "gpu_lost")


def test_lost_gpu_weighs_more_than_a_refused_question_and_both_are_told(ask: Ask) -> None:
    info = ask(SCENARIO + "fail nvmlDeviceGetEccMode 4\nlose 2 3\n")

    assert info.problem_kind == "gpu_lost"
    assert info.problem is not None
    assert info.problem.count("NVML refuses") == 2
    assert info.problem.count("dropped out") == 1


@pytest.mark.parametrize("function", ["nvmlInitWithFlags", "nvmlDeviceGetMemoryInfo"])
def test_hanging_driver_is_given_up(ask: Ask, function: str, pidfile: Path) -> None:
    info = ask(f"{SCENARIO}pidfile {pidfile}\nhang {function}\n", timeout_seconds=3.0)

    assert (info.problem_kind, info.gpus) == ("timeout", ())
    assert "within 3 s" in (info.problem or "")
    assert not is_running(int(pidfile.read_text().split()[0]))


def test_process_stuck_in_the_kernel_is_left_behind_and_named(ask: Ask, pidfile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Uninterruptible sleep cannot be made at will; a kill that does nothing looks the same from outside.
    monkeypatch.setattr(os, "killpg", lambda pid, number: None)
    monkeypatch.setattr(child, "_KILL_GRACE_SECONDS", 0.1)

    info = ask(f"{SCENARIO}pidfile {pidfile}\nhang nvmlInitWithFlags\n", timeout_seconds=3.0)

    pid = int(pidfile.read_text().split()[0])
    assert is_running(pid)
    assert info.problem_kind == "timeout"
    assert f"Process {pid}" in (info.problem or "")


def test_process_that_the_library_leaves_behind_delays_nothing(ask: Ask, pidfile: Path) -> None:
    assert ask(f"{SCENARIO}leave\npidfile {pidfile}\n") == MACHINE
    assert is_running(int(pidfile.read_text().split()[1]))


def test_crash_of_the_library_is_told_with_its_signal(ask: Ask) -> None:
    info = ask(SCENARIO + "crash nvmlDeviceGetName\n")

    assert (info.problem_kind, info.gpus) == ("crashed", ())
    assert "signal 11 (SIGSEGV)" in (info.problem or "")


def test_query_that_ends_without_an_answer_is_told_with_its_last_words(ask: Ask) -> None:
    info = ask(SCENARIO + "exit nvmlDeviceGetName 3\n")

    assert (info.problem_kind, info.gpus) == ("unknown", ())
    assert "exit code 3; it said: the library gave up" in (info.problem or "")


def test_query_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(child.sys, "executable", str(tmp_path / "python"))

    info = nvml.query()

    assert info.problem_kind == "unknown"
    assert str(tmp_path / "python") in (info.problem or "")


def test_modules_in_the_current_folder_are_not_taken(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pynvml.py").write_text("raise SystemExit('the wrong pynvml')")
    monkeypatch.chdir(tmp_path)

    assert ask(SCENARIO) == MACHINE


@pytest.mark.parametrize(
    ("code", "errors", "kind", "said"),
    [
        (-11, b"", "crashed", "signal 11 (SIGSEGV)"),
        (-40, b"", "crashed", "signal 40 (unknown)"),  # a real-time signal has no name
        (0, b"", "unknown", "exit code 0; it said: nothing"),
        (3, b"first\nlast\xff words\n\n", "unknown", "exit code 3; it said: last\ufffd words"),
    ],
)
def test_a_child_that_gives_no_answer_is_told_by_how_it_ended(code: int, errors: bytes, kind: str, said: str) -> None:
    info = child._interpret(code, b"not JSON", errors)

    assert (info.problem_kind, info.gpus) == (kind, ())
    assert said in (info.problem or "")
    assert kind == "crashed" or "-m validator.host.nvml`" in (info.problem or "")


def test_an_answer_counts_whatever_the_status_it_was_given_with() -> None:
    assert child._interpret(1, child.to_json(MACHINE).encode(), b"failed to shut down") == MACHINE


def test_the_child_is_given_twenty_seconds_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []

    class Child:
        def __init__(self, *_: object, **__: object) -> None: ...

        def wait(self, timeout: float | None = None) -> int:
            given.append(timeout)
            return -11

    monkeypatch.setattr(subprocess, "Popen", Child)
    nvml.query()
    nvml.query(5)

    assert given == [20.0, 5]


# ---------------------------------------------------------------- no library


def test_machine_without_a_driver_says_so() -> None:
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        pass
    else:
        pytest.skip("this machine has NVIDIA's library")

    info = nvml.query()

    assert dataclasses.replace(info, problem=None) == NvmlInfo(problem_kind="no_library")
    assert "NVIDIA_DRIVER_CAPABILITIES" in (info.problem or "")


def test_damaged_library_is_told_from_an_absent_one(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").touch()  # what a driver's library mounted at build time leaves in an image

    info = ask(SCENARIO, library=tmp_path)

    assert info.problem_kind == "no_library"
    assert "file too short" in (info.problem or "")


# ---------------------------------------------------------------- JSON


def test_json_reads_back_as_it_was_written() -> None:
    busy = dataclasses.replace(A100, mig_devices=("MIG-1",), processes=(GpuProcess(1, "naïve", 2),), problem="lost")
    info = dataclasses.replace(MACHINE, gpus=(busy, RTX4090), problem="GPU 0: lost", problem_kind="gpu_lost")

    assert child.from_json(child.to_json(info)) == info


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"gpus": [{"index": "0", "uuid": null, "name": null}]}',
        '{"driver_version": 580}',
        '{"gpus": [{"uuid": null}]}',
    ],
)
def test_json_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NvmlInfo"):
        child.from_json(text)
