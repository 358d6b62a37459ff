"""The diagnosis as a whole: structured evidence, messages, and the context that decides between neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from validator.diagnose import Diagnosis, Evidence, diagnose
from validator.diagnose.evidence import Unnamed
from validator.model import CheckResult, CheckStatus, Content, Level, NvmlInfo


def of(log: str, **stated: str) -> Diagnosis:
    return diagnose(Evidence(log=log, stated=stated))


NO_DRIVER = "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU."


def test_nothing_is_unknown_and_not_a_guess() -> None:
    found = of("epoch 1 loss 0.53\nepoch 2 loss 0.41\n")
    assert (found.cause, found.confidence, found.causes) == ("unknown", 0.0, ())


def test_unknown_shows_the_lines_that_say_most() -> None:
    found = of("step 1\nFrobnicatorError: the frob is off\nstep 2\n")
    assert found.cause == "unknown"
    assert [(line.line, line.text) for line in found.informative] == [(2, "FrobnicatorError: the frob is off")]


def test_evidence_has_the_line_it_stands_on() -> None:
    found = of("a\nb\nRuntimeError: CUDA error: no kernel image is available for execution on the device\n")
    assert found.cause == "arch_not_supported"
    assert [line.line for line in found.causes[0].evidence] == [3]
    assert found.confidence > 0.8


@pytest.mark.parametrize(
    ("stated", "cause"),
    [
        ({}, "driver_not_loaded"),
        ({"in_container": "true"}, "no_gpu_in_container"),
        ({"in_container": "false"}, "driver_not_loaded"),
    ],
)
def test_the_same_line_on_a_host_and_in_a_container(stated: dict[str, str], cause: str) -> None:
    assert of(NO_DRIVER, **stated).cause == cause


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        ("pytorch/pytorch:2.4.1-cuda12.4-cudnn9-runtime", "no_gpu_in_container"),
        ("ubuntu:22.04", "no_gpu_in_container"),
        ("my-train", "no_gpu_in_container"),
        ("a docker build", "no_gpu_in_container"),
        ("conda env", "driver_not_loaded"),
        ("HPC node, 4 GPUs", "driver_not_loaded"),
    ],
)
def test_what_a_person_calls_the_image_may_be_a_machine(image: str, cause: str) -> None:
    assert of(NO_DRIVER, image=image).cause == cause


def test_the_rules_decide_what_a_message_leaves_open() -> None:
    line = "torch.cuda.is_available(): False"
    found = of(line, torch="2.9.1+cu130", driver="535.104.05", gpu="RTX 3090")
    assert found.cause == "driver_too_old"
    assert any(line.source == "rules" for line in found.causes[0].evidence)
    assert "580.65.06" in found.causes[0].remedy
    assert of(line, torch="2.9.1+cpu", gpu="RTX 3090").cause == "cpu_only_torch"


@pytest.mark.parametrize(
    ("driver", "cause"),
    [
        ("535", "driver_too_old"),
        ("CUDA 12.2", "driver_too_old"),
        ("580.95.05 (open)", "driver_not_loaded"),
        ("12.2", "driver_not_loaded"),
    ],
)
def test_a_driver_as_people_give_it(driver: str, cause: str) -> None:
    assert of("torch.cuda.is_available(): False", torch="2.9.1+cu130", gpu="2x RTX 3090", driver=driver).cause == cause


def test_what_was_read_inside_stands_before_the_facts() -> None:
    inside = Content(torch="2.7.1+cu128", cuda="12.8", arch_list=("sm_50", "sm_60"))
    stated = {"gpu": "NVIDIA H100 80GB HBM3", "driver": "580.95.05"}
    assert diagnose(Evidence(log="it does not work", stated=stated, content=inside)).cause == "arch_not_supported"
    assert diagnose(Evidence(log="it does not work", stated={**stated, "torch": "2.7.1", "cuda": "12.8"})).cause == "unknown"


def test_a_full_gpu_explains_what_cublas_says() -> None:
    cublas = "RuntimeError: CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(handle, opa, opb, m, n, k)`"
    assert of(cublas).cause == "cublas_init"
    assert of("torch.cuda.OutOfMemoryError: CUDA out of memory.\n" + cublas).cause == "out_of_memory"
    assertion = "Indexing.cu:1237: block: [1,0,0] Assertion `srcIndex < srcSelectDimSize` failed.\n"
    assert of(assertion + cublas).cause == "index_out_of_bounds"


def test_the_amp_check_is_decided_by_what_stands_around_it() -> None:
    line = "AMP: checks failed ❌. Anomalies were detected with AMP on your system that may lead to NaN losses"
    assert of(line, gpu="NVIDIA GeForce RTX 3090").cause == "amp_check_false_alarm"
    assert of(line, gpu="NVIDIA GeForce GTX 1660 Ti").cause == "fp16_nan"
    shape = "RuntimeError: Given groups=1, weight of size [16, 1, 3, 3], expected input[1, 3, 64, 64] to have 1 channels, "
    assert of(f"{shape}but got 3 channels instead\n{line}").cause == "input_shape_mismatch"
    offline = "AMP: checks skipped ⚠️. Offline and unable to download YOLO11n for AMP checks."
    assert of(offline).cause == "weights_download_failed"


def asked(wanted: str, offered: str) -> str:
    return f"ERROR: Could not find a version that satisfies the requirement torch=={wanted} (from versions: {offered})"


@pytest.mark.parametrize(
    ("log", "stated", "cause"),
    [
        (asked("1.8.1", "1.11.0, 1.12.1, 2.0.0"), {}, "python_version_unsupported"),
        (asked("1.8.1", "0.1.2, 0.1.2.post1, 0.1.2.post2, 1.11.0, 2.0.0"), {}, "python_version_unsupported"),
        (asked("1.8.1+cu111", "1.11.0, 1.12.1+cu116, 2.0.0"), {}, "python_version_unsupported"),
        (asked("2.3.0", "1.7.1, 1.12.1, 1.13.1"), {}, "python_version_unsupported"),
        (asked("2.3.0", "2.2.0, 2.2.1, 2.3.0.post9"), {"python": "3.7"}, "python_version_unsupported"),
        (asked("77.0.0", "1.7.1, 1.12.1, 1.13.1"), {}, "package_resolution_conflict"),
        (asked("2.1.2+cu118", "2.0.1, 2.1.2, 2.2.0"), {"python": "3.11"}, "package_resolution_conflict"),
        (asked("2.1.0", "2.6.0+cu126, 2.7.0+cu126"), {"python": "3.11"}, "package_resolution_conflict"),
    ],
)
def test_what_an_index_offers_tells_python_from_index(log: str, stated: dict[str, str], cause: str) -> None:
    assert of(log, **stated).cause == cause


def test_a_gpu_is_named_as_it_was_written_and_without_its_memory() -> None:
    banner = "Ultralytics YOLOv8.0.20 Python-3.10.6 torch-1.13.1+cu117 CUDA:0 (NVIDIA GeForce GTX 1660 Ti, 5945MiB)"
    remedy = of(f"{banner}\nbox_loss nan cls_loss nan\nAMP: checks failed").causes[0].remedy
    assert "NVIDIA GeForce GTX 1660 Ti." in remedy
    assert "5945" not in remedy


def test_evidence_holds_the_part_that_tells_however_long_the_line_is() -> None:
    message = "CUDA error: no kernel image is available for execution on the device"
    text = of("x" * 900 + f" {message} " + "y" * 900).causes[0].evidence[0].text
    assert "no kernel image is available" in text
    assert len(text) <= 240


def test_a_log_with_nothing_wrong_in_it_says_so() -> None:
    healthy = of("step 1\nstep 2\n\n")
    assert healthy.unnamed is Unnamed.HEALTHY
    assert [(line.line, line.text) for line in healthy.informative] == [(1, "step 1"), (2, "step 2")]
    assert of("\n \n").unnamed is of("").unnamed is Unnamed.EMPTY
    assert of("GlorpError: off").unnamed is Unnamed.UNDECIDED
    assert of(NO_DRIVER).unnamed is None


def check(name: str, **fields: object) -> CheckResult:
    base = {"status": CheckStatus.FAIL, "level": Level.REQUIRED, "message": "it failed", "seconds": 0.1}
    return CheckResult(name=name, **{**base, **fields})  # type: ignore[arg-type]


def test_what_a_check_knows_by_construction_comes_first() -> None:
    found = diagnose(
        Evidence(
            log="AMP: checks failed\nRuntimeError: CUDA error: unknown error",
            checks=(check("own_model", metrics={"cause": "input_shape_mismatch"}),),
        )
    )
    assert found.cause == "input_shape_mismatch"


def test_a_cause_the_catalogue_does_not_know_is_not_believed() -> None:
    assert diagnose(Evidence(checks=(check("own_model", metrics={"cause": "rm -rf"}),))).cause == "unknown"


def test_an_exception_of_a_check_is_no_mistake_of_the_user() -> None:
    line = "AssertionError: the frob is off"
    assert of(line).cause == "user_code_error"
    assert of(line).confidence < 0.5
    assert diagnose(Evidence(checks=(check("kernels", message=line),))).cause == "unknown"


def test_how_a_process_ended_counts() -> None:
    assert diagnose(Evidence(oom_killed=True, exit_code=137)).cause == "killed_by_oom_killer"
    assert diagnose(Evidence(signal="SIGILL")).cause == "cpu_instructions_missing"
    died = check("dataloader", died="signal 7 (SIGBUS)")
    assert diagnose(Evidence(checks=(died,))).cause == "shm_too_small"


def test_checks_that_passed_say_nothing() -> None:
    assert diagnose(Evidence(checks=(check("x", status=CheckStatus.PASS, metrics={"cause": "hang"}),))).cause == "unknown"


def test_nvml_says_that_the_driver_disagrees_with_itself() -> None:
    info = NvmlInfo(problem="library 535.183 and module 535.171 differ", problem_kind="version_mismatch")
    found = diagnose(Evidence(log="torch.cuda.is_available(): False", nvml=info))
    assert found.cause == "driver_library_mismatch"
    assert found.causes[0].evidence[0].source == "nvml"


LOGS = Path(__file__).parent / "logs"
CASES = [case for name in ("cases", "tricky") for case in yaml.safe_load((LOGS / f"{name}.yaml").read_text(encoding="utf-8"))]
#: What healthy programs print too: nothing in it names a cause, wherever it stands.
NOISE = {path.stem: path.read_text(encoding="utf-8") for path in sorted(LOGS.glob("noise-*.txt"))}


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case['cause']}" for number, case in enumerate(CASES)])
def test_what_programs_really_print(case: dict[str, Any]) -> None:
    assert of(case["log"], **case.get("env", {})).cause == case["cause"]


@pytest.mark.parametrize("name", NOISE)
def test_what_healthy_programs_print_names_nothing(name: str) -> None:
    assert of(NOISE[name]).cause == "unknown"


@pytest.mark.parametrize("name", NOISE)
def test_noise_around_a_message_changes_no_cause(name: str) -> None:
    wrong = [
        (case["cause"], found.cause, where)
        for case in CASES
        for where, log in (("before", NOISE[name] + case["log"]), ("after", f"{case['log']}\n{NOISE[name]}"))
        if (found := of(log, **case.get("env", {}))).cause != case["cause"]
    ]
    assert wrong == []


def test_values_in_a_remedy_are_spelled_as_the_log_spells_them() -> None:
    memory = of("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.69 GiB")
    assert "2.00 GiB" in memory.causes[0].remedy
    card = "Ultralytics YOLOv8.1.0 Python-3.9.18 torch-2.1.2+cu118 CUDA:0 (NVIDIA GeForce GTX 1660 Ti, 6144MiB)"
    failed = "AMP: checks failed \N{CROSS MARK}. Anomalies were detected"
    assert "The GPU is NVIDIA GeForce GTX 1660 Ti." in of(f"{card}\n{failed}").causes[0].remedy


def test_the_driver_a_gate_wants_is_the_one_that_knows_the_images_cuda() -> None:
    gate = "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.4, please update your driver"
    remedy = of(gate).causes[0].remedy
    assert "550.54.14" in remedy
    assert "CUDA 12.4" in remedy
    assert "525.60.13" not in remedy  # that is where a wheel for CUDA 12 starts to run


def test_the_number_torch_gives_for_a_driver_is_told_as_a_cuda_version() -> None:
    old = "RuntimeError: The NVIDIA driver on your system is too old (found version {}). Please update your GPU driver"
    assert "CUDA up to 11.4" in of(old.format(11040)).causes[0].remedy
    assert "CUDA up to 9.1" in of(old.format(9010)).causes[0].remedy


def test_the_library_that_is_missing_is_the_one_that_could_not_be_opened() -> None:
    found = of(
        "Could not load library libcudnn_cnn_infer.so.8. Error: libcuda.so: cannot open shared object file"
    )
    assert found.cause == "missing_shared_library"
    assert "The missing library is libcuda.so." in found.causes[0].remedy


def test_a_port_in_use_is_named() -> None:
    found = of(
        "torch.distributed.DistNetworkError: The server socket has failed to listen on any local network address. "
        "The server socket has failed to bind to [::]:29500 (errno: 98 - Address already in use)."
    )
    assert found.cause == "user_code_error"
    assert "Port 29500 is in use" in found.causes[0].remedy
