"""The lowest driver a CUDA version runs on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from validator.base.versions import Dotted
from validator.facts import Facts
from validator.facts.reader import Origin

#: The first CUDA major in which every minor runs on the driver of the first (minor-version compatibility).
FIRST_COMPATIBLE_MAJOR = 11


@dataclass(frozen=True)
class FloorOf:
    """A floor and what it is the floor of."""

    driver: Dotted
    what: str
    origin: Origin


@cache
def floor_of(cuda: Dotted, platform: str, facts: Facts) -> FloorOf | None:
    """The lowest driver for code that is there as SASS; None where the facts do not reach that far.

    Source: CUDA release notes (the facts' ``floors``); before CUDA 11 there is no minor-version compatibility.
    """
    major = cuda.numbers[0]
    row = facts.floors.get(major)
    if row is not None:
        driver = row.windows if platform == "windows" else row.linux
        exception = row.exceptions.get(cuda.major_minor) if platform != "windows" else None
        return FloorOf(exception or driver, f"CUDA {major}.x (minor-version compatibility)", row.origin)
    if major < FIRST_COMPATIBLE_MAJOR:
        return toolkit_driver(cuda, platform, facts)
    return None


@cache
def toolkit_driver(cuda: Dotted, platform: str, facts: Facts) -> FloorOf | None:
    """The driver that the first toolkit of a CUDA version was released with: the lowest that knows that version's PTX.

    Source: CUDA release notes, toolkit drivers (the facts' ``toolkits``).
    """
    rows = [
        (driver, row.origin)
        for row in facts.toolkits.values()
        if row.cuda == cuda and (driver := row.windows if platform == "windows" else row.linux) is not None
    ]
    # A GA is what torch builds with; release candidates came on older drivers, and so did the first of two updates.
    lowest = min(rows, key=lambda pair: pair[0], default=None)
    return FloorOf(lowest[0], f"CUDA {cuda.major_minor}", lowest[1]) if lowest else None
