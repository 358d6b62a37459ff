"""``import``: torch can be imported, is torch, and works with the numpy beside it. Never touches a GPU."""

import collections
import os
import platform
import re
import sys
import warnings
from typing import Any, Dict, List, Optional

from ..context import Context, Result, headline
from ..system import libc

#: Something that works less well than it should, in words, and its cause in the catalogue where this check knows it.
Trouble = collections.namedtuple("Trouble", ("told", "cause"))
#: Where images for CUDA carry the libraries of a newer driver, which NVIDIA's container tools put before the host's.
COMPAT = "/usr/local/cuda/compat"


def run(context: Context) -> Result:
    """Import torch and read what it was built for."""
    try:
        torch = context.torch
    except (ImportError, OSError) as error:  # OSError: torch loads some of its libraries through ctypes
        metrics = {"python_version": platform.python_version(), "libc": libc(), "cause": _cause(error)}
        return Result("fail", _why_not(error), metrics)
    if not hasattr(torch, "__version__") or not hasattr(torch, "Tensor"):
        message = "what `import torch` finds at {} is not PyTorch: a file or folder of that name hides it, or it is incomplete"
        return Result("fail", message.format(_origin(torch)), {"torch_file": _origin(torch), "cause": "module_shadowed"})
    troubles: List[Trouble] = []
    metrics = _built_for(torch)
    metrics["cudnn_version"] = _cudnn_version(torch, troubles)
    metrics["numpy_version"], metrics["numpy_bridge"] = _numpy(torch, troubles)
    metrics["compat_driver"] = compat_driver(COMPAT)
    metrics["cause"] = next((trouble.cause for trouble in troubles if trouble.cause), None)
    build = "CUDA {}".format(metrics["cuda_runtime"]) if metrics["cuda_runtime"] else "no CUDA"
    told = "torch {} ({}), Python {}".format(torch.__version__, build, platform.python_version())
    return Result("warn" if troubles else "pass", "; ".join([told] + [trouble.told for trouble in troubles]), metrics)


def _why_not(error: Exception) -> str:
    if isinstance(error, ImportError) and error.name == "torch":
        return "no module named torch: it is not installed for {}".format(sys.executable)
    said = headline(error)
    if "cannot open shared object file" in str(error):
        return "a shared library that torch needs is missing: {}".format(said)
    return "import torch failed: {}".format(said)


#: What Python and the dynamic loader say → the cause it stands for; the first that is found counts.
_LOADER_WORDS = (
    (r"file too short|invalid ELF header|ELF load command .* past end|cannot read file data", "install_corrupt"),
    (r"version [`'](?:GLIBC|GLIBCXX|CXXABI)_[^']*' not found", "glibc_too_old"),
    (r"wrong ELF class|unexpected reloc type", "image_arch_mismatch"),
    (r"cannot open shared object file", "missing_shared_library"),
    (r"undefined symbol", "extension_abi_mismatch"),
)


def _cause(error: Exception) -> Optional[str]:
    """The catalogue's cause for an import error, where its type or the loader's words settle it; None otherwise."""
    if isinstance(error, ImportError) and error.name == "torch":
        return "python_module_missing"
    said = str(error)
    return next((cause for words, cause in _LOADER_WORDS if re.search(words, said)), None)


def _origin(torch: Any) -> str:
    return getattr(torch, "__file__", None) or next(iter(getattr(torch, "__path__", [])), "an unknown place")


def _built_for(torch: Any) -> Dict[str, Any]:
    version = getattr(torch, "version", None)
    return {
        "torch_version": str(torch.__version__),
        "torch_file": _origin(torch),
        "cuda_runtime": getattr(version, "cuda", None),
        "debug": getattr(version, "debug", None),
        "arch_list": _arch_list(torch),
        "cxx11_abi": getattr(getattr(torch, "_C", None), "_GLIBCXX_USE_CXX11_ABI", None),
        "python_version": platform.python_version(),
        "libc": libc(),
    }


def _arch_list(torch: Any) -> Optional[List[str]]:
    """The architectures compiled in, such as sm_86 and compute_90; None where this torch cannot say."""
    # The private function answers without a GPU; the public one returns an empty list then.
    flags = getattr(getattr(torch, "_C", None), "_cuda_getArchFlags", None)
    if flags is not None:
        return (flags() or "").split()
    try:
        listed = getattr(getattr(torch, "cuda", None), "get_arch_list", None)
        return list(listed()) or None if listed is not None else None
    except RuntimeError:
        return None  # a sick driver is for the device check to find


def compat_driver(folder: str) -> Optional[str]:
    """The driver version of the CUDA compatibility libraries in a folder; None where there are none."""
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    versions = [found.group(1) for found in map(re.compile(r"libcuda\.so\.(\d+(?:\.\d+)+)").fullmatch, names) if found]
    return max(versions, key=lambda text: [int(part) for part in text.split(".")]) if versions else None


def _cudnn_version(torch: Any, troubles: List[Trouble]) -> Optional[int]:
    cudnn = getattr(getattr(torch, "backends", None), "cudnn", None)
    if cudnn is None:
        return None
    try:
        return cudnn.version()
    except (RuntimeError, OSError) as error:  # the cuDNN that is found is not the one torch was compiled against
        troubles.append(Trouble("cuDNN cannot be used: {}".format(headline(error)), "cudnn_mismatch"))
        return None


def _numpy(torch: Any, troubles: List[Trouble]) -> Any:
    """numpy's version (None when absent), and whether arrays really go to tensors and back."""
    try:
        import numpy
    except ImportError as error:
        absent = error.name == "numpy"
        said = "is not installed" if absent else "cannot be imported: {}".format(headline(error))
        told = "numpy {}: Tensor.numpy() and torch.from_numpy() will not work".format(said)
        troubles.append(Trouble(told, "python_module_missing" if absent else None))
        return None, False
    version = str(getattr(numpy, "__version__", "of unknown version"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exception says it too
            tensor = torch.from_numpy(numpy.arange(3, dtype="float32"))
            holds = (tensor + 1).numpy().tolist() == [1.0, 2.0, 3.0]
        said = "values changed on the way"
    except (RuntimeError, TypeError, ImportError, AttributeError) as error:
        holds, said = False, headline(error)
    if not holds:
        trouble = "torch {} and numpy {} do not work together ({})".format(torch.__version__, version, said)
        newer = not version.startswith(("0.", "1."))
        if newer:
            trouble += "; a torch that was built for numpy 1 needs numpy<2"
        troubles.append(Trouble(trouble, "numpy_abi" if newer else None))
    return version, holds
