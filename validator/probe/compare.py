"""How far a result is from the same computation in float64 on the CPU, and how far it may be."""

import math
from typing import Any, Iterable, Tuple

#: Unit roundoff: what one rounding to the format can cost, as a share of the value. TF32 keeps 10 bits after the point, as
#: float16 does, and float32's range.
ROUNDOFF = {"float32": 2.0 ** -24, "tf32": 2.0 ** -11, "float16": 2.0 ** -11, "bfloat16": 2.0 ** -8}

#: Largest error allowed, as a share of the largest value of the reference. Inputs are rounded to the dtype before the reference
#: is computed, so what is left is the arithmetic. A half-precision result is rounded a few times; 2 to 5 roundoffs were
#: seen on a CPU, 5 in the gradients of a layer norm's weights, whose sums are rounded too. So 16 are allowed: a wrong operation
#: is off by far more. In float32, sums of a few thousand terms and Winograd convolutions reach some 1e-6 to 1e-5; TF32 in its
#: place shows about 3e-4 and must not pass. So 1e-4 lies between the two, ten and three times away.
TOLERANCE = {
    "float32": 1e-4,
    "tf32": 16 * ROUNDOFF["tf32"],
    "float16": 16 * ROUNDOFF["float16"],
    "bfloat16": 16 * ROUNDOFF["bfloat16"],
}


def on_cpu(tensor: Any) -> Any:
    """The tensor in float64 on the CPU, without its graph."""
    return tensor.detach().to("cpu").double()


def error(found: Any, reference: Any) -> float:
    """Largest difference as a share of the largest value of the reference; infinite for NaN, Inf, or another shape."""
    if tuple(found.shape) != tuple(reference.shape):
        return math.inf
    found, reference = on_cpu(found), on_cpu(reference)
    if reference.numel() == 0:
        return 0.0
    difference = float((found - reference).abs().max().item())
    # max() of old releases ignores NaN, a sum does not.
    if not math.isfinite(difference) or not math.isfinite(float(found.sum().item())):
        return math.inf
    scale = float(reference.abs().max().item())
    return difference / scale if scale else difference


def worst(pairs: Iterable[Tuple[Any, Any]]) -> float:
    """The largest error of pairs (found, reference)."""
    return max((error(found, reference) for found, reference in pairs), default=0.0)


def not_implemented(raised: BaseException) -> bool:
    """Whether torch says that this build, device or dtype lacks the operation, as opposed to the operation going wrong."""
    if isinstance(raised, NotImplementedError):
        return True
    text = str(raised)
    return any(
        words in text
        for words in (
            "not implemented for",
            "not compiled with MKL support",
            "compiled without MKL",
            "compile with LAPACK",
            "requires compiling",
            "LAPACK library not found",
            "Unsupported dtype",
            "not supported on CPU",
            "not currently supported on",
        )
    )
