"""Automatic mixed precision, found by feature: torch has moved and renamed its parts over the years."""

import re
from typing import Any, Callable, Optional

from .context import Context, Result, headline

#: What torch says when a device or build has no kernel for a dtype, or autocast refuses it.
_NO_KERNEL = re.compile(
    r"not implemented for|does not support bfloat16|only support Bfloat16|not supported|unsupported dtype"
    r"|CUBLAS_STATUS_(?:NOT_SUPPORTED|ARCH_MISMATCH)|CUDNN_STATUS_NOT_SUPPORTED|unable to find an engine"
    r"|no valid convolution algorithm"
)


class Missing(Exception):
    """This torch has no such part for this device; the text is the reason, in a sentence."""


class MissingDtype(Missing):
    """Mixed precision exists here, but not in this dtype."""


def autocast(torch: Any, device: str, dtype: str) -> Callable[[], Any]:
    """A function that makes an autocast context to ``float16`` or ``bfloat16``. Raises Missing."""
    generic = getattr(torch, "autocast", None)
    if generic is not None:
        return lambda: generic(device, dtype=getattr(torch, dtype))
    cuda_only = getattr(getattr(getattr(torch, "cuda", None), "amp", None), "autocast", None)
    if device == "cpu" or cuda_only is None:
        where = "CPU autocast" if device == "cpu" else "torch.cuda.amp autocast"
        raise Missing("torch {} has no {}".format(torch.__version__, where))
    if dtype != "float16":
        raise MissingDtype("torch {}'s CUDA autocast knows float16 only, not {}".format(torch.__version__, dtype))
    return cuda_only


def grad_scaler(torch: Any, device: str) -> Any:
    """A new gradient scaler with torch's own settings. Raises Missing."""
    generic = getattr(getattr(torch, "amp", None), "GradScaler", None)
    if generic is not None:
        return generic(device)
    cuda_only = getattr(getattr(getattr(torch, "cuda", None), "amp", None), "GradScaler", None)
    if device == "cpu" or cuda_only is None:
        raise Missing("torch {} has no gradient scaler for the {}".format(torch.__version__, device.upper()))
    return cuda_only()


def refusal(context: Context, dtype: str, error: BaseException) -> Optional[Result]:
    """The result of a check where torch does not support the dtype on this device; None when the error means something else.

    A GPU older than Ampere has no bfloat16. That is no fault of the environment, and float16 still trains on it.
    """
    if not _NO_KERNEL.search(str(error)):
        return None
    torch = context.torch
    if not context.on_gpu:
        cause = "cpu_half_unsupported" if dtype == "float16" else "bf16_unsupported"
        return Result("skip", "torch {} on this CPU: {}".format(torch.__version__, headline(error)), {"cause": cause})
    capability = context.capability
    if dtype == "bfloat16" and capability < (8, 0):
        said = "compute capability {}.{} has no bfloat16, and torch {} does not emulate it: {}"
        message = said.format(capability[0], capability[1], torch.__version__, headline(error))
        return Result("skip", message, {"cause": "bf16_unsupported"})
    return None
