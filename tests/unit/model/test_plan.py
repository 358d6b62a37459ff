"""Why a run does with a cell what it does: a sentence for every kind of reason, made from the value."""

from __future__ import annotations

import pytest
from values import cell, cpu_environment, environment

from validator.model import Action, ActionReason, Because

SENTENCES = {
    Because.ON_GPU: (ActionReason(Because.ON_GPU, "NVIDIA L4"), "trained on NVIDIA L4"),
    Because.ON_CPU: (ActionReason(Because.ON_CPU), "CPU build: trained on this machine's CPU"),
    Because.ASKED: (ActionReason(Because.ASKED), "asked for"),
    Because.CPU_BUILD_ELSEWHERE: (ActionReason(Because.CPU_BUILD_ELSEWHERE), "a CPU build does not use the target's GPU"),
    Because.NOT_SUPPORTED: (ActionReason(Because.NOT_SUPPORTED, "it needs an engine"), "it needs an engine"),
    Because.NO_GPU_HERE: (ActionReason(Because.NO_GPU_HERE), "this machine has no NVIDIA GPU that answers"),
    Because.GPU_UNUSABLE: (
        ActionReason(Because.GPU_UNUSABLE, "Tesla T4", "lost"),
        "the Tesla T4 of this machine cannot be used (lost)",
    ),
    Because.ANOTHER_MACHINE: (ActionReason(Because.ANOTHER_MACHINE, "Tesla T4"), "this machine is not the target with Tesla T4"),
}
WITHOUT_GPU = {Because.NO_GPU_HERE, Because.GPU_UNUSABLE, Because.ANOTHER_MACHINE}


@pytest.mark.parametrize("because", Because)
def test_every_kind_of_reason_has_its_sentence(because: Because) -> None:
    why, sentence = SENTENCES[because]
    assert why.text == sentence


def test_what_a_reason_is_about_is_left_out_where_it_is_about_nothing_more() -> None:
    assert ActionReason(Because.GPU_UNUSABLE, detail="lost").text == "no GPU of this machine can be used (lost)"
    with_driver = ActionReason(Because.ANOTHER_MACHINE, "Tesla T4", "535.183.01")
    assert with_driver.text == "this machine is not the target with Tesla T4 and driver 535.183.01"


@pytest.mark.parametrize("because", Because)
def test_only_where_a_gpu_is_wanting_a_cell_says_what_opening_would_do(because: Because) -> None:
    why, sentence = SENTENCES[because]
    said = {action: cell(environment(cuda="12.6"), action=action, why=why).reason for action in (Action.INSPECT, Action.SKIP)}
    if because in WITHOUT_GPU:
        assert said[Action.INSPECT] == f"opened without a GPU: {sentence}"
        assert said[Action.SKIP] == f"{sentence}; --inspect opens it anyway"
    else:
        assert set(said.values()) == {sentence}


def test_that_the_matrix_does_not_say_cpu_is_said_only_where_it_says_nothing() -> None:
    why = ActionReason(Because.NO_GPU_HERE)
    hint = "and the matrix does not say `cuda: cpu`"
    assert hint in cell(environment(), action=Action.SKIP, why=why).reason
    assert hint not in cell(environment(cuda="12.6"), action=Action.SKIP, why=why).reason
    assert hint not in cell(cpu_environment(), action=Action.SKIP, why=why).reason
