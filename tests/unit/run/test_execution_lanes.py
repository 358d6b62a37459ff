"""Cells side by side: each on a lane of its own, what is wrong with a lane, and that none is lost or run twice over it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from harness import wait_for
from run_doubles import Log, RunnerDouble, raising
from values import T4, answers, cell, environment, event, host, matrix, probe_report, silence

from validator.base.errors import AcquireError, InterruptedRunError, StoreError
from validator.base.stopping import Stop
from validator.model import Action, BusyPolicy, Cell, CellResult, Gpu, Intent, Plan, Status, Target
from validator.run import acquisition, attempts, execute, execution
from validator.run.busy import GpuUnseenError
from validator.run.execution import Execution
from validator.run.guard import Guard
from validator.run.locks import Held, HeldElsewhere
from validator.run.settings import Settings
from validator.runners.base import OPEN, Gate, OnEvent, OnLine, Prepared, RunOutcome, RunRequest

L4 = Gpu(index=1, uuid="GPU-2222", name="NVIDIA L4", compute_capability="8.9")
L4_TOO = replace(L4, index=2, uuid="GPU-3333")
HOST = replace(host(T4, L4, L4_TOO), memory_bytes=64 << 30, cpu_count=8)
AWAY = RunOutcome(silence(), engine_problem="the engine went away", transient=True)
STUCK = RunOutcome(probe_report(), exit_code=0, stuck=True)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisition, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(attempts, "_REST_SECONDS", 0.0)
    monkeypatch.setattr(execution, "_HELD_SECONDS", 0.0)
    monkeypatch.setattr(execution, "_LOOK_SECONDS", 0.005)


@dataclass
class Beside(RunnerDouble):
    """Notes what runs at one time; ``hold`` keeps each cell until it is told otherwise."""

    now: dict[str, RunRequest] = field(default_factory=dict)
    seen: list[set[str]] = field(default_factory=list)
    most: int = 0
    hold: Callable[[RunRequest], object] = lambda request: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
        with self.lock:
            gpus = [gpu.device_uuid for each in self.now.values() for gpu in each.payload["gpus"]]
            assert not set(gpus) & {gpu.device_uuid for gpu in request.payload["gpus"]}, "two cells on one GPU"
            cpus = {cpu for each in self.now.values() for cpu in each.payload["share"].cpus}
            assert not cpus & set(request.payload["share"].cpus), "two cells on one processor"
            self.now[request.cell_id] = request
            self.most = max(self.most, len(self.now))
            self.seen.append(set(self.now))
        try:
            self.hold(request)
            return super().run(request, on_event, gate)
        finally:
            with self.lock:
                del self.now[request.cell_id]


def executed(runner: RunnerDouble, *cells: Cell, log: Log | None = None, **more: Any) -> Execution:
    log = log or Log()
    more.setdefault("settings", Settings(jobs=4, side_by_side=2, cpus=tuple(range(8))))
    more.setdefault("host", HOST)
    done = execute(Plan(cells, runner.name, "a test"), matrix(), runner, log, log, **more)
    assert [result.id for result in done.results] == [each.id for each in cells]
    return done


def on(name: str, *gpus: Gpu, **fields: Any) -> Cell:
    return cell(environment(name), gpu=gpus[0], lanes=gpus, **fields)


def statuses(of: Execution) -> list[str]:
    return [result.status.value for result in of.results]


def ran_on(of: Execution) -> list[str | None]:
    return [result.ran_on.gpu_uuid if result.ran_on else None for result in of.results]


# ---------------------------------------------------------------- side by side


def test_cells_on_the_cpu_run_side_by_side_on_processors_of_their_own() -> None:
    both = threading.Barrier(2, timeout=30)
    runner = Beside(hold=lambda _: both.wait())
    done = executed(runner, *(cell(environment(name)) for name in "abcdef"))
    assert statuses(done) == ["pass"] * 6
    assert runner.most == 2
    shares = {request.payload["share"].cpus for request in runner.requests}
    assert shares == {(0, 1, 2, 3), (4, 5, 6, 7)}
    assert {(result.ran_on.beside, result.ran_on.alone) for result in done.results if result.ran_on} == {(1, False)}


def test_one_after_another_each_is_alone() -> None:
    done = executed(Beside(), *(cell(environment(name)) for name in "abc"), settings=Settings())
    assert {(result.ran_on.beside, result.ran_on.alone) for result in done.results if result.ran_on} == {(0, True)}


def test_a_cell_has_any_free_gpu_that_its_target_means_and_says_which() -> None:
    both = threading.Barrier(2, timeout=30)
    runner = Beside(hold=lambda _: both.wait())
    done = executed(runner, on("a", L4, L4_TOO), on("b", L4, L4_TOO))
    assert sorted(map(str, ran_on(done))) == ["GPU-2222", "GPU-3333"]
    assert sorted(request.payload["gpus"][0].uuid for request in runner.requests) == ["GPU-2222", "GPU-3333"]


def test_a_cell_that_takes_all_has_all_their_gpus_and_memory_and_nobody_beside_it_on_them() -> None:
    runner = Beside()
    cells = [on(f"s{number}", L4, L4_TOO) for number in range(6)]
    done = executed(runner, *cells[:3], on("all", L4, L4_TOO, takes_all=True), *cells[3:])
    assert statuses(done) == ["pass"] * 7
    [request] = [each for each in runner.requests if each.cell_id == "all@host"]
    assert request.payload["gpus"] == (L4, L4_TOO)
    single = next(each for each in runner.requests if each.cell_id != "all@host")
    assert request.payload["share"].memory_bytes == 2 * single.payload["share"].memory_bytes


def test_cells_of_the_cpu_take_turns_for_their_rates_and_none_starts_meanwhile() -> None:
    measuring: list[str] = []
    overlap: list[list[str]] = []

    class WithRates(Beside):
        def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
            turn = gate.ask()
            while not turn.granted:
                time.sleep(0.001)
            measuring.append(request.cell_id)
            overlap.append(list(measuring))
            time.sleep(0.002)
            measuring.remove(request.cell_id)
            turn.end()
            return super().run(request, on_event, gate)

    done = executed(
        WithRates(), *(cell(environment(f"e{number}")) for number in range(20)), settings=Settings(4, 4, tuple(range(8)))
    )
    assert statuses(done) == ["pass"] * 20
    assert max(map(len, overlap)) == 1


def test_a_cell_that_is_stuck_while_others_wait_for_it_does_not_keep_them_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_OVERDUE_SECONDS", 0.2)
    release = threading.Event()

    class OneHangs(RunnerDouble):
        def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
            if request.cell_id == "a@host":
                release.wait(60)
            turn = gate.ask()
            while not turn.granted:
                time.sleep(0.001)
            turn.end()
            return super().run(request, on_event, gate)

    done = executed(OneHangs(), *(cell(environment(name)) for name in "abc"))
    assert statuses(done) == ["error", "pass", "pass"]
    assert "has not come back" in done.results[0].reason
    assert done.left == ("double-a@host-1",)
    release.set()


# ---------------------------------------------------------------- tried again


def test_what_the_machine_ended_is_tried_again_and_every_try_is_in_the_result() -> None:
    runner = RunnerDouble(outcomes={"a@host": [AWAY, AWAY]})
    log = Log()
    [result] = executed(runner, cell(environment("a")), log=log).results
    assert result.status is Status.PASS
    assert [each.problem for each in result.attempts] == ["the engine went away"] * 2
    assert [request.attempt for request in runner.requests] == [1, 2, 3]
    assert len({request.name for request in runner.requests}) == 3
    assert [(each.name, each.attempt) for each in log.intents] == [(request.name, request.attempt) for request in runner.requests]
    assert log.lines.count("keep a@host pass") == 1


def test_it_is_tried_so_often_and_then_an_error() -> None:
    runner = RunnerDouble(outcomes={"a@host": [AWAY] * 9})
    [result] = executed(runner, cell(environment("a")), settings=Settings(tries=3)).results
    assert (result.status, result.reason) == (Status.ERROR, "the engine went away")
    assert (len(runner.ran), len(result.attempts)) == (3, 2)


def test_tries_at_the_environment_are_in_the_results_of_its_cells() -> None:
    troubles = iter([AcquireError("429", transient=True)])

    def once() -> object:
        for error in troubles:
            raise error
        return None

    runner = RunnerDouble(prepare_trouble={"a": once}, outcomes={"a@host": [AWAY]})
    [result] = executed(runner, cell(environment("a"))).results
    assert [each.problem for each in result.attempts] == ["429", "the engine went away"]


@pytest.mark.parametrize("transient", [False, True])
def test_a_verdict_is_never_tried_again_until_it_is_another(transient: bool) -> None:
    failed = event("train_fp32", "fail", "loss did not fall", metrics={"cause": "training_broken"})
    outcome = RunOutcome(probe_report(answers(failed)), exit_code=0, transient=transient)
    runner = RunnerDouble(outcomes={"a@host": [outcome]})
    [result] = executed(runner, cell(environment("a"))).results
    assert (result.status, result.attempts, len(runner.ran)) == (Status.FAIL, (), 1)


def test_a_gpu_that_nvml_does_not_show_for_a_moment_is_tried_again() -> None:
    troubles = iter([GpuUnseenError("L4 #1 is not there")])

    class Flickers(Guard):
        def wait(self, *_: object) -> bool | None:
            for error in troubles:
                raise error
            return True

    [result] = executed(RunnerDouble(), on("a", L4), guard=Flickers()).results
    assert (result.status, len(result.attempts)) == (Status.PASS, 1)


def test_an_engine_that_is_away_for_a_while_does_not_use_up_the_tries_of_every_cell() -> None:
    """It fails the first tries on the lane, of whatever cell; the lane rests ever longer in between."""
    failing = [8]

    class Away(RunnerDouble):
        def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
            failing[0] -= 1
            return AWAY if failing[0] >= 0 else super().run(request, on_event, gate)

    done = executed(Away(), *(cell(environment(f"e{number}")) for number in range(30)), settings=Settings())
    assert statuses(done).count("error") <= 2
    assert statuses(done).count("pass") >= 28


def test_where_nothing_works_any_more_the_rest_is_an_error_that_says_so_and_is_not_tried_for_ever() -> None:
    runner = RunnerDouble(outcomes={f"e{number}@host": [AWAY] * 3 for number in range(30)})
    done = executed(runner, *(cell(environment(f"e{number}")) for number in range(30)), settings=Settings())
    assert statuses(done) == ["error"] * 30
    assert len(runner.ran) == 9
    assert "CPU was put aside" in done.results[-1].reason
    assert "the engine went away" in done.results[-1].reason


def test_a_cell_that_was_to_be_tried_again_on_a_lane_that_is_gone_by_then_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = RunnerDouble(outcomes={"a@host": [AWAY], "b@host": [STUCK]})
    monkeypatch.setattr(execution, "pause_before", lambda attempt: 0.1)
    done = executed(runner, cell(environment("a")), cell(environment("b")), settings=Settings())
    assert statuses(done) == ["error", "pass"]
    assert done.results[0].reason == "the engine went away"
    assert len(done.results[0].attempts) == 1


# ---------------------------------------------------------------- lanes put aside


def test_a_gpu_whose_cell_cannot_be_ended_is_put_aside_and_the_others_go_on() -> None:
    later = threading.Event()

    def hold(request: RunRequest) -> None:
        if request.cell_id != "a@host":
            later.wait(30)

    runner, log = Beside(outcomes={"a@host": [STUCK]}, hold=hold), Log()
    cells = [on("a", T4), on("b", T4), on("c", L4, T4), on("d", L4), on("e", T4)]
    threading.Thread(
        target=lambda: (wait_for("the lane", lambda: any("put aside" in line for line in log.lines)), later.set()), daemon=True
    ).start()
    done = executed(runner, *cells, log=log)
    assert statuses(done) == ["pass", "error", "pass", "pass", "error"]
    assert ran_on(done)[2:4] == ["GPU-2222", "GPU-2222"]
    assert "Tesla T4 #0 was put aside" in done.results[1].reason
    assert done.left == ("double-a@host-1",)


def test_on_fewer_gpus_than_it_should_have_had_nothing_is_kept_for_later_runs() -> None:
    runner, log = Beside(outcomes={"a@host": [STUCK]}, identity="sha256:"), Log()
    aside = lambda: wait_for("the lane", lambda: any("put aside" in line for line in log.lines))  # noqa: E731
    runner.prepare_trouble |= {"all": aside, "b": aside}
    done = executed(runner, on("a", L4), on("all", L4, L4_TOO, takes_all=True), on("b", L4, L4_TOO), log=log)
    assert statuses(done) == ["pass"] * 3
    [request] = [each for each in runner.requests if each.cell_id == "all@host"]
    assert request.payload["gpus"] == (L4_TOO,)
    assert sorted(log.keys) == ["a@host", "b@host"]


def test_a_thread_that_never_comes_back_does_not_hang_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_OVERDUE_SECONDS", 0.05)
    release = threading.Event()
    runner = RunnerDouble(run_trouble={"a@host": lambda: release.wait(60)})
    done = executed(runner, on("a", T4), on("b", L4))
    assert statuses(done) == ["error", "pass"]
    assert done.left == ("double-a@host-1",)
    assert not done.interrupted
    release.set()


def test_what_comes_back_after_it_was_given_up_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_OVERDUE_SECONDS", 0.05)
    late, after = threading.Event(), threading.Event()
    runner = RunnerDouble(run_trouble={"a@host": lambda: late.wait(60), "b@host": lambda: after.wait(60)})
    log = Log()

    def then() -> None:
        wait_for("a to be given up", lambda: "finished a@host" in log.lines)
        late.set()
        time.sleep(0.05)
        after.set()

    threading.Thread(target=then, daemon=True).start()
    monkeypatch.setattr(RunnerDouble, "request", _patient("b@host", RunnerDouble.request))
    done = executed(runner, on("a", T4), on("b", L4), log=log)
    assert statuses(done) == ["error", "pass"]
    assert sum(line.startswith("keep a@host") for line in log.lines) == 1


def _patient(of: str, request: Callable[..., RunRequest]) -> Callable[..., RunRequest]:
    def made(*arguments: Any, **named: Any) -> RunRequest:
        found = request(*arguments, **named)
        return replace(found, deadline_seconds=60.0) if found.cell_id == of else found

    return made


# ---------------------------------------------------------------- held by others


class Elsewhere(Guard):
    """A guard whose GPUs are held elsewhere so often that they are asked for."""

    def __init__(self, times: Mapping[str, int], policy: BusyPolicy = BusyPolicy.WAIT, limit: float = 3600.0) -> None:
        super().__init__(None, policy, limit)
        object.__setattr__(self, "left", dict(times))
        object.__setattr__(self, "taken", [])

    def take(self, gpus: Sequence[Gpu]) -> Held | HeldElsewhere:
        left: dict[str, int] = self.left  # type: ignore[attr-defined]
        for gpu in gpus:
            if left.get(gpu.uuid or "", 0):
                left[gpu.uuid or ""] -= 1
                return HeldElsewhere(gpu, 4711, "ann")
        return Held(tuple(gpus))


def test_a_gpu_that_another_run_has_is_waited_for_and_said_once() -> None:
    log = Log()
    done = executed(RunnerDouble(), on("a", T4), guard=Elsewhere({"GPU-1111": 5}), log=log)
    assert statuses(done) == ["pass"]
    assert [line for line in log.lines if "has it" in line] == [
        "said Tesla T4 #0: process 4711 of ann has it; waiting until it is free"
    ]


def test_meanwhile_another_free_one_is_taken() -> None:
    done = executed(RunnerDouble(), on("a", L4, L4_TOO), guard=Elsewhere({"GPU-2222": 10**6}))
    assert ran_on(done) == ["GPU-3333"]


def test_all_gpus_together_are_waited_for_and_the_others_go_on() -> None:
    guard = Elsewhere({"GPU-3333": 4})
    done = executed(RunnerDouble(), on("all", L4, L4_TOO, takes_all=True), on("b", L4), on("c", T4), guard=guard)
    assert statuses(done) == ["pass"] * 3


@pytest.mark.parametrize(("policy", "limit"), [(BusyPolicy.ERROR, 3600.0), (BusyPolicy.WAIT, 0.02)])
def test_it_is_waited_for_no_longer_than_was_said(policy: BusyPolicy, limit: float) -> None:
    guard = Elsewhere({"GPU-1111": 10**6, "GPU-2222": 10**6}, policy, limit)
    done = executed(
        RunnerDouble(), on("a", T4), on("b", L4, L4_TOO), on("all", L4, L4_TOO, takes_all=True), on("c", T4), guard=guard
    )
    assert statuses(done) == ["error", "pass", "error", "error"]
    assert "Tesla T4 #0 is held by process 4711 of ann" in done.results[0].reason


def test_while_it_is_waited_for_the_run_can_be_ended() -> None:
    stop = Stop()
    threading.Timer(0.1, stop.ask).start()
    done = executed(RunnerDouble(), on("a", T4), guard=Elsewhere({"GPU-1111": 10**6}), stop=stop)
    assert (statuses(done), done.interrupted) == (["skip"], True)


def test_a_gpu_is_released_after_each_cell_however_it_ended() -> None:
    class Counting(Guard):
        def __init__(self) -> None:
            super().__init__()
            object.__setattr__(self, "held", [])

        def take(self, gpus: Sequence[Gpu]) -> Held | HeldElsewhere:
            held = Held(tuple(gpus))
            released = held.release
            self.held.append([1])  # type: ignore[attr-defined]
            mine = self.held[-1]  # type: ignore[attr-defined]

            def release() -> None:
                mine[0] = 0
                released()

            held.release = release  # type: ignore[method-assign]
            return held

    guard = Counting()
    runner = RunnerDouble(run_trouble={"b@host": raising(KeyError("x"))}, outcomes={"c@host": [AWAY], "d@host": [STUCK]})
    executed(runner, *(on(name, T4) for name in "abcd"), guard=guard)
    assert sum(each[0] for each in guard.held) == 0  # type: ignore[attr-defined]
    assert len(guard.held) == 5  # type: ignore[attr-defined]


def test_a_gpu_that_others_use_is_an_error_or_is_run_beside_and_marked() -> None:
    class Busy(Guard):
        def wait(self, *_: object) -> bool | None:
            return False

    log = Log()
    failing = probe_report(answers(event("train_fp32", "fail", "out of memory", metrics={"cause": "training_broken"})))
    runner = RunnerDouble(identity="sha256:", answers={"b@host": failing})
    good, bad = executed(runner, on("a", T4), on("b", T4), guard=Busy(), log=log).results
    assert good.ran_on is not None
    assert good.ran_on.exclusive is False
    assert list(log.keys) == ["a@host"], "what fell short beside others is measured again"
    assert bad.status is Status.FAIL


# ---------------------------------------------------------------- a storm


@pytest.mark.parametrize("seed", range(12))
def test_in_any_weather_every_cell_has_exactly_one_result(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same every time
    lock = threading.Lock()
    monkeypatch.setattr(execution, "_OVERDUE_SECONDS", 1.0)
    hang = threading.Event()

    def roll() -> float:
        with lock:
            return dice.random()

    class Storm(Beside):
        def prepare(self, environment: Any, on_line: OnLine) -> Prepared:
            luck = roll()
            if luck < 0.1:
                raise AcquireError("429", transient=True)
            if luck < 0.15:
                raise RuntimeError("a defect")
            return super().prepare(environment, on_line)

        def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
            time.sleep(roll() / 300)
            luck = roll()
            if luck < 0.3 and not request.payload["gpus"]:
                turn = gate.ask()
                while not turn.granted:
                    time.sleep(0.0005)
                turn.end()
            if luck > 0.9:
                return AWAY
            if luck > 0.87:
                raise ValueError("a defect")
            if luck > 0.86 and request.payload["gpus"]:
                return STUCK
            if luck > 0.858:
                hang.wait(60)
            return super().run(request, on_event, gate)

    gpus = [replace(L4, index=number, uuid=f"GPU-{number}") for number in range(4)]
    cells = []
    for number in range(60):
        of, kind = environment(f"e{number // 2}"), dice.random()
        on_target = Target(f"t{number % 2}")
        if kind < 0.5:
            cells.append(cell(of, on_target))
        elif kind < 0.6:
            cells.append(cell(of, on_target, action=Action.INSPECT))
        elif kind < 0.65:
            cells.append(cell(of, on_target, action=Action.SKIP))
        else:
            lanes = tuple(dice.sample(gpus, dice.randint(1, 4)))
            cells.append(cell(of, on_target, gpu=lanes[0], lanes=lanes, takes_all=dice.random() < 0.15))
    log, stop = Log(), Stop()
    if seed % 3 == 2:
        threading.Timer(0.15, lambda: stop.ask(0.05)).start()
    done = executed(
        Storm(),
        *cells,
        log=log,
        host=replace(HOST, nvml=replace(HOST.nvml, gpus=tuple(gpus))),
        settings=Settings(jobs=3, side_by_side=3, cpus=tuple(range(8)), prune=bool(seed % 2)),
        guard=Elsewhere({f"GPU-{number}": dice.randrange(4) for number in range(4)}),
        stop=stop,
    )
    hang.set()
    kept = Counter(line.split()[1] for line in log.lines if line.startswith("keep") and not line.endswith("for now"))
    for_now = Counter(line.split()[1] for line in log.lines if line.endswith("for now"))
    again = {result.id for result in done.results if any("In this matrix" in (found.remedy or "") for found in result.findings)}
    assert all(count == (2 if name in again else 1) for name, count in kept.items())
    assert kept.keys() | for_now.keys() == {each.id for each in cells}
    assert not kept.keys() & for_now.keys()
    assert bool(for_now) is (done.interrupted and bool(for_now))
    for result in done.results:
        assert (result.reason, result.status is Status.SKIP) != ("", True)


# ---------------------------------------------------------------- disk full


class Full(Log):
    """Nothing can be kept from the so-manieth time on."""

    def __init__(self, after: int, what: str) -> None:
        super().__init__()
        self.after, self.what = after, what

    def _count(self, what: str) -> None:
        if what == self.what:
            self.after -= 1
            if self.after < 0:
                raise StoreError("no room is left", why="the disk is full", hint="make room")

    def begin(self, of: Cell) -> None:
        self._count("begin")
        super().begin(of)

    def intend(self, intent: Intent) -> None:
        self._count("intend")
        super().intend(intent)

    def keep(self, result: CellResult, key: str | None = None, *, final: bool = True) -> None:
        self._count("keep")
        super().keep(result, key, final=final)


@pytest.mark.parametrize("what", ["begin", "intend"])
def test_nothing_is_started_that_could_not_be_written_down_before(what: str) -> None:
    runner, log = RunnerDouble(), Full(2, what)
    done = executed(runner, *(cell(environment(f"e{number}")) for number in range(6)), log=log, settings=Settings())
    assert len(runner.ran) == 2
    assert statuses(done) == ["pass", "pass", "skip", "skip", "skip", "skip"]
    assert done.problem is not None
    assert done.problem.why == "the disk is full"
    assert not done.interrupted
    assert {result.reason for result in done.results[2:]} == {"not begun: results could no longer be kept"}


def test_what_is_measured_when_nothing_can_be_kept_any_more_is_shown_all_the_same() -> None:
    both = threading.Barrier(2, timeout=30)
    runner = Beside(hold=lambda _: both.wait())
    done = executed(runner, *(cell(environment(f"e{number}")) for number in range(6)), log=Full(0, "keep"))
    assert len(runner.ran) == 2
    assert sorted(statuses(done)) == ["pass", "pass", "skip", "skip", "skip", "skip"]
    assert done.problem is not None


def test_a_job_for_all_lanes_that_could_not_be_written_down_does_not_go_round_for_ever() -> None:
    done = executed(RunnerDouble(), on("all", L4, L4_TOO, takes_all=True), on("b", L4), log=Full(0, "begin"))
    assert statuses(done) == ["skip", "skip"]


# ---------------------------------------------------------------- failures


def test_after_so_many_failures_nothing_new_is_begun() -> None:
    failing = probe_report(answers(event("train_fp32", "fail", "no", metrics={"cause": "training_broken"})))
    runner = RunnerDouble(answers={"e1@host": failing, "e3@host": failing})
    for limit, ran in ((1, 2), (2, 4)):
        runner.ran.clear()
        done = executed(runner, *(cell(environment(f"e{number}")) for number in range(6)), settings=Settings(max_failures=limit))
        assert runner.ran == [f"e{number}@host" for number in range(ran)]
        assert statuses(done)[ran:] == ["skip"] * (6 - ran)
        assert not done.interrupted
        assert "had failed" in done.results[-1].reason


def test_a_failure_that_is_expected_does_not_count() -> None:
    failing = probe_report(answers(event("train_fp32", "fail", "no", metrics={"cause": "training_broken"})))
    runner = RunnerDouble(answers={"a@host": failing})
    done = executed(runner, cell(environment("a"), expect=Status.FAIL), cell(environment("b")), settings=Settings(max_failures=1))
    assert statuses(done) == ["fail", "pass"]


def test_errors_count_too() -> None:
    runner = RunnerDouble(run_trouble={"a@host": raising(KeyError("x"))})
    done = executed(runner, cell(environment("a")), cell(environment("b")), settings=Settings(max_failures=1))
    assert statuses(done) == ["error", "skip"]


def test_what_was_to_be_tried_again_when_enough_had_failed_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "pause_before", lambda attempt: 60.0)
    failing = probe_report(answers(event("train_fp32", "fail", "no", metrics={"cause": "training_broken"})))
    runner = RunnerDouble(outcomes={"a@host": [AWAY]}, answers={"b@host": failing})
    done = executed(runner, cell(environment("a")), cell(environment("b")), settings=Settings(max_failures=1))
    assert statuses(done) == ["error", "fail"]
    assert done.results[0].reason == "the engine went away"


# ---------------------------------------------------------------- thrown away


@dataclass
class There(RunnerDouble):
    """Some environments were there before the run."""

    there: tuple[str, ...] = ()

    def prepare(self, environment: Any, on_line: OnLine) -> Prepared:
        return replace(super().prepare(environment, on_line), was_there=environment.id in self.there)


def test_with_prune_what_the_run_brought_goes_once_its_last_cell_is_through_and_nothing_else() -> None:
    runner = There(there=("a",), run_trouble={"c@host": raising(KeyError("x"))}, prepare_trouble={"d": raising(KeyError("y"))})
    cells = [
        cell(environment("a")),
        cell(environment("b")),
        cell(environment("b"), Target("x")),
        cell(environment("c")),
        cell(environment("d")),
    ]
    executed(runner, *cells, settings=Settings(prune=True, jobs=2))
    assert sorted(runner.discarded) == ["b", "c"]


def test_without_it_nothing_goes() -> None:
    runner = There()
    executed(runner, cell(environment("a")))
    assert runner.discarded == []


def test_with_prune_no_more_is_there_than_is_worked_at() -> None:
    there: list[int] = []

    class Bounded(RunnerDouble):
        def prepare(self, environment: Any, on_line: OnLine) -> Prepared:
            there.append(len(self.prepared) - len(self.discarded))
            return super().prepare(environment, on_line)

        def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
            time.sleep(0.003)
            return super().run(request, on_event, gate)

    executed(Bounded(), *(cell(environment(f"e{number}")) for number in range(30)), settings=Settings(jobs=2, prune=True))
    assert max(there) <= 6, "a lane, two that make ready, and those just being thrown away"


# ---------------------------------------------------------------- the end


def test_the_first_stop_lets_a_cell_end_and_begins_no_other() -> None:
    stop, going = Stop(), threading.Event()

    def hold() -> object:
        stop.ask(60.0)
        time.sleep(0.05)
        return going.set()

    runner = RunnerDouble(run_trouble={"a@host": hold})
    done = executed(runner, cell(environment("a")), cell(environment("b")), stop=stop, settings=Settings())
    assert going.is_set()
    assert (statuses(done), done.interrupted, done.left) == (["pass", "skip"], True, ())
    assert "before this cell" in done.results[1].reason


def test_what_does_not_heed_the_end_is_left_behind_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_LAST_WORDS_SECONDS", 0.05)
    stop, release = Stop(), threading.Event()

    def hold() -> object:
        stop.ask(60.0)
        stop.ask()
        return release.wait(60)

    done = executed(RunnerDouble(run_trouble={"a@host": hold}), cell(environment("a")), cell(environment("b")), stop=stop)
    assert statuses(done)[0] == "skip"
    assert "during this cell" in done.results[0].reason
    assert "double-a@host-1" in done.left
    release.set()


def test_an_interpreters_own_interrupt_ends_the_run_and_loses_no_result() -> None:
    class Interrupting(Log):
        def cell_finished(self, result: CellResult) -> None:
            super().cell_finished(result)
            if result.id == "a@host":
                raise KeyboardInterrupt

    done = executed(RunnerDouble(), cell(environment("a")), cell(environment("b")), log=Interrupting(), settings=Settings())
    assert done.interrupted
    assert statuses(done) == ["pass", "skip"]


def test_a_terminal_that_is_gone_does_not_end_the_run() -> None:
    class Gone(Log):
        def cell_started(self, *_: object) -> None:
            raise BrokenPipeError

        acquiring = acquired = note = said = cell_started

    assert statuses(executed(RunnerDouble(), cell(environment("a")), cell(environment("b")), log=Gone())) == ["pass", "pass"]


def test_a_defect_in_telling_of_it_hangs_nothing() -> None:
    class Broken(Log):
        def acquiring(self, environment: Any) -> None:
            if environment.id == "a":
                raise KeyError("a defect")

    assert statuses(executed(RunnerDouble(), cell(environment("a")), cell(environment("b")), log=Broken())) == ["error", "pass"]


def test_a_thread_that_cannot_be_started_is_an_error_of_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "a@host":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = executed(RunnerDouble(), cell(environment("a")), cell(environment("b")))
    assert statuses(done) == ["error", "pass"]
    assert done.left == ()


def test_a_runner_that_gives_up_though_nobody_asked_it_to_is_an_error() -> None:
    trouble = raising(InterruptedRunError("no more"))
    runner = RunnerDouble(prepare_trouble={"a": trouble}, run_trouble={"b@host": trouble})
    done = executed(runner, cell(environment("a")), cell(environment("b")), cell(environment("c")))
    assert statuses(done) == ["error", "error", "pass"]


def test_what_many_cells_came_to_at_one_time_is_kept_together_and_told_of_after() -> None:
    class Slow(Log):
        together: list[int]

        def keep_all(self, results: Any, keys: Any = None, *, final: bool = True) -> None:
            listed = list(results)
            if listed and not self.together:
                wait_for("the others", lambda: len(runner.ran) == 4)
                time.sleep(0.05)
            self.together += [len(listed)] if listed else []
            super().keep_all(listed, keys, final=final)
            assert not any(f"finished {result.id}" in self.lines for result in listed)

    runner, log = Beside(), Slow()
    log.together = []
    done = executed(runner, *(cell(environment(name)) for name in "abcd"), log=log, settings=Settings(4, 4, tuple(range(8))))
    assert statuses(done) == ["pass"] * 4
    assert sum(log.together) == 4
    assert len(log.together) <= 2
    assert all(f"finished {result.id}" in log.lines for result in done.results)


def test_the_end_of_the_run_waits_for_what_is_being_thrown_away() -> None:
    class SlowToGo(There):
        def discard(self, prepared: Prepared) -> None:
            time.sleep(0.2)
            super().discard(prepared)

    runner = SlowToGo()
    executed(runner, cell(environment("a")), settings=Settings(prune=True))
    assert runner.discarded == ["a"]
