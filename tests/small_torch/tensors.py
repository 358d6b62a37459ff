"""Tensors of lists: dtypes that round, arithmetic with its gradients, and what is set for all of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any


class DType:
    def __init__(self, name: str, bits: int | None = None, size: int = 4) -> None:
        self.name, self.bits, self.size = name, bits, size
        self.is_floating_point = "float" in name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def round(self, value: float) -> Any:
        if self.name == "float64":
            return float(value)
        if self.name == "bool":
            return bool(value)
        if not self.is_floating_point:
            return int(value)
        return shortened(value, self.bits or 23, 65504.0 if self.name == "float16" else 3.4e38)


def shortened(value: float, bits: int, largest: float = 3.4e38) -> float:
    """A number with so many bits after the point."""
    if not math.isfinite(value) or value == 0:
        return value
    mantissa, exponent = math.frexp(value)
    value = math.ldexp(round(math.ldexp(mantissa, bits + 1)), exponent - bits - 1)
    return value if abs(value) <= largest else math.copysign(math.inf, value)


FLOAT64, FLOAT32, FLOAT16 = DType("float64", size=8), DType("float32", 23), DType("float16", 10, 2)
BFLOAT16, FLOAT8 = DType("bfloat16", 7, 2), DType("float8_e4m3fn", 3, 1)
INT64, INT32, UINT8, BOOL = DType("int64", size=8), DType("int32"), DType("uint8", size=1), DType("bool", size=1)
DTYPES = (FLOAT64, FLOAT32, FLOAT16, BFLOAT16, FLOAT8, INT64, INT32, UINT8, BOOL)

STATE = SimpleNamespace()


def _places(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return product(*map(range, shape))


def _at(place: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Where the element of a (broadcast) place lies in a flat list of a shape."""
    index = 0
    for where, size in zip(place[len(place) - len(shape) :], shape, strict=True):
        index = index * size + (where if size > 1 else 0)
    return index


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    longest = max(len(one), len(other))
    pairs = zip((1,) * (longest - len(one)) + one, (1,) * (longest - len(other)) + other, strict=True)
    found = []
    for a, b in pairs:
        if a != b and 1 not in (a, b):
            raise RuntimeError(f"The size of tensor a ({a}) must match the size of tensor b ({b})")
        found.append(max(a, b))
    return tuple(found)


