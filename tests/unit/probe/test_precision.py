"""What the precision checks conclude from what they measured; the measuring itself is in test_probe_torch."""

from types import SimpleNamespace

import pytest

from validator.probe import cpu, layers
from validator.probe.checks import benefit, bf16
from validator.probe.context import Context


def on_gpu(monkeypatch, name="NVIDIA A100-SXM4-80GB", capability=(8, 0), processors=108):
    cuda = SimpleNamespace(
        get_device_capability=lambda _: capability,
        get_device_name=lambda _: name,
        get_device_properties=lambda _: SimpleNamespace(multi_processor_count=processors),
    )
    monkeypatch.setattr(Context, "torch", SimpleNamespace(__version__="2.7.1", cuda=cuda))
    return Context("cuda", None)


def on_cpu(monkeypatch, *flags):
    monkeypatch.setattr(cpu, "describe", lambda: ("A CPU", list(flags)))
    return Context("cpu", None)


# ---------------------------------------------------------------- amp_benefit


def measured(speed, memory, seconds=0.1):
    return {"dtype": "float16", "speed_ratio": speed, "memory_ratio": memory, "fp32_step_seconds": seconds}


@pytest.mark.parametrize(("speed", "memory"), [(2.0, 1.9), (1.2, 1.0), (1.0, 1.8), (0.95, 1.8), (3.0, None)])
def test_a_gain_in_time_or_memory_passes_and_says_both(monkeypatch, speed, memory):
    result = benefit.judged(on_gpu(monkeypatch), measured(speed, memory))
    assert result.status == "pass"
    assert f"×{speed:.2f} as fast" in result.message
    assert "cause" not in result.metrics


@pytest.mark.parametrize(
    ("gpu", "figures", "reason", "cause"),
    [
        ({}, measured(0.8, 1.8), "shared, throttled", "amp_no_benefit"),
        ({}, measured(1.05, 1.05), "shared, throttled", "amp_no_benefit"),
        ({}, measured(1.0, None), "shared, throttled", "amp_no_benefit"),
        ({}, measured(0.8, 1.8, seconds=0.001), "too fast for this net", "amp_no_benefit"),
        ({"processors": 5}, measured(0.8, 1.0), "small (5 multiprocessors)", "amp_no_benefit"),
        ({"name": "Tesla P100", "capability": (6, 0)}, measured(1.0, 1.8), "Tesla P100 has no tensor cores", "fp16_no_speedup"),
        (
            {"name": "NVIDIA GeForce GTX 1660", "capability": (7, 5)},
            measured(1.0, 1.8),
            "GTX 1660 has no tensor cores",
            "fp16_no_speedup",
        ),
    ],
)
def test_no_gain_is_a_warning_with_the_likely_reason(monkeypatch, gpu, figures, reason, cause):
    result = benefit.judged(on_gpu(monkeypatch, **gpu), figures)
    assert result.status == "warn"
    assert reason in result.message
    assert result.metrics["cause"] == cause


def test_a_cpu_without_bfloat16_units_is_named_as_the_reason(monkeypatch):
    result = benefit.judged(on_cpu(monkeypatch, "avx2"), measured(0.3, 1.9))
    assert result.status == "warn"
    assert "this CPU has no bfloat16 units" in result.message
    result = benefit.judged(on_cpu(monkeypatch, "avx2", "amx_bf16"), measured(0.3, 1.9))
    assert "does not use its bfloat16 units" in result.message


# ---------------------------------------------------------------- bf16


def rates(ratio, claimed=True):
    return {"bf16_over_fp32_ratio": ratio, "torch_says_supported": claimed}


def test_units_that_are_fast_are_native(monkeypatch):
    result = bf16.judged(on_gpu(monkeypatch), rates(8.0), units=True)
    assert (result.status, result.metrics["native"]) == ("pass", True)
    assert "compute capability 8.0 has units" in result.message


def test_torchs_own_word_is_not_taken_for_it(monkeypatch):
    context = on_gpu(monkeypatch, "Tesla T4", (7, 5))
    result = bf16.judged(context, rates(0.6), units=False)
    assert (result.status, result.metrics["native"], result.metrics["cause"]) == ("warn", False, "bf16_emulated")
    assert "emulated, though torch says that it is supported" in result.message
    assert "though" not in bf16.judged(context, rates(0.6, claimed=False), units=False).message


def test_units_that_are_not_reached_are_a_warning(monkeypatch):
    result = bf16.judged(on_gpu(monkeypatch), rates(1.0), units=True)
    assert (result.status, result.metrics["cause"]) == ("warn", "slow_device")


def test_a_cpu_is_described_and_never_warned_of(monkeypatch):
    unreached = bf16.judged(on_cpu(monkeypatch, "amx_bf16"), rates(0.9, claimed=None), units=True)
    assert (unreached.status, unreached.metrics["native"]) == ("pass", False)
    assert "they are not reached" in unreached.message
    result = bf16.judged(on_cpu(monkeypatch), rates(0.4, claimed=None), units=False)
    assert (result.status, result.metrics["native"]) == ("pass", False)
    assert "emulated" in result.message


def refused(context, units):
    return bf16._refused(context, {"bfloat16_error": "RuntimeError: not supported"}, units)


def test_a_refusal_fails_only_where_the_device_has_units(monkeypatch):
    assert refused(on_gpu(monkeypatch, capability=(9, 0)), True).status == "fail"
    volta = refused(on_gpu(monkeypatch, "Tesla V100", (7, 0)), False)
    assert (volta.status, volta.metrics["cause"]) == ("warn", "bf16_unsupported")
    assert refused(Context("cpu", None), False).status == "skip"


# ---------------------------------------------------------------- layers


def different(name, error, finite=True):
    return layers.Difference(name, "Linear", "float16", error, finite)


def test_the_layer_to_name_is_the_first_broken_one_else_the_worst() -> None:
    assert layers.worst([different("a", 0.1), different("b", 0.3), different("c", 0.2)]).name == "b"
    broken = [different("a", 0.1), different("b", float("inf"), False), different("c", float("inf"), False)]
    assert layers.worst(broken).name == "b"
    assert layers.worst([]) is None
