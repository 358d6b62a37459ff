"""Layers with weights, hooks and states, and the loss."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from .functions import randn
from .tensors import FLOAT16, FLOAT32, STATE, Tensor


class Parameter(Tensor):
    """A weight, which a module finds among its attributes."""

    def __init__(self, source: Tensor) -> None:
        super().__init__(source.values, source.shape, source.dtype, source.device)
        self.requires_grad = True


class Module:
    training = True

    def _own(self, kind: type) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, kind)]

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        yield prefix, self
        for name, module in self._own(Module):
            yield from module.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self, recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        for prefix, module in self.named_modules() if recurse else [("", self)]:
            for name, weight in module._own(Parameter):
                yield (f"{prefix}.{name}" if prefix else name), weight

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (weight for _, weight in self.named_parameters(recurse))

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def children(self) -> Iterator[Module]:
        return (module for _, module in self._own(Module))

    def add_module(self, name: str, module: Module) -> None:
        setattr(self, name, module)

    def state_dict(self) -> dict[str, Any]:
        return OrderedDict((name, weight.detach()) for name, weight in self.named_parameters())

    def load_state_dict(self, state: dict[str, Tensor], strict: bool = True) -> None:
        for name, weight in self.named_parameters():
            if strict or name in state:
                weight.copy_(state[name])

    def to(self, wanted: Any) -> Module:
        for weight in self.parameters():
            moved = weight.detach().to(wanted)
            weight.device, weight.dtype, weight.values = moved.device, moved.dtype, moved.values
        return self

    def half(self) -> Module:
        return self.to(FLOAT16)

    def train(self, mode: bool = True) -> Module:
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        return self.train(False)

    def _hook(self, kind: str, function: Any) -> Any:
        hooks = self.__dict__.setdefault(kind, [])
        hooks.append(function)
        return SimpleNamespace(remove=lambda: hooks.remove(function))

    def register_forward_hook(self, function: Any) -> Any:
        return self._hook("_after", function)

    def register_forward_pre_hook(self, function: Any) -> Any:
        return self._hook("_before", function)

    def __call__(self, *inputs: Any) -> Any:
        for hook in list(vars(self).get("_before", ())):
            hook(self, inputs)
        output = self.forward(*inputs)  # type: ignore[attr-defined]
        for hook in list(vars(self).get("_after", ())):
            hook(self, inputs, output)
        return output


class Linear(Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        self.in_features = inputs
        self.weight = Parameter(randn(outputs, inputs) / math.sqrt(inputs))
        self.bias = Parameter(randn(outputs) / math.sqrt(inputs))

    def forward(self, values: Tensor) -> Tensor:
        dtype = STATE.autocast or values.dtype
        if STATE.autocast is None and values.dtype is not self.weight.dtype:
            raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {values.dtype} and {self.weight.dtype}")
        return values.to(dtype).matmul(self.weight.to(dtype).t()) + self.bias.to(dtype)


class ReLU(Module):
    def forward(self, values: Tensor) -> Tensor:
        return values.relu()


class GELU(Module):
    def forward(self, values: Tensor) -> Tensor:
        return values.tanh() * values


class Dropout(Module):
    def forward(self, values: Tensor) -> Tensor:
        return values * (0.0 if self.training else 1.0)


class Identity(Module):
    def forward(self, values: Tensor) -> Tensor:
        return values


class Sequential(Module):
    def __init__(self, *layers: Module) -> None:
        for number, layer in enumerate(layers):
            self.add_module(str(number), layer)

    def forward(self, values: Tensor) -> Tensor:
        for layer in self.children():
            values = layer(values)
        return values


class Convolution(Module):
    """Known by its channels alone."""

    def __init__(self, channels: int, _: int, __: int) -> None:
        self.in_channels = channels

    def forward(self, values: Tensor) -> Tensor:
        raise RuntimeError("a convolution that does not take it")


class BatchNorm(Module):
    def __init__(self, features: int) -> None:
        self.num_features = features

    def forward(self, values: Tensor) -> Tensor:
        raise RuntimeError("a norm that does not take it")


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean of −log softmax, of logits [N, classes]."""
    logits = logits.to(FLOAT32)  # as autocast has it
    shares = logits.detach().softmax(-1)
    width = logits.shape[-1]
    chosen = [row * width + label for row, label in enumerate(labels.values)]
    for label in labels.values:
        if not 0 <= label < width:
            raise IndexError(f"Target {label} is out of bounds.")

    def back(gradient: list[float]) -> list[float]:
        wanted = set(chosen)
        return [gradient[0] * (share - (where in wanted)) / len(chosen) for where, share in enumerate(shares.values)]

    losses = [-math.log(shares.values[where]) if shares.values[where] > 0 else math.nan for where in chosen]
    return logits.made([sum(losses) / len(losses)], (), back=[(logits, back)])
