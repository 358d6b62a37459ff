"""``sdpa``: each available backend of scaled dot product attention gives the same results as the formula."""

import contextlib
import math
import warnings
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..compare import ROUNDOFF, worst
from ..context import Context, Result, headline
from ..precision import forced, precision

#: As for single operations (compare.py), but twice that in float32: the formula has two products, one after the other.
TOLERANCE = {"float32": 2e-4, "float16": 16 * ROUNDOFF["float16"], "bfloat16": 16 * ROUNDOFF["bfloat16"]}
_SHAPE = (2, 4, 128, 64)  # batch, heads, length, width: what every backend takes
_BACKENDS = {"math": "MATH", "flash": "FLASH_ATTENTION", "efficient": "EFFICIENT_ATTENTION", "cudnn": "CUDNN_ATTENTION"}


def run(context: Context) -> Result:
    """Compare outputs and gradients of each backend, plain and causal, with the formula in float64 on the CPU."""
    torch = context.torch
    attention = getattr(torch.nn.functional, "scaled_dot_product_attention", None)
    if attention is None:
        return Result("skip", "torch {} has no scaled_dot_product_attention".format(torch.__version__), {})
    device = context.place
    metrics: Dict[str, Any] = {}
    faults: List[str] = []
    ran: List[str] = []
    absent: List[str] = []
    for name, only in backends(torch, device):
        errors: Dict[str, float] = {}
        reason: Optional[str] = None
        for dtype in dtypes(torch, device, name):
            try:
                with only(), precision(torch, False):
                    errors[dtype] = measured(torch, device, dtype, attention)
            except RuntimeError as raised:
                reason = headline(raised)
                if not unavailable(reason):
                    faults.append("{} in {} raised {}".format(name, dtype, reason))
        for dtype, off in errors.items():
            allowed = TOLERANCE["float16" if dtype == "float32" and context.on_gpu and forced() else dtype]  # TF32 rounds alike
            metrics["{}.{}.error_ratio".format(name, dtype)] = off
            if not off <= allowed:
                said = "{} in {} is off by {:.2g} of the largest value, {:.2g} is allowed"
                faults.append(said.format(name, dtype, off, allowed))
                metrics["cause"] = "wrong_results"
        if errors:
            ran.append(name)
        else:
            absent.append(name)
            metrics[name + ".reason"] = reason
    metrics["backends"] = ran
    metrics["backends_unavailable"] = absent
    if faults:
        return Result("fail", "; ".join(faults[:3]), metrics)
    without = "; not available here: {}".format(", ".join(absent)) if absent else ""
    return Result("pass", "agree with the formula: {}{}".format(", ".join(ran), without), metrics)


def unavailable(reason: str) -> bool:
    """Whether these are torch's words for a backend that does not apply here, as opposed to one that failed."""
    known = ("No available kernel", "No viable backend", "not implemented for", "Invalid backend")
    return any(words in reason for words in known)


def dtypes(torch: Any, device: str, backend: str) -> List[str]:
    """What a backend is tried in: flash and cuDNN take half precision only, on a GPU."""
    if device == "cpu":
        return ["float32", "bfloat16"]
    half = ["float16"] + (["bfloat16"] if torch.cuda.get_device_capability(0) >= (8, 0) else [])
    return half + (["float32"] if backend in ("math", "efficient", "default") else [])


def backends(torch: Any, device: str) -> List[Tuple[str, Callable[[], Any]]]:
    """Each backend, with a function that makes the context in which it is the only one."""
    default: List[Tuple[str, Callable[[], Any]]] = [("default", contextlib.ExitStack)]
    module = getattr(torch.nn, "attention", None)
    if hasattr(module, "sdpa_kernel"):
        known = module.SDPBackend
        # The CPU has two; it answers every other choice as if none had been made.
        names = [name for name in _BACKENDS if device == "cuda" or name in ("math", "flash")]
        return default + [
            (name, _chosen(module.sdpa_kernel, getattr(known, _BACKENDS[name])))
            for name in names
            if hasattr(known, _BACKENDS[name])
        ]
    older = getattr(torch.backends.cuda, "sdp_kernel", None)  # 2.0 to 2.2; without effect on a CPU
    if older is None or device == "cpu":
        return default
    choices = [
        (name, {"enable_math": name == "math", "enable_flash": name == "flash", "enable_mem_efficient": name == "efficient"})
        for name in ("math", "flash", "efficient")
    ]
    return default + [(name, _by_keyword(older, choice)) for name, choice in choices]


def _chosen(kernel: Callable[..., Any], backend: Any) -> Callable[[], Any]:
    return lambda: kernel(backend)


def _by_keyword(kernel: Callable[..., Any], choice: Dict[str, bool]) -> Callable[[], Any]:
    return lambda: kernel(**choice)


def measured(torch: Any, device: str, dtype: str, attention: Callable[..., Any]) -> float:
    """The largest error of outputs and gradients, plain and causal, as a share of the largest value."""
    torch.manual_seed(3)
    drawn = [torch.randn(*_SHAPE).to(getattr(torch, dtype)) for _ in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a backend that does not apply says why in warnings, then raises
        return max(_error(torch, device, drawn, attention, causal) for causal in (False, True))


def _error(torch: Any, device: str, drawn: List[Any], attention: Callable[..., Any], causal: bool) -> float:
    exact = _attend(drawn, lambda tensor: tensor.double(), lambda q, k, v: _formula(torch, q, k, v, causal))
    found = _attend(drawn, lambda tensor: tensor.to(device), lambda q, k, v: attention(q, k, v, is_causal=causal))
    return worst(zip(found, exact))


def _attend(drawn: List[Any], place: Callable[[Any], Any], attention: Callable[..., Any]) -> List[Any]:
    """Output, and gradients of query, key and value, for a given gradient of the output."""
    # Leaves of their own: `place` may give the drawn tensor itself back.
    query, key, value = (place(tensor).clone().requires_grad_() for tensor in drawn[:3])
    output = attention(query, key, value)
    output.backward(place(drawn[3]))
    return [output, query.grad, key.grad, value.grad]


def _formula(torch: Any, query: Any, key: Any, value: Any, causal: bool) -> Any:
    scores = query.matmul(key.transpose(-1, -2)) / math.sqrt(_SHAPE[-1])
    if causal:
        later = torch.ones(_SHAPE[2], _SHAPE[2], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, -math.inf)
    return scores.softmax(-1).matmul(value)
