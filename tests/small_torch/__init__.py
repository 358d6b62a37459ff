"""A torch of lists: real rounding, gradients, and layers with hooks, as far as the checks of the probe ask for them.

``fresh()`` is a new one, with nothing set by an earlier test. A device is a name: ``cuda`` computes as the CPU does, and rounds
float32 products to TF32 where the switch says so. A test breaks a part by putting another in its place.
"""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from . import functions, layers, training
from .tensors import DTYPES, INT64, STATE, Tensor, gradients_of

_FUNCTIONS = ["manual_seed", "randn", "rand", "randint", "full", "ones", "zeros", "empty", "arange", "tensor", "save", "load"]
_LAYERS = ["Module", "Parameter", "Linear", "ReLU", "GELU", "Dropout", "Identity", "Sequential"]


def fresh(version: str = "2.7.1+cu126", cuda: str | None = "12.6") -> Any:
    """A new torch; its parts can be taken out (``del torch.autocast``) and replaced."""
    torch = SimpleNamespace(
        __version__=version,
        version=SimpleNamespace(cuda=cuda),
        **{dtype.name: dtype for dtype in DTYPES},
        **{name: getattr(functions, name) for name in _FUNCTIONS},
        Tensor=Tensor,
        autocast=training.autocast,
        no_grad=training.no_grad,
        long=INT64,
        matmul=lambda one, other: one.matmul(other),
        amp=SimpleNamespace(GradScaler=training.GradScaler),
        autograd=SimpleNamespace(grad=_grad),
        backends=SimpleNamespace(
            cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)),
            cudnn=SimpleNamespace(allow_tf32=True, benchmark=False),
        ),
        nn=SimpleNamespace(
            functional=SimpleNamespace(cross_entropy=layers.cross_entropy, scaled_dot_product_attention=functions.attention),
            utils=SimpleNamespace(clip_grad_norm_=training.clip_grad_norm_),
            **{name: getattr(layers, name) for name in _LAYERS},
            **{f"Conv{n}d": type(f"Conv{n}d", (layers.Convolution,), {}) for n in (1, 2, 3)},
            **{f"BatchNorm{n}d": type(f"BatchNorm{n}d", (layers.BatchNorm,), {}) for n in (1, 2, 3)},
        ),
        optim=SimpleNamespace(SGD=training.SGD),
        threads=8,
        get_num_threads=lambda: 8,
        set_default_dtype=lambda dtype: None,
        cuda=SimpleNamespace(
            is_available=lambda: True,
            device_count=lambda: 1,
            get_device_capability=lambda _: (9, 0),
            get_device_name=lambda index: f"GPU {index}",
            synchronize=lambda *_: None,
            empty_cache=lambda: None,
            max_memory_allocated=lambda: 0,
            reset_peak_memory_stats=lambda: None,
        ),
    )
    torch.set_num_threads = lambda count: setattr(torch, "threads", count)
    STATE.__dict__.update(torch=torch, grad=True, autocast=None, random=random.Random(0))  # noqa: S311 - numbers, not secrets
    return torch


def _grad(output: Tensor, weights: list[Tensor]) -> list[Tensor]:
    found = {id(leaf): values for leaf, values in gradients_of(output)}
    return [weight.detach().made(found[id(weight)]) for weight in weights]
