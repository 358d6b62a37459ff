"""What the checks conclude. No GPU and no torch here: each torch is a stand-in of just the parts that a check asks."""

import json
import warnings
from types import SimpleNamespace

import pytest

from validator.probe import amp, emit, loop
from validator.probe.checks import device, kernels, training
from validator.probe.context import Context, headline
from validator.probe.precision import precision

T4 = {"name": "Tesla T4", "compute_capability": "7.5", "memory_total_bytes": 16106127360, "uuid": "GPU-1"}


def torch_with_gpu(name="Tesla T4", major=7, minor=5, memory=15655829504):
    cuda = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_properties=lambda _: SimpleNamespace(name=name, major=major, minor=minor, total_memory=memory),
        mem_get_info=lambda: (10, memory),
    )
    return SimpleNamespace(__version__="2.7.1", version=SimpleNamespace(cuda="12.6"), cuda=cuda, empty=lambda *_, **__: None)


def on_cuda(monkeypatch, torch, host_gpu):
    monkeypatch.setattr(Context, "torch", torch)
    return device.run(Context("cuda", host_gpu))


def test_the_gpu_the_host_sees_passes_though_torch_reports_less_memory(monkeypatch):
    result = on_cuda(monkeypatch, torch_with_gpu(), T4)
    assert result.status == "pass"
    assert result.metrics["compute_capability"] == "7.5"
    assert result.metrics["memory_free_bytes"] == 10


@pytest.mark.parametrize("host", [{**T4, "name": "NVIDIA Tesla T4"}, {**dict.fromkeys(T4)}, None])
def test_a_brand_prefix_or_a_host_that_knows_nothing_is_no_difference(monkeypatch, host):
    assert on_cuda(monkeypatch, torch_with_gpu(), host).status == "pass"


@pytest.mark.parametrize(
    ("name", "board_gib", "usable_gib"),
    [("NVIDIA RTX A500 Laptop GPU", 4, 3.68), ("NVIDIA GeForce GTX 1650", 4, 3.81), ("NVIDIA GeForce RTX 3090", 24, 23.68)],
)
def test_what_is_reserved_of_a_small_card_is_no_difference(monkeypatch, name, board_gib, usable_gib):
    host = {"name": name, "compute_capability": "7.5", "memory_total_bytes": board_gib << 30, "uuid": "GPU-1"}
    assert on_cuda(monkeypatch, torch_with_gpu(name, memory=int(usable_gib * 2**30)), host).status == "pass"
    smaller = torch_with_gpu(name, memory=board_gib << 29)
    assert on_cuda(monkeypatch, smaller, host).status == "fail"


@pytest.mark.parametrize(
    ("torch", "said"),
    [
        (torch_with_gpu(name="NVIDIA L4"), "name NVIDIA L4 here, Tesla T4 on the host"),
        (torch_with_gpu(minor=0), "compute capability 7.0 here, 7.5 on the host"),
        (torch_with_gpu(memory=8 << 30), "memory of 8589934592 bytes here, 16106127360 on the host"),
    ],
)
def test_another_gpu_than_the_hosts_fails_with_both_values(monkeypatch, torch, said):
    result = on_cuda(monkeypatch, torch, T4)
    assert result.status == "fail"
    assert said in result.message


def test_an_unavailable_gpu_fails_with_torchs_own_words(monkeypatch):
    def is_available():
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old (found version 10010).", stacklevel=1)
        return False

    def init():
        raise RuntimeError("No CUDA GPUs are available")

    torch = SimpleNamespace(version=SimpleNamespace(cuda="12.6"), cuda=SimpleNamespace(is_available=is_available, init=init))
    result = on_cuda(monkeypatch, torch, T4)
    assert result.status == "fail"
    assert "No CUDA GPUs are available" in result.message
    assert "driver on your system is too old" in result.message


def test_a_torch_without_cuda_fails_with_that_reason(monkeypatch):
    torch = SimpleNamespace(
        __version__="2.7.1+cpu", version=SimpleNamespace(cuda=None), cuda=SimpleNamespace(is_available=lambda: False)
    )
    assert "torch 2.7.1+cpu is built without CUDA" in on_cuda(monkeypatch, torch, T4).message


# ---------------------------------------------------------------- training


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


def compared(run, twin=None, dtype="float16"):
    context = Context("cpu", None)
    context.runs["conv"] = twin or run_of()
    return training.compared(context, {"conv": run}, dtype)


