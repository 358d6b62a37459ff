"""What each layer of a model puts out, kept small enough to compare two passes of a large model layer by layer."""

import collections
from typing import Any, Callable, Dict, List, Optional, Tuple

from .loop import dtype_of

#: Elements kept of a layer's output, evenly spaced over it. All of them are looked at for NaN and Inf.
_SAMPLE = 16384
#: Elements that are looked at in one go.
_PART = 1 << 22
#: Outputs of layers that are compared: of a larger model the first ones, and its result.
_LAYERS = 4096

#: name: of the layer (``features.0``), kind: its class, dtype: of its output, sample: float32 on the CPU, finite: whether
#: every element is.
Output = collections.namedtuple("Output", ("name", "kind", "dtype", "sample", "finite"))


def outputs(torch: Any, model: Any, forward: Callable[[], Any]) -> Tuple[Any, List[Output]]:
    """What ``forward`` returns, and the output of each of the model's innermost layers in the order they ran."""
    found: List[Output] = []
    names = {id(layer): name for name, layer in model.named_modules()}

    def keep(layer: Any, _: Any, output: Any) -> None:
        for tensor in tensors(torch, output):
            if len(found) < _LAYERS and tensor.is_floating_point():
                found.append(_output(torch, names[id(layer)] or "the model", type(layer).__name__, tensor))

    hooks = [layer.register_forward_hook(keep) for layer in model.modules() if next(layer.children(), None) is None]
    try:
        result = forward()
    finally:
        for hook in hooks:
            hook.remove()
    for number, tensor in enumerate(tensors(torch, result)):
        if tensor.is_floating_point():
            found.append(_output(torch, "output {}".format(number + 1), "the model's result", tensor))
    return result, found


def tensors(torch: Any, value: Any, depth: int = 0) -> List[Any]:
    """The tensors in a result: itself, or those in lists, tuples, mappings and data classes."""
    if isinstance(value, torch.Tensor):
        return [value]
    if depth > 4:
        return []
    if isinstance(value, dict) or (hasattr(value, "values") and hasattr(value, "keys")):
        return [tensor for item in value.values() for tensor in tensors(torch, item, depth + 1)]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in tensors(torch, item, depth + 1)]
    if hasattr(value, "__dataclass_fields__"):
        return [tensor for item in vars(value).values() for tensor in tensors(torch, item, depth + 1)]
    return []


def _output(torch: Any, name: str, kind: str, tensor: Any) -> Output:
    flat = tensor.detach().reshape(-1)
    # A sum carries NaN and Inf on in every torch; in float64, so that no sum of finite values overflows, and in parts, since
    # the float64 of a large output would be memory that the model itself does not need.
    parts = flat.split(_PART) if flat.numel() else ()
    finite = all(bool((part.double().sum() * 0 == 0).item()) for part in parts)
    step = max(1, flat.numel() // _SAMPLE)
    return Output(name, kind, dtype_of(tensor), flat[::step].float().cpu(), finite)


#: Where two passes differ most. error: ``|a − b| / |b|`` as norms; finite: False where only the second pass has NaN or Inf.
Difference = collections.namedtuple("Difference", ("name", "kind", "dtype", "error", "finite"))


def differences(reference: List[Output], other: List[Output]) -> List[Difference]:
    """Each layer of a pass against the same one of another; layers that did not run in both are left out."""
    found = []
    for before, after in zip(reference, other):
        if before.name != after.name or before.sample.shape != after.sample.shape or not before.finite:
            continue
        if not after.finite:
            found.append(Difference(after.name, after.kind, after.dtype, float("inf"), False))
            continue
        size = float(before.sample.norm())
        error = float((after.sample - before.sample).norm())
        found.append(Difference(after.name, after.kind, after.dtype, error / size if size else error, True))
    return found


def worst(found: List[Difference]) -> Optional[Difference]:
    """The layer to name: the first one with NaN or Inf (what follows only inherits it), else the one that differs most."""
    broken = next((each for each in found if not each.finite), None)
    return broken or max(found, key=lambda each: each.error, default=None)


def summary(found: List[Difference], prefix: str) -> Dict[str, Any]:
    """Metrics of a comparison."""
    top = worst(found)
    return {
        prefix + ".layers": [each.name for each in found][:64],
        prefix + ".error_ratios": [round(each.error, 7) for each in found][:64],
        prefix + ".worst_layer": top and "{} ({})".format(top.name, top.kind),
        prefix + ".worst_error_ratio": top and top.error,
    }


#: A layer that is running: its name, the module, shape and dtype of its first tensor (None without one).
Running = collections.namedtuple("Running", ("name", "module", "shape", "dtype"))


class Tracker:
    """Inside its block, knows the innermost layer that is running; after an exception, the one that raised it."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._stack: List[Running] = []
        self._hooks: List[Any] = []
        self.first: Optional[str] = None
        """Name of the first innermost layer that ran."""

    @property
    def current(self) -> Optional[Running]:
        """The innermost layer that began and did not end."""
        return self._stack[-1] if self._stack else None

    def __enter__(self) -> "Tracker":
        for name, module in self._model.named_modules():
            self._hooks.append(module.register_forward_pre_hook(self._enter(name)))
            self._hooks.append(module.register_forward_hook(self._leave))
        return self

    def __exit__(self, *_: Any) -> None:
        for hook in self._hooks:
            hook.remove()

    def _enter(self, name: str) -> Callable[[Any, Any], None]:
        def enter(module: Any, inputs: Any) -> None:
            tensor = next((each for each in inputs if hasattr(each, "shape") and hasattr(each, "dtype")), None)
            known = tensor is not None
            self._stack.append(Running(name, module, tuple(tensor.shape) if known else None, dtype_of(tensor) if known else None))
            if self.first is None and next(module.children(), None) is None:
                self.first = name

        return enter

    def _leave(self, module: Any, *_: Any) -> None:
        while self._stack and self._stack.pop().module is not module:
            pass
