"""The probe on a real GPU. Skipped, saying so, where NVML names none; `make gpu-check` runs it with the machine's own torch.

VALIDATOR_GPU_PYTHON names the interpreter (default: the first python3 on PATH that has torch); VALIDATOR_GPU_RESULT is the
result of a full probe that was made already.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from validator import probe_host
from validator.catalogue import checks
from validator.host import nvml
from validator.model import CheckStatus, Gpu
from validator.probe_host import EventStream, ProbePlan, ProbeReport
from validator.runners.local.runner import process_environment

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(2400)]

#: Checks that do not apply to every GPU or torch, with the words by which they say so. No other may be skipped.
MAY_SKIP = {
    "train_amp_bf16": ("has no bfloat16", "knows float16 only"),
    "amp_agreement": ("has no torch.cuda.amp autocast",),
    "amp_benefit": ("has no torch.cuda.amp autocast",),
    "bf16": ("has no bfloat16",),
    "tf32": ("no TF32", "no switch for TF32"),
    "fp8": ("no fp8", "has no _scaled_mm", "has no float8_e4m3fn", "refuses this GPU"),
    "sdpa": ("no scaled_dot_product_attention",),
    "cuda_graphs": ("cannot record",),
    "compile": ("no torch.compile", "Python", "does not support this GPU"),
    "multi_gpu": ("one GPU is visible",),
    "gloo": ("built without",),
    "nccl": ("built without",),
    "jit": ("not supported",),
}
GPUS = nvml.query().gpus


@pytest.fixture(scope="module")
def gpu() -> Gpu:
    found = next((each for each in GPUS if each.uuid and not each.problem), None)
    if found is None:
        pytest.skip("NVML names no NVIDIA GPU on this machine")
    return found


@pytest.fixture(scope="module")
def python(gpu: Gpu) -> str:
    found = shutil.which(os.environ.get("VALIDATOR_GPU_PYTHON", "python3"))
    if found is None or subprocess.run([found, "-c", "import torch"], capture_output=True, check=False).returncode:
        pytest.skip("no interpreter with torch: VALIDATOR_GPU_PYTHON names one")
    return found


@pytest.fixture(scope="module")
def found(python: str) -> Mapping[str, Mapping[str, Any]]:
    """What every check of a full probe found, by name."""
    ready = os.environ.get("VALIDATOR_GPU_RESULT")
    if ready:
        text = Path(ready).read_text(encoding="utf-8")
    else:
        command = [sys.executable, "-m", "validator", "probe", "--python", python, "--device", "cuda", "--format", "json"]
        text = subprocess.run([*command, "--timeout", "1800"], capture_output=True, text=True, check=False).stdout
    return {check["name"]: check for check in json.loads(text)["checks"]}


@pytest.mark.parametrize("name", [spec.name for spec in checks.selected({}, inspect=False)])
def test_every_check_holds_or_says_why_it_does_not_apply(found: Mapping[str, Mapping[str, Any]], name: str) -> None:
    check = found[name]
    assert check["died"] is None, check["message"]
    assert check["status"] != "fail", f"{check['message']}\n{check['output']}"
    if check["status"] == "skip":
        # What needs a check that failed is no second fault: that one is told in its own test.
        known = (*MAY_SKIP.get(name, ()), "which failed")
        assert any(words in check["message"] for words in known), check["message"]


def test_the_gpu_that_torch_sees_is_the_one_that_nvml_names(found: Mapping[str, Mapping[str, Any]], gpu: Gpu) -> None:
    assert found["device"]["metrics"]["compute_capability"] == gpu.compute_capability


def test_tf32_rounds_when_on_and_only_then(found: Mapping[str, Mapping[str, Any]]) -> None:
    if found["tf32"]["status"] == "skip":
        pytest.skip(found["tf32"]["message"])
    metrics = found["tf32"]["metrics"]
    assert metrics["matmul_on_error_ratio"] > 10 * metrics["matmul_off_error_ratio"]


def test_half_precision_is_compared_on_the_gpu(found: Mapping[str, Mapping[str, Any]], gpu: Gpu) -> None:
    metrics = found["kernels"]["metrics"]
    assert metrics["float16.ops"] >= 10
    assert ("bfloat16.ops" in metrics) == (float(str(gpu.compute_capability)) >= 8.0)


def test_the_rate_is_measured_and_where_known_compared(found: Mapping[str, Mapping[str, Any]], gpu: Gpu) -> None:
    metrics = found["throughput"]["metrics"]
    if not gpu.in_slices:  # NVML has no clock of a slice
        assert metrics["busy_clock_hz"] > 0
    assert metrics["float16.flops_per_second"] > 1e11
    if "rate_ratio" in metrics:
        # More than the card is built for is an error of the table, not a fast card. GeForce cards have the lowest figure.
        assert 0 < metrics["rate_ratio"] < 2.2


def test_memory_comes_back(found: Mapping[str, Mapping[str, Any]]) -> None:
    metrics = found["memory"]["metrics"]
    assert metrics["refused_in_words"]
    assert metrics["asked_bytes"] > 0


def probed(
    python: str, gpu: Gpu | None, folder: Path, *names: str, variables: Mapping[str, str] | None = None, **plan: Any
) -> ProbeReport:
    """Checks, and what they need, on that GPU alone; on every one that is visible where it is None."""
    among = checks.selected({}, inspect=False, model=plan.get("model") is not None)
    specs = tuple(checks.chosen(names, among))
    asked = ProbePlan(probe_host.new_nonce(), specs, "cuda", gpu, 600.0, str(folder), listens=False, **plan)
    environment = process_environment(probe_host.environment(asked), (gpu,) if gpu else (), {**os.environ, **(variables or {})})
    done = subprocess.run(probe_host.command(python), env=environment, capture_output=True, check=False)
    stream = EventStream(asked)
    stream.feed(done.stdout)
    report = stream.close()
    assert report.complete, done.stderr.decode(errors="replace")
    return report


def broken(python: str, gpu: Gpu, folder: Path, source: str, *names: str) -> ProbeReport:
    """Checks on the GPU with a text as sitecustomize of the worker."""
    (folder / "sitecustomize.py").write_text(source, encoding="utf-8")
    return probed(python, gpu, folder, *names, variables={"PYTHONPATH": str(folder)})


def test_all_gpus_together(python: str, gpu: Gpu, tmp_path: Path) -> None:
    # A cell is measured on one GPU, so the full probe sees no other.
    ended = {check.name: check for check in probed(python, None, tmp_path, "nccl", "multi_gpu").checks}
    assert ended["device"].status is CheckStatus.PASS, ended["device"].message
    for name in ("nccl", "multi_gpu"):
        check = ended[name]
        if check.status is CheckStatus.SKIP:
            assert any(words in check.message for words in MAY_SKIP[name]), check.message
        else:
            assert check.status is CheckStatus.PASS, check.message
    if int(str(ended["device"].metrics["device_count"])) > 1:
        assert ended["multi_gpu"].status is CheckStatus.PASS


def test_the_short_answer(python: str, gpu: Gpu, tmp_path: Path) -> None:
    names = ("device", "train_amp_fp16", "train_amp_bf16")
    ended = {check.name: check for check in probed(python, gpu, tmp_path, *names, quick=True).checks}
    assert ended["train_amp_fp16"].status is CheckStatus.PASS, ended["train_amp_fp16"].message
    assert ended["train_amp_bf16"].status is not CheckStatus.FAIL, ended["train_amp_bf16"].message
    assert ended["train_amp_fp16"].metrics["conv.losses"]


def test_tf32_forced_from_outside_is_told_and_fails_no_required_check(python: str, gpu: Gpu, tmp_path: Path) -> None:
    variables = {"NVIDIA_TF32_OVERRIDE": "1", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    ended = {check.name: check for check in probed(python, gpu, tmp_path, "kernels", "sdpa", "tf32", variables=variables).checks}
    assert ended["kernels"].status is CheckStatus.PASS, ended["kernels"].message
    assert ended["sdpa"].status in (CheckStatus.PASS, CheckStatus.SKIP), ended["sdpa"].message
    if ended["tf32"].status is not CheckStatus.SKIP:
        assert "NVIDIA_TF32_OVERRIDE=1" in ended["tf32"].message


STICKY = """
import torch
def gather(*_, **__):
    # An index far out of range: a device-side assert, after which this process can use CUDA no more.
    torch.zeros(4, device="cuda")[torch.tensor([1 << 20], device="cuda")].sum().item()
