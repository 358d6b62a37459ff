"""The cells of a run as jobs on lanes: what belongs together, where each may run, what is needed first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from validator.model import Action, Cell, Environment, HostInfo
from validator.run.lanes import Lane, lanes_of
from validator.run.order import expectations, in_order
from validator.run.scheduler import Job
from validator.run.settings import Known, Settings


class Worklist:
    """The jobs that a run's cells make, known by the number of their first cell.

    A job is one cell, or all cells of an environment that is only opened: that is the same for every target.
    """

    def __init__(self, cells: Mapping[int, Cell], host: HostInfo | None, settings: Settings, known: Known) -> None:
        """``cells`` are those that something is to be done for, by their numbers in the plan."""
        self.cells = cells
        made = lanes_of(cells.values(), host, settings.side_by_side, settings.cpus)
        self.lanes: Mapping[str, Lane] = {lane.name: lane for lane in made}
        self._numbers: dict[int, list[int]] = {}
        self.jobs = tuple(self._made(known.seconds))
        self._unfinished = Counter(job.environment for job in self.jobs)
        order = in_order(self.jobs, known.acquire_seconds)
        environments = {cell.environment.id: cell.environment for cell in cells.values()}
        self.environments: tuple[Environment, ...] = tuple(environments[each] for each in order)
        """In the order in which to make them ready."""

    def _made(self, seconds: Mapping[str, float]) -> list[Job]:
        by_device = {lane.gpu.device_uuid: name for name, lane in self.lanes.items() if lane.gpu}
        on_cpu = tuple(name for name, lane in self.lanes.items() if lane.gpu is None)
        expected = expectations(list(self.cells.values()), seconds)
        opened: dict[str, int] = {}
        shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # a million jobs have a handful of sets of lanes
        jobs = []
        for (number, cell), each in zip(self.cells.items(), expected, strict=True):
            first = opened.setdefault(cell.environment.id, number) if cell.action is Action.INSPECT else number
            if first == number:
                lanes = tuple(by_device[gpu.device_uuid] for gpu in cell.lanes) or on_cpu
                jobs.append(Job(number, cell.environment.id, shared.setdefault(lanes, lanes), each, cell.takes_all))
            self._numbers.setdefault(first, []).append(number)
        return jobs

    def numbers(self, job: int) -> Sequence[int]:
        """The numbers of a job's cells in the plan."""
        return self._numbers[job]

    def cells_of(self, job: int) -> Sequence[Cell]:
        """The cells of a job."""
        return [self.cells[number] for number in self._numbers[job]]

    def finished(self, job: int) -> bool:
        """A job has its results; whether it was the last one of its environment."""
        environment = self.cells[job].environment.id
        self._unfinished[environment] -= 1
        return not self._unfinished[environment]
