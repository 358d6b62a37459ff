"""The order that ends soonest: how long each cell will probably take, and which environments to make ready first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from validator.model import Cell
from validator.run.scheduler import Job

#: Seconds of a cell, and of making an environment ready, of which nothing is known; only how they compare counts.
_CELL_SECONDS = 30.0
_ACQUIRE_SECONDS = 60.0


def expectations(cells: Sequence[Cell], seconds: Mapping[str, float]) -> list[float]:
    """The seconds that each cell will probably take: as the last time; else as its environment does elsewhere; else the mean."""
    of_environment: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        if (known := seconds.get(cell.id)) is not None:
            of_environment[cell.environment.id].append(known)
    mean = fmean(seconds.values()) if seconds else _CELL_SECONDS
    means = {environment: fmean(known) for environment, known in of_environment.items()}
    return [known if (known := seconds.get(cell.id)) is not None else means.get(cell.environment.id, mean) for cell in cells]


def in_order(jobs: Iterable[Job], acquire_seconds: Mapping[str, float]) -> list[str]:
    """The environments of jobs, in the order in which to make them ready.

    This is Johnson's rule for work of two stages (https://doi.org/10.1002/nav.3800010110): those that are had faster than they
    run come first, the fastest had before all, so that lanes are busy soon; then the others, those that run longest first, so
    that little is left to do after the last one is had.
    """
    run: dict[str, float] = defaultdict(float)
    for job in jobs:
        run[job.environment] += job.expected

    def rank(environment: str) -> tuple[bool, float]:
        had = acquire_seconds.get(environment, _ACQUIRE_SECONDS)
        return (False, had) if had < run[environment] else (True, -run[environment])

    return sorted(run, key=rank)
