"""``versions``: what is inside fits together, and is what was asked for."""

import platform
from typing import Any, Dict, List, Optional, Tuple

from .. import companions, distributions
from ..context import Context, Result, headline


def run(context: Context) -> Result:
    """Compare what was asked for, and the libraries and packages that torch works with, with what is there."""
    torch = context.torch
    metrics: Dict[str, Any] = {}
    differing = not_as_asked(torch, context.asked, metrics)
    wrong_cudnn = cudnn(torch, metrics)
    metrics["nccl_version"] = nccl(torch)
    packages = pinned(metrics)
    # That a GPU is missing is for `device` to say, not for torchvision.
    place = context.place if context.on_gpu and torch.cuda.is_available() else "cpu"
    apart = [fault for name in ("torchvision", "torchaudio") for fault in companions.look(torch, name, place, metrics)]
    return judged(metrics, differing, wrong_cudnn, packages, apart)


def judged(
    metrics: Dict[str, Any],
    differing: List[str],
    cudnn: Optional[str],
    packages: Dict[str, str],
    apart: List[companions.Fault],
) -> Result:
    """The verdict; a companion that cannot work fails, all else is a warning."""
    faults = [fault.said for fault in apart] + ([cudnn] if cudnn else []) + list(packages.values())
    if differing:
        # The cell's own reason has both values of each.
        faults.append("not as the matrix says: {}".format(", ".join(differing)))
    if any(fault.other_torch for fault in apart):
        metrics["cause"] = "torchvision_mismatch"
    elif cudnn or any("cudnn" in name for name in packages):
        metrics["cause"] = "cudnn_mismatch"
    elif differing and not faults[:-1]:
        metrics["cause"] = "label_mismatch"
    if faults:
        return Result("fail" if apart else "warn", "; ".join(faults[:4]), metrics)
    told = ["{} {}".format(name, metrics[name + "_version"]) for name in _TOLD if metrics.get(name + "_version")]
    said = "fit together: {}".format(", ".join(told)) if told else "nothing beside torch that would have to fit it"
    return Result("pass", said, metrics)


_TOLD = ("cudnn", "nccl", "triton", "torchvision", "torchaudio")


def not_as_asked(torch: Any, asked: Dict[str, Any], metrics: Dict[str, Any]) -> List[str]:
    """Which of torch, CUDA and Python are not what was asked for."""
    inside = {
        "torch": str(torch.__version__),
        "cuda": getattr(torch.version, "cuda", None) or "cpu",
        "python": platform.python_version(),
    }
    differing = []
    for name in ("torch", "cuda", "python"):
        wanted = asked.get(name)
        if wanted is None:
            continue
        metrics["asked_" + name] = wanted
        found = inside[name]
        if name == "cuda":
            wanted = ".".join(wanted.split(".")[:2])  # torch gives the first two numbers, such as 12.8
        fits = distributions.same(wanted, found) if name == "torch" else _begins(found, wanted)
        if not fits:
            differing.append(name)
    return differing


def _begins(found: str, wanted: str) -> bool:
    """Whether 3.11.7 is 3.11, and 10.0.130 is 10.0."""
    return (found + ".").startswith(wanted + ".")


def cudnn(torch: Any, metrics: Dict[str, Any]) -> Optional[str]:
    """What differs between the cuDNN that is loaded and the one torch was compiled against; None where they fit."""
    library = getattr(getattr(torch, "_C", None), "_cudnn", None)
    compiled = getattr(library, "getCompileVersion", None)
    loaded = getattr(library, "getRuntimeVersion", None)
    if compiled is None or loaded is None:
        return None  # a CPU build, or a release that does not say
    try:
        built, there = compiled(), loaded()
    except (RuntimeError, OSError) as raised:
        return "cuDNN does not say its version: {}".format(headline(raised))
    if not isinstance(built, tuple) or not isinstance(there, tuple):
        return None  # single numbers, in the oldest releases: torch itself has compared them on import
    metrics["cudnn_compiled_version"], metrics["cudnn_version"] = _dotted(built), _dotted(there)
    # A later minor version of the same major one serves; an earlier one may lack what torch calls.
    if there[0] != built[0] or there[:2] < built[:2]:
        return "cuDNN {} is loaded, torch is compiled against {}".format(_dotted(there), _dotted(built))
    return None


def nccl(torch: Any) -> Optional[str]:
    """The version of NCCL; None in a build without it."""
    try:
        from torch.cuda import nccl as library

        found = library.version()
    except Exception:  # noqa: BLE001 - how a build without NCCL refuses differs by release, and is no fault
        return None
    if isinstance(found, int):  # up to 1.9: 2708 for 2.7.8
        return "{}.{}.{}".format(found // 1000, found % 1000 // 100, found % 100)
    return _dotted(found)


def pinned(metrics: Dict[str, Any]) -> Dict[str, str]:
    """The packages that torch demands in one exact version and that are installed in another, with a sentence each."""
    faults = {}
    count = 0
    for name, wanted in sorted(distributions.pins("torch").items()):
        found = distributions.version(name)
        if found is None:
            continue  # torch loads what it needs from elsewhere, or `import` has failed already
        count += 1
        if not distributions.same(wanted, found):
            faults[name] = "torch was built with {} {}, installed is {}".format(name, wanted, found)
    metrics["pins_compared"] = count
    metrics["triton_version"] = distributions.version("triton")
    return faults


def _dotted(numbers: Tuple[Any, ...]) -> str:
    return ".".join(str(number) for number in numbers)
