"""The parts of mixed precision in torches of every age, and what a refusal of a dtype means."""

from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe import amp
from validator.probe.context import Context

FIRST = SimpleNamespace(__version__="1.7.0", cuda=SimpleNamespace(amp=SimpleNamespace(autocast=dict, GradScaler=list)))
BEFORE = SimpleNamespace(__version__="1.4.0")


@pytest.mark.parametrize("device", ["cuda", "cpu"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_autocast_is_for_the_device_and_dtype(torch, device, dtype):
    make = amp.autocast(torch, device, dtype)
    opened = make()
    assert (opened.device, opened.dtype.name) == (device, dtype)
    assert make() is not opened


def test_a_scaler_is_for_the_device_and_new_each_time(torch):
    assert amp.grad_scaler(torch, "cpu").device == "cpu"
    assert amp.grad_scaler(torch, "cuda") is not amp.grad_scaler(torch, "cuda")


def test_the_first_cuda_autocast_served_float16_only():
    assert amp.autocast(FIRST, "cuda", "float16") is dict
    assert amp.grad_scaler(FIRST, "cuda") == []
    with pytest.raises(amp.MissingDtype, match="float16 only, not bfloat16"):
        amp.autocast(FIRST, "cuda", "bfloat16")


@pytest.mark.parametrize(
    ("ask", "torch", "device", "said"),
    [
        (lambda *of: amp.autocast(*of, "bfloat16"), FIRST, "cpu", "torch 1.7.0 has no CPU autocast"),
        (lambda *of: amp.autocast(*of, "float16"), BEFORE, "cuda", "torch 1.4.0 has no torch.cuda.amp autocast"),
        (amp.grad_scaler, FIRST, "cpu", "torch 1.7.0 has no gradient scaler for the CPU"),
        (amp.grad_scaler, BEFORE, "cuda", "torch 1.4.0 has no gradient scaler for the CUDA"),
    ],
)
def test_what_an_old_torch_does_not_have_is_told(ask, torch, device, said):
    with pytest.raises(amp.Missing) as raised:
        ask(torch, device)
    assert str(raised.value) == said
    assert not isinstance(raised.value, amp.MissingDtype)


REFUSALS = [
    "Current CUDA Device does not support bfloat16. Please switch dtype to float16.",
    "GET was unable to find an engine to execute this computation",  # cuDNN of a Turing, for a convolution
    "Currently, AutocastCPU only support Bfloat16 as the autocast_cpu_dtype",
    "\"conv\" not implemented for 'BFloat16'",
    "the operator is not supported",
    "unsupported dtype",
    "CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling",
    "CUDA error: CUBLAS_STATUS_ARCH_MISMATCH when calling",
    "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED",
    "no valid convolution algorithms available in CuDNN",
]


@pytest.mark.parametrize("said", REFUSALS)
@pytest.mark.parametrize(("dtype", "cause"), [("float16", "cpu_half_unsupported"), ("bfloat16", "bf16_unsupported")])
def test_a_cpu_without_kernels_for_a_dtype_is_skipped_with_its_cause(cpu, said, dtype, cause):
    result = amp.refusal(cpu, dtype, RuntimeError(said))
    assert verdict(result) == ("skip", cause)
    assert result.message == f"torch 2.7.1+cu126 on this CPU: RuntimeError: {said}"


@pytest.mark.parametrize("said", REFUSALS)
@pytest.mark.parametrize(
    ("capability", "dtype", "excused"),
    [((7, 5), "bfloat16", True), ((8, 0), "bfloat16", False), ((7, 5), "float16", False)],
)
def test_a_gpu_before_ampere_is_excused_for_bfloat16_and_no_other(gpu, torch, said, capability, dtype, excused):
    torch.cuda.get_device_capability = lambda _: capability
    result = amp.refusal(gpu, dtype, RuntimeError(said))
    if not excused:
        assert result is None
        return
    assert verdict(result) == ("skip", "bf16_unsupported")
    assert result.message.startswith("compute capability 7.5 has no bfloat16, and torch 2.7.1+cu126 does not emulate it: ")


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_another_error_is_no_refusal(torch, device):
    torch.cuda.get_device_capability = lambda _: (7, 5)
    assert amp.refusal(Context(device, None), "bfloat16", RuntimeError("CUDA error: unspecified launch failure")) is None
