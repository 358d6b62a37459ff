"""What the words of torch mean, from 1.0 to the newest, when no layer of the model tells it first."""

from types import SimpleNamespace

import pytest

from validator.probe import user_errors
from validator.probe.context import Context
from validator.probe.layers import Running


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
        ("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory", "out_of_memory"),
        ("not enough memory: you tried to allocate 1GB. Cannot allocate memory", "out_of_memory"),
        ("Torch not compiled with CUDA enabled", "device_mismatch"),
        ("Found no NVIDIA driver on your system", "device_mismatch"),
        ("Expected a cuda tensor, but weight is on cpu", "device_mismatch"),
        ("Input type (torch.FloatTensor) and weight type (torch.cuda.FloatTensor) should be the same", "device_mismatch"),
        ("Index tensor is out of bounds", "index_out_of_bounds"),
        ("Index put requires the source and destination dtypes match", "amp_dtype_mismatch"),
        ("Expected object of scalar type Float but got scalar type Half", "amp_dtype_mismatch"),
        ("\"erfinv\" not implemented for 'BFloat16'", "amp_op_unsafe"),
        ("svd does not support half precision", "amp_op_unsafe"),
        ("Given groups=1, weight of size [8, 1, 3, 3], expected input[2, 3, 9, 9] to have 1 channels", "input_shape_mismatch"),
        ("Expected 3D (unbatched) or 4D (batched) input to conv2d", "input_shape_mismatch"),
        ("Given normalized_shape=[5], expected input with", "input_shape_mismatch"),
        ("Sizes of tensors must match except in dimension 1", "input_shape_mismatch"),
        ("Calculated padded input size per channel: (2 x 2)", "input_shape_mismatch"),
        ("Given input size: (8x1x1). Calculated output size: (8x0x0)", "input_shape_mismatch"),
        ("inconsistent tensor size, expected", "input_shape_mismatch"),
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


@pytest.fixture
def raised(torch):
    """What an exception means that a layer raised for an input of a shape."""

    def meaning(module, shape, name="stem.0", first="stem.0", error=None, device="cpu", dtype="float32", metrics=None):
        layer = Running(name, module, shape, dtype) if module is not None else None
        tracker = SimpleNamespace(current=layer, first=first)
        metrics = {} if metrics is None else metrics
        found = user_errors.classify(Context(device, None), tracker, error or RuntimeError("some words"), metrics)
        assert found.cause == metrics["cause"]
        assert found.place == ""
        return found.said, metrics

    return meaning


def test_the_first_layer_that_takes_another_number_of_channels_is_a_mismatch_of_the_input(raised, torch):
    said, metrics = raised(torch.nn.Conv2d(1, 8, 3), (2, 3, 64, 64))
    assert (
        said == "input shape mismatch: model takes 1 channel, input has 3 (the layer stem.0, the first to run; input 2×3×64×64)"
    )
    assert metrics == {
        "raised": "RuntimeError",
        "layer": "stem.0 (Conv2d)",
        "expected": "1 channel",
        "got": "3 channels",
        "cause": "input_shape_mismatch",
    }


def test_a_layer_further_in_is_a_mismatch_inside_the_model(raised, torch):
    said, metrics = raised(torch.nn.Linear(9, 2), (2, 8), name="head")
    assert said == (
        "shape mismatch inside the model: the layer head takes 9 features, it got 8 (2×8); does the size of the input fit?"
    )
    assert (metrics["expected"], metrics["got"]) == ("9 features", "8 features")


