"""What makes tensors, saves them, and attends."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

from .tensors import BOOL, FLOAT32, INT64, STATE, DType, Tensor


def _drawn(draw: Callable[[], float], shape: tuple[int, ...], dtype: DType = FLOAT32) -> Tensor:
    return Tensor([dtype.round(draw()) for _ in range(math.prod(shape))], shape, dtype)


def manual_seed(seed: int) -> None:
    STATE.random.seed(seed)


def randn(*shape: int) -> Tensor:
    return _drawn(lambda: STATE.random.gauss(0, 1), shape)


def rand(*shape: Any) -> Tensor:
    return _drawn(STATE.random.random, shape[0] if isinstance(shape[0], tuple) else shape)


def randint(low: int, high: int, shape: tuple[int, ...], dtype: DType = INT64) -> Tensor:
    return _drawn(lambda: STATE.random.randrange(low, high), shape, dtype)


def full(shape: tuple[int, ...], value: float) -> Tensor:
    return _drawn(lambda: value, shape)


def ones(*shape: int, dtype: DType = FLOAT32) -> Tensor:
    return _drawn(lambda: 1, shape, dtype)


def zeros(*shape: Any, dtype: DType = FLOAT32, device: str = "cpu") -> Tensor:
    return _drawn(lambda: 0, shape[0] if isinstance(shape[0], tuple) else shape, dtype).to(device)


def empty(*shape: int, dtype: DType = FLOAT32, device: str = "cpu") -> Tensor:
    return zeros(*shape, dtype=dtype, device=device)


def arange(end: int, dtype: DType = INT64) -> Tensor:
    return Tensor([dtype.round(value) for value in range(end)], (end,), dtype)


def tensor(values: Any) -> Tensor:
    if values and isinstance(values[0], list):
        return Tensor([value for row in values for value in row], (len(values), len(values[0])))
    return Tensor(list(values), (len(values),), FLOAT32 if any(isinstance(value, float) for value in values) else INT64)


def save(state: Any, path: str) -> None:
    with open(path, "wb") as file:
        pickle.dump(state, file)


def load(path: str, map_location: str) -> Any:
    with open(path, "rb") as file:
        return pickle.load(file)  # noqa: S301 - the test's own file


def attention(query: Tensor, key: Tensor, value: Tensor, is_causal: bool = False) -> Tensor:
    scores = query.matmul(key.transpose(-1, -2)) / math.sqrt(query.shape[-1])
    if is_causal:
        scores = scores.masked_fill(ones(*scores.shape[-2:], dtype=BOOL).triu(1).to(query.device), -math.inf)
    return scores.softmax(-1).matmul(value)
