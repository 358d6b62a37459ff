"""``tf32``: on a GPU that has TF32 the switch does what it says: on really rounds, off really does not."""

import os
from typing import Any, Dict, Tuple

from ..compare import TOLERANCE, error
from ..context import Context, Result
from ..precision import precision, switches

#: The least error, as a share of the largest value, that tells TF32 from float32. Inputs rounded to 11 bits show about 3e-4 in
#: a product of this size, float32 sums of 1024 terms about 1e-6: this lies halfway between them on a logarithmic scale.
ROUNDS = 2e-5
_SIDE = 1024
_CAPABILITY = (8, 0)


def run(context: Context) -> Result:
    """Multiply in float32 with the switch on, then off, and see how far each is from float64."""
    if not context.on_gpu:
        return Result("skip", "TF32 needs an NVIDIA GPU", {})
    torch = context.torch
    capability = context.capability
    if capability < _CAPABILITY:
        return Result("skip", "compute capability {}.{} has no TF32, which needs 8.0 or newer".format(*capability), {})
    if not switches(torch):
        return Result("skip", "torch {} has no switch for TF32".format(torch.__version__), {})
    products, convolutions = measured(torch, "cuda")
    return judged(products, convolutions, os.environ.get("NVIDIA_TF32_OVERRIDE"))


def measured(torch: Any, device: str) -> Tuple[Dict[bool, float], Dict[bool, float]]:
    """Errors of a matrix product and of a convolution, by whether TF32 was allowed."""
    torch.manual_seed(11)
    left, right = torch.randn(_SIDE, _SIDE), torch.randn(_SIDE, _SIDE)
    images, kernels = torch.randn(8, 64, 16, 16), torch.randn(64, 64, 3, 3)
    conv = torch.nn.functional.conv2d
    product, convolution = left.double().matmul(right.double()), conv(images.double(), kernels.double(), padding=1)
    left, right, images, kernels = (each.to(device) for each in (left, right, images, kernels))
    products: Dict[bool, float] = {}
    convolutions: Dict[bool, float] = {}
    for tf32 in (True, False):
        with precision(torch, tf32):
            products[tf32] = error(left.matmul(right), product)
            convolutions[tf32] = error(conv(images, kernels, padding=1), convolution)
    return products, convolutions


def judged(products: Dict[bool, float], convolutions: Dict[bool, float], override: Any) -> Result:
    """The verdict on the errors; ``override`` is the variable by which NVIDIA's libraries are told to ignore the switch."""
    metrics: Dict[str, Any] = {
        "matmul_on_error_ratio": products[True],
        "matmul_off_error_ratio": products[False],
        "conv_on_error_ratio": convolutions[True],
        "conv_off_error_ratio": convolutions[False],
        "rounds_from_ratio": ROUNDS,
    }
    said = "; NVIDIA_TF32_OVERRIDE={} is set".format(override) if override else ""
    largest = max(products[True], convolutions[True])
    if not largest <= TOLERANCE["tf32"]:
        metrics["cause"] = "wrong_results"
        return Result("fail", "wrong numbers with TF32 on: off by {:.2g} of the largest value".format(largest), metrics)
    for name, errors in (("matrix products", products), ("convolutions", convolutions)):
        if not errors[False] < ROUNDS:
            metrics["cause"] = "wrong_results"
            text = "TF32 is off and {} are still rounded: off by {:.1e} of the largest value{}"
            return Result("fail", text.format(name, errors[False], said), metrics)
    # A convolution may be done by a kernel that rounds nothing, so only products must show that on is on.
    if products[True] < ROUNDS:
        text = "TF32 is on and changes nothing: float32 products are as exact as with it off ({:.1e}){}"
        return Result("warn", text.format(products[True], said), metrics)
    text = "float32 products are rounded with TF32 on ({:.1e}) and not with it off ({:.1e})"
    return Result("pass", text.format(products[True], products[False]), metrics)
