"""Carries out a plan: environments are made ready ahead, cells run on lanes, and every cell gets exactly one result.

One thread decides and keeps results (this one); others make environments ready (``acquisition``) and run cells (``cell``), and
tell this one what came of it. Whatever happens to a cell becomes its result. The order of the results is that of the plan.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from heapq import heappop, heappush

from validator.base.errors import InterruptedRunError, StoreError, ValidatorError
from validator.base.stopping import Stop
from validator.model import Action, Attempt, Cell, CellResult, Gpu, HostInfo, Intent, Matrix, Plan, Status, not_run
from validator.run.acquisition import Acquired, Acquisition, pause_before
from validator.run.attempts import Attempts
from validator.run.cache import key_of, may_be_kept
from validator.run.cell import CellRuns, Ran
from validator.run.endings import BEFORE, DURING, NOT_KEPT, enough_failures, no_lane, overdue, unasked
from validator.run.gate import CellGate, Turns
from validator.run.guard import Guard
from validator.run.lanes import Lane
from validator.run.locks import Held, HeldElsewhere
from validator.run.protocols import Keeper, Progress
from validator.run.scheduler import Job, Scheduler, Start
from validator.run.settings import Known, Settings
from validator.run.worklist import Worklist
from validator.runners.base import OPEN, Prepared, Runner, RunRequest
from validator.verdict import foretold, of_kept
from validator.verdict.agreement import Rejudge
from validator.verdict.findings import with_alternatives

#: Seconds between two looks at what tells no one when it changes: the run's stop, turns, lanes that others hold.
_LOOK_SECONDS = 0.1
#: Seconds after the end of a run's grace in which what still runs may say that it has ended.
_LAST_WORDS_SECONDS = 10.0
#: Seconds after which a GPU that another process holds is asked for again.
_HELD_SECONDS = 1.0
#: Seconds beyond its own deadline after which a cell that has not come back is given up.
_OVERDUE_SECONDS = 90.0


@dataclass(frozen=True)
class Execution:
    """What a run came to."""

    results: tuple[CellResult, ...]
    interrupted: bool
    problem: StoreError | None = None
    """Why results could no longer be kept, so that the run ended early; None when all are kept."""
    left: tuple[str, ...] = ()
    """What was started and could not be ended, by its name where it runs."""


@dataclass
class _Running:
    """A job on its lanes."""

    start: Start
    cells: tuple[Cell, ...]
    request: RunRequest
    held: Held
    gate: CellGate | None
    began: float | None = None
    """Of time.monotonic(); None while its GPU is waited for."""
    beside: int = 0
    """The most cells that ran beside it at any time."""


@dataclass(frozen=True)
class _Ended:
    """What the thread of a job says last; no result where the run's end cut it short."""

    number: int
    ran: Ran | None


def execute(
    plan: Plan,
    matrix: Matrix,
    runner: Runner,
    keeper: Keeper,
    progress: Progress,
    host: HostInfo | None = None,
    rejudge: Rejudge | None = None,
    *,
    settings: Settings | None = None,
    known: Known | None = None,
    guard: Guard | None = None,
    stop: Stop | None = None,
    under_way: set[str] | None = None,
) -> Execution:
    """Run every cell of a plan; once ``stop`` is asked the cells that have not begun are skipped, saying so.

    ``host`` is what findings say of this machine; without it they say less and no result is used again. ``rejudge`` says what
    the rules make of a cell once its environment was opened; without it nothing is predicted anew. ``known`` is what earlier runs
    left. In ``under_way`` are at any time the names of what is running, for whoever is asked meanwhile.
    """
    run = _Run(
        plan.cells,
        matrix,
        runner,
        keeper,
        progress,
        host,
        rejudge,
        settings or Settings(),
        known or Known(),
        guard or Guard(),
        stop or Stop(),
        under_way if under_way is not None else set(),
    )
    return run.whole()