def test_a_run_like_its_twin_passes_and_says_what_it_saw():
    result = compared(run_of(scales=[65536.0] * 24 + [32768.0]))
    assert result.status == "pass"
    assert result.message == (
        "loss fell in 24 steps (conv net 2.00 → 0.10); activations float16; scaler 32768, recovered from an overflow"
    )
    assert result.metrics["twin_difference_ratio"] == 0
    assert result.metrics["conv.scaler_scales"][-2:] == [65536.0, 32768.0]
    assert "cause" not in result.metrics


@pytest.mark.parametrize(
    ("run", "said", "cause"),
    [
        (run_of([2.0] * 24), "the loss of the conv net did not fall enough: 2.000 → 2.000", "training_broken"),
        (run_of([2.0] * 9 + [float("nan")] * 15), "the loss of the conv net became nan at step 10", "fp16_nan"),
        (run_of([float("inf")] * 24), "the loss of the conv net became inf at step 1", "fp16_nan"),
        (run_of(bad_gradients=2), "NaN or Inf in the gradients of 2 steps", "fp16_nan"),
        (run_of(weight_dtypes={"float16"}), "the weights of the conv net are float16, not float32", "training_broken"),
        (run_of([2.0] * 5 + [0.3] * 19), "is not that of float32, 0.1000", "wrong_results"),
        (run_of(overflow="the gradient scaler let it through"), "the gradient scaler let it through", "training_broken"),
    ],
)
def test_a_run_that_did_not_train_fails_with_the_reason_and_its_cause(run, said, cause):
    result = compared(run)
    assert result.status == "fail"
    assert said in result.message
    assert result.metrics["cause"] == cause


def test_autocast_that_was_not_active_fails_however_well_it_trained():
    result = compared(run_of(activation_dtypes={"float32"}))
    assert result.status == "fail"
    assert "autocast to float16 was not active in the conv net: its activations are float32" in result.message
    assert result.metrics["autocast_active"] is False
    assert result.metrics["cause"] == "autocast_inactive"


def test_first_steps_skipped_while_the_scaler_finds_its_scale_are_normal():
    result = compared(run_of(scales=[16384.0], skipped=2))
    assert result.status == "pass"
    assert "2 more steps skipped" in result.message


OLD = SimpleNamespace(__version__="1.4.0", cuda=SimpleNamespace())


@pytest.mark.parametrize(("where", "status"), [("cuda", "fail"), ("cpu", "skip")])
@pytest.mark.parametrize("check", [training.amp_fp16, training.amp_bf16])
def test_a_torch_without_amp_fails_on_a_gpu_and_is_skipped_on_a_cpu(monkeypatch, where, status, check):
    monkeypatch.setattr(Context, "torch", OLD)
    result = check(Context(where, None))
    assert result.status == status
    assert result.message.startswith("torch 1.4.0 has no ")
    assert "autocast" in result.message


@pytest.mark.parametrize(
    ("capability", "status", "cause"), [((7, 5), "skip", "bf16_unsupported"), ((8, 0), None, None)], ids=["Turing", "Ampere"]
)
def test_a_gpu_without_bfloat16_is_skipped_with_its_cause_and_one_that_has_it_is_not_excused(
    monkeypatch, capability, status, cause
):
    cuda = SimpleNamespace(get_device_capability=lambda _: capability)
    monkeypatch.setattr(Context, "torch", SimpleNamespace(__version__="2.1.0", cuda=cuda))
    for said in (
        "Current CUDA Device does not support bfloat16. Please switch dtype to float16.",
        "GET was unable to find an engine to execute this computation",  # cuDNN of a Turing, for a convolution
    ):
        result = amp.refusal(Context("cuda", None), "bfloat16", RuntimeError(said))
        assert (result and result.status, result and result.metrics["cause"]) == (status, cause)
    assert amp.refusal(Context("cuda", None), "bfloat16", RuntimeError("CUDA error: unspecified launch failure")) is None


def test_a_torch_whose_autocast_knows_float16_only_is_not_failed_for_bfloat16(monkeypatch):
    torch = SimpleNamespace(__version__="1.7.0", cuda=SimpleNamespace(amp=SimpleNamespace(autocast=dict, GradScaler=list)))
    monkeypatch.setattr(Context, "torch", torch)
    result = training.amp_bf16(Context("cuda", None))
    assert (result.status, result.metrics["cause"]) == ("skip", "torch_too_old")
    assert "float16 only" in result.message


