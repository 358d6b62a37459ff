"""Whatever happens to a cell becomes its result. The runner here is a double: its troubles cannot be had from a real one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from harness import wait_for
from run_doubles import Log, RunnerDouble, Trouble, raising
from values import CONTENT, HOST_TARGET, T4, answers, cell, environment, event, host, matrix, probe_report

from validator.base.errors import AcquireError, EngineUnavailableError, InterruptedRunError
from validator.base.stopping import Stop
from validator.host import NO_GPU_HERE
from validator.model import (
    Action,
    ActionReason,
    Basis,
    Because,
    Cell,
    CellResult,
    Finding,
    Gpu,
    Outlook,
    Plan,
    Prediction,
    RanOn,
    Severity,
    Status,
    Target,
)
from validator.run import acquisition, execute
from validator.run.execution import Execution

A, B, C = environment("a"), environment("b"), environment("c")


def executed(runner: RunnerDouble, *cells: Cell, log: Log | None = None, **more: Any) -> Execution:
    log = log or Log()
    return execute(Plan(cells, runner.name, "a test"), matrix(), runner, log, log, **more)


def statuses(execution: Execution) -> list[Status]:
    return [result.status for result in execution.results]


def test_every_cell_has_a_result_in_the_plans_order() -> None:
    execution = executed(RunnerDouble(), cell(A), cell(B), cell(C))
    assert [result.id for result in execution.results] == ["a@host", "b@host", "c@host"]
    assert statuses(execution) == [Status.PASS] * 3
    assert not execution.interrupted


def test_a_result_is_kept_the_moment_it_exists_and_before_it_is_shown() -> None:
    log = Log()
    executed(RunnerDouble(), cell(A), cell(B, action=Action.SKIP, why=NO_GPU_HERE), log=log)
    assert log.lines == [
        "keep b@host skip",
        "finished b@host",
        "planned 1 on CPU",
        "acquiring a",
        "note a: making a",
        "acquired a: None",
        "begin a@host",
        "started a@host on CPU",
        "note a@host: check import",
        "note a@host: check import: pass",
        "keep a@host pass",
        "finished a@host",
    ]


def test_a_planned_skip_keeps_its_reason_and_touches_nothing() -> None:
    runner = RunnerDouble()
    (result,) = executed(runner, cell(A, action=Action.SKIP, why=ActionReason(Because.NOT_SUPPORTED, "needs an engine"))).results
    assert (result.status, result.basis, result.reason) == (Status.SKIP, None, "needs an engine")
    assert runner.prepared == runner.ran == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AcquireError("a could not be pulled", why="denied", hint="log in"), "a could not be pulled: denied"),
        (RuntimeError("index out of range"), "a defect of the validator itself: RuntimeError: index out of range"),
    ],
)
@pytest.mark.parametrize("when", ["prepare", "run"])
def test_trouble_of_one_cell_is_its_result_and_the_others_go_on(error: Exception, words: str, when: str) -> None:
    runner = RunnerDouble(**{f"{when}_trouble": {"a": raising(error), "a@host": raising(error)}})
    execution = executed(runner, cell(A), cell(B))
    assert statuses(execution) == [Status.ERROR, Status.PASS]
    assert execution.results[0].basis is None
    assert words in execution.results[0].reason
    assert not execution.interrupted


def test_an_engine_that_is_gone_is_an_error_once_and_the_rest_is_skipped_saying_so() -> None:
    runner = RunnerDouble(prepare_trouble={"b": raising(EngineUnavailableError("no container engine answers"))})
    log = Log()
    execution = executed(runner, cell(A), cell(B), cell(C), log=log)
    assert statuses(execution)[1:] == [Status.ERROR, Status.SKIP]
    assert execution.results[2].reason == "not begun: no container engine answers"
    assert "keep c@host skip for now" in log.lines
    assert not execution.interrupted


def test_a_defect_in_judging_is_a_result_too() -> None:
    runner = RunnerDouble(answers={"a@host": probe_report(answers(event("a check nobody planned")))})
    (result,) = executed(runner, cell(A)).results
    assert result.status is Status.ERROR
    assert "a defect of the validator itself: KeyError" in result.reason


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisition, "_PAUSE_SECONDS", 0.0)


def interrupted(stop: Stop, log: Log | None = None, after: str = "") -> Trouble:
    """The run's end is asked for (once the log has that line), and what is under way heeds it."""

    def trouble() -> object:
        if log is not None:
            wait_for(after, lambda: after in log.lines)
        stop.ask()
        raise InterruptedRunError("ended")

    return trouble


