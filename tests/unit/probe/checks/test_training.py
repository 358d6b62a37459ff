"""``train_*``: which runs are made and how, and what they and their twins in float32 mean."""

import math
import warnings
from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe import loop
from validator.probe.checks import training
from validator.probe.context import Context


def run_of(losses=None, **fields):
    run = loop.Run()
    run.losses = losses or [2.0] * 5 + [0.1] * 19
    run.grad_norms = [1.0] * 24
    run.activation_dtypes = {"float16"}
    run.weight_dtypes = {"float32"}
    run.overflow = ""
    for name, value in fields.items():
        setattr(run, name, value)
    return run


def twin_of(**fields):
    return run_of(activation_dtypes={"float32"}, overflow=None, **fields)


@pytest.fixture
def trained(monkeypatch, torch):
    """What training gives, by the dtype of autocast; how it was asked for is kept."""
    found = SimpleNamespace(runs={}, asked=[], synced=0, warns=None)

    def train(given, device, kind, autocast=None, scaler=None, quick=False):
        assert given is torch
        dtype = "float32"
        if autocast is not None:
            with autocast() as opened:
                dtype = opened.dtype.name
        found.asked.append((device, kind, dtype, scaler, quick))
        if autocast is not None and found.warns:
            warnings.warn(found.warns, stacklevel=1)
        run = found.runs.get((kind, dtype)) or found.runs.get(dtype)
        if isinstance(run, Exception):
            raise run
        return run or (twin_of() if dtype == "float32" else run_of(activation_dtypes={dtype}))

    monkeypatch.setattr(loop, "train", train)
    return found


# ---------------------------------------------------------------- which runs


@pytest.mark.parametrize(
    ("device", "quick", "kinds"),
    [
        ("cuda", False, ["conv", "block"]),
        ("cpu", False, ["conv", "block"]),
        ("cuda", True, ["conv"]),
        ("cpu", True, ["block"]),
    ],
)
def test_the_short_answer_trains_one_net_of_two(trained, device, quick, kinds):
    context = Context(device, None, quick=quick)
    assert verdict(training.fp32(context)) == ("pass", None)
    assert trained.asked == [(device, kind, "float32", None, quick) for kind in kinds]
    assert list(context.runs) == kinds


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_float16_is_trained_with_a_scaler_of_its_own_for_each_net_and_bfloat16_without(trained, device):
    context = Context(device, None)
    assert verdict(training.amp_fp16(context)) == ("pass", None)
    scalers = [scaler for _, _, dtype, scaler, _ in trained.asked if dtype == "float16"]
    assert [scaler.device for scaler in scalers] == [device, device]
    assert scalers[0] is not scalers[1]
    trained.asked.clear()
    assert verdict(training.amp_bf16(context)) == ("pass", None)
    # The twins have been trained already.
    assert trained.asked == [(device, kind, "bfloat16", None, False) for kind in ("conv", "block")]


def test_a_new_worker_trains_the_twins_itself(trained, cpu, torch):
    training.amp_bf16(cpu)
    assert [(kind, dtype) for _, kind, dtype, _, _ in trained.asked] == [
        ("conv", "bfloat16"),
        ("block", "bfloat16"),
        ("conv", "float32"),
        ("block", "float32"),
    ]
    assert torch.threads == 1


def test_the_peak_of_gpu_memory_is_that_of_the_runs_under_autocast(trained, gpu, torch):
    events = []
    torch.cuda.reset_peak_memory_stats = lambda: events.append(len(trained.asked))
    torch.cuda.synchronize = lambda: events.append("sync")
    torch.cuda.max_memory_allocated = lambda: events.append(len(trained.asked)) or 4711
    result = training.amp_bf16(gpu)
    assert result.metrics["peak_memory_bytes"] == 4711
    assert events[:3] == [0, "sync", 2]


def test_a_run_in_float32_that_learns_nothing_fails_with_its_cause(trained, cpu):
    trained.runs["block", "float32"] = twin_of(losses=[2.0] * 24)
    result = training.fp32(cpu)
    assert verdict(result) == ("fail", "training_broken")
    assert result.message == "the loss of the block net did not fall enough: 2.000 → 2.000, to ×0.4 or less is expected"
    assert result.metrics["block.loss_ratio"] == 1.0


def test_a_run_in_float32_says_what_it_saw(trained, cpu):
    trained.runs["conv", "float32"] = twin_of(losses=[3.0] * 5 + [0.5] * 15)
    result = training.fp32(cpu)
    assert result.message == "loss fell in 20 steps (conv net 3.00 → 0.50, block net 2.00 → 0.10); activations float32"
    assert result.metrics["steps"] == 20
    assert result.metrics["batch"] == 32
    assert result.metrics["grad_finite"] is True
    assert result.metrics["weight_dtype"] == "float32"
    assert result.metrics["activation_dtypes"] == ["float32"]


