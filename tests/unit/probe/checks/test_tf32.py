"""``tf32``: the switch is set, both kinds of product are measured, and the errors are judged."""

import math

import pytest
from judging import verdict
from small_torch.tensors import FLOAT32, shortened

from validator.probe.checks import tf32


@pytest.fixture
def ampere(torch, monkeypatch):
    """TF32 on a GPU of 8.0 does what the switches say, in products and convolutions."""

    def conv2d(images, kernels, padding):
        assert padding == 1
        rounds = images.device == "cuda" and images.dtype is FLOAT32 and torch.backends.cudnn.allow_tf32
        return images._each(lambda value: shortened(value, 10)) if rounds else images

    monkeypatch.setattr(tf32, "_SIDE", 8)
    real = torch.randn
    torch.randn = lambda *shape: real(*(min(size, 8) for size in shape))
    torch.cuda.get_device_capability = lambda _: (8, 0)
    torch.nn.functional.conv2d = conv2d
    return torch


@pytest.fixture(autouse=True)
def no_override(monkeypatch):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)


def test_a_switch_that_works_passes_and_is_left_as_it_was(ampere, gpu):
    result = tf32.run(gpu)
    assert verdict(result) == ("pass", None)
    metrics = result.metrics
    assert metrics["matmul_off_error_ratio"] < 1e-6 < 2e-5 < metrics["matmul_on_error_ratio"]
    assert metrics["conv_off_error_ratio"] < 1e-6 < 2e-5 < metrics["conv_on_error_ratio"]
    assert metrics["rounds_from_ratio"] == 2e-5
    assert (ampere.backends.cuda.matmul.allow_tf32, ampere.backends.cudnn.allow_tf32) == (False, True)


class Stuck:
    """A switch that says what it was told, and always is on, or off."""

    def __init__(self, value):
        self.__dict__["value"] = value

    def __setattr__(self, *_):
        pass

    @property
    def allow_tf32(self):
        return self.value


def test_a_switch_that_is_stuck_on_fails_and_the_variable_is_named(ampere, gpu, monkeypatch):
    ampere.backends.cudnn = Stuck(True)
    result = tf32.run(gpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert "convolutions are still rounded" in result.message
    assert "NVIDIA_TF32_OVERRIDE" not in result.message
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    ampere.backends.cuda.matmul = Stuck(True)
    result = tf32.run(gpu)
    assert "matrix products are still rounded" in result.message
    assert "NVIDIA_TF32_OVERRIDE=1" in result.message


def test_a_switch_that_is_stuck_off_is_a_warning(ampere, gpu):
    ampere.backends.cuda.matmul = Stuck(False)
    assert verdict(tf32.run(gpu)) == ("warn", None)
    ampere.backends.cuda.matmul = Stuck(True)
    ampere.backends.cudnn = Stuck(False)  # a convolution may be done by a kernel that rounds nothing
    assert tf32.run(gpu).status == "fail"


def test_what_has_no_tf32_is_skipped_with_the_reason(ampere, gpu, cpu):
    assert tf32.run(cpu).status == "skip"
    ampere.cuda.get_device_capability = lambda _: (7, 5)
    result = tf32.run(gpu)
    assert (result.status, "7.5" in result.message) == ("skip", True)
    ampere.cuda.get_device_capability = lambda _: (8, 0)
    del ampere.backends.cuda.matmul.allow_tf32, ampere.backends.cudnn.allow_tf32
    result = tf32.run(gpu)
    assert (result.status, "no switch for TF32" in result.message) == ("skip", True)


@pytest.mark.parametrize(
    ("on", "off", "expected"),
    [
        (3e-4, 6e-7, ("pass", None)),
        (2e-5, 1.9e-5, ("pass", None)),
        (3e-4, 2e-5, ("fail", "wrong_results")),  # off still rounds
        (1.9e-5, 6e-7, ("warn", None)),  # on does nothing
        (16 * 2.0**-11, 6e-7, ("pass", None)),
        (16 * 2.0**-11 + 1e-6, 6e-7, ("fail", "wrong_results")),
        (math.inf, 6e-7, ("fail", "wrong_results")),
    ],
)
def test_tf32_is_judged_by_what_it_rounds(on, off, expected):
    fine = {True: 2e-4, False: 6e-7}
    result = tf32.judged({True: on, False: off}, fine, None)
    assert verdict(result) == expected
    assert (result.metrics["matmul_on_error_ratio"], result.metrics["matmul_off_error_ratio"]) == (on, off)
    # A convolution that does not round with TF32 on is fine; one that rounds without, or goes wrong with it, is not.
    turned = tf32.judged(fine, {True: on, False: off}, None)
    assert verdict(turned) == (("pass", None) if expected == ("warn", None) else expected)
    assert (turned.metrics["conv_on_error_ratio"], turned.metrics["conv_off_error_ratio"]) == (on, off)