@pytest.mark.parametrize(("when", "words"), [("prepare", "before this cell"), ("run", "during this cell")])
def test_an_interrupt_skips_this_cell_and_the_rest_and_keeps_what_finished(when: str, words: str) -> None:
    stop, log = Stop(), Log()
    trouble = interrupted(stop, log, "finished a@host")
    runner = RunnerDouble(**{f"{when}_trouble": {"b": trouble, "b@host": trouble}})
    execution = executed(runner, cell(A), cell(B), cell(C), log=log, stop=stop)
    assert execution.interrupted
    assert execution.left == ()
    assert statuses(execution) == [Status.PASS, Status.SKIP, Status.SKIP]
    assert words in execution.results[1].reason
    assert "before this cell" in execution.results[2].reason
    assert [line for line in log.lines if line.startswith("keep")] == [
        "keep a@host pass",
        "keep b@host skip for now",
        "keep c@host skip for now",
    ]


def test_what_was_not_to_run_anyway_keeps_its_reason_after_an_interrupt() -> None:
    stop = Stop()
    runner = RunnerDouble(run_trouble={"a@host": interrupted(stop)})
    planned = cell(B, action=Action.SKIP, why=ActionReason(Because.NOT_SUPPORTED, "needs an engine"))
    assert [each.reason for each in executed(runner, cell(A), planned, stop=stop).results] == [
        "the run was interrupted during this cell",
        "needs an engine",
    ]


def test_how_long_an_environment_took_is_told_also_where_it_could_not_be_had() -> None:
    (result,) = executed(RunnerDouble(prepare_trouble={"a": raising(AcquireError("refused"))}), cell(A)).results
    assert result.seconds.acquire is not None
    assert 0 <= result.seconds.acquire < 60, "how long it took, not what a clock shows"


def test_an_environment_is_made_ready_once_for_all_its_targets() -> None:
    runner = RunnerDouble()
    executed(runner, cell(A), cell(A, Target("t4", gpu="Tesla T4")), cell(B))
    assert runner.prepared == ["a", "b"]
    assert runner.ran == ["a@host", "a@t4", "b@host"]


def test_an_environment_that_cannot_be_had_is_asked_for_once_and_each_target_says_why() -> None:
    runner = RunnerDouble(prepare_trouble={"a": raising(AcquireError("refused"))})
    execution = executed(runner, cell(A), cell(A, Target("t4", gpu="Tesla T4")))
    assert runner.prepared == ["a"]
    assert [result.reason for result in execution.results] == ["refused", "refused"]


def test_an_environment_is_opened_once_for_all_its_targets() -> None:
    runner = RunnerDouble()
    targets = [Target("t4", gpu="Tesla T4"), Target("h100", gpu="H100")]
    execution = executed(runner, *(cell(A, target, action=Action.INSPECT) for target in targets))
    assert runner.ran == ["a@t4"]
    assert [(result.id, result.basis) for result in execution.results] == [
        ("a@t4", Basis.INSPECTED),
        ("a@h100", Basis.INSPECTED),
    ]


@pytest.mark.parametrize("measured_first", [False, True])
def test_measuring_is_never_answered_by_what_opening_gave_nor_the_other_way_round(measured_first: bool) -> None:
    runner = RunnerDouble()
    cells = [cell(A, Target("t4", gpu="T4"), action=Action.INSPECT), cell(A)]
    if measured_first:
        cells.reverse()
    execution = executed(runner, *cells)
    assert runner.ran == [each.id for each in cells]
    assert {result.id: result.basis for result in execution.results} == {"a@t4": Basis.INSPECTED, "a@host": Basis.MEASURED}


def test_an_interrupt_while_a_result_is_kept_loses_neither_it_nor_the_report() -> None:
    class Interrupted(Log):
        def keep(self, result: CellResult, key: str | None = None, *, final: bool = True) -> None:
            if result.id == "a@host":
                stop.ask()
            super().keep(result, key, final=final)

    stop, log = Stop(), Interrupted()
    execution = executed(RunnerDouble(), cell(A), cell(B), log=log, stop=stop)
    assert execution.interrupted
    assert statuses(execution) == [Status.PASS, Status.SKIP]
    assert "keep a@host pass" in log.lines


def test_every_cell_that_is_not_green_has_a_finding_that_says_no_more_than_is_known() -> None:
    stuck = event("train_fp32", "fail", "loss is stuck", metrics={"cause": "training_broken"})
    runner = RunnerDouble(
        prepare_trouble={"a": raising(AcquireError("a could not be pulled", why="manifest unknown"))},
        answers={"b@host": probe_report(answers(stuck))},
    )
    absent, failing, green = executed(runner, cell(A), cell(B), cell(C)).results
    assert [(found.cause, found.severity) for found in absent.findings] == [("image_pull_not_found", Severity.ERROR)]
    assert [(found.cause, found.severity) for found in failing.findings] == [("training_broken", Severity.FAIL)]
    assert green.findings == ()


