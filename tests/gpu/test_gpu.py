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

from validator import checks, nvml, probe_host
from validator.model import CheckStatus, Gpu
from validator.probe_host import EventStream, ProbePlan, ProbeReport

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(2400)]

#: Checks that do not apply to every GPU or torch, with the words by which they say so.
MAY_SKIP = {
    "tf32": ("no TF32", "knows no TF32"),
    "fp8": ("no fp8", "has no _scaled_mm", "has no float8_e4m3fn", "refuses this GPU"),
    "sdpa": ("no scaled_dot_product_attention",),
    "cuda_graphs": ("cannot record",),
    "compile": ("no torch.compile", "Python", "does not serve this GPU"),
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
    if check["status"] == "skip" and name in MAY_SKIP:
        assert any(words in check["message"] for words in MAY_SKIP[name]), check["message"]


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


def test_the_rate_is_measured_and_where_known_compared(found: Mapping[str, Mapping[str, Any]]) -> None:
    metrics = found["throughput"]["metrics"]
    assert metrics["busy_clock_hz"] > 0
    assert metrics["float16.flops_per_second"] > 1e11
    if "rate_ratio" in metrics:
        # More than the card is built for is an error of the table, not a fast card. GeForce cards have the lowest figure.
        assert 0 < metrics["rate_ratio"] < 2.2


def test_memory_comes_back(found: Mapping[str, Mapping[str, Any]]) -> None:
    metrics = found["memory"]["metrics"]
    assert metrics["refused_in_words"]
    assert metrics["asked_bytes"] > 0


def broken(python: str, gpu: Gpu, folder: Path, source: str, *names: str) -> ProbeReport:
    """Checks on the GPU with a text as sitecustomize of the worker."""
    (folder / "sitecustomize.py").write_text(source, encoding="utf-8")
    specs = tuple(checks.chosen(names, checks.selected({}, inspect=False)))
    plan = ProbePlan(probe_host.new_nonce(), specs, "cuda", gpu, 600.0, str(folder))
    variables = {**os.environ, "PYTHONPATH": str(folder), **probe_host.environment(plan)}
    done = subprocess.run(probe_host.command(python), env=variables, capture_output=True, check=False)
    stream = EventStream(plan)
    stream.feed(done.stdout)
    return stream.close()


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
    assert report.complete
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
