"""AMP: the API of a release, and what a GPU computes in which type."""

from __future__ import annotations

from typing import Any

import pytest
from rules_values import causes, finding, status_of

from validator.facts import load
from validator.model import Outlook


# Boundaries as read from the Python files of the wheels on both sides.
@pytest.mark.parametrize(
    ("need", "before", "first"),
    [
        ("torch.cuda.amp", "1.5.1", "1.6.0"),
        ("torch.autocast", "1.9.1", "1.10.0"),
        ("torch.amp", "1.11.0", "1.12.0"),
        ("torch.amp.GradScaler", "2.2.2", "2.3.0"),
        ("torch.cpu.amp.GradScaler", "2.2.2", "2.3.0"),
        ("bf16", "1.9.1", "1.10.0"),
    ],
)
def test_an_api_that_is_needed(need: str, before: str, first: str) -> None:
    assert "torch_too_old_for_amp" in causes(torch=before, needs=(need,))
    assert "torch_too_old_for_amp" not in causes(torch=first, needs=(need,))


def test_a_torch_without_amp_fails_whatever_is_needed() -> None:
    assert status_of(torch="1.5.1", python="3.7") is Outlook.FAIL
    assert status_of(torch="1.6.0", python="3.7") is Outlook.PASS
    assert status_of(torch="2.2.1", python="3.10") is Outlook.PASS  # without torch.amp.GradScaler, which nobody asked for


@pytest.mark.parametrize("name", ["torch.cuda.amp", "torch.cuda.amp.GradScaler"])
def test_the_old_names_warn_from_2_4_on(name: str) -> None:
    old = {"needs": (name,)}
    assert "torch_too_old_for_amp" in causes(torch="1.5.1", **old)
    assert causes(torch="2.3.1", **old) == ()
    assert finding("torch_api_removed_or_deprecated", torch="2.4.0", **old).severity.value == "degraded"


def test_autocast_on_the_cpu() -> None:
    assert "torch_too_old_for_amp" in causes(torch="1.9.1", cuda="cpu", has_gpu=False)
    assert causes(torch="1.10.0", cuda="cpu", has_gpu=False) == ("cpu_half_unsupported",)
    assert causes(torch="2.1.2", cuda="cpu", has_gpu=False) == ("cpu_half_unsupported",)
    assert causes(torch="2.2.0", cuda="cpu", has_gpu=False) == ()
    assert status_of(torch="2.1.2", needs=("cpu-fp16",)) is Outlook.DEGRADED


# bf16 in hardware from 8.0 on; below, autocast raises through torch 2.2 and is emulated from 2.3.
@pytest.mark.parametrize(
    ("torch", "cuda", "gpu", "cause"),
    [
        ("2.2.2", "12.1", "Tesla V100-SXM2-16GB", "bf16_unsupported"),
        ("2.3.0", "12.1", "Tesla V100-SXM2-16GB", "bf16_emulated"),
        ("2.2.2", "12.1", "NVIDIA A100-SXM4-40GB", None),
        ("2.3.1", "12.1", "NVIDIA A100-SXM4-40GB", None),
        ("2.2.2", "12.1", "Tesla T4", "bf16_unsupported"),
        ("1.10.0", "11.3", "Tesla T4", "bf16_unsupported"),
        ("1.9.1", "11.1", "Tesla T4", None),
    ],
)
def test_bf16(torch: str, cuda: str, gpu: str, cause: str | None) -> None:
    found = causes(torch=torch, cuda=cuda, gpu=gpu)
    assert (cause in found) if cause else not any(name.startswith("bf16") for name in found)


def test_bf16_that_is_needed_and_raises_is_a_fault() -> None:
    volta = {"cuda": "12.1", "gpu": "Tesla V100-SXM2-16GB", "needs": ("bf16",)}
    assert status_of(torch="2.2.2", **volta) is Outlook.FAIL
    assert status_of(torch="2.3.1", **volta) is Outlook.DEGRADED
    assert status_of(torch="2.2.2", **{**volta, "needs": ()}) is Outlook.DEGRADED


@pytest.mark.parametrize(
    ("gpu", "slow", "nan"),
    [
        ("GTX 1080", True, False),
        ("Tesla V100-SXM2-16GB", False, False),
        ("Tesla T4", False, False),
        ("GTX 1660 SUPER", True, True),
        ("GTX 1650", True, True),
        ("NVIDIA T400", True, False),
    ],
)
def test_fp16(gpu: str, slow: bool, nan: bool) -> None:
    found = causes(torch="2.5.1", cuda="12.4", gpu=gpu)
    assert ("fp16_no_speedup" in found) is slow
    assert ("fp16_nan" in found) is nan
    assert status_of(torch="2.5.1", cuda="12.4", gpu=gpu) is Outlook.DEGRADED