def test_the_first_cuda_autocast_served_float16_only():
    torch = SimpleNamespace(__version__="1.7.0", cuda=SimpleNamespace(amp=SimpleNamespace(autocast=dict, GradScaler=list)))
    assert amp.autocast(torch, "cuda", "float16") is dict
    assert amp.grad_scaler(torch, "cuda") == []
    with pytest.raises(amp.Missing, match="float16 only"):
        amp.autocast(torch, "cuda", "bfloat16")
    with pytest.raises(amp.Missing, match="no CPU autocast"):
        amp.autocast(torch, "cpu", "bfloat16")
    with pytest.raises(amp.Missing, match="no gradient scaler for the CPU"):
        amp.grad_scaler(torch, "cpu")


# ---------------------------------------------------------------- lines


def test_metrics_become_finite_json_of_bounded_size():
    class Odd:
        def __str__(self):
            return "x" * 5000

    sent = emit.metrics({"nan": float("nan"), "inf": -float("inf"), "odd": Odd(), "list": (1, float("inf"), None), "flag": True})
    assert sent == {"nan": "nan", "inf": "-inf", "odd": "x" * 1000, "list": [1, "inf", None], "flag": True}
    assert len(emit.metrics({"long": list(range(1000))})["long"]) == 256


def test_an_event_too_long_for_its_line_loses_its_output_before_its_verdict():
    event = {"status": "fail", "message": "short", "metrics": {"m": 1}, "output": "\U0001f525" * 6000}
    sent = json.loads(emit.encode(event))
    assert sent == {**event, "output": ""}


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("CUDA error: no kernel image\nmore"), "RuntimeError: CUDA error: no kernel image"),
        (ImportError("\n\n  undefined symbol: x"), "ImportError: undefined symbol: x"),
        (AssertionError(), "AssertionError"),
        (KeyError("x" * 1000), "KeyError: '" + "x" * 390),
    ],
)
def test_an_exception_in_one_line(error, line):
    assert headline(error).startswith(line[:400])
    assert "\n" not in headline(error)
    assert len(headline(error)) <= 400


# ---------------------------------------------------------------- operations


def ampere(**parts):
    tf32 = SimpleNamespace(allow_tf32=True)
    backends = SimpleNamespace(cuda=SimpleNamespace(matmul=tf32), cudnn=SimpleNamespace(allow_tf32=True))
    return SimpleNamespace(cuda=SimpleNamespace(get_device_capability=lambda _: (8, 6)), backends=backends, **parts)


def test_on_a_gpu_bfloat16_is_compared_from_the_torch_on_that_trains_in_it():
    assert kernels.modes(ampere(bfloat16=object()), "cuda") == ["float32", "tf32", "float16"]  # torch 1.7 to 1.9
    assert kernels.modes(ampere(bfloat16=object(), autocast=object()), "cuda")[-1] == "bfloat16"


@pytest.mark.parametrize(("override", "status"), [(None, "fail"), ("0", "fail"), ("1", "pass")])
def test_float32_is_excused_for_tf32_only_where_nvidias_libraries_are_told_to_use_it(monkeypatch, override, status):
    if override:
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", override)
    else:
        monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    monkeypatch.setattr(Context, "torch", ampere())
    monkeypatch.setattr(kernels, "compare", lambda *_: ([("matmul", 3e-4)], []))
    assert kernels.run(Context("cuda", None)).status == status


def test_tf32_that_an_image_switched_on_is_off_for_float32_and_on_again_afterwards(monkeypatch):
    torch = ampere()
    seen = []
    with precision(torch, False):
        seen.append(torch.backends.cuda.matmul.allow_tf32)
        seen.append(torch.backends.cudnn.allow_tf32)
    assert seen == [False, False]
    assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is True


@pytest.mark.parametrize(
    ("where", "wrong_in", "status"),
    [("cpu", "bfloat16", "warn"), ("cpu", "float32", "fail"), ("cuda", "bfloat16", "fail")],
)
def test_wrong_halves_on_a_cpu_are_a_warning_and_wrong_anything_else_a_failure(monkeypatch, where, wrong_in, status):
    torch = ampere(bfloat16=object(), autocast=object())
    monkeypatch.setattr(Context, "torch", torch)
    monkeypatch.setattr(kernels, "compare", lambda _, __, dtype: ([("norm", 0.5 if dtype == wrong_in else 0.0)], []))
    result = kernels.run(Context(where, None))
    assert (result.status, result.metrics["cause"]) == (status, "wrong_results")
    assert f"norm in {wrong_in} is off by 0.5" in result.message


def test_an_autocast_that_knows_bfloat16_alone_is_skipped_for_float16(monkeypatch):
    monkeypatch.setattr(Context, "torch", SimpleNamespace(__version__="1.10.2"))
    error = RuntimeError("Currently, AutocastCPU only support Bfloat16 as the autocast_cpu_dtype")
    assert amp.refusal(Context("cpu", None), "float16", error).status == "skip"