# ---------------------------------------------------------------- a torch or a device without it

OLD = SimpleNamespace(__version__="1.4.0", cuda=SimpleNamespace())


@pytest.mark.parametrize(("where", "status"), [("cuda", "fail"), ("cpu", "skip")])
@pytest.mark.parametrize("check", [training.amp_fp16, training.amp_bf16])
def test_a_torch_without_amp_fails_on_a_gpu_and_is_skipped_on_a_cpu(monkeypatch, where, status, check):
    monkeypatch.setattr(Context, "torch", OLD)
    result = check(Context(where, None))
    assert verdict(result) == (status, "torch_too_old_for_amp")
    assert result.message.startswith("torch 1.4.0 has no ")
    assert "autocast" in result.message


def test_a_torch_without_a_scaler_trains_in_bfloat16_alone(trained, gpu, torch):
    del torch.amp
    assert verdict(training.amp_fp16(gpu)) == ("fail", "torch_too_old_for_amp")
    assert trained.asked == []
    assert verdict(training.amp_bf16(gpu)) == ("pass", None)


def test_a_torch_whose_autocast_knows_float16_only_is_not_failed_for_bfloat16(monkeypatch):
    torch = SimpleNamespace(__version__="1.7.0", cuda=SimpleNamespace(amp=SimpleNamespace(autocast=dict, GradScaler=list)))
    monkeypatch.setattr(Context, "torch", torch)
    result = training.amp_bf16(Context("cuda", None))
    assert verdict(result) == ("skip", "torch_too_old")
    assert "float16 only" in result.message


def test_a_dtype_that_the_device_refuses_is_skipped_and_another_error_is_not(trained, cpu):
    trained.runs["float16"] = RuntimeError("\"conv\" not implemented for 'Half'")
    assert verdict(training.amp_fp16(cpu)) == ("skip", "cpu_half_unsupported")
    trained.runs["float16"] = RuntimeError("something else")
    with pytest.raises(RuntimeError, match="something else"):
        training.amp_fp16(cpu)


def test_a_cpu_autocast_that_warns_and_does_nothing_has_no_such_dtype(trained, cpu, gpu):
    trained.warns = "In CPU autocast, but the target dtype is not supported.\n Disabling autocast."
    trained.runs["float16"] = run_of(activation_dtypes={"float32"})
    result = training.amp_fp16(cpu)
    assert verdict(result) == ("skip", "torch_too_old_for_amp")
    assert result.message.endswith(
        "'s CPU autocast has no float16: In CPU autocast, but the target dtype is not supported. Disabling autocast."
    )
    assert verdict(training.amp_fp16(gpu)) == ("fail", "autocast_inactive")  # nothing excuses a GPU
    trained.warns = "lr_scheduler.step() before optimizer.step()"
    assert verdict(training.amp_fp16(cpu)) == ("fail", "autocast_inactive")
    trained.warns = "autocast is deprecated"
    trained.runs["conv", "float16"] = run_of()
    assert verdict(training.amp_fp16(cpu)) == ("fail", "autocast_inactive")  # it is on in one of the nets


# ---------------------------------------------------------------- what a run means


def compared(run, twin=None, dtype="float16"):
    context = Context("cpu", None)
    context.runs["conv"] = twin or twin_of()
    return training.compared(context, {"conv": run}, dtype)


def test_a_run_like_its_twin_passes_and_says_what_it_saw():
    result = compared(run_of(scales=[65536.0] * 24 + [32768.0]))
    assert verdict(result) == ("pass", None)
    assert result.message == (
        "loss fell in 24 steps (conv net 2.00 → 0.10); activations float16; scaler 32768, recovered from an overflow"
    )
    assert result.metrics["twin_difference_ratio"] == result.metrics["conv.twin_difference_ratio"] == 0
    assert result.metrics["conv.twin_final_loss"] == pytest.approx(0.1)
    assert result.metrics["conv.scaler_scales"][-2:] == [65536.0, 32768.0]
    assert result.metrics["scaler_final_scale"] == 32768.0
    assert result.metrics["scaler_skipped_steps"] == 0
    assert result.metrics["autocast_active"] is True
    assert result.metrics["activation_dtypes"] == ["float16"]
    assert result.metrics["peak_memory_bytes"] is None