@pytest.mark.parametrize(
    ("torch", "cuda", "severity"), [("1.12.1", "10.2", None), ("1.12.1", "11.6", "fail"), ("2.5.1", "12.4", "degraded")]
)
def test_nan_on_gtx_16_is_a_fact_for_cuda_11_and_a_worry_later(torch: str, cuda: str, severity: str | None) -> None:
    if severity is None:
        assert "fp16_nan" not in causes(torch=torch, cuda=cuda, gpu="GTX 1660")
    else:
        assert finding("fp16_nan", torch=torch, cuda=cuda, gpu="GTX 1660").severity.value == severity


@pytest.mark.parametrize(
    ("need", "without", "with_it"),
    [
        ("fp8", "NVIDIA A100-SXM4-40GB", "RTX 4090"),
        ("fp4", "NVIDIA H100 PCIe", "NVIDIA B200"),
        ("compile", "GTX 1080", "Tesla V100-SXM2-16GB"),
    ],
)
def test_what_only_newer_gpus_do(need: str, without: str, with_it: str) -> None:
    stack = {"torch": "2.8.0", "cuda": "12.8"} if need != "compile" else {"torch": "2.5.1", "cuda": "12.4"}
    assert status_of(**stack, gpu=without, needs=(need,)) is Outlook.FAIL
    assert status_of(**stack, gpu=without) is not Outlook.FAIL
    assert status_of(**stack, gpu=with_it, needs=(need,)) is not Outlook.FAIL


# torch.compile came to Python 3.11 with torch 2.1, to 3.12 with 2.4 and to 3.13 with 2.6.
@pytest.mark.parametrize(
    ("torch", "python", "works"),
    [
        ("2.0.1", "3.11", False),
        ("2.1.0", "3.11", True),
        ("2.3.1", "3.12", False),
        ("2.4.0", "3.12", True),
        ("2.5.1", "3.13", False),
        ("2.6.0", "3.13", True),
        ("2.0.1", "3.10", True),
    ],
)
def test_compile_came_to_each_python_later(torch: str, python: str, works: bool) -> None:
    assert ("torch_too_old" not in causes(torch=torch, python=python, needs=("compile",))) is works


@pytest.mark.parametrize(
    ("need", "before", "first"), [("compile", "1.13.1", "2.0.0"), ("fp8", "2.0.1", "2.1.0"), ("fp4", "2.7.1", "2.8.0")]
)
def test_what_came_later_than_amp(need: str, before: str, first: str) -> None:
    assert "torch_too_old" in causes(torch=before, needs=(need,))
    assert "torch_too_old" not in causes(torch=first, needs=(need,))


def test_bf16_without_a_torch_is_that_of_the_newest() -> None:
    row = finding("bf16_emulated", gpu="Tesla T4", needs=("bf16",))
    assert any("before 2.3.0" in evidence for evidence in row.evidence)
    assert causes(gpu="NVIDIA A100-SXM4-40GB", needs=("bf16",)) == ()
    assert "bf16_emulated" not in causes(gpu="Tesla T4")


def test_a_nightly_can_do_what_its_release_can() -> None:
    assert "torch_too_old_for_amp" not in causes(torch="2.3.0.dev20240301+cu121", needs=("torch.amp.GradScaler",))
    assert "torch_too_old_for_amp" in causes(torch="2.2.0.dev20231101+cu121", needs=("torch.amp.GradScaler",))


def test_the_nan_of_gtx_16_is_told_with_its_own_source() -> None:
    assert "77955" in (finding("fp16_nan", torch="1.13.1", cuda="11.7", gpu="GTX 1660 Ti").source or "")


@pytest.mark.parametrize(
    ("given", "cause", "boundary"),
    [
        ({"torch": "2.1.0", "cuda": "12.1", "needs": ("cpu-fp16",)}, "cpu_half_unsupported", "cpu_autocast_fp16"),
        ({"torch": "2.1.0", "cuda": "cpu"}, "cpu_half_unsupported", "cpu_autocast_fp16"),
        ({"torch": "1.5.1", "cuda": "10.2"}, "torch_too_old_for_amp", "cuda_amp"),
        (
            {"torch": "2.5.1", "cuda": "12.4", "needs": ("torch.cuda.amp",)},
            "torch_api_removed_or_deprecated",
            "cuda_amp_deprecated",
        ),
        ({"torch": "2.5.1", "cuda": "12.4", "gpu": "Tesla T4"}, "bf16_emulated", "bf16_emulation"),
        ({"torch": "2.1.0", "cuda": "12.1", "gpu": "Tesla T4"}, "bf16_unsupported", "bf16_emulation"),
    ],
)
def test_a_boundary_is_told_with_its_source(given: dict[str, Any], cause: str, boundary: str) -> None:
    assert finding(cause, **given).source == str(load().boundaries[boundary].origin)
