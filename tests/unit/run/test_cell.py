"""One cell's way: whatever the runner does, there are results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from values import T4, cell, environment, host, matrix, probe_plan, probe_report, silence

from validator.base.errors import EngineUnavailableError, InterruptedRunError
from validator.model import Action, Basis, Cell, Environment, Level, RanOn, Status, Target
from validator.run.cell import CellRuns
from validator.runners.base import OPEN, WHOLE, Gate, OnEvent, Prepared, RunOutcome, RunRequest, Share

PREPARED = Prepared("handle", seconds=2.0)
REQUEST = RunRequest("a@host", "double-a", {}, probe_plan())
GOOD = RunOutcome(probe_report(), exit_code=0, start_seconds=0.5, probe_seconds=3.0)
A = environment("a")


class Runner:
    name = "double"

    def __init__(self, does: Callable[[OnEvent], RunOutcome | None] = lambda _: GOOD) -> None:
        self.does = does
        self.gates: list[Gate] = []
        self.asked: list[tuple[Any, ...]] = []

    def request(self, cell: Cell, prepared: Prepared, *, share: Share = WHOLE, attempt: int = 1) -> RunRequest:
        self.asked.append((cell, prepared, share, attempt))
        return REQUEST

    def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome | None:
        assert request is REQUEST
        self.gates.append(gate)
        return self.does(on_event)

    rejoin = run


class Notes:
    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    def note(self, about: Cell | Environment, text: str) -> None:
        self.notes.append((about.id, text))


def runs(does: Callable[[OnEvent], RunOutcome | None] = lambda _: GOOD, **fields: Any) -> CellRuns:
    progress = fields.pop("progress", Notes())
    return CellRuns(fields.pop("matrix", matrix()), Runner(does), progress, fields.pop("host", host(T4)), None)  # type: ignore[arg-type]


def raising(error: Exception) -> Callable[[OnEvent], RunOutcome]:
    def does(_: OnEvent) -> RunOutcome:
        raise error

    return does


def test_a_result_says_where_it_came_about() -> None:
    [result] = runs().run([cell(A, gpu=T4)], PREPARED, REQUEST, exclusive=True).results
    assert result.status is Status.PASS
    assert result.ran_on == RanOn("host", "GPU-1111", "double", exclusive=True)
    assert (result.seconds.start, result.seconds.probe) == (0.5, 3.0)


def test_what_was_gone_on_with_is_judged_alike_and_nothing_is_where_it_is_gone() -> None:
    ran = runs().rejoin([cell(A, gpu=T4)], PREPARED, REQUEST)
    assert ran is not None
    assert ran.results[0].status is Status.PASS
    assert ran.results[0].ran_on == RanOn("host", "GPU-1111", "double", exclusive=None)
    assert runs(lambda _: None).rejoin([cell(A)], PREPARED, REQUEST) is None


@pytest.mark.parametrize("how", ["run", "rejoin"])
def test_an_interrupt_goes_through_and_nothing_else_does(how: str) -> None:
    with pytest.raises(InterruptedRunError):
        getattr(runs(raising(InterruptedRunError("ended"))), how)([cell(A)], PREPARED, REQUEST)
    for error in (EngineUnavailableError("no engine"), KeyError("a defect"), MemoryError()):
        ran = getattr(runs(raising(error)), how)([cell(A), cell(A, Target("t4"))], PREPARED, REQUEST)
        assert [result.status for result in ran.results] == [Status.ERROR] * 2
        assert [result.id for result in ran.results] == ["a@host", "a@t4"]
        assert not ran.transient, "nobody said that it may pass"


@pytest.mark.parametrize("transient", [False, True])
@pytest.mark.parametrize("stuck", [False, True])
def test_what_the_runner_says_of_trying_again_is_handed_on(transient: bool, stuck: bool) -> None:
    ran = runs(lambda _: replace(GOOD, transient=transient, stuck=stuck)).run([cell(A)], PREPARED, REQUEST)
    assert (ran.transient, ran.stuck) == (transient, stuck)


def test_an_environment_opened_for_several_targets_is_judged_for_each() -> None:
    cells = [cell(A, Target(name, gpu=name), action=Action.INSPECT) for name in ("t4", "l4")]
    ran = runs().run(cells, PREPARED, REQUEST)
    assert [(result.id, result.basis) for result in ran.results] == [("a@t4", Basis.INSPECTED), ("a@l4", Basis.INSPECTED)]
    assert [result.ran_on.gpu_uuid for result in ran.results if result.ran_on] == [None, None]


def test_how_long_it_took_is_known_even_of_what_never_began() -> None:
    [result] = runs(lambda _: RunOutcome(silence(), engine_problem="refused")).run([cell(A)], PREPARED, REQUEST).results
    assert result.status is Status.ERROR
    assert result.seconds.start is not None


def test_levels_of_the_matrix_hold() -> None:
    weak = replace(GOOD, report=probe_report(tuple(replace(each, status=each.status) for each in GOOD.report.checks)))
    [result] = runs(lambda _: weak, matrix=matrix(levels={"train_fp32": Level.SKIP})).run([cell(A)], PREPARED, REQUEST).results
    assert {check.name: check.level for check in result.checks}["train_fp32"] is Level.SKIP


def test_each_check_is_told_of_as_it_begins_and_ends() -> None:
    notes = Notes()

    def does(on_event: OnEvent) -> RunOutcome:
        on_event({"event": "check-start", "check": "import"})
        on_event({"event": "check-end", "check": "import", "status": Status.PASS})
        on_event({"event": "something else"})
        return GOOD

    runs(does, progress=notes).run([cell(A)], PREPARED, REQUEST)
    assert notes.notes == [("a@host", "check import"), ("a@host", "check import: pass")]


def test_the_gate_reaches_the_runner() -> None:
    made = runs()
    gate: Any = object()
    made.run([cell(A)], PREPARED, REQUEST, gate=gate)
    assert made._runner.gates == [gate]  # type: ignore[attr-defined]


def test_a_request_is_of_the_cells_share_and_attempt() -> None:
    made = runs()
    of, share = cell(A), Share((1, 2), 3)
    assert made.request(of, PREPARED, share, 4) is REQUEST
    assert made._runner.asked == [(of, PREPARED, share, 4)]  # type: ignore[attr-defined]
