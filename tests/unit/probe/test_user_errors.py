"""What the words of torch mean, from 1.0 to the newest, when no layer of the model tells it first."""

import pytest

from validator.probe import user_errors
from validator.probe.context import Context
from validator.probe.layers import Running, Tracker


class Anonymous:
    """No layer that is known."""


def cause_of(said, device="cuda", error=RuntimeError):
    return user_errors._by_words(Context(device, None), error(said), None)[1]


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 15.78 GiB total capacity)", "out_of_memory"),
        ("mat1 and mat2 shapes cannot be multiplied (2x16 and 9x4)", "input_shape_mismatch"),
        ("size mismatch, m1: [2 x 16], m2: [9 x 4] at /pytorch/aten/src/TH/generic/THTensorMath.cpp:41", "input_shape_mismatch"),
        ("The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1", "input_shape_mismatch"),
        ("shape '[2, 100]' is invalid for input of size 64", "input_shape_mismatch"),
        (
            "Expected 4-dimensional input for 4-dimensional weight [8, 1, 3, 3], but got 2-dimensional input",
            "input_shape_mismatch",
        ),
        ("running_mean should contain 3 elements not 1", "input_shape_mismatch"),
        ("expected 4D input (got 2D input)", "input_shape_mismatch"),
        ("expected scalar type Half but found Float", "amp_dtype_mismatch"),
        ("Input type (float) and bias type (c10::Half) should be the same", "amp_dtype_mismatch"),
        ("Input type (torch.cuda.HalfTensor) and weight type (torch.cuda.FloatTensor) should be the same", "amp_dtype_mismatch"),
        ("mat1 and mat2 must have the same dtype, but got Half and Float", "amp_dtype_mismatch"),
        ("Attempting to unscale FP16 gradients.", "amp_dtype_mismatch"),
        ("torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.", "amp_op_unsafe"),
        ("\"bessel_j0_cuda\" not implemented for 'Half'", "amp_op_unsafe"),
        ("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!", "device_mismatch"),
        ("Input type (torch.cuda.FloatTensor) and weight type (torch.FloatTensor) should be the same", "device_mismatch"),
        ("index out of range in self", "index_out_of_bounds"),
        ("CUDA error: device-side assert triggered", "index_out_of_bounds"),
        ("list index out of range", "index_out_of_bounds"),
        ("something else entirely", "user_code_error"),
    ],
)
def test_the_words_of_torch_have_a_cause(said, cause):
    assert cause_of(said) == cause


def test_half_on_a_cpu_is_a_cause_of_its_own():
    assert cause_of("\"addmm_impl_cpu_\" not implemented for 'Half'", "cpu") == "cpu_half_unsupported"
    assert cause_of("\"bessel_j0_cpu\" not implemented for 'BFloat16'", "cpu") == "amp_op_unsafe"


def test_a_forward_that_wants_more_is_told_what_to_do():
    found = user_errors._by_words(
        Context("cpu", None), TypeError("forward() missing 1 required positional argument: 'targets'"), None
    )
    assert found[1] == "user_code_error"
    assert "makes its targets itself" in found[0]


def test_the_innermost_layer_that_did_not_end_is_the_one_that_raised():
    tracker = Tracker(None)
    outer, inner = Anonymous(), Anonymous()
    tracker._stack = [Running("outer", outer, None, None), Running("outer.a", inner, None, None)]
    assert tracker.current.name == "outer.a"
    tracker._leave(inner)
    assert tracker.current.name == "outer"
    tracker._leave(outer)
    assert tracker.current is None
