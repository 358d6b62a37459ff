"""Conditions: what decides that a message means one cause here and another there."""

from __future__ import annotations

import pytest

from validator.diagnose.circumstances import Circumstances
from validator.diagnose.conditions import holds
from validator.model import Outlook, Prediction

HERE = Circumstances(
    values={
        "torch": "2.1.0+cu118",
        "nightly": "the newest",
        "asked": "2.3.0",
        "older": "1.7",
        "same": "2.3",
        "library": "libcudart.so.11.0",
        "eleven": "11.8",
        "cuda": "12.1",
        "offered": "1.8.0, 2.0.1, 2.2.0",
        "around": "1.8.0, 2.3.0, 2.4.0",
        "reserved": "0.1.2, 0.1.2.post1, 2.4.0",
        "placeholders": "0.0.1, 0.1.2.post1",
        "tagged": "2.6.0+cu126, 2.7.0+cu126",
        "empty": "",
    },
    clues=frozenset({"in_container"}),
    hits=frozenset({"oom"}),
    predicted=Prediction(Outlook.FAIL, causes=("driver_too_old",)),
)
NEAR = frozenset({"sem-lock"})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("in_container", True),
        ("wsl", False),
        ("!in_container", False),
        ("!wsl", True),
        ("wsl|in_container", True),
        ("in_container | wsl", True),
        ("wsl|mig", False),
        ("wsl|!mig", True),
        ("hit:oom", True),
        ("hit:sem-lock", False),
        ("near:sem-lock", True),
        ("near:oom", False),
        ("predicted:driver_too_old", True),
        ("predicted:cpu_only_torch", False),
        ("has:torch", True),
        ("has:empty", False),
        ("has:driver", False),
        ("torch<2.1", False),
        ("torch<2.1.1", True),
        ("torch<=2.1", True),
        ("torch<=2.0.9", False),
        ("torch>2.1", False),
        ("torch>2.0.9", True),
        ("torch>=2.1", True),
        ("torch>=2.1.1", False),
        ("torch==2.1", True),
        ("torch==2.1.1", False),
        ("torch<2.10", True),
        ("asked>$older", True),
        ("asked<$older", False),
        ("asked==$same", True),
        ("asked>$driver", False),
        ("driver>$asked", False),
        ("nightly>1.0", False),
        ("!nightly>1.0", True),
        ("library!~cuda", True),
        ("library!~eleven", False),
        ("library!~driver", False),
        ("driver!~library", False),
        ("asked>>offered", True),
        ("asked<<offered", False),
        ("older<<offered", True),
        ("older>>offered", False),
        ("asked>>around", False),
        ("asked<<around", False),
        ("asked<<reserved", True),
        ("asked>>placeholders", True),
        ("asked<<tagged", False),
        ("asked>>tagged", False),
        ("driver<<offered", False),
        ("driver>>offered", False),
        ("asked>>driver", False),
    ],
)
def test_a_condition(condition: str, expected: bool) -> None:
    assert holds((condition,), HERE, NEAR) is expected


def test_all_conditions_must_hold() -> None:
    assert holds(("in_container", "hit:oom"), HERE)
    assert not holds(("in_container", "wsl"), HERE)
    assert holds((), HERE)


@pytest.mark.parametrize("edge", ["1.8.0", "2.2.0"])
def test_an_edge_of_a_list_is_not_outside_it(edge: str) -> None:
    here = Circumstances({"asked": edge, "offered": "1.8.0, 2.2.0"}, frozenset(), frozenset(), HERE.predicted)
    assert not holds(("asked<<offered",), here)
    assert not holds(("asked>>offered",), here)
