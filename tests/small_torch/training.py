"""What trains: an optimizer, a gradient scaler, clipping, and the contexts of autocast and without gradients."""

from __future__ import annotations

import copy
import math
from typing import Any

from .tensors import FLOAT16, STATE, DType, Tensor


class SGD:
    def __init__(self, weights: Any, lr: float, momentum: float = 0.0) -> None:
        self.param_groups = [{"params": list(weights)}]
        self._lr, self._momentum = lr, momentum
        self._velocity: dict[int, list[float]] = {}

    def zero_grad(self) -> None:
        for weight in self.param_groups[0]["params"]:
            weight.grad = None

    def step(self) -> None:
        for number, weight in enumerate(self.param_groups[0]["params"]):
            if weight.grad is not None:
                before = self._velocity.get(number, [0.0] * weight.numel())
                after = [a * self._momentum + b for a, b in zip(before, weight.grad.values, strict=True)]
                self._velocity[number] = after
                weight._put([a - self._lr * b for a, b in zip(weight.values, after, strict=True)])

    def state_dict(self) -> Any:
        return copy.deepcopy(self._velocity)

    def load_state_dict(self, state: Any) -> None:
        self._velocity = copy.deepcopy(state)


class GradScaler:
    """As torch's own: half the scale after an overflow, and the step left out."""

    def __init__(self, device: str = "cuda") -> None:
        self.device, self.scale_now, self._unscaled, self._infinite = device, 65536.0, False, False

    def scale(self, loss: Tensor) -> Tensor:
        return loss * self.scale_now

    def unscale_(self, optimizer: Any) -> None:
        self._unscaled, self._infinite = True, False
        for weight in optimizer.param_groups[0]["params"]:
            if weight.grad is not None:
                weight.grad._put([value / self.scale_now for value in weight.grad.values])
                self._infinite |= not all(map(math.isfinite, weight.grad.values))

    def step(self, optimizer: Any) -> None:
        if not self._unscaled:
            self.unscale_(optimizer)
        if not self._infinite:
            optimizer.step()

    def update(self) -> None:
        self.scale_now *= 0.5 if self._infinite else 1.0
        self._unscaled = False

    def get_scale(self) -> float:
        return self.scale_now

    def state_dict(self) -> Any:
        return {"scale": self.scale_now}

    def load_state_dict(self, state: Any) -> None:
        self.scale_now = state["scale"]


def clip_grad_norm_(weights: Any, largest: float) -> Tensor:
    weights = [weight for weight in weights if weight.grad is not None]
    norm = math.sqrt(sum(value * value for weight in weights for value in weight.grad.values))
    for weight in weights:
        weight.grad._put([value * min(1.0, largest / norm) if norm else value for value in weight.grad.values])
    return Tensor([norm], ())


class autocast:
    def __init__(self, device: str, dtype: DType = FLOAT16) -> None:
        self.device, self.dtype = device, dtype

    def __enter__(self) -> autocast:
        self._before, STATE.autocast = STATE.autocast, self.dtype
        return self

    def __exit__(self, *_: object) -> None:
        STATE.autocast = self._before


class no_grad:
    def __enter__(self) -> None:
        self._before, STATE.grad = STATE.grad, False

    def __exit__(self, *_: object) -> None:
        STATE.grad = self._before
