"""Axes multiplied, with ``include`` and ``exclude`` as GitHub Actions means them, and the ids of what comes out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
    kept = _kept(axes, exclude)
    own = [{name: value for name, value in row.items() if name in axes} for row in include]
    new = [{name: value for name, value in row.items() if name not in axes} for row in include]
    fits = _Fits(axes, own)
    used = 0
    extended: list[Combination] = []
    brought: dict[int, Combination] = {0: {}}  # by the rows that fit: often many combinations have the same
    for combination in kept:
        fitting = fits(combination)
        used |= fitting
        if fitting not in brought:
            brought[fitting] = {name: value for index in _bits(fitting) for name, value in new[index].items()}
        extended.append({**combination, **brought[fitting]} if fitting else combination)
    return [*extended, *(row for index, row in enumerate(include) if not used >> index & 1)]


class _Fits:
    """Which rows each combination agrees with, as a number with a bit for each row.

    A row agrees with a value of an axis that it names, or does not name the axis. So the rows that a combination agrees with are
    those that are in the numbers of all its values: no combination is compared with a row.
    """

    def __init__(self, axes: Axes, rows: Sequence[Combination]) -> None:
        self._rows = (1 << len(rows)) - 1
        self._by_value: dict[str, dict[str, int]] = {}
        for name, values in axes.items():
            # One number for all values that no row names: with thousands of values and rows they are not cheap.
            naming = sum(1 << index for index, row in enumerate(rows) if name in row)
            rest = self._rows & ~naming
            agreeing = dict.fromkeys((value.text for value in values), rest)
            for index, row in enumerate(rows):
                if name in row:
                    agreeing[row[name].text] = agreeing.get(row[name].text, rest) | 1 << index
            self._by_value[name] = agreeing

    def __call__(self, combination: Combination) -> int:
        fitting = self._rows
        for name, value in combination.items():
            if not fitting:
                break
            fitting &= self._by_value[name][value.text]
        return fitting


def _kept(axes: Axes, exclude: Sequence[Combination]) -> list[dict[str, Value]]:
    every = (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))
    if not exclude:
        return list(every)
    excluded = _Fits(axes, exclude)
    return [combination for combination in every if not excluded(combination)]


def _bits(number: int) -> Iterator[int]:
    """The places of the bits that are set, from the lowest."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


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
