"""The whole probe on a real torch, on the CPU.

Needs VALIDATOR_TEST_TORCH_PYTHON: interpreters that have torch, separated by ``:``. Any torch since 1.0 will do.
"""

import os
import subprocess

import pytest

from validator import checks, probe_host
from validator.model import CheckStatus
from validator.probe_host import EventStream, ProbePlan

PYTHONS = [each for each in os.environ.get("VALIDATOR_TEST_TORCH_PYTHON", "").split(os.pathsep) if each]

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not PYTHONS, reason="VALIDATOR_TEST_TORCH_PYTHON names no interpreter that has torch"),
]


@pytest.fixture(scope="module", params=PYTHONS or ["none"])
def report(request, tmp_path_factory):
    scratch = str(tmp_path_factory.mktemp("scratch"))
    specs = tuple(checks.selected({}, inspect=False))
    plan = ProbePlan(probe_host.new_nonce(), specs, "cpu", None, 500.0, scratch)
    done = subprocess.run(
        probe_host.command(request.param), env={**os.environ, **probe_host.environment(plan)}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    stream = EventStream(plan)
    stream.feed(done.stdout)
    return stream.close()


def found(report, name):
    return next(check for check in report.checks if check.name == name)


def test_the_report_is_whole(report):
    assert report.complete
    assert report.violations == ()
    assert report.stray == ""


def test_torch_is_imported_and_described(report):
    check = found(report, "import")
    assert check.status in (CheckStatus.PASS, CheckStatus.WARN)
    assert check.metrics["torch_version"][0].isdigit()
    assert (check.status is CheckStatus.PASS) == (check.metrics["numpy_bridge"] is True)


def test_float32_trains_both_nets(report):
    check = found(report, "train_fp32")
    assert check.status is CheckStatus.PASS, check.message
    for net in ("conv", "block"):
        losses = check.metrics[f"{net}.losses"]
        assert len(losses) == len(check.metrics[f"{net}.grad_norms"]) >= 20
        assert losses[-1] < losses[0] / 4
    assert check.metrics["activation_dtypes"] == ["float32"]


@pytest.mark.parametrize(("name", "dtype"), [("train_amp_fp16", "float16"), ("train_amp_bf16", "bfloat16")])
def test_amp_trains_in_its_dtype_or_this_torch_says_it_has_none_for_the_cpu(report, name, dtype):
    check = found(report, name)
    if check.status is CheckStatus.SKIP:
        assert check.message.startswith("torch ")
        return
    assert check.status is CheckStatus.PASS, check.message
    assert check.metrics["activation_dtypes"] == [dtype]
    assert check.metrics["weight_dtype"] == "float32"
    # The dtype changed the arithmetic: a run in float32 under another name would agree to the last bit.
    assert check.metrics["conv.twin_difference_ratio"] > 0
    assert check.metrics["block.twin_difference_ratio"] > 0


def test_the_scaler_left_the_overflowing_step_out_and_went_on(report):
    check = found(report, "train_amp_fp16")
    if check.status is CheckStatus.SKIP:
        pytest.skip(check.message)
    for net in ("conv", "block"):
        scales = check.metrics[f"{net}.scaler_scales"]
        assert check.metrics[f"{net}.overflow_recovered"] is True
        assert scales[-1] == scales[-2] / 2