@dataclass
class _Run:
    """One execution of a plan."""

    cells: Sequence[Cell]
    matrix: Matrix
    runner: Runner
    keeper: Keeper
    progress: Progress
    host: HostInfo | None
    rejudge: Rejudge | None
    settings: Settings
    known: Known
    guard: Guard
    stop: Stop
    under_way: set[str]

    def __post_init__(self) -> None:
        self._one = CellRuns(self.matrix, self.runner, self.progress, self.host, self.rejudge)
        self._results: dict[int, CellResult] = {}
        self._keys: dict[int, str] = {}
        """By the number of a cell: what would make its result the same again."""
        self._kept_as: dict[int, str] = {}
        """The keys under which results were kept."""
        self._reused: list[int] = []
        """Cells with a result of an earlier run that is not kept yet."""
        self._problem: StoreError | None = None
        self._failures = 0
        self._scheduler = Scheduler()
        self._prepared: dict[str, Acquired] = {}
        self._events: queue.SimpleQueue[Acquired | _Ended] = queue.SimpleQueue()
        self._running: dict[int, _Running] = {}
        self._cut: set[int] = set()
        """Cells that the end of the run cut short."""
        self._last_words: float | None = None
        self._attempts = Attempts(self.settings.tries)
        self._later: list[tuple[float, Job]] = []
        """A heap of jobs to be tried again, by when."""
        self._held: dict[str, float] = {}
        """Lanes that another process holds, and when to ask again."""
        self._turns = Turns()

    def whole(self) -> Execution:
        """From the first cell to the last."""
        self._foretell()
        stands = self.known.results
        self._results |= {
            number: stands[cell.id] for number, cell in enumerate(self.cells) if number not in self._results and cell.id in stands
        }
        left = {number: cell for number, cell in enumerate(self.cells) if number not in self._results}
        self._work_list = Worklist(left, self.host, self.settings, self.known)
        for job in self._work_list.jobs:
            self._scheduler.add(job)
        self.progress.planned(list(left.values()), tuple(self._work_list.lanes))
        settings, lanes = self.settings, len(self._work_list.lanes)
        self._acquisition = Acquisition(
            self.runner, self.progress, self.stop, at_once=settings.jobs, tries=settings.tries, done=self._events.put
        )
        self._acquisition.start(self._work_list.environments, lanes + settings.jobs if settings.prune else None)
        while len(self._results) < len(self.cells) and not (self._ending and not self._running):
            try:
                self._step()
            except KeyboardInterrupt:
                self.stop.ask()
            if self.stop.now and self._too_late():
                break
        interrupted = self.stop.asked
        self._close()
        return Execution(self._advised(), interrupted, self._problem, tuple(sorted(self.under_way)))

    def _foretell(self) -> None:
        """What nothing is run for has its result at once."""
        skipped = {number: foretold(cell) for number, cell in enumerate(self.cells) if cell.action is Action.SKIP}
        self._results |= skipped
        self._keep(partial(self.keeper.keep_all, skipped.values()))
        for result in skipped.values():
            self.progress.cell_finished(result)

    # ------------------------------------------------------------ one step

    @property
    def _ending(self) -> bool:
        """Whether nothing new is begun."""
        limit = self.settings.max_failures
        return self.stop.asked or self._problem is not None or (limit is not None and self._failures >= limit)

    def _step(self) -> None:
        """Start what can start, then take in what has happened, or look again after a moment."""
        if not self._ending:
            self._retry()
            self._open_lanes()
            for start in self._scheduler.start():
                self._begin(start)
        try:
            event: Acquired | _Ended | None = self._events.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            self._give_up_overdue()
            return
        while event is not None:  # all that is there, so that a burst of events is not one look each
            if isinstance(event, Acquired):
                self._take_in(event)
            else:
                self._end(event)
            event = None if self._events.empty() else self._events.get()
        self._keep_reused()

    def _retry(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            self._scheduler.again(Start(heappop(self._later)[1], ()))

    def _open_lanes(self) -> None:
        """Lanes that another process held may be free now; those of the CPU are shut while turns are taken."""
        for name, until in list(self._held.items()):
            if until <= time.monotonic():
                del self._held[name]
                self._scheduler.back(name)
        quiet = self._turns.quiet
        for lane in self._work_list.lanes.values():
            if lane.gpu is None:
                (self._scheduler.away if quiet else self._scheduler.back)(lane.name)

    def _take_in(self, acquired: Acquired) -> None:
        """An environment is ready: what is known of its cells is used again, the others can start."""
        environment, prepared = acquired.environment, acquired.prepared
        if isinstance(prepared, InterruptedRunError):
            return
        if isinstance(prepared, Exception):
            for job in self._scheduler.withdraw(environment.id):
                cells = self._work_list.cells_of(job.number)
                failed = [self._one.failed(cell, prepared, acquired.seconds) for cell in cells]
                self._finish(job.number, [replace(result, attempts=acquired.attempts) for result in failed])
            return
        self._prepared[environment.id] = acquired
        jobs = self._scheduler.withdraw(environment.id)
        known = self._reusable(jobs, prepared)
        for job in jobs:
            kept = [known.get(self._keys.get(number, "")) for number in self._work_list.numbers(job.number)]
            pairs = zip(self._work_list.cells_of(job.number), kept, strict=True)
            again = [of_kept(cell, result, self.rejudge) for cell, result in pairs if result]
            if len(again) == len(kept):
                self._finish(job.number, again, reused=True)
            else:
                self._scheduler.add(job)
        self._scheduler.ready(environment.id)

    def _reusable(self, jobs: Iterable[Job], prepared: Prepared) -> Mapping[str, CellResult]:
        """What earlier runs measured of jobs' cells, by key. A history that cannot be read has nothing to tell."""
        if self.host is None:
            return {}
        try:
            return self.known.reusable(self._keyed(jobs, prepared, self.host).values())
        except StoreError as error:
            self.progress.said(f"earlier results cannot be used again: {error.what}")
            return {}

    def _keyed(self, jobs: Iterable[Job], prepared: Prepared, host: HostInfo) -> dict[int, str]:
        """The keys of the cells of jobs, by number, as far as they have any."""
        found = {}
        for job in jobs:
            for number in self._work_list.numbers(job.number):
                key = key_of(
                    self.cells[number],
                    prepared,
                    self.matrix,
                    host,
                    runner=self.runner.name,
                    facts=self.settings.facts,
                )
                if key is not None:
                    found[number] = key
        self._keys |= found
        return found

    def _prepared_for(self, job: int) -> Prepared | None:
        """What a job runs in; None where it could not be had."""
        acquired = self._prepared.get(self.cells[job].environment.id)
        return acquired.prepared if acquired and isinstance(acquired.prepared, Prepared) else None

    # ------------------------------------------------------------ a job

    def _begin(self, start: Start) -> None:
        """Give a job its lanes and start it, unless another process has one of them, or turns are being taken."""
        job = start.job
        lanes = [self._work_list.lanes[name] for name in start.lanes]
        gpus = tuple(lane.gpu for lane in lanes if lane.gpu)
        held = self.guard.take(gpus)
        if isinstance(held, HeldElsewhere):
            self._wait_for(start, held)
            return
        gate = None
        if not gpus and len(self._work_list.lanes) > 1:
            gate = self._turns.enter()
            if gate is None:
                self._return(start)
                for lane in lanes:
                    self._scheduler.away(lane.name)
                return
        cells = tuple(_placed(cell, gpus) for cell in self._work_list.cells_of(job.number))
        prepared = self._prepared_for(job.number)
        assert prepared is not None  # noqa: S101 - only jobs whose environment is there are started
        before = self._attempts.before(job.number)
        self._attempts.begin(job.number)
        intent = self.known.intents.get(cells[0].id)
        attempt = len(before) + 1 + (intent.attempt if intent else 0)
        try:
            request = self._one.request(cells[0], prepared, lanes[0].share, attempt)
            earlier = self._earlier(request, intent, prepared, cells[0], lanes[0]) if intent and not before else None
        except Exception as error:  # noqa: BLE001 - a cell cannot crash the run; a defect is shown as what it is
            held.release()
            if gate:
                gate.leave()
            self._scheduler.end(start.lanes)
            self._finish(job.number, [self._one.failed(cell, error) for cell in cells])
            return
        running = _Running(start, cells, request, held, gate)
        self._running[job.number] = running
        self.under_way.add(request.name)
        for each in self._running.values():
            each.beside = max(each.beside, len(self._running) - 1)
        if held.problem:
            self.progress.said(held.problem)
        self._keep(partial(self.keeper.begin, cells[0]))
        self._keep(partial(self.keeper.intend, Intent(cells[0].id, request.name, request.plan.nonce, attempt)))
        self.progress.cell_started(cells[0], ", ".join(start.lanes))
        threading.Thread(target=self._work, args=(running, prepared, earlier), name=cells[0].id, daemon=True).start()

    def _earlier(self, request: RunRequest, intent: Intent, prepared: Prepared, cell: Cell, lane: Lane) -> RunRequest:
        """The request that an earlier process of this run sent for a cell."""
        sent = self._one.request(cell, prepared, lane.share, intent.attempt)
        return replace(sent, name=intent.name, plan=replace(sent.plan, nonce=intent.nonce))

    def _work(self, running: _Running, prepared: Prepared, earlier: RunRequest | None) -> None:
        """In a thread of its own: one job, to its end."""
        number, ran = running.start.job.number, None
        try:
            exclusive = self.guard.wait(running.held.gpus, self.stop, self.progress.said)
            running.began = time.monotonic()
            ran = self._one.run(
                running.cells, prepared, running.request, gate=running.gate or OPEN, exclusive=exclusive, earlier=earlier
            )
        except InterruptedRunError:
            pass
        except ValidatorError as error:
            ran = Ran(tuple(self._one.failed(cell, error) for cell in running.cells))
        finally:
            if running.gate:
                running.gate.leave()
            self._events.put(_Ended(number, ran))

    def _end(self, ended: _Ended) -> None:
        """A job has come back."""
        running = self._running.pop(ended.number, None)
        if running is None:  # it was given up before
            return
        running.held.release()
        start, ran = running.start, ended.ran
        if ran is None or not ran.stuck:
            self.under_way.discard(running.request.name)
        if ran is not None and ran.stuck:
            self._put_aside(start)
        else:
            self._scheduler.end(start.lanes)
        if ran is None:
            if self.stop.asked:
                self._cut.update(self._work_list.numbers(ended.number))
                return
            ran = Ran(tuple(self._one.failed(cell, unasked()) for cell in running.cells))
        reason = ran.results[0].reason
        if ran.transient and not ran.stuck and not self._ending and self._attempts.failed(ended.number, reason):
            pause = pause_before(len(self._attempts.before(ended.number)) + 1)
            self.progress.said(f"{running.cells[0].id}: {reason}; tried again in {pause:.0f} s")
            heappush(self._later, (time.monotonic() + pause, start.job))
            return
        tries = (*self._prepared[start.job.environment].attempts, *self._attempts.before(ended.number))
        self._finish(ended.number, [_told(result, running.beside, tries) for result in ran.results])

    def _finish(self, number: int, results: Sequence[CellResult], *, reused: bool = False) -> None:
        """A job has its results. They are kept at once; those of earlier runs, many together."""
        numbers = self._work_list.numbers(number)
        for each, result in zip(numbers, results, strict=True):
            self._results[each] = result
            self._failures += result.status in (Status.FAIL, Status.ERROR) and result.status is not result.expect
            key = self._keys.get(each) if reused or may_be_kept(result) else None
            if key is not None:
                self._kept_as[each] = key
            if reused:
                self._reused.append(each)
            else:
                self._keep(partial(self.keeper.keep, result, key))
            self.progress.cell_finished(result)
        if self._work_list.finished(number):
            self._acquisition.used()
            prepared = self._prepared_for(number)
            if self.settings.prune and prepared is not None and not prepared.was_there:
                threading.Thread(target=self.runner.discard, args=(prepared,), daemon=True).start()

    def _keep_reused(self) -> None:
        """Keep those results of earlier runs that have gathered."""
        if self._reused:
            results = [self._results[number] for number in self._reused]
            keys = {self._results[number].id: self._kept_as[number] for number in self._reused}
            self._keep(partial(self.keeper.keep_all, results, keys))
            self._reused.clear()

    # ------------------------------------------------------------ what goes wrong

    def _return(self, start: Start) -> None:
        """A job that could not begin is ready again, its lanes idle."""
        self._scheduler.again(start)
        self._scheduler.end(start.lanes)

    def _wait_for(self, start: Start, elsewhere: HeldElsewhere) -> None:
        """Another process has a GPU: other lanes are tried meanwhile."""
        self._return(start)
        for name in start.lanes:
            if self._work_list.lanes[name].gpu == elsewhere.gpu:
                self._scheduler.away(name)
                if name not in self._held:
                    self.progress.said(f"{name}: {elsewhere.holder} has it; waiting until it is free")
                self._held[name] = time.monotonic() + _HELD_SECONDS

    def _put_aside(self, start: Start) -> None:
        """What ran on these lanes cannot be ended, so nothing else can run on them."""
        for name in start.lanes:
            self.progress.said(f"{name}: put aside for the rest of this run, since what ran on it cannot be ended")
            for job in self._scheduler.put_aside(name):
                cells = self._work_list.cells_of(job.number)
                self._finish(job.number, [self._one.failed(cell, no_lane(name)) for cell in cells])

    def _give_up_overdue(self) -> None:
        """A cell that has not come back long after all its own limits is stuck in a way that its runner does not see."""
        for number, running in list(self._running.items()):
            if running.began is None:
                continue
            waited = running.gate.waited if running.gate else 0.0
            if time.monotonic() - running.began - waited > running.request.deadline_seconds + _OVERDUE_SECONDS:
                failed = tuple(self._one.failed(cell, overdue(running.request)) for cell in running.cells)
                self._end(_Ended(number, Ran(failed, stuck=True)))

    def _too_late(self) -> bool:
        """Whether what still runs has had the time for its last words, after the end of the grace."""
        self._last_words = self._last_words or time.monotonic() + _LAST_WORDS_SECONDS
        return time.monotonic() >= self._last_words

    def _keep(self, keep: Callable[[], None]) -> None:
        """Keep something. Once that fails the run comes to its end, and what is measured until then is still shown."""
        if self._problem is None:
            try:
                keep()
            except StoreError as error:
                self._problem = error
                self.progress.said(f"results can no longer be kept, so nothing new is begun: {error.what}")

    # ------------------------------------------------------------ the end

    def _close(self) -> None:
        """Cells that never ran are skipped, saying why."""
        for number, cell in enumerate(self.cells):
            if number not in self._results:
                during = any(cell.id == each.id for running in self._running.values() for each in running.cells)
                result = not_run(cell, Status.SKIP, self._why_not(during or number in self._cut))
                self._results[number] = result
                self._keep(partial(self.keeper.keep, result, final=False))

    def _why_not(self, during: bool) -> str:
        if self.stop.asked:
            return DURING if during else BEFORE
        return NOT_KEPT if self._problem is not None else enough_failures(self._failures)

    def _advised(self) -> tuple[CellResult, ...]:
        """The results once all are there: a remedy can now name what else works on the same target."""
        results = [self._results[number] for number in range(len(self.cells))]
        advised = with_alternatives(results)
        for number, (before, after) in enumerate(zip(results, advised, strict=True)):
            if after is not before:
                self._keep(partial(self.keeper.keep, after, self._kept_as.get(number)))
        return advised


def _placed(cell: Cell, gpus: tuple[Gpu, ...]) -> Cell:
    """The cell with the GPUs of its lanes."""
    return replace(cell, gpu=gpus[0], lanes=gpus) if gpus else cell


def _told(result: CellResult, beside: int, attempts: tuple[Attempt, ...]) -> CellResult:
    """A result with what only the run knows of it."""
    ran_on = replace(result.ran_on, alone=not beside, beside=beside) if result.ran_on else None
    return replace(result, ran_on=ran_on, attempts=attempts)
