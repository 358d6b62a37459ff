"""Parts of a plan."""

from __future__ import annotations

from collections import Counter

import pytest
from values import cell, environment

from validator.model import Plan, Target
from validator.run.selection import only, shard

PLAN = Plan(
    tuple(cell(environment(f"e{number}"), target) for number in range(7) for target in (Target("t4"), Target("l4"))),
    "docker",
    "it answers",
)


@pytest.mark.parametrize("parts", range(1, 10))
def test_the_parts_have_every_cell_once_and_whole_environments(parts: int) -> None:
    shards = [shard(PLAN, part, parts) for part in range(1, parts + 1)]
    assert Counter(cell.id for part in shards for cell in part.cells) == Counter(cell.id for cell in PLAN.cells)
    of = [{cell.environment.id for cell in part.cells} for part in shards]
    assert sum(map(len, of)) == 7
    assert max(map(len, of)) - min(map(len, of)) <= 1
    assert all(list(part.cells) == [cell for cell in PLAN.cells if cell in part.cells] for part in shards), "in order"


def test_only_those_named_are_left_in_the_plans_order() -> None:
    plan = only(PLAN, ["e3@l4", "e0@t4", "no such cell"])
    assert [cell.id for cell in plan.cells] == ["e0@t4", "e3@l4"]
    assert (plan.runner, plan.runner_reason) == ("docker", "it answers")
    assert only(PLAN, ()).cells == ()
