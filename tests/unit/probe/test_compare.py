"""How far a result is from its reference, and what torch says of an operation that it does not have."""

import math

import pytest
from small_torch import fresh

from validator.probe import compare


@pytest.fixture
def tensor():
    return fresh().tensor


@pytest.mark.parametrize(
    ("found", "reference", "error"),
    [
        ([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 0.0),
        ([1.0, 2.0, 4.5], [1.0, 2.0, 4.0], 0.125),  # of the largest value
        ([1.0, -2.5, 1.0], [1.0, -2.0, 1.0], 0.25),  # largest without its sign
        ([0.5, 0.0], [0.0, 0.0], 0.5),  # nothing to be a share of
        ([1.0, math.nan], [1.0, 2.0], math.inf),
        ([math.nan, 1.0, 3.0], [1.0, 1.0, 3.0], math.inf),
        ([1.0, math.inf], [1.0, 2.0], math.inf),
        ([1.0, 2.0], [1.0, math.inf], math.inf),
        ([1.0, 2.0], [1.0, 2.0, 3.0], math.inf),
    ],
)
def test_an_error_is_the_largest_difference_as_a_share_of_the_largest_value(tensor, found, reference, error):
    assert compare.error(tensor(found), tensor(reference)) == error


def test_results_of_no_elements_agree():
    torch = fresh()
    assert compare.error(torch.zeros(0), torch.zeros(0)) == 0.0


def test_results_on_a_gpu_with_a_graph_are_compared_on_the_cpu():
    torch = fresh()
    found = (torch.tensor([1.0, 3.0]).requires_grad_() * 2).to("cuda")
    assert compare.error(found, torch.tensor([2.0, 6.0]).double()) == 0.0
    assert (compare.on_cpu(found).device, compare.on_cpu(found).dtype, compare.on_cpu(found).requires_grad) == (
        "cpu",
        torch.float64,
        False,
    )


def test_the_worst_of_several_counts(tensor):
    one, far, near = tensor([1.0]), tensor([2.0]), tensor([1.5])
    assert compare.worst([(one, one), (far, one), (near, one)]) == 1.0
    assert compare.worst([]) == 0.0


def test_the_tolerances_are_roundoffs_of_the_formats():
    assert {name: compare.TOLERANCE[name] / compare.ROUNDOFF[name] for name in ("tf32", "float16", "bfloat16")} == {
        "tf32": 16,
        "float16": 16,
        "bfloat16": 16,
    }
    # Bits of the mantissa, the hidden one included: 24, 11, 11 and 8.
    assert compare.ROUNDOFF == {"float32": 2**-24, "tf32": 2**-11, "float16": 2**-11, "bfloat16": 2**-8}
    assert compare.TOLERANCE["float32"] < 3e-4  # what TF32 in its place would show


@pytest.mark.parametrize(
    ("raised", "missing"),
    [
        (RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Half'"), True),
        (RuntimeError("fft: ATen not compiled with MKL support"), True),
        (RuntimeError("fft: compiled without MKL"), True),
        (RuntimeError("_th_mm not supported on CPUType for Half"), True),
        (RuntimeError("gesv : please compile with LAPACK support"), True),
        (RuntimeError("Calling torch.linalg.svd on a CPU tensor requires compiling PyTorch with LAPACK"), True),
        (RuntimeError("cholesky: LAPACK library not found in compilation"), True),
        (RuntimeError("Unsupported dtype Half"), True),
        (RuntimeError("fft is not supported on CPU"), True),
        (RuntimeError("linalg_solve: not currently supported on CUDA"), True),
        (NotImplementedError("whatever it says"), True),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), False),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), False),
    ],
    ids=str,
)
def test_an_operation_that_torch_does_not_have_is_told_from_one_that_failed(raised, missing):
    assert compare.not_implemented(raised) is missing
