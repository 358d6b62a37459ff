"""What an environment is called against what was found inside it: as far as it was stated, and the first word that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from rules_values import finding, predict

from validator.model import Severity

INSIDE = {"torch": "2.7.1+cu128", "cuda": "12.8", "arch_list": ("sm_75",)}


def labels(**said: str) -> tuple[tuple[str, str], ...]:
    return tuple(said.items())


@pytest.mark.parametrize(
    ("said", "found", "same"),
    [
        ("2.7.1", "2.7.1+cu128", True),
        ("2.7", "2.7.1+cu128", True),  # as far as it is stated
        ("2.7.1+cu128", "2.7.1+cu128", True),
        ("2.7.1+cu126", "2.7.1+cu128", False),
        ("2.7.1+cu128", "2.7.1", False),
        ("2.7.0", "2.7.1+cu128", False),
        ("2.7.10", "2.7.1", False),
        ("2.8", "2.7.1", False),
        ("2.7.1", "2.7.1rc1", False),  # before the release is not the release
        ("2.7.1rc1", "2.7.1rc1+cu128", True),
        ("2.6.0a0+ecf3bae", "2.6.0a0+ecf3bae", True),
        ("2.6.0a0+ecf3bae", "2.6.0a0+df5bbc0", False),
    ],
)
def test_a_stated_torch(said: str, found: str, same: bool) -> None:
    prediction = predict(torch=said, cuda="12.8", inside={**INSIDE, "torch": found})
    assert ("label_mismatch" not in prediction.causes) is same


@pytest.mark.parametrize(
    ("said", "found", "cause"),
    [
        ("12.8", "12.8", None),
        ("cu128", "12.8", None),
        ("12.8.1", "12.8", None),
        ("12.6", "12.8", "label_mismatch"),
        ("cpu", "cpu", None),
        ("cpu", "12.8", "label_mismatch"),
        ("12.8", "cpu", "cpu_only_torch"),  # which trains nothing on a GPU
    ],
)
def test_a_stated_cuda(said: str, found: str, cause: str | None) -> None:
    prediction = predict(torch="2.7.1", cuda=said, inside={"torch": "2.7.1", "cuda": found, "arch_list": ("sm_75",)})
    assert [row.cause for row in prediction.findings] == ([cause] if cause else [])


@pytest.mark.parametrize(
    ("given", "evidence"),
    [
        ({"torch": "2.6.0"}, ("torch 2.6.0 is not torch 2.7.1+cu128",)),
        ({"cuda": "12.6"}, ("CUDA 12.6 is not CUDA 12.8",)),
        ({"cuda": "cpu"}, ("a CPU build is not CUDA 12.8",)),
        ({"image": "pytorch/pytorch:2.6.0-cuda12.8-cudnn9-runtime"}, ("torch 2.6.0 is not torch 2.7.1+cu128",)),
        ({"image": "pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime"}, ("CUDA 12.6 is not CUDA 12.8",)),
        ({"inside": INSIDE | {"labels": labels(torch="2.5.0")}}, ("torch 2.5.0 is not torch 2.7.1+cu128",)),
        ({"inside": INSIDE | {"labels": labels(cuda="12.1")}}, ("CUDA 12.1 is not CUDA 12.8",)),
    ],
)
def test_matrix_tag_and_label_are_each_held_against_the_inside(given: dict[str, Any], evidence: tuple[str, ...]) -> None:
    row = finding("label_mismatch", **{"inside": INSIDE, **given})
    assert (row.evidence, row.severity) == (evidence, Severity.DEGRADED)


def test_one_wrong_word_is_enough_and_the_matrix_goes_first() -> None:
    wrong = predict(
        torch="2.6.0",
        image="pytorch/pytorch:2.5.1-cuda12.8-cudnn9-runtime",
        inside=INSIDE | {"labels": labels(torch="2.4.0")},
    )
    (row,) = [row for row in wrong.findings if row.cause == "label_mismatch"]
    assert row.message == "the matrix says torch 2.6.0, inside is torch 2.7.1+cu128"


def test_what_was_not_opened_has_nothing_to_be_held_against() -> None:
    assert "label_mismatch" not in predict(torch="2.7.1", image="pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime").causes
