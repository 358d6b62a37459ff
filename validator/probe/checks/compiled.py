"""``compile``: torch.compile compiles a training step, and the step gives the same losses as without it."""

import functools
import importlib
import os
import shutil
import sys
import sysconfig
import warnings
from typing import Any, Callable, Dict, List, Optional

from .. import amp
from ..compare import ROUNDOFF, error
from ..context import Context, Result, headline
from ..precision import precision

_STEPS = 3
#: Compiled and plain code sum in another order and fuse roundings; three steps of a small net stay within some 1e-6 in float32.
#: Under autocast each of a few tens of roundings may fall the other way.
TOLERANCE = {"float32": 1e-4, "float16": 16 * ROUNDOFF["float16"]}


def run(context: Context) -> Result:
    """Compile a training step, run it three times, and compare."""
    torch = context.torch
    if not hasattr(torch, "compile"):
        return Result("skip", "torch {} has no torch.compile".format(torch.__version__), {})
    device = context.place
    metrics = toolchain(device)
    dtypes = ("float32", "float16") if device == "cuda" else ("float32",)
    failure: Optional[BaseException] = None
    for trusting in (True, False) if restrain() else (False,):
        trust_instruction_sets(torch, trusting)
        try:
            metrics.update((dtype + ".error_ratio", measured(torch, device, dtype)) for dtype in dtypes)
            failure = None
            break
        except Exception as raised:  # noqa: BLE001 - the compiler's errors are of many kinds, and each is to be explained
            failure = raised
    if failure is not None:
        return explained(torch, failure, metrics, device)
    wrong = [dtype for dtype in TOLERANCE if not metrics.get(dtype + ".error_ratio", 0.0) <= TOLERANCE[dtype]]
    if wrong:
        metrics["cause"] = "wrong_results"
        off = metrics[wrong[0] + ".error_ratio"]
        said = "compiled, the losses in {} are off by {:.2g}, {:.2g} is allowed"
        return Result("fail", said.format(wrong[0], off, TOLERANCE[wrong[0]]), metrics)
    with_what = "triton {}".format(metrics["triton_version"]) if device == "cuda" else metrics["cxx_compiler"]
    return Result("pass", "a compiled training step gives the same losses; made with {}".format(with_what), metrics)


def toolchain(device: str) -> Dict[str, Any]:
    """What kernels are compiled with, where it is installed: compilers, Python's headers, triton."""
    headers = sysconfig.get_paths().get("include") or ""
    found: Dict[str, Any] = {
        "c_compiler": _program("CC", "cc", "gcc", "clang"),
        "cxx_compiler": _program("CXX", "g++", "c++", "clang++"),
        "python_headers": os.path.isfile(os.path.join(headers, "Python.h")),
    }
    if device == "cuda":
        found["triton_version"] = _triton()
    return found


def _program(variable: str, *names: str) -> Any:
    named = os.environ.get(variable)
    found = [shutil.which(name) for name in ([named.split()[0]] if named and named.split() else names)]
    return next((path for path in found if path), None)


def _triton() -> Any:
    try:
        triton = importlib.import_module("triton")
    except Exception:  # noqa: BLE001 - a triton that cannot be imported is no triton, whatever it raises
        return None
    return str(getattr(triton, "__version__", "of unknown version"))


def restrain() -> bool:
    """Compile in this process, without helpers that outlive it, and without headers precompiled for hundreds of kernels.

    Returns whether this torch tries out instruction sets with the compiler before it uses them.
    """
    try:
        config = importlib.import_module("torch._inductor.config")
    except ImportError:
        return False
    if hasattr(config, "compile_threads"):
        config.compile_threads = 1
    # Made once for all later compilations, it pays off after some tens of kernels; here there are three.
    if hasattr(config, "cpp_cache_precompile_headers"):
        config.cpp_cache_precompile_headers = False
    return getattr(getattr(config, "cpp", None), "vec_isa_ok", False) is None


