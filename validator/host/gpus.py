"""The one choice of a GPU of a machine, and GPU names as compared."""

from __future__ import annotations

from validator.model import Gpu, HostInfo


def usable_gpu(host: HostInfo) -> Gpu | None:
    """The GPU of a machine that cells are measured on: the first that can be."""
    return next((gpu for gpu in host.nvml.gpus if unusable(gpu) is None), None)


def unusable(gpu: Gpu) -> str | None:
    """Why nothing can be trained on a GPU of this machine, or None when that may be tried."""
    if gpu.problem:
        return gpu.problem
    if not gpu.uuid:
        return "NVML gives no UUID to ask for it by"
    if gpu.compute_mode == "prohibited":
        return "compute mode prohibited"
    if gpu.mig_enabled and not gpu.mig_devices:
        return "MIG is on and no MIG device has been made"  # CUDA then sees no device at all
    return None


def plain_name(gpu: str) -> str:
    """A GPU's name as compared: without case, the vendor's prefix (which NVML dropped and brought back) and the brand's."""
    return " ".join(word for word in gpu.casefold().split() if word not in ("nvidia", "tesla", "geforce"))
