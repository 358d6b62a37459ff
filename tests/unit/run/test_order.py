"""The order that ends soonest."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from values import cell, environment

from validator.model import Target
from validator.run.order import expectations, in_order
from validator.run.scheduler import Job

A, B = environment("a"), environment("b")
CELLS = [cell(A), cell(A, Target("t4")), cell(B), cell(B, Target("t4"))]


def test_a_cell_takes_as_long_as_the_last_time_else_as_its_environment_does_else_as_most_do() -> None:
    assert expectations(CELLS, {"a@host": 10.0, "elsewhere": 30.0}) == [10.0, 10.0, 20.0, 20.0]


def test_of_which_nothing_is_known_they_are_alike() -> None:
    assert len(set(expectations(CELLS, {}))) == 1
    assert expectations([], {}) == []


def test_an_environment_that_takes_no_time_is_known_to() -> None:
    assert expectations(CELLS[:2], {"a@host": 0.0}) == [0.0, 0.0]


def ended(order: list[str], acquire: dict[str, float], run: dict[str, float]) -> float:
    """When all is done, with one that acquires and one lane."""
    had = done = 0.0
    for environment_id in order:
        had += acquire[environment_id]
        done = max(done, had) + run[environment_id]
    return done


@pytest.mark.parametrize("seed", range(20))
def test_no_other_order_ends_sooner(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same every time
    names = list("abcdef")
    acquire = {name: dice.uniform(0, 100) for name in names}
    jobs = [Job(number, dice.choice(names), ("L",), dice.uniform(0, 50)) for number in range(14)]
    run = {name: sum(job.expected for job in jobs if job.environment == name) for name in names}
    found = in_order(jobs, acquire)
    assert sorted(found) == sorted({job.environment for job in jobs})
    best = min(ended(list(order), acquire, run) for order in permutations(found))
    assert ended(found, acquire, run) == pytest.approx(best)
