"""TF32: whether float32 products are rounded to it, in this torch and by what is set outside of it."""

import contextlib
import os
from typing import Any, Iterator, List


def switches(torch: Any) -> List[Any]:
    """What has an ``allow_tf32``: matrix products, and cuDNN. Empty in a torch from before TF32."""
    backends = getattr(torch, "backends", None)
    places = [getattr(getattr(backends, "cuda", None), "matmul", None), getattr(backends, "cudnn", None)]
    return [place for place in places if hasattr(place, "allow_tf32")]


@contextlib.contextmanager
def precision(torch: Any, tf32: bool) -> Iterator[None]:
    """Within the block, float32 products by TF32 or in full precision; afterwards as before.

    A check with the tolerance of float32 needs it: images can bring TF32 switched on (TORCH_ALLOW_TF32_CUBLAS_OVERRIDE).
    """
    found = switches(torch)
    before = [switch.allow_tf32 for switch in found]
    try:
        for switch in found:
            switch.allow_tf32 = tf32
        yield
    finally:
        for switch, value in zip(found, before):
            switch.allow_tf32 = value


def forced() -> bool:
    """Whether NVIDIA's libraries are told to use TF32 whatever torch asks for. It is a setting, which `tf32` reports."""
    return os.environ.get("NVIDIA_TF32_OVERRIDE") == "1"
