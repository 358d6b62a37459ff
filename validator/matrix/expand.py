"""Axes multiplied, with ``include`` and ``exclude`` as GitHub Actions means them, and the ids of what comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from validator.base.versions import channel_of

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", re.ASCII)
_NOT_ID = re.compile(r"[^A-Za-z0-9._+-]+", re.ASCII)
#: Axes that begin an id, in this order.
_FIRST = ("torch", "cuda", "python")
#: Words of GPU names that tell the maker or the product line, not the model.
_GPU_NOISE = re.compile(r"\b(?:nvidia|tesla|geforce)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Value:
    """A value of an axis and the line it is written on."""

    text: str
    line: int


Axes = Mapping[str, Sequence[Value]]
#: One value per axis.
Combination = Mapping[str, Value]


def upper_bound(axes: Axes, include: Sequence[Combination]) -> int:
    """How many combinations there can be at most, before any is made."""
    return (prod(len(values) for values in axes.values()) if axes or not include else 0) + len(include)


def expand(axes: Axes, include: Sequence[Combination], exclude: Sequence[Combination]) -> list[Combination]:
    """All combinations of the axes, in the order written.

    A combination that agrees with every key of an ``exclude`` row is removed. An ``include`` row is then added to each
    remaining combination of the axes whose own values it would not overwrite (values that an earlier row added may be);
    where there is no such combination, the row is a combination of its own, which later rows do not extend.
    Without axes and rows there is one combination, which has no values.
    """
    if not axes and include:
        return list(include)
    every = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    kept = [combination for combination in every if not any(_has(combination, row) for row in exclude)]
    extended = [dict(combination) for combination in kept]
    added: list[Combination] = []
    for row in include:
        own = {name: value for name, value in row.items() if name in axes}
        new = {name: value for name, value in row.items() if name not in axes}
        fitting = [more for combination, more in zip(kept, extended, strict=True) if _has(combination, own)]
        for more in fitting:
            more.update(new)
        if not fitting:
            added.append(row)
    return [*extended, *added]


def _has(combination: Combination, row: Combination) -> bool:
    return all(combination[name].text == value.text for name, value in row.items())


def texts(combination: Combination) -> dict[str, str]:
    """The values of a combination without their lines."""
    return {name: value.text for name, value in combination.items()}


def is_id(text: str) -> bool:
    """Whether a text can be an id: typable without quotes in a shell, and safe in names of files and containers."""
    return _ID.fullmatch(text) is not None


def slug(text: str) -> str:
    """A text in which dashes replace everything that an id may not contain."""
    return _NOT_ID.sub("-", text).strip("-._+")


def environment_id(values: Mapping[str, str], base: str, told_by_base: set[str]) -> str:
    """The id of an environment: ``torch2.7.1-cu126-py3.12``, then other axes by name.

    ``base`` comes first if it is not empty; it already shows the axes in ``told_by_base``, which are not repeated.
    """
    names = sorted(values.keys() - told_by_base, key=lambda name: _order(name, list(values)))
    return "-".join([base] * bool(base) + [_part(name, values[name]) for name in names])


def _order(name: str, names: list[str]) -> int:
    return _FIRST.index(name) - len(_FIRST) if name in _FIRST else names.index(name)


def _part(name: str, text: str) -> str:
    if name == "cuda":
        return channel_of(text)
    return slug(f"py{text}" if name == "python" else f"{name}{text}")


def target_id(values: Mapping[str, str]) -> str:
    """The id of a target: ``a100-sxm4-80gb-580.95.05``, ``sm90``."""
    if "gpu" in values:
        gpu = slug(_GPU_NOISE.sub(" ", values["gpu"])) or slug(values["gpu"])
        model = gpu.lower()
    else:
        model = "sm" + values["compute_capability"].replace(".", "")
    return f"{model}-{values['driver']}" if "driver" in values else model