torch.nn.functional.scaled_dot_product_attention = gather
"""
HUNGRY = """
import torch
kept = []
def take(*_, **__):
    while True:
        kept.append(torch.empty(1 << 28, dtype=torch.uint8, device="cuda"))
torch.nn.functional.scaled_dot_product_attention = take
"""


@pytest.mark.parametrize("source", [STICKY, HUNGRY], ids=["device-side assert", "out of memory"])
def test_what_breaks_one_check_spares_the_next(python: str, gpu: Gpu, tmp_path: Path, source: str) -> None:
    report = broken(python, gpu, tmp_path, source, "sdpa", "jit")  # in this order
    ended = {check.name: check for check in report.checks}
    if ended["sdpa"].status is CheckStatus.SKIP:
        pytest.skip(ended["sdpa"].message)
    assert ended["sdpa"].status is CheckStatus.FAIL
    assert ended["jit"].status is CheckStatus.PASS, ended["jit"].message


def test_wrong_numbers_of_one_operation_on_the_gpu_are_caught(python: str, gpu: Gpu, tmp_path: Path) -> None:
    source = """
import torch
real = torch.nn.functional.softmax
def wrong(values, **more):
    found = real(values, **more)
    return found * 1.2 if values.is_cuda and values.dtype == torch.float16 else found
torch.nn.functional.softmax = wrong
"""
    report = broken(python, gpu, tmp_path, source, "kernels")
    ended = next(check for check in report.checks if check.name == "kernels")
    assert ended.status is CheckStatus.FAIL
    assert "softmax in float16" in ended.message
