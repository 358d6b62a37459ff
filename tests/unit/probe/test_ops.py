"""The operations that are compared, by name, and the numbers that they are given. What they compute needs a real torch."""

import pytest

from validator.probe import ops

EVERYWHERE = {
    "matmul",
    "bmm",
    "linear_backward",
    "conv2d",
    "conv2d_backward",
    "batch_norm",
    "layer_norm_backward",
    "softmax",
    "cross_entropy",
    "indexing",
    "embedding_backward",
    "reductions",
    "elementwise",
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_has_what_nets_are_made_of(torch, dtype):
    assert {name for name, _ in ops.table(torch, dtype)} == EVERYWHERE


def test_float32_has_linear_algebra_and_fourier_transforms_too(torch):
    found = dict(ops.table(torch, "float32"))
    assert set(found) == EVERYWHERE | {"fft", "linalg_solve", "linalg_cholesky", "linalg_svd"}
    assert len(set(found.values())) == len(found)


def test_numbers_are_rounded_to_the_dtype_under_test_before_they_are_given_in_that_of_the_run(torch):
    found = ops.Maker(torch, 7, torch.bfloat16, "cuda", torch.float32)(40)
    exact = ops.Maker(torch, 7, torch.float64, "cpu", torch.float64)(40)
    assert (found.dtype, found.device, found.requires_grad) == (torch.float32, "cuda", False)
    assert found.tolist() == exact.to(torch.bfloat16).tolist() != exact.tolist()


def test_a_maker_draws_the_same_again_and_not_the_same_twice(torch):
    make = ops.Maker(torch, 7, torch.float32, "cpu", torch.float32)
    one, two = make(5).tolist(), make(5).tolist()
    assert one != two
    assert ops.Maker(torch, 7, torch.float32, "cpu", torch.float32)(5).tolist() == one


def test_a_gradient_is_asked_for_where_it_is_wanted(torch):
    make = ops.Maker(torch, 7, torch.float32, "cpu", torch.float32)
    assert make(2, gradient=True).requires_grad is True


def test_indices_are_below_their_bound_on_the_device(torch):
    found = ops.Maker(torch, 7, torch.float16, "cuda", torch.float16).integers(3, 10, 4)
    assert (found.shape, found.dtype, found.device, set(found.values)) == ((10, 4), torch.int64, "cuda", {0, 1, 2})


def test_given_values_are_rounded_and_placed_as_drawn_ones(torch):
    found = ops.Maker(torch, 7, torch.bfloat16, "cuda", torch.float64).like(torch.tensor([1.001, 2.0]))
    assert (found.dtype, found.device, found.tolist()) == (torch.float64, "cuda", [1.0, 2.0])


def test_every_gradient_of_an_operation_is_compared_beside_its_output(torch):
    inputs = [torch.tensor([1.0, 2.0]).requires_grad_(), torch.tensor([3.0, 5.0]).requires_grad_()]
    output, *gradients = ops._gradients(inputs[0] * inputs[1], torch.tensor([1.0, -1.0]), inputs)
    assert output.tolist() == [3.0, 10.0]
    assert [gradient.tolist() for gradient in gradients] == [[3.0, -5.0], [1.0, -2.0]]
