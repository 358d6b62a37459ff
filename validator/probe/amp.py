"""Automatic mixed precision by feature: torch has moved and renamed its parts over the years."""

from typing import Any, Callable


class Missing(Exception):
    """This torch has no such part for this device; the text is the reason, in a sentence."""


def autocast(torch: Any, device: str, dtype: str) -> Callable[[], Any]:
    """What makes an autocast context to ``float16`` or ``bfloat16``. Raises Missing."""
    generic = getattr(torch, "autocast", None)
    if generic is not None:
        return lambda: generic(device, dtype=getattr(torch, dtype))
    cuda_only = getattr(getattr(torch.cuda, "amp", None), "autocast", None)
    if device == "cpu" or cuda_only is None:
        where = "CPU autocast" if device == "cpu" else "torch.cuda.amp autocast"
        raise Missing("torch {} has no {}".format(torch.__version__, where))
    if dtype != "float16":
        raise Missing("torch {}'s CUDA autocast knows float16 only, not {}".format(torch.__version__, dtype))
    return cuda_only


def grad_scaler(torch: Any, device: str) -> Any:
    """A new gradient scaler with torch's own settings. Raises Missing."""
    generic = getattr(getattr(torch, "amp", None), "GradScaler", None)
    if generic is not None:
        return generic(device)
    cuda_only = getattr(getattr(torch.cuda, "amp", None), "GradScaler", None)
    if device == "cpu" or cuda_only is None:
        raise Missing("torch {} has no gradient scaler for the {}".format(torch.__version__, device.upper()))
    return cuda_only()
