"""``bf16``: rates are measured, what the device is is looked up, and both decide."""

import warnings

import pytest
from judging import verdict

from validator.probe import cpu as processor
from validator.probe.checks import bf16
from validator.probe.context import Context


@pytest.fixture
def timed(torch, monkeypatch):
    """Seconds of a product by dtype; each product is really made, and the switch of TF32 is looked at meanwhile."""
    seconds = {"float32": 1.0, "bfloat16": 0.25, "float16": 0.125}
    made = []

    def matmul(left, right):
        made.append((left.dtype.name, left.device, left.shape, torch.backends.cudnn.allow_tf32))
        return left.matmul(right)

    def measure(self, work):
        work()
        return seconds[made[-1][0]]

    torch.matmul = matmul
    monkeypatch.setattr(Context, "seconds", measure)
    monkeypatch.setattr(bf16, "_SIDE", {"cuda": 2, "cpu": 3})
    monkeypatch.setattr(processor, "describe", lambda: ("A CPU", ["avx2", "amx_bf16"]))
    return seconds, made


def test_on_a_gpu_three_dtypes_are_measured_and_compared(timed, gpu, torch):
    result = bf16.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics == {
        "torch_says_supported": None,
        "float32_matmul_flops_per_second": 16.0,  # 2 · 2³ operations
        "bfloat16_matmul_flops_per_second": 64.0,
        "float16_matmul_flops_per_second": 128.0,
        "device_has_bf16_units": True,
        "bf16_over_fp32_ratio": 4.0,
        "bf16_over_fp16_ratio": 0.5,
        "native": True,
    }
    _, made = timed
    assert {each[1:] for each in made} == {("cuda", (2, 2), False)}
    assert torch.backends.cudnn.allow_tf32 is True


def test_on_a_cpu_float16_is_left_out(timed, cpu):
    result = bf16.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics["float32_matmul_flops_per_second"] == 54.0
    assert not any(("float16" in name and "bfloat16" not in name) or "fp16" in name for name in result.metrics)


@pytest.mark.parametrize(("capability", "units"), [((8, 0), True), ((7, 5), False)])
def test_a_gpu_has_units_from_ampere_on(timed, gpu, torch, capability, units):
    torch.cuda.get_device_capability = lambda _: capability
    assert bf16.run(gpu).metrics["device_has_bf16_units"] is units


def test_a_cpu_has_units_where_its_flags_say_so(timed, cpu, monkeypatch):
    assert bf16.run(cpu).metrics["device_has_bf16_units"] is True
    monkeypatch.setattr(processor, "describe", lambda: ("A CPU", ["avx2"]))
    assert bf16.run(cpu).metrics["device_has_bf16_units"] is False


@pytest.mark.parametrize(("seconds", "products"), [(0.99, 5), (1.0, 1)])
def test_a_product_that_is_emulated_number_by_number_is_not_measured_again(timed, cpu, torch, seconds, products):
    known, made = timed
    known["bfloat16"] = seconds
    bf16._rate(cpu, torch.bfloat16)
    assert len(made) == products


def test_the_fastest_product_counts(timed, cpu, torch, monkeypatch):
    seconds = iter([0.5, 0.4, 0.1, 0.3, 0.2])
    monkeypatch.setattr(Context, "seconds", lambda self, work: next(seconds))
    assert bf16._rate(cpu, torch.float32) == 2 * 27 / 0.1


def test_a_torch_without_bfloat16_is_skipped(timed, cpu, torch):
    del torch.bfloat16
    result = bf16.run(cpu)
    assert (result.status, "has no bfloat16" in result.message) == ("skip", True)


@pytest.mark.parametrize(
    ("where", "refused", "words", "expected"),
    [
        ("cpu", "bfloat16", "not supported", ("skip", None)),
        ("gpu", "bfloat16", "not supported", ("fail", "bf16_unsupported")),
        ("gpu", "float16", "not supported", ("pass", None)),
    ],
)
def test_a_dtype_that_is_refused_has_no_rate(timed, request, torch, where, refused, words, expected):
    real = torch.matmul

    def matmul(left, right):
        if left.dtype.name == refused:
            raise RuntimeError(words)
        return real(left, right)

    torch.matmul = matmul
    result = bf16.run(request.getfixturevalue(where))
    assert verdict(result) == expected
    assert result.metrics[f"{refused}_matmul_flops_per_second"] is None
    assert result.metrics[f"{refused}_error"] == f"RuntimeError: {words}"
    assert "bf16_over_fp16_ratio" not in result.metrics


@pytest.mark.parametrize(("refused", "words"), [("float32", "not supported"), ("bfloat16", "CUDA out of memory")])
def test_float32_that_is_refused_and_memory_that_runs_out_are_no_finding_about_bfloat16(timed, gpu, torch, refused, words):
    real = torch.matmul

    def matmul(left, right):
        if left.dtype.name == refused:
            raise RuntimeError(words)
        return real(left, right)

    torch.matmul = matmul
    with pytest.raises(RuntimeError, match=words):
        bf16.run(gpu)


def test_what_torch_says_of_it_is_kept_without_its_warnings(timed, gpu, cpu, torch):
    def claims():
        warnings.warn("deprecated", stacklevel=1)
        return 1

    torch.cuda.is_bf16_supported = claims
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bf16.run(gpu).metrics["torch_says_supported"] is True
    assert bf16.run(cpu).metrics["torch_says_supported"] is None


# ---------------------------------------------------------------- the verdict


def rates(ratio, claimed=True):
    return {"bf16_over_fp32_ratio": ratio, "torch_says_supported": claimed}


@pytest.mark.parametrize(
    ("where", "units", "ratio", "expected", "native"),
    [
        ("gpu", True, 1.3, ("pass", None), True),
        ("gpu", True, 1.29, ("warn", "slow_device"), False),
        ("gpu", False, 0.6, ("warn", "bf16_emulated"), False),
        ("gpu", False, 8.0, ("warn", "bf16_emulated"), False),
        ("cpu", True, 1.3, ("pass", None), True),
        ("cpu", True, 0.9, ("pass", None), False),
        ("cpu", False, 0.4, ("pass", None), False),
    ],
)
def test_native_needs_units_and_speed(request, where, units, ratio, expected, native):
    result = bf16.judged(request.getfixturevalue(where), rates(ratio), units)
    assert verdict(result) == expected
    assert result.metrics["native"] is native
    assert ("bfloat16 is native" in result.message) is native
    assert ("they are not used" in result.message) is (units and not native)
    assert ("bfloat16 is emulated" in result.message) is (not units)
    assert ("compute capability 9.0" if where == "gpu" else "this CPU") in result.message


def test_torchs_own_word_is_not_taken_for_it(gpu):
    assert "emulated, though torch says that it is supported" in bf16.judged(gpu, rates(0.6), units=False).message
    assert "though" not in bf16.judged(gpu, rates(0.6, claimed=False), units=False).message


@pytest.mark.parametrize(
    ("where", "units", "expected"),
    [("gpu", True, ("fail", "bf16_unsupported")), ("gpu", False, ("warn", "bf16_unsupported")), ("cpu", False, ("skip", None))],
)
def test_a_refusal_fails_only_where_the_device_has_units(request, where, units, expected):
    result = bf16._refused(request.getfixturevalue(where), {"bfloat16_error": "RuntimeError: not supported"}, units)
    assert verdict(result) == expected
    assert result.metrics["native"] is False