@pytest.mark.parametrize(
    ("run", "said", "cause"),
    [
        (run_of([2.0] * 24), "the loss of the conv net did not fall enough: 2.000 → 2.000", "training_broken"),
        (run_of([2.0] * 9 + [math.nan] * 15), "the loss of the conv net became nan at step 10", "fp16_nan"),
        (run_of([math.inf] * 24), "the loss of the conv net became inf at step 1", "fp16_nan"),
        (run_of(bad_gradients=2), "NaN or Inf in the gradients of 2 steps", "fp16_nan"),
        (run_of(weight_dtypes={"float16"}), "the weights of the conv net are float16, not float32", "training_broken"),
        (run_of([2.0] * 5 + [0.3] * 19), "is not that of float32, 0.1000", "wrong_results"),
        (
            run_of(overflow="the gradient scaler let it through"),
            "conv net: the gradient scaler let it through",
            "training_broken",
        ),
        (run_of(activation_dtypes={"float32"}), "autocast to float16 was not active in the conv net", "autocast_inactive"),
        (run_of(activation_dtypes={"float16", "float32"}), "its activations are float16, float32", "autocast_inactive"),
    ],
)
def test_a_run_that_did_not_train_fails_with_the_reason_and_its_cause(run, said, cause):
    result = compared(run)
    assert verdict(result) == ("fail", cause)
    assert said in result.message
    # One fault, told once; a run that learned nothing differs from its twin as well.
    assert result.message.count("; ") == (run.losses == [2.0] * 24)
    assert result.metrics["grad_finite"] is (run.bad_gradients == 0)
    assert result.metrics["autocast_active"] is (run.activation_dtypes == {"float16"})


@pytest.mark.parametrize(("dtype", "cause"), [("float32", "training_broken"), ("float16", "fp16_nan")])
def test_a_nan_is_a_fault_of_half_precision_only_where_it_is_used(dtype, cause):
    for run in (run_of([math.nan] * 24), run_of(bad_gradients=1)):
        ((_, found),) = training.faults_of("conv", run, dtype)
        assert found == cause


@pytest.mark.parametrize(("final", "status"), [(0.8, "pass"), (0.801, "fail")])
def test_a_loss_must_fall_to_a_share_of_the_first(final, status):
    losses = [2.0] * 5 + [final] * 19
    assert compared(run_of(losses), twin_of(losses=losses)).status == status


@pytest.mark.parametrize(("final", "status"), [(0.2, "pass"), (0.201, "fail"), (0.002, "pass")])
def test_the_final_loss_may_differ_by_a_share_of_the_twins_first(final, status):
    assert compared(run_of([9.0] + [final] * 23)).status == status  # 5 % of 2.0


def test_the_largest_difference_to_a_twin_is_told_and_a_nan_is_the_largest(cpu):
    cpu.runs.update(conv=twin_of(), block=twin_of())
    off, on = run_of([2.0] * 5 + [0.15] * 19), run_of()
    for runs in ({"conv": off, "block": on}, {"conv": on, "block": off}):
        assert training.compared(cpu, runs, "float16").metrics["twin_difference_ratio"] == pytest.approx(0.025)
    broken = run_of([2.0] * 5 + [math.nan] * 19)
    assert math.isnan(training.compared(cpu, {"conv": on, "block": broken}, "float16").metrics["twin_difference_ratio"])


def test_the_first_fault_names_the_cause_and_all_are_told():
    result = compared(run_of([2.0] * 24, overflow="let it through", activation_dtypes={"float32"}))
    assert verdict(result) == ("fail", "training_broken")
    assert result.message.count("; ") == 3  # loss, scaler, autocast, twin


def test_what_was_seen_in_any_net_is_told():
    context = Context("cpu", None)
    context.runs.update(conv=twin_of(), block=twin_of())
    runs = {"conv": run_of(scales=[8.0], skipped=1), "block": run_of(scales=[4.0], skipped=2, weight_dtypes={"float16"})}
    result = training.compared(context, runs, "float16")
    assert result.metrics["scaler_final_scale"] == 4.0
    assert result.metrics["scaler_skipped_steps"] == 3
    assert result.metrics["weight_dtype"] == "float16, float32"


def test_first_steps_skipped_while_the_scaler_finds_its_scale_are_normal():
    result = compared(run_of(scales=[16384.0], skipped=2))
    assert result.status == "pass"
    assert "2 more steps skipped" in result.message


def test_without_a_scaler_nothing_is_said_of_it():
    result = compared(run_of(overflow=None, activation_dtypes={"bfloat16"}), dtype="bfloat16")
    assert result.message.endswith("activations bfloat16")
    assert not any("scaler" in name for name in result.metrics)
