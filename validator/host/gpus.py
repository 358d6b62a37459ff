"""Which GPUs of a machine a target means, and what each is called: the one place that chooses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from validator.facts.gpu_names import plain_name
from validator.model import ActionReason, Because, Gpu, HostInfo, Target

NO_GPU_HERE = ActionReason(Because.NO_GPU_HERE)


def lanes_for(target: Target, host: HostInfo) -> tuple[tuple[Gpu, ...], ActionReason | None]:
    """The GPUs of a machine that stand for a target, in NVML's order, or else why there is none: exactly one of the two is empty.

    A GPU in MIG devices counts once for each: the same value with that one device in ``mig_devices``, so that ``device_uuid``
    names it, and ``uuid`` the GPU that it is a part of.

    =============================================  ==================================================
    target                                         GPUs
    =============================================  ==================================================
    ``host``                                       the first that can be used, and those of its kind
    ``host``, and none can be used                 none: what is wrong with the first
    ``host``, and NVML shows none                  none: no GPU answers
    another driver than this machine's             none: not this machine
    a name or a compute capability                 every usable one that has it
    the same, and none that has it can be used     none: what is wrong with the first that has it
    the same, and none has it                      none: not this machine
    =============================================  ==================================================

    For ``host`` the kind is kept, so that what is predicted of it and what is measured are about one model.
    """
    if target.is_host:
        if not host.nvml.gpus:
            return (), NO_GPU_HERE
        if (first := usable_gpu(host)) is not None:
            return _lanes(gpu for gpu in host.nvml.gpus if _kind(gpu) == _kind(first)), None
        return (), ActionReason(Because.GPU_UNUSABLE, detail=unusable(host.nvml.gpus[0]) or "")
    if target.driver is not None and target.driver != host.nvml.driver_version:
        return (), _elsewhere(target)
    meant = [gpu for gpu in host.nvml.gpus if is_meant(target, gpu)]
    if not meant:
        return (), _elsewhere(target)
    if lanes := _lanes(meant):
        return lanes, None
    return (), ActionReason(Because.GPU_UNUSABLE, meant[0].name or "GPU", unusable(meant[0]) or "")


def gpu_for(target: Target, host: HostInfo) -> tuple[Gpu | None, ActionReason | None]:
    """The first of ``lanes_for``, or else why there is none: exactly one of the two is None."""
    lanes, why = lanes_for(target, host)
    return (lanes[0] if lanes else None), why


def together(lanes: Iterable[Gpu]) -> tuple[Gpu, ...]:
    """The largest number of whole GPUs of one kind, the first of them where two kinds have as many; empty below two.

    MIG devices are left out: CUDA shows a process one of them only.
    """
    kinds: dict[object, list[Gpu]] = {}
    for gpu in lanes:
        if not gpu.in_slices:
            kinds.setdefault(_kind(gpu), []).append(gpu)
    most = max(kinds.values(), key=len, default=[])
    return tuple(most) if len(most) > 1 else ()


def lane_name(gpu: Gpu) -> str:
    """What a person is told of a GPU that is one of several: ``Tesla T4 #0``, ``A100-SXM4-80GB #1 MIG 2f4b6d1e``."""
    whole = f"{(gpu.name or 'GPU').removeprefix('NVIDIA ')} #{gpu.index}"
    if not gpu.in_slices:
        return whole
    uuid = gpu.mig_devices[0].removeprefix("MIG-")  # before driver 470: MIG-GPU-<the whole one's>/<GPU instance>/<compute one>
    return f"{whole} MIG {uuid.partition('/')[2] or uuid[:8]}"


def usable_gpu(host: HostInfo) -> Gpu | None:
    """The GPU that stands for the target ``host``: the first that can be used."""
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


def _lanes(gpus: Iterable[Gpu]) -> tuple[Gpu, ...]:
    """Those that can be used, each MIG device as a GPU of its own."""
    usable = (gpu for gpu in gpus if unusable(gpu) is None)
    return tuple(lane for gpu in usable for lane in (_slices(gpu) if gpu.in_slices else (gpu,)))


def _slices(gpu: Gpu) -> Iterable[Gpu]:
    return (replace(gpu, mig_devices=(device,)) for device in gpu.mig_devices)


def _kind(gpu: Gpu) -> object:
    """What two GPUs have in common that are interchangeable; a MIG device is never so with a whole GPU."""
    return plain_name(gpu.name or ""), gpu.compute_capability, gpu.in_slices
