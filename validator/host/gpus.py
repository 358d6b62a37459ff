"""The one choice of a GPU of a machine."""

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
