"""torchvision and torchaudio: whether each was built for the torch and the CUDA beside it."""

import collections
import importlib
import warnings
from typing import Any, Dict, List, Optional

from . import distributions
from .context import headline

#: said: what is wrong, a sentence; other_torch: whether it shows that the package was built for another torch.
Fault = collections.namedtuple("Fault", ("said", "other_torch"))

#: How a missing torch operator, an undefined symbol or another CUDA shows when the packages were built for another torch.
_OTHER_TORCH = (
    "torchvision::",
    "torchaudio::",
    "undefined symbol",
    "custom C++ ops",
    "Could not load this library",
    "libtorch_",
    "libcudart",
    "different CUDA",
    "from the 'CUDA' backend",
    "not compiled with GPU support",
    "was compiled with",
    "_torchaudio",
    "object has no attribute",
    "cannot import name",
    "is built for",
)


def look(torch: Any, name: str, device: str, metrics: Dict[str, Any]) -> List[Fault]:
    """What is wrong with a companion of torch; nothing when it is not installed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            module = importlib.import_module(name)
        except ImportError as raised:
            if raised.name == name:
                metrics[name + "_version"] = None
                return []
            return _cannot(torch, name, raised, metrics)
        except Exception as raised:  # noqa: BLE001 - operators that are missing raise RuntimeError, symbols OSError
            return _cannot(torch, name, raised, metrics)
    found = str(getattr(module, "__version__", None) or distributions.version(name) or "of unknown version")
    metrics[name + "_version"] = found
    metrics[name + "_cuda"] = _cuda(module)
    faults = _pinned(torch, name, found)
    faults += _other_cuda(torch, name, metrics[name + "_cuda"])
    if name == "torchvision":
        faults += _nms(torch, module, device)
        faults += [_raised("", each.message) for each in caught if "Failed to load image" in str(each.message)][:1]
    return faults


def _cannot(torch: Any, name: str, raised: BaseException, metrics: Dict[str, Any]) -> List[Fault]:
    """Why it cannot be imported, by the first reason in the chain, and for which torch it was built where that is another."""
    found = distributions.version(name) or "of unknown version"
    metrics[name + "_version"] = found
    reason = raised
    while reason.__cause__ is not None:
        reason = reason.__cause__
    return [_raised("{} {} cannot be imported: ".format(name, found), reason)] + _pinned(torch, name, found)


def _raised(said: str, raised: BaseException) -> Fault:
    text = headline(raised)
    return Fault(said + text, any(words in text for words in _OTHER_TORCH))


def _cuda(module: Any) -> Optional[str]:
    return getattr(getattr(module, "version", None), "cuda", None)


def _pinned(torch: Any, name: str, found: str) -> List[Fault]:
    """A fault where the package's own metadata demands another torch."""
    wanted = distributions.pins(name).get("torch")
    if wanted is None or distributions.same(distributions.public(wanted), str(torch.__version__)):
        return []
    said = "{} {} is built for torch {}, and torch is {}"
    return [Fault(said.format(name, found, wanted, torch.__version__), True)]


def _other_cuda(torch: Any, name: str, cuda: Optional[str]) -> List[Fault]:
    """A fault where it was built for CUDA of another major version, which torch's own extension loader refuses too."""
    ours = getattr(torch.version, "cuda", None)
    if cuda and ours and cuda.split(".")[0] != ours.split(".")[0]:
        return [Fault("{} is built for CUDA {}, torch for {}".format(name, cuda, ours), True)]
    return []


def _nms(torch: Any, module: Any, device: str) -> List[Fault]:
    """A fault where torchvision's own operator does not run on the device, or keeps the wrong boxes."""
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 11.0, 11.0], [50.0, 50.0, 60.0, 60.0]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    try:
        kept = module.ops.nms(boxes.to(device), scores.to(device), 0.5).cpu().tolist()
    except Exception as raised:  # noqa: BLE001 - see look
        return [_raised("torchvision.ops.nms does not run: ", raised)]
    # The first two overlap by 81 of 119, more than half, so the weaker one goes.
    return [] if kept == [0, 2] else [Fault("torchvision.ops.nms keeps boxes {}, not [0, 2]".format(kept), False)]
