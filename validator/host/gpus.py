"""Which GPU of a machine a target means: the one place that chooses."""

from __future__ import annotations

from collections.abc import Iterable

from validator.facts.gpu_names import plain_name
from validator.model import ActionReason, Because, Gpu, HostInfo, Target

NO_GPU_HERE = ActionReason(Because.NO_GPU_HERE)


def gpu_for(target: Target, host: HostInfo) -> tuple[Gpu | None, ActionReason | None]:
    """The GPU of a machine that stands for a target, or else why there is none: exactly one of the two is None.

    =============================================  ===============================================
    target                                         GPU
    =============================================  ===============================================
    ``host``                                       the first that can be used
    ``host``, and none can be used                 none: what is wrong with the first
    ``host``, and NVML shows none                  none: no GPU answers
    another driver than this machine's             none: not this machine
    a name or a compute capability                 the first usable one that has it
    the same, and none that has it can be used     none: what is wrong with the first that has it
    the same, and none has it                      none: not this machine
    =============================================  ===============================================
    """
    if target.is_host:
        if not host.nvml.gpus:
            return None, NO_GPU_HERE
        if (gpu := usable_gpu(host)) is not None:
            return gpu, None
        return None, ActionReason(Because.GPU_UNUSABLE, detail=unusable(host.nvml.gpus[0]) or "")
    if target.driver is not None and target.driver != host.nvml.driver_version:
        return None, _elsewhere(target)
    meant = [gpu for gpu in host.nvml.gpus if is_meant(target, gpu)]
    if not meant:
        return None, _elsewhere(target)
    if (gpu := first_usable(meant)) is not None:
        return gpu, None
    return None, ActionReason(Because.GPU_UNUSABLE, meant[0].name or "GPU", unusable(meant[0]) or "")


def usable_gpu(host: HostInfo) -> Gpu | None:
    """The GPU that cells of the target ``host`` are measured on: the first that can be used."""
    return first_usable(host.nvml.gpus)


def unusable(gpu: Gpu) -> str | None:
    """Why nothing can be trained on a GPU, or None when it is worth trying."""
    if gpu.problem:
        return gpu.problem
    if not gpu.uuid:
        return "NVML gives no UUID to ask for it by"
    if gpu.compute_mode == "prohibited":
        return "compute mode prohibited"
    if gpu.mig_enabled and not gpu.mig_devices:
        return "MIG is on and no MIG device has been made"  # CUDA then sees no device at all
    return None


def is_meant(target: Target, gpu: Gpu) -> bool:
    """Whether a target names this GPU or its compute capability; never true of the target ``host``, which names neither."""
    if target.gpu is not None and plain_name(target.gpu) == plain_name(gpu.name or ""):
        return True
    return target.compute_capability is not None and target.compute_capability == gpu.compute_capability


def first_usable(gpus: Iterable[Gpu]) -> Gpu | None:
    """The first GPU that can be used, or None."""
    return next((gpu for gpu in gpus if unusable(gpu) is None), None)


def _elsewhere(target: Target) -> ActionReason:
    what = target.gpu or f"compute capability {target.compute_capability}"
    return ActionReason(Because.ANOTHER_MACHINE, what, target.driver or "")
