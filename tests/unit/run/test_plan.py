"""What a run would do for each cell, and why."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
from values import HOST_TARGET, T4, WHERE, cpu_environment, environment, host, matrix

from validator.base.errors import ExitCode, NothingSelectedError
from validator.model import (
    Action,
    Cell,
    Environment,
    Expectation,
    Gpu,
    HostInfo,
    Level,
    NvmlInfo,
    Outlook,
    Prediction,
    Status,
    Target,
)
from validator.run import make_plan

A100 = Gpu(index=1, uuid="GPU-2222", name="NVIDIA A100-SXM4-80GB", compute_capability="8.0")
CUDA = environment("torch2.7.1-cu126", cuda="12.6")
CPU = cpu_environment()
ELSEWHERE = Target("h100", gpu="NVIDIA H100 80GB HBM3")


def planned(env: Environment, target: Target, machine: HostInfo, *, inspect: bool = False, obstacle: str | None = None) -> Cell:
    plan = make_plan(
        matrix(env, targets=(target,)),
        machine,
        runner="docker",
        runner_reason="an engine answers",
        supports=lambda _: obstacle,
        inspect=inspect,
    )
    (only,) = plan.cells
    return only


@pytest.mark.parametrize(
    ("env", "target", "machine", "inspect", "action", "gpu"),
    [
        pytest.param(CPU, HOST_TARGET, host(T4), False, Action.MEASURE, None, id="cpu build, this machine with a GPU"),
        pytest.param(CPU, HOST_TARGET, host(), False, Action.MEASURE, None, id="cpu build, this machine without"),
        pytest.param(CPU, ELSEWHERE, host(), True, Action.SKIP, None, id="cpu build, another machine"),
        pytest.param(CUDA, HOST_TARGET, host(T4), False, Action.MEASURE, T4, id="cuda build, this machine with a GPU"),
        pytest.param(CUDA, HOST_TARGET, host(T4), True, Action.MEASURE, T4, id="measuring goes before inspecting"),
        pytest.param(CUDA, HOST_TARGET, host(), False, Action.SKIP, None, id="cuda build, this machine without"),
        pytest.param(CUDA, HOST_TARGET, host(), True, Action.INSPECT, None, id="cuda build, this machine without, inspect"),
        pytest.param(CUDA, ELSEWHERE, host(T4), False, Action.SKIP, None, id="cuda build, another machine"),
        pytest.param(CUDA, ELSEWHERE, host(T4), True, Action.INSPECT, None, id="cuda build, another machine, inspect"),
    ],
)
def test_action_of_each_kind_of_cell(
    env: Environment, target: Target, machine: HostInfo, inspect: bool, action: Action, gpu: Gpu | None
) -> None:
    found = planned(env, target, machine, inspect=inspect)
    assert (found.action, found.gpu) == (action, gpu)
    assert found.reason


@pytest.mark.parametrize(("env", "machine"), [(CPU, host(T4)), (CUDA, host(T4)), (CUDA, host())])
def test_what_the_runner_cannot_run_is_skipped_in_its_words(env: Environment, machine: HostInfo) -> None:
    found = planned(env, HOST_TARGET, machine, inspect=True, obstacle="needs a container engine")
    assert (found.action, found.reason, found.gpu) == (Action.SKIP, "needs a container engine", None)


@pytest.mark.parametrize(
    ("target", "gpu"),
    [
        pytest.param(Target("t", gpu="Tesla T4"), T4, id="name as NVML has it"),
        pytest.param(Target("t", gpu="tesla t4"), T4, id="case does not matter"),
        pytest.param(Target("t", gpu="NVIDIA Tesla T4"), T4, id="prefix more than NVML's"),
        pytest.param(Target("t", gpu="T4"), T4, id="without the brand"),
        pytest.param(Target("t", gpu="A100-SXM4-80GB"), A100, id="prefix less than NVML's"),
        pytest.param(Target("t", compute_capability="8.0"), A100, id="by compute capability"),
        pytest.param(Target("t", gpu="Tesla T4", driver="580.95.05"), T4, id="and by driver"),
        pytest.param(Target("t", gpu="A100"), None, id="a part of a name is another GPU"),
        pytest.param(Target("t", gpu="Tesla T4", driver="580.95.5"), None, id="a driver is its spelling"),
        pytest.param(Target("t", compute_capability="8.0", driver="535.183.01"), None, id="another driver"),
    ],
)
def test_a_named_target_may_be_this_machine(target: Target, gpu: Gpu | None) -> None:
    found = planned(CUDA, target, host(T4, A100))
    assert found.gpu == gpu
    assert found.action is (Action.MEASURE if gpu else Action.SKIP)


def test_a_target_elsewhere_is_said_with_its_driver() -> None:
    found = planned(CUDA, Target("t", compute_capability="9.0", driver="535.183.01"), host(T4))
    assert "compute capability 9.0 and driver 535.183.01" in found.reason
    assert "--inspect" in found.reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"problem": "GPU 0: it has fallen off the bus"}, "fallen off the bus"),
        ({"compute_mode": "prohibited"}, "compute mode prohibited"),
        ({"uuid": None}, "no UUID"),
        ({"mig_enabled": True}, "no MIG device has been made"),
    ],
)
def test_an_unusable_gpu_is_passed_over_and_said_where_it_is_the_only_one(change: dict[str, object], said: str) -> None:
    sick = replace(T4, **change)
    alone = planned(CUDA, HOST_TARGET, host(sick))
    assert alone.action is Action.SKIP
    assert said in alone.reason
    assert planned(CUDA, HOST_TARGET, host(sick, A100)).gpu == A100
    assert planned(CUDA, Target("t", gpu="Tesla T4"), host(sick)).action is Action.SKIP


@pytest.mark.parametrize("change", [{"mig_enabled": True, "mig_devices": ("MIG-1",)}, {"compute_mode": "exclusive_process"}])
def test_a_restricted_gpu_is_still_used(change: dict[str, object]) -> None:
    gpu = replace(T4, **change)
    assert planned(CUDA, HOST_TARGET, host(gpu)).gpu == gpu


SECOND_A100 = replace(A100, index=2, uuid="GPU-3333")
BOTH = Target("a100", compute_capability="8.0")


def test_a_cell_may_be_measured_on_any_gpu_its_target_means_and_until_then_has_the_first() -> None:
    found = planned(CUDA, BOTH, host(T4, A100, SECOND_A100))
    assert (found.lanes, found.gpu, found.gpus, found.takes_all) == ((A100, SECOND_A100), A100, (A100,), False)


@pytest.mark.parametrize(("env", "target"), [(CPU, HOST_TARGET), (CPU, BOTH), (CUDA, ELSEWHERE)])
def test_what_needs_no_gpu_or_has_none_has_no_lane(env: Environment, target: Target) -> None:
    found = planned(env, target, host(A100, SECOND_A100), inspect=True)
    assert (found.lanes, found.gpu, found.gpus, found.takes_all) == ((), None, (), False)


@pytest.mark.parametrize(
    ("level", "gpus", "lanes", "takes_all"),
    [
        (Level.REQUIRED, (T4, A100, SECOND_A100), (A100, SECOND_A100), True),
        (Level.ADVISORY, (A100, SECOND_A100), (A100, SECOND_A100), True),
        (Level.SKIP, (A100, SECOND_A100), (A100, SECOND_A100), False),
        (None, (A100, SECOND_A100), (A100, SECOND_A100), False),
        (Level.REQUIRED, (A100,), (A100,), False),
    ],
)
def test_a_matrix_that_asks_for_several_gpus_takes_all_of_a_kind_together(
    level: Level | None, gpus: tuple[Gpu, ...], lanes: tuple[Gpu, ...], takes_all: bool
) -> None:
    asking = matrix(CUDA, CPU, targets=(BOTH, HOST_TARGET), levels={"multi_gpu": level} if level else {})
    on_both, _, _, on_cpu = make_plan(asking, host(*gpus), runner="docker", runner_reason="", supports=lambda _: None).cells
    assert (on_both.lanes, on_both.takes_all) == (lanes, takes_all)
    assert on_both.gpus == (lanes if takes_all else lanes[:1])
    assert (on_cpu.lanes, on_cpu.takes_all) == ((), False)


def test_no_gpu_and_no_driver_at_all_is_a_reason() -> None:
    bare = replace(host(), nvml=NvmlInfo(problem="no driver", problem_kind="no_driver"))
    assert "no NVIDIA GPU" in planned(CUDA, HOST_TARGET, bare).reason


def test_an_environment_of_unknown_build_is_taken_for_one_that_needs_a_gpu() -> None:
    assert planned(environment(cuda=None), HOST_TARGET, host()).action is Action.SKIP


THREE = matrix(
    environment("torch2.6.0-cu124"),
    environment("torch2.7.1-cu126"),
    environment("torch2.7.1-cu128"),
    targets=(HOST_TARGET, Target("t4", gpu="Tesla T4"), Target("h100", gpu="H100")),
)


def ids(environments: tuple[str, ...] = (), targets: tuple[str, ...] = ()) -> list[str]:
    plan = make_plan(
        THREE,
        host(),
        runner="docker",
        runner_reason="asked for",
        supports=lambda _: None,
        environments=environments,
        targets=targets,
    )
    return [cell.id for cell in plan.cells]


def test_without_globs_every_cell_is_planned_in_matrix_order() -> None:
    assert len(ids()) == 9
    assert ids()[:4] == [
        "torch2.6.0-cu124@host",
        "torch2.6.0-cu124@t4",
        "torch2.6.0-cu124@h100",
        "torch2.7.1-cu126@host",
    ]


@pytest.mark.parametrize(
    ("environments", "targets", "selected"),
    [
        (("*cu126",), ("host",), ["torch2.7.1-cu126@host"]),
        (("torch2.7.1*",), ("t4",), ["torch2.7.1-cu126@t4", "torch2.7.1-cu128@t4"]),
        # Globs add up, and the order stays the matrix's, whatever theirs.
        (("*cu128", "*cu124"), ("host",), ["torch2.6.0-cu124@host", "torch2.7.1-cu128@host"]),
        (("torch2.7.1-cu12[68]",), ("h*0",), ["torch2.7.1-cu126@h100", "torch2.7.1-cu128@h100"]),
    ],
)
def test_globs_select_over_both_axes(environments: tuple[str, ...], targets: tuple[str, ...], selected: list[str]) -> None:
    assert ids(environments, targets) == selected


@pytest.mark.parametrize(
    ("environments", "targets", "option", "known"),
    [
        (("*rocm*",), (), "-e '*rocm*'", "torch2.6.0-cu124"),
        ((), ("T4",), "-t 'T4'", "t4"),  # case counts in an id
        (("*cu126", "*cu999"), (), "-e '*cu999'", "torch2.7.1-cu128"),  # one of several that matches nothing is a slip too
    ],
)
def test_a_glob_that_matches_nothing_is_an_error_that_lists_what_there_is(
    environments: tuple[str, ...], targets: tuple[str, ...], option: str, known: str
) -> None:
    with pytest.raises(NothingSelectedError) as caught:
        ids(environments, targets)
    assert caught.value.what.startswith(f"{option} matches no {'target' if targets else 'environment'}")
    assert known in caught.value.why
    assert caught.value.exit_code == ExitCode.NOTHING_SELECTED == 5


def test_planning_leaves_the_collector_as_it_was() -> None:
    def supports(_: Environment) -> None:
        assert not gc.isenabled()
        raise ZeroDivisionError

    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            with pytest.raises(ZeroDivisionError):
                make_plan(THREE, host(), runner="docker", runner_reason="", supports=supports)
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


def test_the_first_expectation_that_matches_counts() -> None:
    expecting = matrix(
        CUDA,
        CPU,
        expectations=(
            Expectation("*-cu126@host", Status.FAIL, WHERE),
            Expectation("*@host", Status.PASS, WHERE),
            Expectation("*@t4", Status.FAIL, WHERE),
        ),
    )
    plan = make_plan(expecting, host(), runner="docker", runner_reason="", supports=lambda _: None)
    assert [cell.expect for cell in plan.cells] == [Status.FAIL, Status.PASS]


def test_a_cell_nobody_named_expects_nothing() -> None:
    assert planned(CUDA, HOST_TARGET, host()).expect is None


def test_every_cell_has_what_is_predicted_of_its_environment_on_its_target() -> None:
    asked: list[tuple[str, str]] = []

    def predict(of: Environment, target: Target) -> Prediction:
        asked.append((of.id, target.id))
        return Prediction(Outlook.FAIL if (of.id, target.id) == ("b", "t4") else Outlook.PASS)

    environments = (environment("a", cuda="12.6"), environment("b", cuda="12.6"))
    of = matrix(*environments, targets=(HOST_TARGET, Target("t4", gpu="Tesla T4")))
    made = make_plan(of, host(), runner="docker", runner_reason="", supports=lambda _: None, predict=predict)
    assert asked == [("a", "host"), ("a", "t4"), ("b", "host"), ("b", "t4")]
    assert [cell.predicted.status for cell in made.cells if cell.predicted] == [Outlook.PASS] * 3 + [Outlook.FAIL]
