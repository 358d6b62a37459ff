"""``fp8``: the product that is asked for, what refuses it, and how its error is judged."""

import math

import pytest
from judging import verdict

from validator.probe.checks import fp8


@pytest.fixture
def ada(torch):
    """A GPU of 8.9 whose product is right."""
    torch.cuda.get_device_capability = lambda _: (8, 9)

    def scaled_mm(left, right, out_dtype, scale_a, scale_b):
        assert left.dtype is right.dtype is torch.float8_e4m3fn
        assert left.device == right.device == scale_a.device == scale_b.device == "cuda"
        product = left.double().matmul(right.double())
        return (product * scale_a.double() * scale_b.double()).to(out_dtype)

    torch._scaled_mm = scaled_mm
    return torch


def test_a_right_product_passes(ada, gpu):
    result = fp8.run(gpu)
    assert verdict(result) == ("pass", None)
    assert 0 < result.metrics["error_ratio"] < 2**-8
    assert result.metrics["tolerance_ratio"] == 8 * 2.0**-8


def test_up_to_torch_2_4_the_product_came_in_a_pair(ada, gpu):
    real = ada._scaled_mm
    ada._scaled_mm = lambda *tensors, **options: (real(*tensors, **options), "largest value")
    assert verdict(fp8.run(gpu)) == ("pass", None)


@pytest.mark.parametrize(
    "broken", [lambda product: product * 1.1, lambda product: product.t(), lambda product: product * math.nan]
)
def test_a_wrong_product_fails(ada, gpu, broken):
    real = ada._scaled_mm
    ada._scaled_mm = lambda *tensors, **options: broken(real(*tensors, **options))
    assert verdict(fp8.run(gpu)) == ("fail", "wrong_results")


def test_scales_that_are_forgotten_are_wrong_numbers(ada, gpu):
    ada._scaled_mm = lambda left, right, out_dtype, **_: left.double().matmul(right.double()).to(out_dtype)
    assert verdict(fp8.run(gpu)) == ("fail", "wrong_results")


@pytest.mark.parametrize(
    ("words", "skipped"),
    [
        ("torch._scaled_mm is only supported on devices with compute capability >= 9.0)", True),
        ("scaled_gemm is only supported for CUDA 11.8 and above", True),
        ("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasLtMatmulAlgoGetHeuristic( ltHandle, ...`", True),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasLtMatmul`", False),
    ],
)
def test_a_torch_without_fp8_for_this_gpu_is_told_from_one_whose_fp8_fails(ada, gpu, words, skipped):
    def refuses(*_, **__):
        raise RuntimeError(words)

    ada._scaled_mm = refuses
    if not skipped:
        with pytest.raises(RuntimeError, match="EXECUTION_FAILED"):
            fp8.run(gpu)
        return
    result = fp8.run(gpu)
    assert (result.status, "refuses this GPU" in result.message) == ("skip", True)


def test_what_has_no_fp8_is_skipped_with_what_it_lacks(ada, gpu, cpu):
    assert fp8.run(cpu).status == "skip"
    ada.cuda.get_device_capability = lambda _: (8, 6)
    result = fp8.run(gpu)
    assert (result.status, "8.6 has no fp8" in result.message) == ("skip", True)
    ada.cuda.get_device_capability = lambda _: (8, 9)
    del ada.float8_e4m3fn
    result = fp8.run(gpu)
    assert (result.status, "has no float8_e4m3fn" in result.message) == ("skip", True)
    del ada._scaled_mm
    assert "has no _scaled_mm" in fp8.run(gpu).message


@pytest.mark.parametrize(
    ("off", "expected"), [(8 / 256, ("pass", None)), (0.0313, ("fail", "wrong_results")), (math.inf, ("fail", "wrong_results"))]
)
def test_fp8_is_judged_by_its_error(off, expected):
    result = fp8.judged(off)
    assert verdict(result) == expected
    assert result.metrics["error_ratio"] == off
