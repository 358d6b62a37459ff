"""Python packages beside torch, and builds without CUDA."""

from __future__ import annotations

from validator.base.versions import channel_of
from validator.facts import Facts
from validator.model import MissingKind
from validator.rules.answer import NOTHING, Answer, degraded, fail, found, lacking
from validator.rules.place_view import PlaceView
from validator.rules.subject_view import SubjectView

#: The first numpy with the ABI that a torch built for numpy 1 cannot load.
_NUMPY_ABI = 2


def numpy(view: SubjectView, facts: Facts) -> Answer:
    """A torch built for numpy 1 imports beside numpy 2, but tensors and arrays cannot be turned into each other.

    Source: NumPy 2.0 migration guide (ABI); from which torch on: the facts' ``boundaries`` (``numpy2``).
    """
    boundary = facts.boundaries["numpy2"]
    if view.numpy is None or view.level is None or view.numpy.major < _NUMPY_ABI or view.level >= boundary.since:
        return NOTHING
    return found(
        fail(
            "numpy_abi",
            f"torch {view.torch} was built for numpy 1 and does not work with numpy {view.numpy}",
            f"torch {view.torch} < {boundary.since}, numpy {view.numpy} >= {_NUMPY_ABI}",
            remedy=f"install 'numpy<2'; or use torch {boundary.since} or newer",
            source=boundary.origin,
        )
    )


def cpu_build(view: SubjectView, place: PlaceView, *, asked_for: bool) -> Answer:
    """A build without CUDA beside a GPU: it trains on the CPU. A fault only where a CUDA build was meant."""
    if not view.is_cpu or view.accelerator or not place.has_gpu or (not place.gpus and place.cc is None and place.driver is None):
        return NOTHING
    remedy = "install the CUDA build"
    if view.release is not None and view.release.builds:
        channels = ", ".join(channel_of(cuda) for cuda in view.release.builds)
        remedy = f"install a CUDA build of torch {view.release.version} ({channels}) if the GPU is to be used"
    text = f"{view.label} does not use {place.label}: it trains on the CPU"
    evidence = "torch is built without CUDA; torch.cuda.is_available() is False"
    make = degraded if asked_for else fail
    return found(make("cpu_only_torch", text, evidence, remedy=remedy))


def vendor(view: SubjectView, place: PlaceView) -> Answer:
    """A CUDA build runs on NVIDIA GPUs only. A build for ROCm or XPU does not run on them, and is not judged on others."""
    if not place.has_gpu or (view.is_cpu and not view.accelerator):
        return NOTHING
    if view.accelerator and (place.cc is not None or place.driver is not None):
        return found(
            fail(
                "gpu_vendor_unsupported",
                f"{view.label} does not run on NVIDIA GPUs such as {place.label}",
                f"torch is built for {view.accelerator}, without CUDA",
                remedy="install a CUDA build of torch for this GPU",
            )
        )
    if view.accelerator:
        return lacking(MissingKind.FACTS, f"{view.label} is for GPUs other than NVIDIA's, which are not judged")
    if not place.vendor:
        return NOTHING
    return found(
        fail(
            "gpu_vendor_unsupported",
            f"{view.label} runs on NVIDIA GPUs only, and {place.asked} is not one",
            f"vendor or product line: {place.vendor}",
            remedy="use the ROCm or XPU build of torch for that GPU, or the CPU build",
        )
    )