@pytest.mark.parametrize(
    ("kind", "shape", "known"),
    [
        ("Conv1d", (2, 3, 9), True),
        ("Conv2d", (2, 3, 9, 9), True),
        ("Conv3d", (2, 3, 9, 9, 9), True),
        ("Conv1d", (3, 9), True),  # without a batch
        ("Conv2d", (3, 9, 9), True),
        ("Conv2d", (2, 5, 9, 9), False),  # the channels fit
        ("Conv2d", (5, 9, 9), False),
        ("BatchNorm1d", (2, 3), True),
        ("BatchNorm2d", (2, 3, 9, 9), True),
        ("BatchNorm3d", (2, 3, 9, 9, 9), True),
        ("BatchNorm2d", (2, 5, 9, 9), False),
        ("BatchNorm1d", (3,), False),  # there is no such axis
        ("Linear", (2, 7, 3), True),
        ("Linear", (3,), True),
        ("Linear", (2, 5), False),
        ("Linear", (), False),
        ("ReLU", (2, 3), False),
    ],
)
def test_which_axis_a_layer_counts(raised, torch, kind, shape, known):
    module = {
        "Conv": lambda make: make(5, 8, 3),
        "Batch": lambda make: make(5),
        "Linea": lambda make: make(5, 2),
        "ReLU": lambda make: make(),
    }
    make = next(make for name, make in module.items() if kind.startswith(name))
    said, metrics = raised(make(getattr(torch.nn, kind)), shape)
    assert ("expected" in metrics) is known
    assert metrics["cause"] == ("input_shape_mismatch" if known else "user_code_error")
    if known:
        what = "features" if kind == "Linear" else "channels"
        assert (metrics["expected"], metrics["got"]) == (f"5 {what}", f"3 {what}")
        assert f"model takes 5 {what}, input has 3" in said
    else:
        assert said.startswith("RuntimeError: some words in the layer stem.0")


@pytest.mark.parametrize(("kind", "need"), [("Conv1d", 3), ("Conv2d", 4), ("Conv3d", 5)])
@pytest.mark.parametrize("off", [-2, 1])
def test_a_convolution_of_other_dimensions_is_told(raised, torch, kind, need, off):
    shape = (2, 5, 9, 9, 9, 9)[: need + off]
    said, metrics = raised(getattr(torch.nn, kind)(5, 8, 3), shape, name="")
    assert said == f"the model itself takes {need} dimensions with the batch, it got {need + off} ({'×'.join(map(str, shape))})"
    assert (metrics["expected"], metrics["got"]) == (f"{need} dimensions", f"{need + off} dimensions")
    assert metrics["layer"] == f"the model itself ({kind})"


def test_outside_of_every_layer_the_words_alone_tell(raised):
    said, metrics = raised(None, None, error=RuntimeError("index out of range in self"))
    assert said == "RuntimeError: index out of range in self"
    assert "layer" not in metrics
    assert metrics["cause"] == "index_out_of_bounds"


def test_a_layer_without_a_tensor_to_take_is_told_by_the_words(raised, torch):
    said, _ = raised(torch.nn.Linear(5, 2), None, dtype=None)
    assert said == "RuntimeError: some words in the layer stem.0 (Linear)"


@pytest.mark.parametrize(
    ("dtype", "told"), [("float32", True), ("float16", True), ("int64", False), ("int32", False), (None, False)]
)
def test_an_embedding_that_got_no_integers_is_told_what_to_give(raised, dtype, told):
    class EmbeddingBag:
        pass

    said, metrics = raised(EmbeddingBag(), (2, 5), name="table", dtype=dtype)
    assert (said == f"the layer table looks up integers and got {dtype}: give --dtype long") is told
    assert metrics["cause"] == "user_code_error"


MISMATCH = RuntimeError("mat1 and mat2 must have the same dtype")


def test_weights_and_input_of_different_dtypes_are_both_told(raised, torch):
    said, metrics = raised(torch.nn.Linear(5, 2), (2, 5), error=MISMATCH, dtype="float16")
    assert said == (
        "RuntimeError: mat1 and mat2 must have the same dtype in the layer stem.0 (Linear): "
        "its weights are float32, its input is float16"
    )
    assert metrics["cause"] == "amp_dtype_mismatch"


@pytest.mark.parametrize(("make", "dtype"), [("Linear", "float32"), ("Linear", None), ("ReLU", "float16")])
def test_where_the_dtypes_do_not_explain_it_they_are_not_told(raised, torch, make, dtype):
    module = torch.nn.Linear(5, 2) if make == "Linear" else torch.nn.ReLU()
    said, _ = raised(module, (2, 5), error=MISMATCH, dtype=dtype)
    assert said == f"RuntimeError: mat1 and mat2 must have the same dtype in the layer stem.0 ({make})"


def test_another_type_error_is_not_about_targets():
    assert "targets" not in user_errors._by_words(Context("cpu", None), TypeError("unsupported operand"), None)[0]
    assert user_errors._by_words(Context("cpu", None), RuntimeError("1 required positional argument"), None)[0].startswith(
        "RuntimeError"
    )
