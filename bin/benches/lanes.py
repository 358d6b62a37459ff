"""A run on many lanes, with threads, retries and results as they are, and cells that only sleep."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

LANES, OF_ONE, FAULTS = 64, 100, 0.05
#: Seconds that a cell sleeps: 10,000 of them are most of a minute on 64 lanes. That is about a hundred times faster than life, so
#: the pause before a cell is tried again is, too.
SHORTEST, LONGEST, PAUSE = 0.05, 0.65, 0.02


def lanes(cells: int) -> tuple[str, Callable[[], str]]:
    """A whole run on 64 GPUs of cells that sleep for random times, 5 % of all tries ended by a fault; every result in SQLite."""
    from benches.silent import Silent
    from benches.simulated import Simulated, machine
    from validator.model import (
        Action,
        ActionReason,
        Because,
        Cell,
        Environment,
        Matrix,
        Plan,
        PulledImage,
        RunInfo,
        Status,
        Target,
        Where,
    )
    from validator.results import Store
    from validator.run import acquisition, execute
    from validator.run.settings import Settings
    from validator.runners.base import RunContext

    acquisition._PAUSE_SECONDS = PAUSE
    number = random.Random(4)  # noqa: S311 - the same cells every time
    host = machine(LANES)
    gpus = host.nvml.gpus
    where, here = Where("matrix.yaml", 1), Target("host", is_host=True)
    environments = [
        Environment(f"environment{at}", PulledImage(f"example.org/torch:{at}"), torch="2.7.1", cuda="12.6", where=where)
        for at in range(-(-cells // OF_ONE))
    ]
    why = ActionReason(Because.ON_GPU, "one of 64")
    planned = tuple(
        Cell(f"cell{at}@host", environments[at // OF_ONE], here, Action.MEASURE, why, gpus[0], lanes=gpus)
        for at in range(cells)
    )
    seconds = {cell.id: number.uniform(SHORTEST, LONGEST) for cell in planned}
    matrix = Matrix("matrix.yaml", tuple(environments), (here,))
    runner = Simulated(matrix, RunContext("bench", "bench"), host, lambda cell: seconds[cell.id], FAULTS)
    store = Store(Path(tempfile.mkdtemp(prefix="validator-bench-")))
    store.begin_run(RunInfo("bench", "2026-01-01T00:00:00+00:00", 0.0, "docker", "", False, "matrix.yaml"), host, planned)

    def run() -> str:
        began = time.monotonic()
        done = execute(Plan(planned, "docker", ""), matrix, runner, store, Silent(), host, settings=Settings(jobs=4))
        makespan = time.monotonic() - began
        bound = max(runner.work / LANES, runner.longest)
        passed = sum(result.status is Status.PASS for result in done.results)
        return (
            f"{passed} pass in {runner.tries} tries, makespan {makespan:.1f} s, {makespan / bound:.3f} of the bound; "
            f"{100 * idle(runner.changes, began):.1f} % of the lanes' time idle while work was ready"
        )

    return f"{LANES} lanes", run


def idle(changes: Sequence[tuple[float, int]], began: float) -> float:
    """The part of the lanes' time in which they were idle, from the beginning until the last cell began."""
    last = max(at for at, (_, now) in enumerate(changes) if at == 0 or now > changes[at - 1][1])
    moments = [(began, 0), *changes[: last + 1]]
    busy = sum(running * (after - before) for (before, running), (after, _) in pairwise(moments))
    return 1.0 - busy / (LANES * (moments[-1][0] - began))
