"""What earlier runs left: a run taken up again, and results used again. Nothing is run twice, nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from run_doubles import Log, RunnerDouble, raising
from values import T4, answers, cell, environment, event, host, matrix, probe_report, silence
from values import result as a_result

from validator.base.errors import AcquireError, InterruptedRunError, StoreError
from validator.base.stopping import Stop
from validator.model import (
    Action,
    Basis,
    Cell,
    CellResult,
    Finding,
    Gpu,
    Intent,
    Level,
    Origin,
    Outlook,
    Plan,
    Prediction,
    Severity,
    Status,
    Target,
)
from validator.run import acquisition, execute, execution
from validator.run.execution import Execution
from validator.run.guard import Guard
from validator.run.settings import Known, Settings
from validator.runners.base import OPEN, Gate, OnEvent, RunOutcome, RunRequest

L4 = Gpu(index=1, uuid="GPU-2222", name="NVIDIA L4", compute_capability="8.9")
L4_TOO = replace(L4, index=2, uuid="GPU-3333")
UNLIKE = replace(L4, index=3, uuid="GPU-4444", name="NVIDIA RTX 4090")
HOST = host(T4, L4, L4_TOO, UNLIKE)
GOOD = RunOutcome(probe_report(), exit_code=0)
AWAY = RunOutcome(silence(), engine_problem="the engine went away", transient=True)
A, B, C = environment("a"), environment("b"), environment("c")
INTENT = Intent("a@host", "validator-run-a-2", "0" * 32, 2)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisition, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(execution, "_LOOK_SECONDS", 0.005)


def executed(runner: RunnerDouble, *cells: Cell, log: Log | None = None, of: Any = None, **more: Any) -> Execution:
    log = log or Log()
    more.setdefault("host", HOST)
    return execute(Plan(cells, runner.name, "a test"), of or matrix(), runner, log, log, **more)


def statuses(of: Execution) -> list[str]:
    return [result.status.value for result in of.results]


# ---------------------------------------------------------------- taken up again


def test_results_that_stand_are_not_run_again_nor_kept_again() -> None:
    stands = a_result(Status.FAIL, A, reason="it was so then")
    runner, log = RunnerDouble(), Log()
    done = executed(runner, cell(A), cell(B), log=log, known=Known(results={"a@host": stands}))
    assert runner.ran == ["b@host"]
    assert runner.prepared == ["b"], "what no cell is left for is not made ready"
    assert done.results[0].reason == "it was so then"
    assert not any("a@host" in line for line in log.lines)
    assert "planned 1 on CPU" in log.lines


def test_a_run_with_nothing_left_ends_at_once() -> None:
    done = executed(RunnerDouble(), cell(A), known=Known(results={"a@host": a_result(env=A)}))
    assert statuses(done) == ["pass"]


def test_what_an_earlier_process_started_is_gone_on_with_under_its_own_name_and_nonce() -> None:
    runner, log = RunnerDouble(still_there={INTENT.name: GOOD}), Log()
    done = executed(runner, cell(A), cell(B), log=log, known=Known(intents={"a@host": INTENT}))
    assert statuses(done) == ["pass", "pass"]
    assert runner.ran == ["b@host"]
    [rejoined] = runner.rejoined
    assert (rejoined.name, rejoined.plan.nonce, rejoined.attempt) == (INTENT.name, INTENT.nonce, 2)
    assert [each.cell for each in log.intents] == ["b@host"], "its own intent stands, so that whoever dies next finds it too"


def test_what_is_gone_is_run_anew_and_written_down_first_and_attempt_numbers_go_on() -> None:
    runner, log = RunnerDouble(outcomes={"a@host": [AWAY]}), Log()
    done = executed(runner, cell(A), log=log, known=Known(intents={"a@host": INTENT}))
    assert statuses(done) == ["pass"]
    assert len(runner.rejoined) == 1, "looked for once, not before each try"
    assert [request.attempt for request in runner.requests] == [3, 4]
    assert [(each.name, each.attempt) for each in log.intents] == [("double-a@host-3", 3), ("double-a@host-4", 4)]
    assert [each.nonce for each in log.intents] == [request.plan.nonce for request in runner.requests]
    assert len(done.results[0].attempts) == 1


def test_an_end_while_it_is_looked_for_leaves_its_intent_as_it_is() -> None:
    stop, log = Stop(), Log()

    class Dies(RunnerDouble):
        def rejoin(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome | None:
            stop.ask()
            raise InterruptedRunError("ended")

    done = executed(Dies(), cell(A), log=log, stop=stop, known=Known(intents={"a@host": INTENT}))
    assert statuses(done) == ["skip"]
    assert "during this cell" in done.results[0].reason
    assert log.intents == []
    assert done.left == ()


def test_what_is_found_gone_when_the_run_is_to_end_is_not_begun() -> None:
    stop, log = Stop(), Log()

    class Gone(RunnerDouble):
        def rejoin(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome | None:
            stop.ask(60.0)
            return None

    done = executed(Gone(), cell(A), log=log, stop=stop, known=Known(intents={"a@host": INTENT}))
    assert statuses(done) == ["skip"]
    assert "before this cell" in done.results[0].reason
    assert (log.intents, done.left) == ([], ())


def test_what_is_gone_on_with_may_fail_by_the_machine_and_is_then_tried_anew() -> None:
    runner = RunnerDouble(still_there={INTENT.name: AWAY})
    done = executed(runner, cell(A), known=Known(intents={"a@host": INTENT}))
    assert statuses(done) == ["pass"]
    assert [request.attempt for request in runner.requests] == [3]
    assert [each.problem for each in done.results[0].attempts] == ["the engine went away"]


def test_a_gpu_that_the_very_cell_uses_is_not_waited_for() -> None:
    waited: list[str] = []

    class Waits(Guard):
        def wait(self, gpus: Any, *_: object) -> bool | None:
            waited.append(gpus[0].uuid)
            return True

    runner = RunnerDouble(still_there={INTENT.name: GOOD})
    executed(runner, cell(A, gpu=T4), cell(B, gpu=L4), guard=Waits(), known=Known(intents={"a@host": INTENT}))
    assert waited == ["GPU-2222"]


def test_once_it_is_found_gone_the_gpu_is_waited_for() -> None:
    waited: list[str] = []

    class Waits(Guard):
        def wait(self, gpus: Any, *_: object) -> bool | None:
            waited.append(gpus[0].uuid)
            return True

    done = executed(RunnerDouble(), cell(A, gpu=T4), guard=Waits(), known=Known(intents={"a@host": INTENT}))
    assert waited == ["GPU-1111"]
    assert done.results[0].ran_on is not None
    assert done.results[0].ran_on.exclusive is True


def test_on_one_of_several_unlike_gpus_nobody_knows_which_so_nothing_is_kept_for_later_runs() -> None:
    for lanes, kept in (((L4, L4_TOO), True), ((L4, UNLIKE), False)):
        runner, log = RunnerDouble(still_there={INTENT.name: GOOD}, identity="sha256:"), Log()
        executed(runner, cell(A, gpu=L4, lanes=lanes), log=log, known=Known(intents={"a@host": INTENT}))
        assert ("a@host" in log.keys) is kept


def test_a_defect_in_the_new_request_is_an_error_and_ends_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    made = RunnerDouble.request

    def broken(self: RunnerDouble, of: Cell, *arguments: Any, **named: Any) -> RunRequest:
        if named.get("attempt") == 3:
            raise KeyError("a defect")
        return made(self, of, *arguments, **named)

    monkeypatch.setattr(RunnerDouble, "request", broken)
    done = executed(RunnerDouble(), cell(A), cell(B), known=Known(intents={"a@host": INTENT}))
    assert statuses(done) == ["error", "pass"]
    assert done.left == ()


def test_a_full_disk_when_it_is_found_gone_begins_nothing() -> None:
    class Full(Log):
        def intend(self, intent: Intent) -> None:
            raise StoreError("no room")

    runner = RunnerDouble()
    done = executed(runner, cell(A), log=Full(), known=Known(intents={"a@host": INTENT}))
    assert (statuses(done), runner.ran, done.left) == (["skip"], [], ())
    assert done.problem is not None


# ---------------------------------------------------------------- used again


class History:
    """Results by key, as a store has them; counts the questions."""

    def __init__(self, *, broken: Exception | None = None) -> None:
        self.kept: dict[str, CellResult] = {}
        self.asked: list[list[str]] = []
        self.broken = broken

    def __call__(self, keys: Iterable[str]) -> Mapping[str, CellResult]:
        self.asked.append(list(keys))
        if self.broken:
            raise self.broken
        origin = Origin("run-1", "2026-11-20T10:00:00+00:00")
        return {key: replace(self.kept[key], cached=True, origin=origin) for key in self.asked[-1] if key in self.kept}


def learned(*cells: Cell, runner: RunnerDouble | None = None, **more: Any) -> History:
    """A history with what a first run of cells kept under keys."""
    log = Log()
    done = executed(runner or RunnerDouble(identity="sha256:"), *cells, log=log, **more)
    history = History()
    history.kept = {log.keys[result.id]: result for result in done.results if result.id in log.keys}
    return history


def test_what_nothing_has_changed_for_is_not_run_again() -> None:
    cells = [cell(A), cell(B, gpu=L4), cell(A, Target("t4", gpu="Tesla T4"), action=Action.INSPECT)]
    rules = lambda of, content: Prediction(Outlook.PASS, (), basis=Basis.INSPECTED)  # noqa: E731
    history = learned(*cells, rejudge=rules)
    assert len(history.kept) == 3
    runner, log = RunnerDouble(identity="sha256:"), Log()
    done = executed(runner, *cells, log=log, rejudge=rules, known=Known(reusable=history))
    assert runner.ran == []
    assert all(result.cached and result.origin == Origin("run-1", "2026-11-20T10:00:00+00:00") for result in done.results)
    assert statuses(done) == ["pass"] * 3
    assert sorted(line for line in log.lines if line.startswith("keep")) == [
        "keep a@host pass",
        "keep a@t4 pass",
        "keep b@host pass",
    ]
    assert not any(line.startswith(("begin", "started")) for line in log.lines)
    assert len(history.asked) <= 2, "one question for all environments that are there at one time"
    assert len({key for keys in history.asked for key in keys}) == 3


def test_many_are_kept_together() -> None:
    class Together(Log):
        together: list[int]

        def keep_all(
            self, results: Iterable[CellResult], keys: Mapping[str, str] | None = None, *, final: bool = True
        ) -> None:
            listed = list(results)
            self.together.append(len(listed))
            super().keep_all(listed, keys, final=final)

    log = Together()
    log.together = []
    cells = [cell(A, Target(f"t{number}")) for number in range(50)]
    history = learned(*cells)
    executed(RunnerDouble(identity="sha256:"), *cells, log=log, known=Known(reusable=history))
    assert [count for count in log.together if count] == [50]


@pytest.mark.parametrize(
    "changed",
    ["what is inside", "the levels", "the GPU", "the driver", "the machine is not known", "what is inside is not known"],
)
def test_what_has_changed_is_run_again(changed: str) -> None:
    of = cell(A, gpu=L4)
    history = learned(of)
    runner = RunnerDouble(identity="sha256:")
    more: dict[str, Any] = {}
    match changed:
        case "what is inside":
            runner.identity = "sha256:other"
        case "what is inside is not known":
            runner.identity = None
        case "the levels":
            more["of"] = matrix(levels={"train_fp32": Level.ADVISORY})
        case "the GPU":
            of = cell(A, gpu=UNLIKE)
        case "the driver":
            more["host"] = replace(HOST, nvml=replace(HOST.nvml, driver_version="590.1"))
        case "the machine is not known":
            more["host"] = None
    done = executed(runner, of, known=Known(reusable=history), **more)
    assert runner.ran == ["a@host"]
    assert not done.results[0].cached


def test_what_was_measured_on_one_of_several_unlike_gpus_is_found_whichever_it_was() -> None:
    history = learned(cell(A, gpu=UNLIKE))
    runner = RunnerDouble(identity="sha256:")
    [result] = executed(runner, cell(A, gpu=L4, lanes=(L4, L4_TOO, UNLIKE)), known=Known(reusable=history)).results
    assert (result.cached, runner.ran) == (True, [])
    assert result.ran_on is not None
    assert result.ran_on.gpu_uuid == "GPU-4444"


def test_it_is_kept_under_the_gpu_that_it_was_given() -> None:
    held = threading.Barrier(2, timeout=30)
    runner = RunnerDouble(identity="sha256:", run_trouble={"a@host": held.wait, "b@host": held.wait})
    log = Log()
    cells = [cell(A, gpu=L4, lanes=(L4, UNLIKE)), cell(B, gpu=L4, lanes=(L4, UNLIKE))]
    done = executed(runner, *cells, log=log)
    for of, result in zip(cells, done.results, strict=True):
        given = {gpu.uuid: gpu for gpu in (L4, UNLIKE)}[result.ran_on.gpu_uuid if result.ran_on else None]
        alone = learned(replace(of, gpu=given, lanes=(given,)))
        assert list(alone.kept) == [log.keys[of.id]]


def test_expectation_and_prediction_are_as_of_now() -> None:
    history = learned(cell(A, expect=Status.FAIL, predicted=Prediction(Outlook.PASS)))
    now = Prediction(Outlook.FAIL, ("driver_too_old",), findings=(Finding("driver_too_old", Severity.FAIL, "no"),))
    [result] = executed(
        RunnerDouble(identity="sha256:"), cell(A, expect=Status.PASS), rejudge=lambda *_: now, known=Known(reusable=history)
    ).results
    assert (result.cached, result.expect, result.predicted, result.agrees) == (True, Status.PASS, now, False)


@pytest.mark.parametrize(
    "answer",
    [
        RunOutcome(silence(), exit_code=1),
        RunOutcome(probe_report(answers(event("amp_benefit", "warn", "slow"))), exit_code=0),
    ],
    ids=["an error", "a low rate"],
)
def test_an_error_and_a_low_rate_are_measured_again(answer: RunOutcome) -> None:
    assert learned(cell(A), runner=RunnerDouble(identity="sha256:", outcomes={"a@host": [answer]})).kept == {}


def test_a_failure_is_used_again_and_counts_as_one() -> None:
    failing = probe_report(answers(event("train_fp32", "fail", "no", metrics={"cause": "training_broken"})))
    history = learned(cell(A), runner=RunnerDouble(identity="sha256:", answers={"a@host": failing}))
    runner = RunnerDouble(identity="sha256:")
    done = executed(runner, cell(A), cell(B), cell(C), known=Known(reusable=history), settings=Settings(max_failures=1))
    assert statuses(done) == ["fail", "skip", "skip"]
    assert runner.ran == []


def test_a_history_that_cannot_be_read_has_nothing_to_tell() -> None:
    for broken in (StoreError("damaged", why="not a database"), UnicodeDecodeError("utf-8", b"", 0, 1, "hostile")):
        runner, log = RunnerDouble(identity="sha256:"), Log()
        done = executed(runner, cell(A), log=log, known=Known(reusable=History(broken=broken)))
        assert statuses(done) == ["pass"]
        assert any("earlier results cannot be used again" in line for line in log.lines)


def test_an_environment_opened_for_several_targets_is_opened_again_if_one_of_them_is_not_known() -> None:
    cells = [cell(A, Target(name, gpu=name), action=Action.INSPECT) for name in ("T4", "L4", "H100")]
    rules = lambda of, content: Prediction(Outlook.PASS, (), basis=Basis.INSPECTED)  # noqa: E731
    history = learned(*cells[:2], rejudge=rules)
    runner = RunnerDouble(identity="sha256:")
    done = executed(runner, *cells, rejudge=rules, known=Known(reusable=history))
    assert runner.ran == ["a@T4"]
    assert [result.cached for result in done.results] == [False] * 3


def test_each_target_of_an_opened_environment_has_its_own_verdict_again() -> None:
    cells = [cell(A, Target(name, gpu=name), action=Action.INSPECT) for name in ("T4", "L4")]
    said = {
        "T4": Prediction(Outlook.PASS, ("ptx_jit",), basis=Basis.INSPECTED),
        "L4": Prediction(
            Outlook.FAIL, ("no_code",), basis=Basis.INSPECTED, findings=(Finding("no_code", Severity.FAIL, "no code"),)
        ),
    }
    rules = lambda of, content: said[of.target.id]  # noqa: E731
    first = executed(RunnerDouble(identity="sha256:"), *cells, rejudge=rules)
    history = learned(*cells, rejudge=rules)
    runner = RunnerDouble(identity="sha256:")
    again = executed(runner, *cells, rejudge=rules, known=Known(reusable=history))
    assert runner.ran == []
    assert statuses(again) == statuses(first) == ["pass", "fail"]
    assert [result.inferred for result in again.results] == [result.inferred for result in first.results] == [True, True]


def test_an_environment_that_cannot_be_had_is_an_error_whatever_was_measured_before() -> None:
    history = learned(cell(A))
    runner = RunnerDouble(identity="sha256:", prepare_trouble={"a": raising(AcquireError("refused"))})
    assert statuses(executed(runner, cell(A), known=Known(reusable=history))) == ["error"]


def test_advice_about_a_result_used_again_is_kept_under_no_other_key() -> None:
    failing = probe_report(answers(event("import", "fail", "no torch", metrics={"cause": "python_module_missing"})))
    history = learned(cell(A), runner=RunnerDouble(identity="sha256:", answers={"a@host": failing}))
    log = Log()
    done = executed(RunnerDouble(identity="sha256:"), cell(A), cell(B), log=log, known=Known(reusable=history))
    assert "In this matrix b passes on host." in str(done.results[0].findings[0].remedy)
    [key] = history.kept
    assert log.keys["a@host"] == key
