"""One judge, many questions: from several threads, in any order, with what it remembers kept apart."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from threading import Barrier

import pytest

from validator.facts import load
from validator.model import Finding, Prediction, Severity
from validator.rules import Inspected, Judge, Place, Subject, judge

FACTS = load()
THREADS = 8
Question = tuple[Subject, Place]

TORCHES = [None, "1.5.0", "1.13.1", "2.1.0+cpu", "2.5.1", "2.7", "2.7.1", "2.7.0.dev20250301+cu128", "2.15.0", "9.0.0"]
CUDAS = [None, "cpu", "10.2", "11", "11.8", "12.6", "12.8", "13.0", "14.0"]
IMAGES = [None, "nvidia/cuda:12.8.1-base-ubuntu22.04", "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-devel", "team/torch:2.5.1-cu124"]
GPUS = [None, "T4", "V100", "A100", "Pascal", "RTX 40 series", "RTX 5090", "GH200", "Radeon VII", "Thing 9000"]
DRIVERS = [None, "418.67", "470", "535.183.01", "551.78", "570.26", "580.95.05", "CUDA 12.2", "31.0.15.3525", "700"]
NEEDS = [(), ("bf16",), ("fp8", "compile"), ("torch.amp.GradScaler",)]
INSIDE = [None, None, Inspected(torch="2.7.1", cuda="12.8", arch_list=("sm_75", "compute_80"), has_compat_libs=True)]


def questions(count: int, seed: int) -> list[Question]:
    random = Random(seed)  # noqa: S311
    pick = random.choice
    return [
        (
            Subject(torch=pick(TORCHES), cuda=pick(CUDAS), image=pick(IMAGES), needs=pick(NEEDS), inspected=pick(INSIDE)),
            Place(gpu=pick(GPUS), driver=pick(DRIVERS), is_container=pick([None, True, False])),
        )
        for _ in range(count)
    ]


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried")
def test_threads_that_share_a_judge_get_the_answers_of_one_alone() -> None:
    asked = questions(600, seed=1)
    shared, gate = Judge(FACTS), Barrier(THREADS)

    def ask(number: int) -> list[Prediction]:
        order = list(range(len(asked)))
        Random(number // 2).shuffle(order)  # noqa: S311 - in pairs, so that two threads are at the same new question together
        gate.wait()
        answers = {at: shared(*asked[at]) for at in order}
        return [answers[at] for at in range(len(asked))]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(ask, range(THREADS)))
    alone = Judge(FACTS)
    expected = [alone(*question) for question in asked]
    assert len({answer.status for answer in expected}) == 4
    for got in answers:
        assert got == expected


def test_what_a_judge_remembers_changes_no_answer() -> None:
    asked = questions(400, seed=2)
    one = Judge(FACTS)
    assert [one(*question) for question in asked] == [judge(*question, FACTS) for question in asked]
    assert [one(*question) for question in reversed(asked)] == [judge(*question, FACTS) for question in reversed(asked)]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        # The same numbers, but a build of Windows: it is held against the floors of Windows.
        (Place(gpu="V100", driver="31.0.15.2833"), Place(gpu="V100", driver="528.33")),
        # The same candidates by another name.
        (Place(gpu="A100"), Place(gpu="NVIDIA A100")),
        # The same GPU, and none at all.
        (Place(gpu="T4"), Place(gpu="T4", has_gpu=False)),
    ],
)
@pytest.mark.parametrize("torch", ["2.11.0+cu128", "2.7.1+cpu"])
def test_places_that_are_nearly_the_same_are_kept_apart(first: Place, then: Place, torch: str) -> None:
    subject, one = Subject(torch=torch, needs=("bf16",)), Judge(FACTS)
    for place in (first, then, first):
        assert one(subject, place) == judge(subject, place, FACTS)


def test_builds_with_and_without_cuda_are_kept_apart() -> None:
    place, one = Place(compute_capability="7.0"), Judge(FACTS)
    for subject in (Subject(torch="2.0.0.dev20230101"), Subject(torch="2.0.0.dev20230101", cuda="cpu")):
        assert one(subject, place) == judge(subject, place, FACTS)


def test_cells_of_which_the_same_is_found_share_it() -> None:
    judge_of_many = Judge(FACTS)
    place = Place(gpu="Tesla K80", driver="450.36.06")
    first, second = (judge_of_many(Subject(torch="2.8.0", cuda="12.8", image=f"example.org/{name}"), place) for name in "ab")
    assert first != second  # each names its image
    assert first.findings
    assert all(one is other for one, other in zip(first.findings, second.findings, strict=True))
    assert first.findings == judge(Subject(torch="2.8.0", cuda="12.8", image="example.org/a"), place, FACTS).findings


def test_a_finding_that_differs_in_anything_is_not_shared() -> None:
    judge_of_many = Judge(FACTS)
    finding = Finding("driver_too_old", Severity.FAIL, "m", evidence=("e",), remedy="r", source="s")
    assert judge_of_many._shared(finding) is finding
    assert judge_of_many._shared(replace(finding)) is finding
    for change in ({"message": "x"}, {"evidence": ()}, {"remedy": None}, {"source": None}, {"severity": Severity.INFO}):
        other = replace(finding, **change)
        assert judge_of_many._shared(other) == other
