"""Whether compiled code runs on a device: SASS within one major, PTX upward, Jetson apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from validator.facts.rows import Capability

_ENTRY = re.compile(r"(sm|compute)_([0-9]{1,2})([0-9])([af]?)", re.ASCII)


@dataclass(frozen=True)
class Code:
    """One entry of an arch list."""

    text: str
    ptx: bool
    major: int
    minor: int
    variant: str
    """``a``: this capability only; ``f``: its family (same major, from it on); empty: the usual rules."""


@cache
def parse(entry: str) -> Code | None:
    """``sm_86``, ``compute_120``, ``sm_90a``; None for anything else (``gfx90a``)."""
    found = _ENTRY.fullmatch(entry.strip())
    if found is None:
        return None
    return Code(entry, found[1] == "compute", int(found[2]), int(found[3]), found[4])


def parse_all(entries: Iterable[str]) -> tuple[Code, ...]:
    """The entries that are CUDA code."""
    return tuple(code for entry in entries if (code := parse(entry)) is not None)


def runs_as_is(code: Code, device: tuple[int, int], jetson: bool) -> bool:
    """Whether SASS runs: same major and no newer minor; on a Jetson only code made for exactly it.

    Source: CUDA C++ Programming Guide, binary compatibility; DEVICE_REQUIREMENT of torch/cuda/__init__.py. 10.1 and 11.0 are
    one chip (Thor), renamed in CUDA 13.
    """
    if code.ptx:
        return False
    made_for = (code.major, code.minor)
    if jetson or code.variant == "a":
        return made_for == device or {made_for, device} == {(10, 1), (11, 0)}
    return code.major == device[0] and code.minor <= device[1] and made_for not in _JETSON


#: Code made for a Jetson runs on nothing else. (8.7, say, is no lower bound for 8.9.)
_JETSON = frozenset({(5, 3), (6, 2), (7, 2), (8, 7), (10, 1), (11, 0)})


def compiles_for(code: Code, device: tuple[int, int]) -> bool:
    """Whether PTX can be compiled for a device: for its own capability and all later ones."""
    if not code.ptx:
        return False
    if code.variant == "a":
        return (code.major, code.minor) == device
    if code.variant == "f":
        return code.major == device[0] and code.minor <= device[1]
    return (code.major, code.minor) <= device


def device_of(capability: Capability) -> tuple[int, int]:
    """8.6 → (8, 6)."""
    numbers = (*capability.cc.numbers, 0)
    return numbers[0], numbers[1]


@cache
def has_sass(entries: tuple[str, ...], device: tuple[int, int], jetson: bool) -> bool:
    """Whether any entry runs on a device as it is."""
    return any(runs_as_is(code, device, jetson) for code in parse_all(entries))


@cache
def ptx_for(entries: tuple[str, ...], device: tuple[int, int]) -> Code | None:
    """The newest PTX that can be compiled for a device."""
    usable = [code for code in parse_all(entries) if compiles_for(code, device)]
    return max(usable, key=lambda code: (code.major, code.minor), default=None)
