"""``kernels``: the operations that networks are made of give the right numbers, in each dtype used for training."""

from typing import Any, Callable, Dict, List, Tuple

from .. import ops
from ..compare import ROUNDOFF, TOLERANCE, not_implemented, worst
from ..context import Context, Result, headline
from ..precision import forced, precision, switches

_SEED = 7


def run(context: Context) -> Result:
    """Compare every operation with itself in float64 on the CPU."""
    torch = context.torch
    device = context.place
    metrics: Dict[str, Any] = {}
    faults: List[Tuple[str, str]] = []  # mode, sentence
    told: List[str] = []
    for mode in modes(torch, device):
        with precision(torch, mode == "tf32"):
            compared, skipped = compare(torch, device, "float32" if mode == "tf32" else mode)
        if not compared:
            metrics[mode + ".ops"] = 0
            continue
        allowed = TOLERANCE["tf32" if mode == "float32" and context.on_gpu and forced() else mode]
        name, error = max(compared, key=lambda pair: pair[1])
        metrics[mode + ".ops"] = len(compared)
        metrics[mode + ".worst_op"] = name
        metrics[mode + ".worst_error_ratio"] = error
        metrics[mode + ".tolerance_ratio"] = allowed
        if skipped:
            metrics[mode + ".ops_not_implemented"] = skipped
        told.append("{} {:.1e} ({})".format(mode, error, name))
        wrong = sorted((pair for pair in compared if not pair[1] <= allowed), key=lambda pair: -pair[1])
        said = "{} in {} is off by {:.2g} of the largest value, {:.2g} is allowed"
        faults += [(mode, said.format(op, mode, off, allowed)) for op, off in wrong]
    if faults:
        metrics["cause"] = "wrong_results"
        more = "; and {} more".format(len(faults) - 3) if len(faults) > 3 else ""
        # On a CPU half precision is a stand-in: old releases also sum in half precision there (norm in 1.10), while training
        # under autocast keeps its sums in float32.
        serious = context.on_gpu or any(mode == "float32" for mode, _ in faults)
        listed = "; ".join(sentence for _, sentence in faults[:3])
        return Result("fail" if serious else "warn", "wrong numbers: {}{}".format(listed, more), metrics)
    count = sum(metrics[mode + ".ops"] for mode in ROUNDOFF if mode + ".ops" in metrics)
    return Result("pass", "{} results agree with float64; worst: {}".format(count, ", ".join(told)), metrics)


def modes(torch: Any, device: str) -> List[str]:
    """What is compared: dtypes, and float32 by TF32 where the GPU has it."""
    found = ["float32", "float16"]
    if device == "cuda":
        capability = torch.cuda.get_device_capability(0)
        if capability >= (8, 0) and switches(torch):
            found.insert(1, "tf32")
        # Below 8.0 bfloat16 is emulated at best, and some operations refuse it; `bf16` says which it is. Before torch.autocast
        # (1.10) nothing trains in it, and convolutions have no kernel for it.
        if capability >= (8, 0) and hasattr(torch, "autocast"):
            found.append("bfloat16")
    elif hasattr(torch, "bfloat16"):
        found.append("bfloat16")
    return found


def compare(torch: Any, device: str, dtype: str) -> Tuple[List[Tuple[str, float]], List[str]]:
    """The error of each operation, and the names of those that this torch does not have for the dtype and device.

    Raises RuntimeError with the name of the operation that raised.
    """
    compared: List[Tuple[str, float]] = []
    skipped: List[str] = []
    for name, operation in ops.table(torch, dtype):
        try:
            compared.append((name, _error(torch, device, getattr(torch, dtype), operation)))
        except (RuntimeError, NotImplementedError) as raised:
            if not not_implemented(raised):
                raise RuntimeError("{} in {} raised {}".format(name, dtype, headline(raised))) from raised
            skipped.append(name)
    return compared, skipped


def _error(torch: Any, device: str, dtype: Any, operation: Callable[..., Any]) -> float:
    # A maker sets the seed, so one has drawn all it needs before the next is made.
    found = operation(torch, ops.Maker(torch, _SEED, dtype, device, dtype))
    reference = operation(torch, ops.Maker(torch, _SEED, dtype, "cpu", torch.float64))
    return worst(zip(found, reference))
