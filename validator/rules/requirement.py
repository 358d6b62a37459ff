"""NVIDIA_REQUIRE_CUDA: the condition an image sets for its start, as NVIDIA's container runtime reads it.

A space separates alternatives, a comma joins conditions that must hold together; a condition is ``cuda``, ``driver``, ``arch`` or
``brand``, an operator and a value; other names are passed over. Source: libnvidia-container (dsl.c) and nvidia-container-toolkit
(internal/requirements/constraints).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from validator.base.versions import Dotted

_CONDITION = re.compile(r"([^<>=!]+)(!=|<=|>=|=|<|>)(.*)", re.ASCII)
_KNOWN = frozenset({"cuda", "driver", "arch", "brand"})


@dataclass(frozen=True)
class Condition:
    """One comparison."""

    name: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"


Alternatives = tuple[tuple[Condition, ...], ...]


@dataclass(frozen=True)
class Machine:
    """What is compared with; None or empty where it is not known."""

    cuda: tuple[int, ...] | None = None
    driver: tuple[int, ...] | None = None
    arch: tuple[int, ...] | None = None
    brands: frozenset[str] = frozenset()


@cache
def parse(text: str) -> Alternatives:
    """The alternatives, each the conditions that must hold together. Raises ValueError where the runtime refuses the text."""
    alternatives = []
    for term in text.split(" "):
        conditions = []
        for factor in term.split(","):
            if not factor.strip():
                continue
            found = _CONDITION.fullmatch(factor)
            if found is None:
                raise ValueError(f"{factor!r} is not a condition such as cuda>=12.8")
            condition = Condition(found[1], found[2], found[3].rstrip("."))
            if condition.name not in _KNOWN:
                continue
            if condition.name != "brand":
                Dotted(condition.value)
            conditions.append(condition)
        if conditions:
            alternatives.append(tuple(conditions))
    return tuple(alternatives)


def holds(alternatives: Alternatives, machine: Machine) -> bool | None:
    """Whether any alternative holds; None where that depends on something unknown."""
    if not alternatives:
        return True
    answers = [_all(conditions, machine) for conditions in alternatives]
    return True if True in answers else None if None in answers else False


def _all(conditions: tuple[Condition, ...], machine: Machine) -> bool | None:
    answers = [_one(condition, machine) for condition in conditions]
    return False if False in answers else None if None in answers else True


def _one(condition: Condition, machine: Machine) -> bool | None:
    if condition.name == "brand":
        if not machine.brands:
            return None
        return (condition.value in machine.brands) is not (condition.operator == "!=")
    actual: tuple[int, ...] | None = getattr(machine, condition.name)
    if actual is None:
        return None
    wanted = Dotted(condition.value).numbers
    if condition.name == "driver" and len(actual) < len(wanted) and actual == wanted[: len(actual)]:
        return None  # a branch alone, compared with a release of that branch
    return _compare(actual, condition.operator, wanted)


def _compare(actual: tuple[int, ...], operator: str, wanted: tuple[int, ...]) -> bool:
    """Missing parts count as zero."""
    width = max(len(actual), len(wanted))
    left, right = actual + (0,) * (width - len(actual)), wanted + (0,) * (width - len(wanted))
    return {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[operator]