def trust_instruction_sets(torch: Any, trusting: bool) -> None:
    """Whether the CPU's instruction sets are used as the kernel names them, or tried out with the compiler first.

    Trying them out takes as long as compiling the kernels. torch does it because a compiler can be older than the CPU: where
    compiling fails, it is done once more with torch's own settings.
    """
    if not trusting and "torch._inductor.config" not in sys.modules:
        return
    config = sys.modules["torch._inductor.config"]
    if trusting:
        config.cpp.vec_isa_ok = True
    elif getattr(getattr(config, "cpp", None), "vec_isa_ok", None) is True:
        config.cpp.vec_isa_ok = None
        for name in ("torch._inductor.cpu_vec_isa", "torch._inductor.codecache"):
            forget(vars(sys.modules[name]) if name in sys.modules else {})
        torch._dynamo.reset()


def forget(names: Dict[str, Any]) -> None:
    """Clear what functions of a module, and methods of its classes, have cached."""
    for value in list(names.values()):
        for each in [value] + (list(vars(value).values()) if isinstance(value, type) else []):
            if isinstance(each, functools._lru_cache_wrapper):
                each.cache_clear()


def measured(torch: Any, device: str, dtype: str) -> float:
    """How far the losses of a compiled net are from those of the same net uncompiled, as a share of the largest."""
    with warnings.catch_warnings(), precision(torch, False):
        warnings.simplefilter("ignore")
        plain, compiled = (_losses(torch, device, dtype, wrap) for wrap in (lambda net: net, torch.compile))
    return error(torch.tensor(compiled), torch.tensor(plain))


def _losses(torch: Any, device: str, dtype: str, wrap: Callable[[Any], Any]) -> List[float]:
    torch.manual_seed(2)
    nn = torch.nn
    net = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 8)).to(device)
    inputs, labels = torch.randn(64, 32).to(device), torch.randint(0, 8, (64,)).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    forward, losses = wrap(net), []
    for _ in range(_STEPS):
        optimizer.zero_grad()
        if dtype == "float32":
            output = forward(inputs)
        else:
            with amp.autocast(torch, device, dtype)():
                output = forward(inputs)
        loss = nn.functional.cross_entropy(output.float(), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.item()))
    return losses


def explained(torch: Any, raised: BaseException, metrics: Dict[str, Any], device: str) -> Result:
    """Whether torch.compile does not apply here, lacks something to compile with, or failed."""
    chain: List[str] = []
    link: Any = raised
    while link is not None and len(chain) < 8:
        chain.append(str(link))
        link = link.__cause__ or link.__context__
    text = "\n".join(chain)
    version = torch.__version__
    if "not supported on Python" in text or "Python 3.11+ not yet supported" in text or "Windows not yet supported" in text:
        return Result("skip", "torch {}: {}".format(version, headline(raised)), metrics)
    if "too old" in text and "GPU" in text or "Triton is only supported on devices of CUDA Capability" in text:
        # Triton makes code for 7.0 and newer only.
        return Result("skip", "torch.compile does not support this GPU: {}".format(_telling(text)), metrics)
    missing = lacking(text, metrics, device)
    if missing:
        metrics["cause"] = "gcc_or_triton_missing"
        said = "torch.compile needs {}, which this environment does not have: {}"
        return Result("fail", said.format(" and ".join(missing), _telling(text)), metrics)
    return Result("fail", "torch.compile failed: {}".format(_telling(text)), metrics)


def lacking(text: str, metrics: Dict[str, Any], device: str) -> List[str]:
    """What is missing to compile with: only what both the failure's words and the environment say is missing."""
    missing = []
    compiler = metrics["c_compiler"] if device == "cuda" else metrics["cxx_compiler"]
    compiling = any(words in text for words in ("ompiler", "gcc", "g++", "clang", "C++ compile error"))
    if not compiler and (compiling or "No such file" in text):
        missing.append("a C compiler" if device == "cuda" else "a C++ compiler")
    if "Python.h" in text or (compiler and not metrics["python_headers"] and "CalledProcessError" in text):
        missing.append("Python's headers (Python.h)")
    if device == "cuda" and not metrics["triton_version"] and "triton" in text.lower():
        missing.append("triton")
    return missing


def _telling(text: str) -> str:
    """The line that says most: the compiler's or triton's own complaint, else the first line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for words in ("fatal error:", "error:", "ompiler", "riton", "Error"):
        found = next((line for line in lines if words in line), None)
        if found:
            return found[:300]
    return lines[0][:300] if lines else "it does not say why"
