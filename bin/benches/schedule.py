"""The scheduler alone, in a time that is only counted."""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heappop, heappush

#: Lanes, how many cells one environment has, and the part of all tries that the machine spoils.
LANES, OF_ONE, FAULTS = 64, 100, 0.05


def schedule(cells: int) -> tuple[str, Callable[[], str]]:
    """Cells of random lengths on 64 lanes, 5 % of all tries spoiled, by the scheduler alone: starts and ends in counted time."""
    from validator.run.scheduler import Job, Scheduler, Start

    number = random.Random(3)  # noqa: S311 - the same cells every time
    lanes = tuple(f"lane {lane}" for lane in range(LANES))

    def run() -> str:
        scheduler, work, longest = Scheduler(), 0.0, 0.0
        for job in range(cells):
            seconds = number.expovariate(1 / 30)
            longest = max(longest, seconds)
            scheduler.add(Job(job, f"environment {job // OF_ONE}", lanes, seconds))
        environments = -(-cells // OF_ONE)
        for environment in range(environments):
            scheduler.ready(f"environment {environment}")
        going: list[tuple[float, int, Start]] = []
        now, starts, idle_while_ready = 0.0, 0, 0
        while True:
            for start in scheduler.start():
                starts += 1
                work += start.job.expected
                heappush(going, (now + start.job.expected, starts, start))
            idle_while_ready += len(going) < LANES and scheduler.waiting > 0
            if not going:
                break
            now, _, ended = heappop(going)
            if number.random() < FAULTS:
                scheduler.again(ended.job)
            scheduler.end(ended.lanes)
        bound = max(work / LANES, longest)
        return (
            f"{starts} starts, makespan {now / bound:.4f} of the bound of {bound:,.0f} s, "
            f"{idle_while_ready} times a lane was idle while work was ready"
        )

    return f"{LANES} lanes", run
