"""``fp8``: a matrix product in 8-bit floating point, where the GPU and this torch have it."""

from typing import Any, Dict, Optional

from ..compare import error
from ..context import Context, Result, headline

_CAPABILITY = (8, 9)
#: Inputs are rounded to fp8 before the reference is computed, so what is left is one rounding of the result to bfloat16 and
#: NVIDIA's fast accumulation, which keeps about 14 bits: eight roundoffs of bfloat16.
TOLERANCE = 8 * 2.0 ** -8
#: What both inputs are multiplied by as they are read from fp8: a product that ignores its scales is wrong by their square.
_SCALE = 2.0


def run(context: Context) -> Result:
    """Multiply in fp8 and compare."""
    if not context.on_gpu:
        return Result("skip", "fp8 products need an NVIDIA GPU", {})
    torch = context.torch
    capability = context.capability
    if capability < _CAPABILITY:
        return Result("skip", "compute capability {}.{} has no fp8, which needs 8.9 or newer".format(*capability), {})
    missing = lacks(torch)
    if missing:
        return Result("skip", missing, {})
    try:
        off = measured(torch, "cuda")
    except RuntimeError as raised:
        if not any(words in str(raised) for words in ("only supported", "CUBLAS_STATUS_NOT_SUPPORTED")):
            raise
        # Releases from before 8.9 was allowed refuse it in these words ("... CUDA devices with compute capability >= 9.0 ..."),
        # as do builds for a CUDA from before fp8; some let 8.9 pass, and the cuBLAS beside them then has no kernel for it.
        return Result("skip", "torch {} refuses this GPU: {}".format(torch.__version__, headline(raised)), {})
    return judged(off)


def lacks(torch: Any) -> Optional[str]:
    """A sentence naming what this torch lacks; None where it has everything."""
    for name in ("_scaled_mm", "float8_e4m3fn"):
        if not hasattr(torch, name):
            return "torch {} has no {}".format(torch.__version__, name)
    return None


def measured(torch: Any, device: str) -> float:
    """The error of a product [64, 128] × [128, 32] in float8_e4m3fn with scales, as a share of the largest value."""
    torch.manual_seed(5)
    left = torch.randn(64, 128).to(torch.float8_e4m3fn)
    right = torch.randn(32, 128).to(torch.float8_e4m3fn)
    reference = (left.double() * _SCALE).matmul(right.double().t() * _SCALE)
    scale = torch.full((), _SCALE).to(device)
    # Column-major on the right is what the library wants: the transpose of a row-major matrix.
    product = torch._scaled_mm(
        left.to(device), right.to(device).t(), out_dtype=torch.bfloat16, scale_a=scale, scale_b=scale
    )
    # Up to 2.4 it came with the largest value of the result beside it.
    return error(product[0] if isinstance(product, tuple) else product, reference)


def judged(off: float) -> Result:
    """The verdict on an error."""
    metrics: Dict[str, Any] = {"error_ratio": off, "tolerance_ratio": TOLERANCE}
    if off <= TOLERANCE:
        return Result("pass", "float8_e4m3fn product off by {:.1e} of the largest value".format(off), metrics)
    metrics["cause"] = "wrong_results"
    return Result("fail", "wrong numbers in fp8: off by {:.2g}, {:.2g} is allowed".format(off, TOLERANCE), metrics)
