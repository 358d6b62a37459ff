"""What is missing or taken for granted has a kind, so that nobody has to read the sentence."""

from __future__ import annotations

from typing import Any

import pytest
from rules_values import predict

from validator.model import AssumptionKind, MissingKind

T4 = {"gpu": "T4", "driver": "535.183.01"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"torch": "9.9.0", "cuda": "12.8", **T4}, MissingKind.FACTS),
        ({"torch": "2.7.1", "cuda": "12.8", "cc": "99.9"}, MissingKind.FACTS),
        ({"torch": "2.7.1", "cuda": "12.8", "gpu": "Thing 9000"}, MissingKind.FACTS),
        ({"torch": "2.7.1+rocm6.3", "gpu": "Radeon VII"}, MissingKind.FACTS),
        ({"torch": "0.4.1", "cuda": "9.0", **T4}, MissingKind.FACTS),  # older than the facts
        ({"torch": "2.6.0a0+abc", "cuda": "12.8", **T4}, MissingKind.IMAGE),
        ({"image": "team/unknown", **T4}, MissingKind.IMAGE),
        ({"torch": "2.5.1", "cuda": "12.4", "inside": {"require_cuda": "cuda>=x"}, **T4}, MissingKind.IMAGE),
        ({"torch": "2.7.1", "cuda": "11.8", "gpu": "Maxwell/Blackwell"}, MissingKind.INPUT),
        ({"cuda": "12.8", "gpu": "V100", "driver": "570.26"}, MissingKind.INPUT),  # the torch decides
        ({"cuda": "11.7", "cc": "8.6", "driver": "510.47.03"}, MissingKind.INPUT),  # the brand decides
        # A compat library is there; which workstation GPUs may use it, nobody says, and without a name the user has to.
        (
            {"torch": "2.9.1", "cuda": "13.0", "inside": {"has_compat_libs": True}, "cc": "8.6", "driver": "550.54.15"},
            MissingKind.INPUT,
        ),
        (
            {"torch": "2.9.1", "cuda": "13.0", "inside": {"has_compat_libs": True}, "gpu": "RTX A6000", "driver": "550.54.15"},
            MissingKind.FACTS,
        ),
    ],
)
def test_what_is_missing_says_who_would_have_to_give_it(given: dict[str, Any], kind: MissingKind) -> None:
    assert kind in {each.kind for each in predict(**given).missing}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"image": "pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime", **T4}, AssumptionKind.IMAGE_NAME),
        ({"torch": "2.7.1", "cuda": "12.6", **T4}, AssumptionKind.GPU_NAME),
        ({"torch": "2.7.1", "cuda": "12.6", "gpu": "Thing 9000", "cc": "8.6"}, AssumptionKind.GPU_NAME),
        ({"torch": "2.7.1", "cuda": "12.6", "gpu": "Turing/Ampere"}, AssumptionKind.GPU_NAME),
        ({"torch": "2.7.1", "cuda": "12.6", "driver": "535"}, AssumptionKind.DRIVER_NAME),
        ({"torch": "2.7.1", **T4}, AssumptionKind.DEFAULT),
        ({"torch": "2.7.1", "cuda": "12", **T4}, AssumptionKind.DEFAULT),
        ({"cuda": "12.2", **T4}, AssumptionKind.DEFAULT),
        ({"torch": "2.7.1", "cuda": "12.8", "gpu": "GH200"}, AssumptionKind.DEFAULT),
        ({"torch": "2.7", "cuda": "12.6", **T4}, AssumptionKind.NEAREST),
        ({"torch": "2.9.1", "cuda": "13.0", "platform": "windows", "gpu": "Tesla T4"}, AssumptionKind.NEAREST),
        ({"torch": "2.7.0.dev20250301+cu128", "gpu": "Tesla T4"}, AssumptionKind.NEAREST),
        ({"torch": "2.7.1", "cuda": "12.6", "gpu": "Tesla T4"}, AssumptionKind.NOT_GIVEN),  # no driver
        ({"torch": "2.7.1", "cuda": "12.6", "driver": "535.183.01"}, AssumptionKind.NOT_GIVEN),  # no GPU
        ({"gpu": "Tesla T4", "driver": "535.183.01"}, AssumptionKind.NOT_GIVEN),  # neither torch nor CUDA
        ({"torch": "2.7.1", "cuda": "12.6", "inside": {"disable_require": True}, **T4}, AssumptionKind.CONTAINER),
    ],
)
def test_what_is_taken_for_granted_says_why(given: dict[str, Any], kind: AssumptionKind) -> None:
    assert kind in {each.kind for each in predict(**given).assumptions}


def test_a_full_question_takes_nothing_for_granted() -> None:
    full = predict(torch="2.7.1", cuda="12.6", python="3.12", gpu="Tesla T4", driver="535.183.01")
    assert (full.assumptions, full.missing) == ((), ())


def test_a_value_prints_as_its_sentence() -> None:
    (only,) = predict(torch="2.7.1", cuda="12.6", gpu="Tesla T4", driver="535").assumptions
    assert str(only) == only.text == "any release of driver branch 535 is meant"


@pytest.mark.parametrize(
    ("place", "driver", "code"),
    [
        ({"driver": "535.183.01"}, True, False),
        ({"gpu": "Tesla T4"}, False, True),
        ({"gpu": "Tesla T4", "driver": "535.183.01"}, True, True),
        ({}, False, False),
        ({"gpu": "Tesla T4", "driver": "535.183.01", "has_gpu": False}, False, False),
    ],
)
def test_a_build_whose_cuda_nobody_names_leaves_driver_and_code_open(place: dict[str, Any], driver: bool, code: bool) -> None:
    missing = [each.text for each in predict(torch="2.6.0a0+abc", **place).missing]
    assert any(text.endswith("whether driver 535.183.01 is enough") for text in missing) is driver
    assert any("whether it has code for" in text for text in missing) is code