class Tensor:
    def __init__(self, values: list[Any], shape: tuple[int, ...], dtype: DType = FLOAT32, device: str = "cpu") -> None:
        self.values, self.shape, self.dtype, self.device = values, tuple(shape), dtype, device
        self.requires_grad = False
        self.grad: Tensor | None = None
        self.back: list[tuple[Tensor, Callable[[list[float]], list[float]]]] = []

    # ------------------------------------------------------------ making

    def made(self, values: list[Any], shape: Any = None, dtype: DType | None = None, back: Any = (), device: str = "") -> Tensor:
        dtype = dtype or self.dtype
        rounded = [dtype.round(value) for value in values]
        made = Tensor(rounded, self.shape if shape is None else shape, dtype, device or self.device)
        if STATE.grad:
            made.back = [(parent, function) for parent, function in back if parent.requires_grad]
            made.requires_grad = bool(made.back)
        return made

    def to(self, *wanted: Any, non_blocking: bool = False) -> Tensor:
        dtype, device = self.dtype, self.device
        for each in wanted:
            dtype, device = (each, device) if isinstance(each, DType) else (dtype, str(each))
        if (dtype, device) == (self.dtype, self.device):
            return self
        return self.made(self.values, dtype=dtype, device=device, back=[(self, list)])

    def double(self) -> Tensor:
        return self.to(FLOAT64)

    def float(self) -> Tensor:
        return self.to(FLOAT32)

    def half(self) -> Tensor:
        return self.to(FLOAT16)

    def long(self) -> Tensor:
        return self.to(INT64)

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def detach(self) -> Tensor:
        return Tensor(self.values, self.shape, self.dtype, self.device)

    data = property(detach)

    def clone(self) -> Tensor:
        return self.made(list(self.values), back=[(self, list)])

    def requires_grad_(self) -> Tensor:
        self.requires_grad = True
        return self

    # ------------------------------------------------------------ asking

    def numel(self) -> int:
        return len(self.values)

    def dim(self) -> int:
        return len(self.shape)

    def element_size(self) -> int:
        return self.dtype.size

    def data_ptr(self) -> int:
        return id(self.values)

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def item(self) -> Any:
        (value,) = self.values
        return value

    __float__ = item

    def __bool__(self) -> bool:
        return bool(self.item())

    def tolist(self) -> Any:
        if not self.shape:
            return self.item()
        return [self[index].tolist() for index in range(self.shape[0])] if len(self.shape) > 1 else list(self.values)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Tensor:
        width = math.prod(self.shape[1:])
        if isinstance(key, (slice, Tensor)):
            rows = range(self.shape[0])[key] if isinstance(key, slice) else key.values
            values = [value for row in rows for value in self.values[row * width : (row + 1) * width]]
            return self.made(values, (len(rows), *self.shape[1:]))
        if not 0 <= key < self.shape[0]:
            raise IndexError(key)
        return self.made(self.values[key * width : (key + 1) * width], self.shape[1:])

    # ------------------------------------------------------------ computing

    def _with(self, other: Any, function: Any, slopes: Any = None, dtype: DType | None = None) -> Tensor:
        """Element by element; ``slopes`` gives the two derivatives."""
        other = other if isinstance(other, Tensor) else Tensor([other], (), self.dtype, self.device)
        if other.device != self.device and other.shape and self.shape:
            raise RuntimeError("Expected all tensors to be on the same device")
        shape = _common(self.shape, other.shape)
        pairs = [(_at(place, self.shape), _at(place, other.shape)) for place in _places(shape)]

        def back(which: int) -> Callable[[list[float]], list[float]]:
            def spread(gradient: list[float]) -> list[float]:
                found = [0.0] * (self, other)[which].numel()
                for (a, b), each in zip(pairs, gradient, strict=True):
                    found[(a, b)[which]] += each * slopes(self.values[a], other.values[b])[which]
                return found

            return spread

        values = [function(self.values[a], other.values[b]) for a, b in pairs]
        kinds = [each.dtype for each in (self, other) if each.shape] or [self.dtype]
        dtype = dtype or max(kinds, key=lambda kind: (kind.is_floating_point, kind.size))
        return self.made(values, shape, dtype, [(self, back(0)), (other, back(1))] if slopes else [])

    def _each(self, function: Any, slope: Any = None) -> Tensor:
        def back(gradient: list[float]) -> list[float]:
            return [each * slope(value) for each, value in zip(gradient, self.values, strict=True)]

        return self.made([function(value) for value in self.values], back=[(self, back)] if slope else [])

    def __add__(self, other: Any) -> Tensor:
        return self._with(other, lambda a, b: a + b, lambda a, b: (1.0, 1.0))

    def __sub__(self, other: Any) -> Tensor:
        return self._with(other, lambda a, b: a - b, lambda a, b: (1.0, -1.0))

    def __mul__(self, other: Any) -> Tensor:
        return self._with(other, lambda a, b: a * b, lambda a, b: (b, a))

    def __truediv__(self, other: Any) -> Tensor:
        return self._with(other, lambda a, b: a / b if b else math.nan, lambda a, b: (1 / b, -a / b / b))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Tensor:
        return self * -1 + other

    def __ge__(self, other: float) -> Tensor:
        return self._with(other, lambda a, b: a >= b, dtype=BOOL)

    def __pow__(self, power: float) -> Tensor:
        return self._each(lambda a: a**power, lambda a: power * a ** (power - 1))

    pow = __pow__

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._with(other, lambda a, b: a == b, dtype=BOOL)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._with(other, lambda a, b: a != b, dtype=BOOL)

    __hash__ = object.__hash__

    def abs(self) -> Tensor:
        return self._each(abs)

    def relu(self) -> Tensor:
        return self._each(lambda a: max(a, 0.0), lambda a: float(a > 0))

    def tanh(self) -> Tensor:
        return self._each(math.tanh, lambda a: 1 - math.tanh(a) ** 2)

    def sigmoid(self) -> Tensor:
        return self._each(lambda a: 1 / (1 + math.exp(-a)), lambda a: math.exp(-a) / (1 + math.exp(-a)) ** 2)

    def exp(self) -> Tensor:
        return self._each(math.exp, math.exp)

    def lgamma(self) -> Tensor:
        return self._each(math.lgamma)

    def all(self) -> Tensor:
        return Tensor([all(self.values)], (), BOOL, self.device)

    def sum(self) -> Tensor:
        dtype = self.dtype if self.dtype.is_floating_point else INT64
        total = math.fsum(self.values) if all(map(math.isfinite, self.values)) else sum(self.values)
        return self.made([total], (), dtype, [(self, lambda gradient: gradient * self.numel())])

    def mean(self) -> Tensor:
        return self.sum() / self.numel()

    def norm(self) -> Tensor:
        return self.made([math.sqrt(sum(value * value for value in self.values))], ())

    def _extreme(self, choose: Any, axis: int | None) -> Any:
        if axis is None:
            return self.made([choose(self.values)], ())
        assert axis == 1
        return [self.made([choose(row.values) for row in self], (self.shape[0],))]

    def max(self, axis: int | None = None) -> Any:
        return self._extreme(max, axis)

    def min(self, axis: int | None = None) -> Any:
        return self._extreme(min, axis)

    # ------------------------------------------------------------ shapes

    def reshape(self, *shape: int) -> Tensor:
        sizes = [len(self.values) // -math.prod(shape) if size == -1 else size for size in shape]
        return self.made(self.values, tuple(sizes), back=[(self, list)])

    def flatten(self, _: int) -> Tensor:
        return self.reshape(self.shape[0], -1)

    def contiguous(self) -> Tensor:
        return self

    def t(self) -> Tensor:
        return self.transpose(-1, -2)

    def transpose(self, one: int, other: int) -> Tensor:
        assert {one, other} == {-1, -2}
        shape = (*self.shape[:-2], self.shape[-1], self.shape[-2])
        order = [_at((*place[:-2], place[-1], place[-2]), self.shape) for place in _places(shape)]

        def back(gradient: list[float]) -> list[float]:
            found = [0.0] * len(order)
            for where, each in zip(order, gradient, strict=True):
                found[where] = each
            return found

        return self.made([self.values[where] for where in order], shape, back=[(self, back)])

    def split(self, size: int) -> list[Tensor]:
        return [self[start : start + size] for start in range(0, self.shape[0], size)]

    def triu(self, diagonal: int) -> Tensor:
        places = zip(_places(self.shape), self.values, strict=True)
        return self.made([value if column - row >= diagonal else 0 for (row, column), value in places])

    def masked_fill(self, mask: Tensor, value: float) -> Tensor:
        return self._with(mask, lambda a, out: value if out else a, lambda a, out: (0.0 if out else 1.0, 0.0), self.dtype)

    def softmax(self, axis: int) -> Tensor:
        assert axis == -1
        width, values = self.shape[-1], []
        for start in range(0, len(self.values), width):
            powers = [math.exp(value - max(self.values[start : start + width])) for value in self.values[start : start + width]]
            values += [power / sum(powers) for power in powers]

        def back(gradient: list[float]) -> list[float]:
            found = []
            for start in range(0, len(values), width):
                shares, above = values[start : start + width], gradient[start : start + width]
                common = sum(a * b for a, b in zip(shares, above, strict=True))
                found += [share * (each - common) for share, each in zip(shares, above, strict=True)]
            return found

        return self.made(values, back=[(self, back)])

    def matmul(self, other: Tensor) -> Tensor:
        if self.device != other.device:
            raise RuntimeError("Expected all tensors to be on the same device")
        if self.dtype is not other.dtype:
            raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {self.dtype} != {other.dtype}")
        rows, inner = self.shape[-2:]
        if inner != other.shape[-2] or self.shape[:-2] != other.shape[:-2]:
            raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({self.shape} and {other.shape})")
        columns, many = other.shape[-1], math.prod(self.shape[:-2])
        a, b = self.values, other.values
        if self.device != "cpu" and self.dtype is FLOAT32 and STATE.torch.backends.cuda.matmul.allow_tf32:
            a, b = ([shortened(value, 10) for value in values] for values in (a, b))
        values = [
            sum(a[(n * rows + i) * inner + k] * b[(n * inner + k) * columns + j] for k in range(inner))
            for n, i, j in product(range(many), range(rows), range(columns))
        ]

        def left(gradient: list[float]) -> list[float]:
            return [
                sum(gradient[(n * rows + i) * columns + j] * b[(n * inner + k) * columns + j] for j in range(columns))
                for n, i, k in product(range(many), range(rows), range(inner))
            ]

        def right(gradient: list[float]) -> list[float]:
            return [
                sum(gradient[(n * rows + i) * columns + j] * a[(n * rows + i) * inner + k] for i in range(rows))
                for n, k, j in product(range(many), range(inner), range(columns))
            ]

        return self.made(values, (*self.shape[:-1], columns), back=[(self, left), (other, right)])

    # ------------------------------------------------------------ in place

    def _put(self, values: list[Any]) -> Tensor:
        self.values[:] = [self.dtype.round(value) for value in values]
        return self

    def add_(self, other: Tensor) -> Tensor:
        return self._put((self.detach() + other.detach()).values)

    def sub_(self, other: Tensor) -> Tensor:
        return self._put((self.detach() - other.detach()).values)

    def copy_(self, other: Tensor) -> Tensor:
        return self._put(other.values)

    def fill_(self, value: float) -> Tensor:
        return self._put([value] * len(self.values))

    # ------------------------------------------------------------ gradients

    def backward(self, gradient: Tensor | None = None) -> None:
        for leaf, values in gradients_of(self, gradient):
            before = leaf.grad.values if leaf.grad is not None else [0.0] * len(values)
            leaf.grad = leaf.detach().made([a + b for a, b in zip(before, values, strict=True)])


def gradients_of(output: Tensor, gradient: Tensor | None = None) -> list[tuple[Tensor, list[float]]]:
    """Every leaf that an output was made of, with its gradient."""
    if not output.requires_grad:
        raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
    order: list[Tensor] = []
    seen: set[int] = set()

    def visit(tensor: Tensor) -> None:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            for parent, _ in tensor.back:
                visit(parent)
            order.append(tensor)

    visit(output)
    found = {id(output): list(gradient.values) if gradient is not None else [1.0]}
    for tensor in reversed(order):
        for parent, function in tensor.back:
            before = found.get(id(parent)) or [0.0] * parent.numel()
            found[id(parent)] = [a + b for a, b in zip(before, function(found[id(tensor)]), strict=True)]
    return [(tensor, found[id(tensor)]) for tensor in order if not tensor.back]
