"""``jit``: torch.jit.script, and on a GPU the kernels that torch has compiled at run time by NVRTC."""

import warnings
from typing import Any, Dict

from ..compare import TOLERANCE, error
from ..context import Context, Result, headline

#: The fuser compiles in the second or third run, once it has seen shapes.
_RUNS = 4


def run(context: Context) -> Result:
    """Script a function, run it until it is fused, and compare output and gradient; on a GPU compile a kernel as well."""
    torch = context.torch
    metrics: Dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated since 2.5
            metrics["script.error_ratio"] = scripted(torch, context.place)
            if context.on_gpu:
                metrics["nvrtc.error_ratio"] = runtime_compiled(torch, context.place)
        context.sync()
    except RuntimeError as raised:
        return explained(raised, metrics)
    wrong = [name for name, off in metrics.items() if not off <= TOLERANCE["float32"]]
    if wrong:
        said = "{} is off by {:.2g} of the largest value".format(wrong[0].split(".")[0], metrics[wrong[0]])
        metrics["cause"] = "wrong_results"
        return Result("fail", said, metrics)
    with_nvrtc = "; NVRTC compiles kernels" if context.on_gpu else ""
    return Result("pass", "a scripted function gives the same results as the plain one{}".format(with_nvrtc), metrics)


def explained(raised: RuntimeError, metrics: Dict[str, Any]) -> Result:
    """A failure by its words."""
    text = str(raised)
    if "not supported" in text and "Python" in text:
        return Result("skip", headline(raised), metrics)
    if "libnvrtc" in text or "failed to open nvrtc" in text or "cannot open shared object" in text:
        metrics["cause"] = "missing_shared_library"
        line = next((line.strip() for line in text.splitlines() if "open" in line), headline(raised))
        return Result("fail", "a library that compiles kernels at run time is missing: {}".format(line[:300]), metrics)
    line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it does not say why")
    return Result("fail", "{}: {}".format(type(raised).__name__, line[:300]), metrics)


def _chain(values, weights):  # no annotations: each argument is a tensor, to every release of the compiler
    hidden = (values * weights).sigmoid() * values.tanh()
    return (hidden + values).relu() * 0.5 - weights


def scripted(torch: Any, device: str) -> float:
    """The largest error of a scripted function's output and gradient against the function itself."""
    script = torch.jit.script(_chain)
    worst = 0.0
    for _ in range(_RUNS):
        results = []
        for function in (script, _chain):
            torch.manual_seed(17)
            values = torch.randn(64, 64).to(device).requires_grad_()
            weights = torch.randn(64, 64).to(device)
            output = function(values, weights)
            output.sum().backward()
            results.append((output, values.grad))
        worst = max(worst, *(error(found, reference) for found, reference in zip(*results)))
    return worst


def runtime_compiled(torch: Any, device: str) -> float:
    """The error of a kernel compiled from text at run time; before 1.12, of a special function that is compiled that way."""
    torch.manual_seed(18)
    values = torch.randn(4096)
    jiterator = getattr(torch.cuda, "jiterator", None)
    if jiterator is not None:
        kernel = jiterator._create_jit_fn("template <typename T> T validator_kernel(T x) { return x * x + T(1); }")
        return error(kernel(values.to(device)), values.double() ** 2 + 1)
    # Before 1.12 nothing but the fuser above used NVRTC.
    return error(values.to(device).lgamma(), values.double().lgamma())
