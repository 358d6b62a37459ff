"""A job on its lanes: one cell, or one environment opened for several, from its request to what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from validator.base.errors import InterruptedRunError
from validator.base.stopping import Stop
from validator.model import Cell
from validator.run.busy import GpuUnseenError
from validator.run.cell import CellRuns, Ran
from validator.run.gate import CellGate
from validator.run.guard import Guard
from validator.run.locks import Held
from validator.run.scheduler import Start
from validator.runners.base import OPEN, Prepared, RunRequest


@dataclass
class Running:
    """A job that has its lanes."""

    start: Start
    cells: tuple[Cell, ...]
    prepared: Prepared
    request: RunRequest
    attempt: int
    held: Held
    gate: CellGate | None
    rejoining: bool = False
    """Whether the request is that of an earlier process of the run, which is looked for."""
    began: float | None = None
    """Of time.monotonic(); None while its GPU is waited for."""
    beside: int = 0
    """The most cells that ran beside it at any time."""

    @property
    def seconds(self) -> float:
        """How long it has been running, without the waits for its turns; zero while its GPU is waited for."""
        return time.monotonic() - self.began - (self.gate.waited if self.gate else 0.0) if self.began is not None else 0.0

    def give_back(self) -> None:
        """Its GPUs are others' again, and no cell waits for it to come to its rates."""
        self.held.release()
        if self.gate:
            self.gate.leave()


@dataclass(frozen=True)
class Ended:
    """What the thread of a job says last; no result where the run's end cut it short."""

    number: int
    ran: Ran | None
    gone: bool = False
    """Whether what an earlier process started is not there any more, so that the job has yet to be run."""


def carry_out(running: Running, one: CellRuns, guard: Guard, stop: Stop, said: Callable[[str], None]) -> Ended:
    """Run a job to its end; whatever happens, that is said, and nothing is raised."""
    cells, prepared, request, gate = running.cells, running.prepared, running.request, running.gate or OPEN
    ran, gone = None, False
    try:
        if running.rejoining:  # what uses the GPU may be this very cell
            running.began = time.monotonic()
            ran = one.rejoin(cells, prepared, request, gate=gate)
            gone = ran is None
        else:
            exclusive = guard.wait(running.held.gpus, stop, said)
            running.began = time.monotonic()
            ran = one.run(cells, prepared, request, gate=gate, exclusive=exclusive)
    except InterruptedRunError:
        pass
    except Exception as error:  # noqa: BLE001 - a cell cannot crash the run; a defect is shown as what it is
        failed = tuple(one.failed(cell, error) for cell in cells)
        ran = Ran(failed, transient=isinstance(error, GpuUnseenError))
    finally:
        if running.gate and not gone:
            running.gate.leave()
    return Ended(running.start.job.number, ran, gone)
