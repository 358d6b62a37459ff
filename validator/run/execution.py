"""Carries out a plan: environments are made ready ahead, cells run on lanes, and every cell gets exactly one result.

One thread decides and keeps results (this one); others make environments ready (``acquisition``) and run cells (``cell``), and
tell this one what came of it. Whatever happens to a cell becomes its result. The order of the results is that of the plan.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from validator.base.errors import EngineUnavailableError, InterruptedRunError, StoreError
from validator.base.stopping import Stop
from validator.model import Action, Cell, CellResult, Gpu, HostInfo, Intent, Matrix, Plan, Status, not_run
from validator.run import endings
from validator.run.acquisition import Acquired, Acquisition, pause_before
from validator.run.attempts import Attempts, Streaks
from validator.run.cache import placements
from validator.run.cell import CellRuns, Ran
from validator.run.gate import CellGate, Turns
from validator.run.guard import Guard
from validator.run.job import Ended, Running, carry_out
from validator.run.lanes import share_of
from validator.run.locks import Held, HeldElsewhere
from validator.run.protocols import Keeper, Progress
from validator.run.pruning import Pruning
from validator.run.record import Record
from validator.run.reuse import Reuse
from validator.run.scheduler import Job, Scheduler, Start
from validator.run.settings import Known, Settings
from validator.run.telling import Telling
from validator.run.worklist import Worklist
from validator.runners.base import Prepared, Runner
from validator.verdict import foretold
from validator.verdict.agreement import Rejudge

#: Seconds between two looks at what tells no one when it changes: the run's stop, turns, lanes that others hold.
_LOOK_SECONDS = 0.1
#: Seconds after the end of a run's grace in which what still runs may say that it has ended.
_LAST_WORDS_SECONDS = 10.0
#: Seconds after which a GPU that another process holds is asked for again.
_HELD_SECONDS = 1.0
#: Seconds beyond its own deadline after which a cell that has not come back is given up.
_OVERDUE_SECONDS = 90.0
#: Seconds that the end of a run waits for environments to be thrown away.
_PRUNING_SECONDS = 60.0


@dataclass(frozen=True)
class Execution:
    """What a run came to."""

    results: tuple[CellResult, ...]
    interrupted: bool
    problem: StoreError | None = None
    """Why results could no longer be kept, so that the run ended early; None when all are kept."""
    left: tuple[str, ...] = ()
    """What was started and could not be ended, by its name where it runs."""


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
        self.progress = Telling(self.progress)
        self._one = CellRuns(self.matrix, self.runner, self.progress, self.host, self.rejudge)
        self._record = Record(self.keeper, self.progress)
        self._reuse = Reuse(
            self.known, self.matrix, self.host, self.runner.name, self.settings.facts, self.rejudge, self.progress
        )
        self._gone: EngineUnavailableError | None = None
        """Why nothing can be made ready any more."""
        self._scheduler = Scheduler()
        self._prepared: dict[str, Acquired] = {}
        self._events: queue.SimpleQueue[Acquired | Ended] = queue.SimpleQueue()
        self._running: dict[int, Running] = {}
        self._cut: set[int] = set()
        """Cells that the end of the run cut short."""
        self._last_words: float | None = None
        self._attempts = Attempts(self.settings.tries)
        self._streaks = Streaks()
        self._sent: dict[int, int] = {}
        """The number of the last attempt at each job, those of earlier processes of this run counted."""
        self._later: list[tuple[float, Job, tuple[CellResult, ...]]] = []
        """A heap of jobs to be tried again, by when; with what came of them so far."""
        self._until: dict[str, float] = {}
        """Lanes that rest, or that another process holds, and when to ask again."""
        self._held_since: dict[str, float] = {}
        """Lanes that another process holds, and since when they have been asked for in vain."""
        self._turns = Turns()
        self._pruning = Pruning(self.runner)

    def whole(self) -> Execution:
        """From the first cell to the last."""
        self._foretell()
        left = {number: cell for number, cell in enumerate(self.cells) if number not in self._record}
        self._work_list = Worklist(left, self.host, self.settings, self.known)
        for job in self._work_list.jobs:
            self._scheduler.add(job)
        self.progress.planned(list(left.values()), tuple(self._work_list.lanes))
        settings, lanes = self.settings, len(self._work_list.lanes)
        self._acquisition = Acquisition(
            self.runner, self.progress, self.stop, at_once=settings.jobs, tries=settings.tries, done=self._events.put
        )
        self._acquisition.start(self._work_list.environments, lanes + settings.jobs if settings.prune else None)
        while len(self._record) < len(self.cells) and not (self._ending and not self._running):
            try:
                self._step()
            except KeyboardInterrupt:
                self.stop.ask()
            if self._ending:
                self._acquisition.give_up()
            if self.stop.now and self._too_late():
                break
        interrupted = self.stop.asked
        self._acquisition.give_up()
        self._close()
        self._pruning.wait(_PRUNING_SECONDS, self.stop)
        return Execution(self._record.advised(), interrupted, self._record.problem, tuple(sorted(self.under_way)))

    def _foretell(self) -> None:
        """What nothing is run for has its result at once, and what stands of a run that is taken up."""
        self._record.foretell({number: foretold(cell) for number, cell in enumerate(self.cells) if cell.action is Action.SKIP})
        for number, cell in enumerate(self.cells):
            if number not in self._record and cell.id in self.known.results:
                self._record.stands(number, self.known.results[cell.id])

    # ------------------------------------------------------------ one step

    @property
    def _ending(self) -> bool:
        """Whether nothing new is begun."""
        limit = self.settings.max_failures
        cannot_go_on = self._record.problem is not None or self._gone is not None
        return self.stop.asked or cannot_go_on or (limit is not None and self._record.failures >= limit)

    def _step(self) -> None:
        """Start what can start, then take in what has happened, or look again after a moment."""
        if not self._ending:
            self._retry()
            self._open_lanes()
            self._begin_ready()
        self._record.keep_gathered()
        try:
            event: Acquired | Ended | None = self._events.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            self._give_up_overdue()
            self._record.keep_gathered()
            return
        acquired = []
        while event is not None:  # all that is there: what many cells came to at one time is one transaction of the disk
            if isinstance(event, Acquired):
                acquired.append(event)
            else:
                self._end(event)
            event = None if self._events.empty() else self._events.get()
        self._take_in(acquired)
        self._record.keep_gathered()

    def _begin_ready(self) -> None:
        for start in self._scheduler.start():
            if self._ending:  # since the one before it was begun
                self._return(start)
                return
            self._begin(start)

    def _retry(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            _, job, results = heappop(self._later)
            if not self._scheduler.again(job):  # its lanes were put aside meanwhile
                self._finish(job.number, self._tried(job, results))

    def _open_lanes(self) -> None:
        """Lanes that have rested, or that another process held, may be used again; those of the CPU only between turns."""
        for name, until in list(self._until.items()):
            if until <= time.monotonic():
                del self._until[name]
                self._scheduler.back(name)
        quiet = self._turns.quiet
        for lane in self._work_list.lanes.values():
            if lane.gpu is None and lane.name not in self._until:
                (self._scheduler.away if quiet else self._scheduler.back)(lane.name)

    def _take_in(self, acquired: Iterable[Acquired]) -> None:
        """Environments are ready: what is known of their cells is used again, the others can start."""
        jobs: list[Job] = []
        for each in acquired:
            if isinstance(each.prepared, Prepared):
                self._prepared[each.environment.id] = each
                jobs += self._scheduler.withdraw(each.environment.id)
            elif not (isinstance(each.prepared, InterruptedRunError) and self.stop.asked):
                self._cannot_be_had(each, each.prepared)
        known = self._reuse.of(
            (number, self.cells[number], prepared)
            for job in jobs
            if (prepared := self._prepared_for(job.number)) is not None
            for number in self._work_list.numbers(job.number)
        )
        for job in jobs:
            numbers = self._work_list.numbers(job.number)
            if all(number in known for number in numbers):
                self._finish(job.number, [known[each][1] for each in numbers], [known[each][0] for each in numbers])
            else:
                self._scheduler.add(job)
        for environment in dict.fromkeys(job.environment for job in jobs):
            self._scheduler.ready(environment)

    def _cannot_be_had(self, acquired: Acquired, error: Exception) -> None:
        """An environment is not to be had; without an engine, no other is either."""
        if isinstance(error, InterruptedRunError):
            error = endings.unasked()
        for job in self._scheduler.withdraw(acquired.environment.id):
            failed = [self._one.failed(cell, error, acquired.seconds) for cell in self._work_list.cells_of(job.number)]
            self._finish(job.number, [replace(result, attempts=acquired.attempts) for result in failed])
        if isinstance(error, EngineUnavailableError) and self._gone is None:
            self._gone = error
            self.progress.said(f"{error.what}: nothing new is begun")

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
        for name in start.lanes:
            self._held_since.pop(name, None)
        try:
            running = self._requested(start, cells, held, gate)
            self._intend(running)
            if self._record.problem is not None:  # nothing is started that nobody could find again
                running.give_back()
                self._return(start)
                return
            self._running[job.number] = running
            self._go(running)
        except Exception as error:  # noqa: BLE001 - a cell cannot crash the run; a defect is shown as what it is
            self._running.pop(job.number, None)
            held.release()
            if gate:
                gate.leave()
            self._scheduler.end(start.lanes)
            self._finish(job.number, [self._one.failed(cell, error) for cell in cells])
            return
        for each in self._running.values():
            each.beside = max(each.beside, len(self._running) - 1)
        if held.problem:
            self.progress.said(held.problem)

    def _requested(self, start: Start, cells: tuple[Cell, ...], held: Held, gate: CellGate | None) -> Running:
        """A job with the request that is sent for it, or that an earlier process of this run has sent."""
        prepared = self._prepared_for(start.job.number)
        assert prepared is not None  # noqa: S101 - only jobs whose environment is there are started
        number = start.job.number
        self._attempts.begin(number)
        intent = self.known.intents.get(cells[0].id) if number not in self._sent else None
        rejoining = intent is not None
        attempt = intent.attempt if intent else self._sent.get(number, 0) + 1
        self._sent[number] = attempt
        share = share_of([self._work_list.lanes[name] for name in start.lanes])
        request = self._one.request(cells[0], prepared, share, attempt)
        if intent is not None:
            request = replace(request, name=intent.name, plan=replace(request.plan, nonce=intent.nonce))
        return Running(start, cells, prepared, request, attempt, held, gate, rejoining)

    def _intend(self, running: Running) -> None:
        """Write down what is about to be started. What is only looked for stands there already."""
        request, cell = running.request, running.cells[0]
        self._record.begin(
            cell, None if running.rejoining else Intent(cell.id, request.name, request.plan.nonce, running.attempt)
        )

    def _go(self, running: Running) -> None:
        """Start the thread of a job."""
        name = running.request.name
        thread = threading.Thread(target=self._work, args=(running,), name=running.cells[0].id, daemon=True)
        self.under_way.add(name)
        self.progress.cell_started(running.cells[0], ", ".join(running.start.lanes))
        try:
            thread.start()
        except BaseException:
            self.under_way.discard(name)
            raise

    def _work(self, running: Running) -> None:
        """In a thread of its own: one job, to its end."""
        ended = Ended(running.start.job.number, None)
        try:
            ended = carry_out(running, self._one, self.guard, self.stop, self.progress.said)
        finally:
            self._events.put(ended)

    def _end(self, ended: Ended) -> None:
        """A job has come back."""
        running = self._running.pop(ended.number, None)
        if running is None:  # it was given up before
            return
        if ended.gone and self._runs_after_all(running):
            return
        running.give_back()
        start, ran = running.start, ended.ran
        if ran is None or not ran.stuck:
            self.under_way.discard(running.request.name)
        if ran is None and (self.stop.asked or ended.gone):
            self._scheduler.end(start.lanes)
            if not ended.gone:
                self._cut.update(self._work_list.numbers(ended.number))
            return
        ran = ran or Ran(tuple(self._one.failed(cell, endings.unasked()) for cell in running.cells))
        # A verdict is one, whatever else went wrong: it is never tried again until it is another.
        passing = ran.transient and not ran.stuck and all(result.status is Status.ERROR for result in ran.results)
        reason = ran.results[0].reason
        self._free(start, ran, reason if passing else None)
        results = tuple(_told(result, running.beside) for result in ran.results)
        if passing and not self._ending and self._attempts.failed(ended.number, reason):
            pause = pause_before(len(self._attempts.before(ended.number)) + 1)
            self.progress.said(f"{running.cells[0].id}: {reason}; tried again in {pause:.0f} s")
            heappush(self._later, (time.monotonic() + pause, start.job, results))
            return
        self._finish(ended.number, self._tried(start.job, results), self._keys_of(running))

    def _runs_after_all(self, running: Running) -> bool:
        """What an earlier process started is gone, so the job is run now, on the lanes that it has; not once the run ends."""
        self.under_way.discard(running.request.name)
        if self._ending:
            return False
        number = running.start.job.number
        try:
            running.rejoining = False
            running.attempt = self._sent[number] = running.attempt + 1
            share = share_of([self._work_list.lanes[name] for name in running.start.lanes])
            running.request = self._one.request(running.cells[0], running.prepared, share, running.attempt)
            running.began = None
            self._intend(running)
            if self._record.problem is not None:
                return False
            self._running[number] = running
            self._go(running)
        except Exception as error:  # noqa: BLE001 - as above
            self._running[number] = running
            self._end(Ended(number, Ran(tuple(self._one.failed(cell, error) for cell in running.cells))))
        return True

    def _free(self, start: Start, ran: Ran, trouble: str | None) -> None:
        """The lanes of a job are idle again: at once, or after a rest where job after job had trouble with the machine."""
        if ran.stuck:
            self._put_aside(start.lanes, "what ran on it cannot be ended", endings.STUCK)
            return
        self._scheduler.end(start.lanes)
        for name in start.lanes:
            if trouble is None:
                self._streaks.went(name)
                continue
            rest = self._streaks.failed(name)
            if rest is None:
                self._put_aside((name,), endings.IN_TROUBLE, f"{endings.IN_TROUBLE}: {trouble}")
            elif rest:
                self._scheduler.away(name)
                self._until[name] = time.monotonic() + rest

    def _keys_of(self, running: Running) -> list[str | None]:
        """What would make the results of a job that was run the same again.

        None where that is not known: on fewer GPUs than it should have had, or on one of several unlike ones, nobody knows which.
        """
        job = running.start.job
        short = job.takes_all and len(running.start.lanes) < len(job.lanes)
        unlike = running.rejoining and len(placements(self.cells[job.number])) > 1
        return [None if short or unlike else self._reuse.key(cell, running.prepared) for cell in running.cells]

    def _tried(self, job: Job, results: Iterable[CellResult]) -> list[CellResult]:
        """The results of a job with the tries that came before."""
        tries = (*self._prepared[job.environment].attempts, *self._attempts.before(job.number))
        return [replace(result, attempts=tries) for result in results]

    def _finish(self, number: int, results: Sequence[CellResult], keys: Sequence[str | None] = ()) -> None:
        """A job has its results. They are kept and told of before anything is waited for, together with all there are by then."""
        numbers = self._work_list.numbers(number)
        for each, result, key in zip(numbers, results, keys or [None] * len(numbers), strict=True):
            self._record.add(each, result, key)
        if self._work_list.finished(number):
            self._acquisition.used()
            prepared = self._prepared_for(number)
            if self.settings.prune and prepared is not None and not prepared.was_there:
                self._pruning.throw_away(prepared)

    # ------------------------------------------------------------ what goes wrong

    def _return(self, start: Start) -> None:
        """A job that could not begin is ready again, its lanes idle."""
        self._scheduler.again(start.job)
        self._scheduler.end(start.lanes)

    def _wait_for(self, start: Start, elsewhere: HeldElsewhere) -> None:
        """Another process has a GPU: other lanes are tried meanwhile, and later this one, unless it was waited for enough."""
        now, job = time.monotonic(), start.job
        mine = (name for name in start.lanes if self._work_list.lanes[name].gpu == elsewhere.gpu)
        name = next(mine, start.lanes[0])
        if name not in self._held_since:
            self._held_since[name] = now
            waits = "" if self.guard.refuses(0.0) else "; waiting until it is free"
            self.progress.said(f"{name}: {elsewhere.holder} has it{waits}")
        self._scheduler.away(name)
        self._until[name] = now + _HELD_SECONDS
        needed = (name,) if job.takes_all else job.lanes
        if all(each in self._held_since and self.guard.refuses(now - self._held_since[each]) for each in needed):
            self._scheduler.end(start.lanes)
            error = endings.held(name, elsewhere.holder, now - self._held_since[name] or None)
            self._finish(job.number, [self._one.failed(cell, error) for cell in self._work_list.cells_of(job.number)])
        else:
            self._return(start)

    def _put_aside(self, lanes: Iterable[str], because: str, why: str) -> None:
        """Nothing more is to run on these lanes."""
        for name in lanes:
            self.progress.said(f"{name}: put aside for the rest of this run, since {because}")
            for job in self._scheduler.put_aside(name):
                cells = self._work_list.cells_of(job.number)
                self._finish(job.number, [self._one.failed(cell, endings.no_lane(job.lanes, why)) for cell in cells])

    def _give_up_overdue(self) -> None:
        """A cell that has not come back long after all its own limits is stuck in a way that its runner does not see."""
        for number, running in list(self._running.items()):
            if running.seconds > running.request.deadline_seconds + _OVERDUE_SECONDS:
                failed = tuple(self._one.failed(cell, endings.overdue(running.request)) for cell in running.cells)
                self._end(Ended(number, Ran(failed, stuck=True)))

    def _too_late(self) -> bool:
        """Whether what still runs has had the time for its last words, after the end of the grace."""
        self._last_words = self._last_words or time.monotonic() + _LAST_WORDS_SECONDS
        return time.monotonic() >= self._last_words

    # ------------------------------------------------------------ the end

    def _close(self) -> None:
        """Cells that never ran are skipped, saying why; those that were to be tried again stay as they are."""
        if not self.stop.asked:
            for _, job, results in self._later:
                self._finish(job.number, self._tried(job, results))
        for number in self._running:
            self._cut.update(self._work_list.numbers(number))
        self._record.close(
            {
                number: not_run(cell, Status.SKIP, self._why_not(number in self._cut))
                for number, cell in enumerate(self.cells)
                if number not in self._record
            }
        )

    def _why_not(self, during: bool) -> str:
        if self.stop.asked:
            return endings.DURING if during else endings.BEFORE
        if self._record.problem is not None:
            return endings.NOT_KEPT
        return endings.engine_gone(self._gone) if self._gone is not None else endings.enough_failures(self._record.failures)


def _placed(cell: Cell, gpus: tuple[Gpu, ...]) -> Cell:
    """The cell with the GPUs of its lanes."""
    return replace(cell, gpu=gpus[0], lanes=gpus) if gpus else cell


def _told(result: CellResult, beside: int) -> CellResult:
    """A result with what only the run knows of where it ran."""
    return replace(result, ran_on=replace(result.ran_on, alone=not beside, beside=beside) if result.ran_on else None)
