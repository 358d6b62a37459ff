"""``bf16``: whether bfloat16 is native here or only emulated, from what the device is and from a measured rate."""

import warnings
from typing import Any, Dict, Optional

from .. import cpu
from ..context import Context, Result, headline
from ..precision import precision

#: Side of the square matrices: large enough that the multiplication dominates, small enough for emulation to end soon.
_SIDE = {"cuda": 4096, "cpu": 768}
_ROUNDS = 4
#: A product that takes longer is emulated one number at a time, and is not measured again: the first one, which also chooses
#: kernels, says enough.
_SLOW_SECONDS = 1.0
#: Native bfloat16 is at least this much faster than float32 without TF32: tensor cores give 4 to 16 times, a CPU's units 2 to
#: 16. Emulation converts to float32 and back, and so never gets above 1.
_NATIVE_RATIO = 1.3


def run(context: Context) -> Result:
    """Multiply matrices in float32, bfloat16 and (on a GPU) float16."""
    torch = context.torch
    context.steady()
    metrics: Dict[str, Any] = {"torch_says_supported": _claim(context)}
    if not hasattr(torch, "bfloat16"):
        return Result("skip", "torch {} has no bfloat16".format(torch.__version__), metrics)
    rates: Dict[str, Optional[float]] = {}
    for dtype in ("float32", "bfloat16", "float16") if context.on_gpu else ("float32", "bfloat16"):
        try:
            rates[dtype] = _rate(context, getattr(torch, dtype))
        except RuntimeError as error:
            if dtype == "float32" or "out of memory" in str(error):
                raise
            rates[dtype] = None
            metrics["{}_error".format(dtype)] = headline(error)
        metrics["{}_matmul_flops_per_second".format(dtype)] = rates[dtype]
    units = context.capability >= (8, 0) if context.on_gpu else cpu.has_bf16_units()
    metrics["device_has_bf16_units"] = units
    if rates["bfloat16"] is None:
        return _refused(context, metrics, units)
    metrics["bf16_over_fp32_ratio"] = rates["bfloat16"] / rates["float32"]
    if rates.get("float16"):
        metrics["bf16_over_fp16_ratio"] = rates["bfloat16"] / rates["float16"]
    return judged(context, metrics, units)


def judged(context: Context, metrics: Dict[str, Any], units: bool) -> Result:
    """Native, emulated, or native by name and slow."""
    ratio = metrics["bf16_over_fp32_ratio"]
    where = "compute capability {}.{}".format(*context.capability) if context.on_gpu else "this CPU"
    fast = ratio >= _NATIVE_RATIO
    metrics["native"] = units and fast
    measured = "a matrix product is ×{:.2f} as fast as in float32".format(ratio)
    if units and fast:
        return Result("pass", "bfloat16 is native: {} has units for it, and {}".format(where, measured), metrics)
    if units:
        said = "{} has bfloat16 units, yet {}: they are not used".format(where, measured)
        if not context.on_gpu:
            return Result("pass", said, metrics)  # a torch too old for them; amp_benefit says what it costs
        metrics["cause"] = "slow_device"
        return Result("warn", said, metrics)
    claimed = ", though torch says that it is supported" if metrics["torch_says_supported"] else ""
    said = "bfloat16 is emulated{}: {} has no units for it, and {}".format(claimed, where, measured)
    if not context.on_gpu:
        return Result("pass", said, metrics)  # most CPUs
    metrics["cause"] = "bf16_emulated"
    return Result("warn", said, metrics)


def _refused(context: Context, metrics: Dict[str, Any], units: bool) -> Result:
    said = "a bfloat16 matrix product does not run: {}".format(metrics["bfloat16_error"])
    metrics["native"] = False
    if not context.on_gpu:
        return Result("skip", said, metrics)
    metrics["cause"] = "bf16_unsupported"
    if units:
        return Result("fail", "{}, on a GPU that has units for it".format(said), metrics)
    major, minor = context.capability
    return Result("warn", "{} (compute capability {}.{} has no bfloat16)".format(said, major, minor), metrics)


def _claim(context: Context) -> Optional[bool]:
    """What torch itself says of bfloat16; since 2.4 it says yes where it only emulates."""
    says = getattr(context.torch.cuda, "is_bf16_supported", None) if context.on_gpu else None
    if says is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(says())


def _rate(context: Context, dtype: Any) -> float:
    """Multiplications and additions a second, the best of a few rounds."""
    torch, side = context.torch, _SIDE[context.place]
    left, right = (torch.randn(side, side).to(context.place).to(dtype) for _ in range(2))
    with precision(torch, False):
        seconds = context.seconds(lambda: torch.matmul(left, right))
        for _ in range(_ROUNDS if seconds < _SLOW_SECONDS else 0):
            seconds = min(seconds, context.seconds(lambda: torch.matmul(left, right)))
    return 2.0 * side**3 / seconds