def test_once_all_results_are_there_a_remedy_names_what_passes_and_is_kept_again() -> None:
    absent = event("import", "fail", "no torch", metrics={"cause": "python_module_missing"})
    runner, log = RunnerDouble(answers={"a@host": probe_report(answers(absent))}), Log()
    failing, _ = executed(runner, cell(A), cell(B), log=log).results
    assert failing.findings[0].remedy is not None
    assert failing.findings[0].remedy.endswith("In this matrix b passes on host.")
    assert [line for line in log.lines if line.startswith("keep")] == ["keep a@host fail", "keep b@host pass", "keep a@host fail"]


def test_an_opened_image_that_a_check_warns_of_says_why_next_to_what_the_rules_say() -> None:
    warned = event("import", "warn", "numpy", metrics={**CONTENT, "cause": "numpy_abi"})
    runner, log = RunnerDouble(answers={"a@t4": probe_report(answers(warned))}), Log()
    opened = cell(A, Target("t4", gpu="Tesla T4"), action=Action.INSPECT)
    rules = Finding("ptx_jit", Severity.INFO, "compiled on first use")
    said = Prediction(Outlook.PASS, ("ptx_jit",), findings=(rules,))
    plan = Plan((opened,), runner.name, "a test")
    [result] = execute(plan, matrix(), runner, log, log, rejudge=lambda of, content: said).results
    assert result.status is Status.DEGRADED
    assert [each.cause for each in result.findings] == ["ptx_jit", "numpy_abi"]


# ---------------------------------------------------------------- where a cell ran

L4 = Gpu(index=1, uuid="GPU-2222", name="NVIDIA L4", compute_capability="8.9")
MIXED = replace(host(T4, L4), id="gpu-a1")


def on_mixed(*cells: Cell, runner: RunnerDouble | None = None) -> tuple[CellResult, ...]:
    """What comes of cells on a machine with two different GPUs."""
    runner, log = runner or RunnerDouble(), Log()
    return execute(Plan(cells, runner.name, "a test"), matrix(), runner, log, log, MIXED).results


def test_a_result_says_on_which_machine_and_gpu_it_came_about() -> None:
    first, second, without = on_mixed(
        cell(A, Target("t4", gpu="Tesla T4"), gpu=T4), cell(A, Target("l4", gpu="L4"), gpu=L4), cell(B, HOST_TARGET)
    )
    assert first.ran_on == RanOn("gpu-a1", "GPU-1111", "double", alone=first.ran_on.alone, beside=first.ran_on.beside)
    assert second.ran_on == RanOn("gpu-a1", "GPU-2222", "double", alone=second.ran_on.alone, beside=second.ran_on.beside)
    assert without.ran_on == RanOn("gpu-a1", None, "double", alone=without.ran_on.alone, beside=without.ran_on.beside)


def test_a_mig_device_is_where_it_ran_not_the_gpu_it_is_cut_from() -> None:
    cut = replace(L4, mig_enabled=True, mig_devices=("MIG-1", "MIG-2"))
    [result] = on_mixed(cell(A, Target("l4", gpu="L4"), gpu=cut))
    assert result.ran_on is not None
    assert result.ran_on.gpu_uuid == "MIG-1"


def test_what_did_not_run_ran_nowhere() -> None:
    runner = RunnerDouble(prepare_trouble={"b": raising(AcquireError("refused"))})
    skipped, refused = on_mixed(cell(A, action=Action.SKIP), cell(B), runner=runner)
    assert (skipped.ran_on, refused.ran_on) == (None, None)


def test_what_kept_an_environment_from_being_had_is_told_with_what_this_machine_has() -> None:
    shut = AcquireError("refused", why="nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.9")
    [result] = on_mixed(cell(A, gpu=T4), runner=RunnerDouble(prepare_trouble={"a": raising(shut)}))
    assert [each.cause for each in result.findings] == ["driver_too_old"]
    assert "The driver here is 580.95.05." in (result.findings[0].remedy or "")


@pytest.mark.parametrize(("gpu", "capability"), [(T4, "7.5"), (L4, "8.9")])
def test_findings_speak_of_the_gpu_that_the_cell_had(gpu: Gpu, capability: str) -> None:
    no_code = event("kernels", "fail", "no kernel image is available", metrics={"cause": "arch_not_supported"})
    runner = RunnerDouble(answers={"a@host": probe_report(answers(no_code))})
    [result] = on_mixed(cell(A, HOST_TARGET, gpu=gpu), runner=runner)
    assert f"compute capability is {capability}." in f"{result.findings[0].remedy}"
