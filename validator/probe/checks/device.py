"""``device``: the device that is trained on is there, and is the one the host says it is."""

import re
import warnings
from typing import Any, Dict, List, Optional

from .. import cpu
from ..context import Context, Result, headline

#: torch reports the memory a program can use, NVML the memory on the board: a few per cent are reserved (ECC, firmware).
#: Seen up to 3 % on a T4; a MIG slice or another model differs by far more. On a small card what is reserved weighs more: those
#: of 4 GiB report 3.68 to 3.82 GiB, and so half a GiB is allowed on each.
MEMORY_TOLERANCE = 0.05
MEMORY_RESERVED_BYTES = 512 << 20


def run(context: Context) -> Result:
    """Find the device, and compare a GPU with what the host knows of it."""
    return _cuda(context) if context.device == "cuda" else _cpu(context.torch)


def _cpu(torch: Any) -> Result:
    name, flags = cpu.describe()
    message = "training on the CPU ({})".format(name or "unnamed")
    if getattr(torch.version, "cuda", None):
        message += ", with a torch built for CUDA {}: its GPU code is not exercised".format(torch.version.cuda)
    metrics = {"cpu_name": name, "cpu_flags": flags, "threads": torch.get_num_threads()}
    return Result("pass", message, metrics)


def _cuda(context: Context) -> Result:
    torch = context.torch
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        reason = _why_unavailable(torch, [headline(each.message) for each in caught])
        return Result("fail", "torch sees no CUDA GPU: {}".format(reason), {"cuda_available": False, "cause": _cause(torch)})
    found = torch.cuda.get_device_properties(0)
    torch.empty(1, device="cuda")  # makes the context, without running a kernel
    capability = "{}.{}".format(found.major, found.minor)
    metrics = {
        "cuda_available": True,
        "device_count": torch.cuda.device_count(),
        "name": found.name,
        "compute_capability": capability,
        "memory_total_bytes": found.total_memory,
        "memory_free_bytes": torch.cuda.mem_get_info()[0] if hasattr(torch.cuda, "mem_get_info") else None,
        "uuid": str(found.uuid) if hasattr(found, "uuid") else None,
    }
    message = "{}, compute capability {}, {:.1f} GiB".format(found.name, capability, found.total_memory / 2.0**30)
    differences = _differences(metrics, context.host_gpu)
    if differences:
        metrics["cause"] = "gpu_differs"
        return Result("fail", "not the GPU that the host sees: {}".format("; ".join(differences)), metrics)
    return Result("pass", message, metrics)


def _cause(torch: Any) -> Optional[str]:
    """A build without CUDA is its own cause; why any other sees no GPU is for torch's words and the host to tell."""
    return "cpu_only_torch" if getattr(torch.version, "cuda", None) is None else None


def _why_unavailable(torch: Any, warned: List[str]) -> str:
    if getattr(torch.version, "cuda", None) is None:
        return "torch {} is built without CUDA".format(torch.__version__)
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:  # it says more than is_available, which only answers False
        return "; ".join([headline(error)] + warned)
    return "; ".join(warned) or "torch.cuda.is_available() is false and does not say why"


def _differences(found: Dict[str, Any], host: Optional[Dict[str, Any]]) -> List[str]:
    if host is None:
        return []
    differences = []
    if host["name"] and _plain_name(host["name"]) != _plain_name(found["name"]):
        differences.append("name {} here, {} on the host".format(found["name"], host["name"]))
    if host["compute_capability"] and host["compute_capability"] != found["compute_capability"]:
        pair = (found["compute_capability"], host["compute_capability"])
        differences.append("compute capability {} here, {} on the host".format(*pair))
    here, there = found["memory_total_bytes"], host["memory_total_bytes"]
    if there and abs(here - there) > max(MEMORY_TOLERANCE * there, MEMORY_RESERVED_BYTES):
        differences.append("memory of {} bytes here, {} on the host".format(here, there))
    return differences


def _plain_name(name: str) -> str:
    """A GPU's name without the brand: newer drivers say ``NVIDIA GeForce …`` where older ones say ``GeForce …``."""
    return re.sub(r"^NVIDIA ", "", name.strip()).lower()
