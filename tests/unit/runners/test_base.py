"""What the probe is told to do for a cell, whichever runner asks."""

from __future__ import annotations

import pytest
from values import T4, cell, cpu_environment, environment, matrix, silence
from values import probe_plan as any_plan

from validator.catalogue import checks
from validator.model import Action, Cell, Environment, Gpu, Level, Limits, UserModel
from validator.runners.base import Prepared, RunContext, RunOutcome, RunRequest, asked, probe_plan

MODEL = UserModel("net.py", b"", None, "build", "3x8x8")


@pytest.mark.parametrize(
    ("action", "gpu", "device"),
    [(Action.MEASURE, None, "cpu"), (Action.MEASURE, T4, "cuda"), (Action.INSPECT, None, "none"), (Action.INSPECT, T4, "none")],
)
def test_the_device_of_a_cell(action: Action, gpu: Gpu | None, device: str) -> None:
    plan = probe_plan(cell(action=action, gpu=gpu), matrix())
    assert (plan.device, plan.host_gpu) == (device, gpu)


def test_limits_model_and_scratch_are_handed_on_under_a_nonce_of_its_own() -> None:
    of: Cell = cell()
    settings = matrix(of.environment, limits=Limits(timeout_seconds=90), model=MODEL)
    plan = probe_plan(of, settings, "/scratch")
    assert (plan.deadline_seconds, plan.model, plan.scratch, plan.quick) == (90, MODEL, "/scratch", False)
    assert probe_plan(of, settings).scratch is None
    assert probe_plan(of, settings).nonce != plan.nonce


@pytest.mark.parametrize(("model", "told"), [(MODEL, True), (None, False)])
def test_the_check_of_a_model_needs_a_model(model: UserModel | None, told: bool) -> None:
    names = {spec.name for spec in probe_plan(cell(), matrix(model=model)).checks}
    assert ("model" in names) is told


def test_the_checks_of_a_cell_are_those_of_the_matrix() -> None:
    levels = {"train_amp_bf16": Level.SKIP}
    measured = probe_plan(cell(), matrix(levels=levels))
    opened = probe_plan(cell(action=Action.INSPECT), matrix(levels=levels))
    assert list(measured.checks) == checks.selected(levels, inspect=False)
    assert list(opened.checks) == checks.selected(levels, inspect=True)
    assert len(opened.checks) < len(measured.checks)


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (environment(torch="2.7.1", cuda="12.6", python="3.12"), {"torch": "2.7.1", "cuda": "12.6", "python": "3.12"}),
        (environment(), {"torch": None, "cuda": None, "python": None}),
        (cpu_environment(), {"torch": cpu_environment().torch, "cuda": "cpu", "python": cpu_environment().python}),
    ],
)
def test_what_the_matrix_says_is_inside(of: Environment, told: dict[str, str | None]) -> None:
    assert asked(of) == told
    assert probe_plan(cell(of), matrix()).asked == told


def test_nothing_is_kept_and_nothing_went_wrong_unless_it_is_said() -> None:
    assert not RunContext("run-1", "host:1").keep
    assert not RunRequest("a@host", "name", {}, any_plan()).keep
    outcome = RunOutcome(silence())
    assert (outcome.timed_out, outcome.oom_killed, outcome.exit_code) == (False, False, None)
    assert not Prepared("id").image.from_image
