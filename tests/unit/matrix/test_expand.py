"""Axes, include and exclude, by the rules GitHub gives for its own matrices; and the ids of what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.matrix.expand import Value, environment_id, expand, is_id, slug, target_id, texts, upper_bound

Rows = Sequence[Mapping[str, str]]


def values(row: Mapping[str, str]) -> dict[str, Value]:
    return {name: Value(text, line=1) for name, text in row.items()}


def expanded(axes: Mapping[str, Sequence[str]], include: Rows = (), exclude: Rows = ()) -> list[dict[str, str]]:
    combinations = expand(
        {name: [Value(text, line=1) for text in found] for name, found in axes.items()},
        [values(row) for row in include],
        [values(row) for row in exclude],
    )
    return [texts(combination) for combination in combinations]


FRUIT = {"fruit": ["apple", "pear"], "animal": ["cat", "dog"]}


def test_axes_multiply_in_the_order_written() -> None:
    assert expanded({"os": ["a", "b"], "version": ["1", "2"]}) == [
        {"os": "a", "version": "1"},
        {"os": "a", "version": "2"},
        {"os": "b", "version": "1"},
        {"os": "b", "version": "2"},
    ]


def test_without_axes_there_is_one_combination() -> None:
    assert expanded({}) == [{}]


def test_include_alone_gives_one_combination_a_row() -> None:
    rows = [{"site": "production", "datacenter": "a"}, {"site": "staging", "datacenter": "b"}]
    assert expanded({}, include=rows) == rows


def test_include_follows_the_five_rules_of_the_documented_example() -> None:
    include = [
        {"color": "green"},  # no axis named: added to all
        {"color": "pink", "animal": "cat"},  # fits the cats, and may overwrite what an earlier row added
        {"fruit": "apple", "shape": "circle"},  # fits the apples
        {"fruit": "banana"},  # would overwrite an axis everywhere: a combination of its own
        {"fruit": "banana", "animal": "cat"},  # does not extend the row before, which is not a combination of the axes
    ]
    assert expanded(FRUIT, include=include) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_an_include_row_that_is_already_there_adds_nothing() -> None:
    assert expanded(FRUIT, include=[{"fruit": "pear", "animal": "dog"}]) == expanded(FRUIT)


def test_exclude_matches_in_part() -> None:
    axes = {"os": ["linux", "mac"], "version": ["1", "2"], "environment": ["staging", "production"]}
    exclude = [{"os": "mac", "version": "1", "environment": "production"}, {"os": "linux", "version": "2"}]
    assert expanded(axes, exclude=exclude) == [
        {"os": "linux", "version": "1", "environment": "staging"},
        {"os": "linux", "version": "1", "environment": "production"},
        {"os": "mac", "version": "1", "environment": "staging"},
        {"os": "mac", "version": "2", "environment": "staging"},
        {"os": "mac", "version": "2", "environment": "production"},
    ]


def test_exclude_comes_before_include_which_can_bring_a_combination_back() -> None:
    row = {"fruit": "apple", "animal": "cat"}
    assert expanded(FRUIT, include=[row], exclude=[{"fruit": "apple"}]) == [
        {"fruit": "pear", "animal": "cat"},
        {"fruit": "pear", "animal": "dog"},
        row,
    ]


def by_comparing(axes: Mapping[str, Sequence[str]], include: Rows, exclude: Rows) -> list[dict[str, str]]:
    """What ``expand`` says it does, done row by row."""
    if not axes and include:
        return [dict(row) for row in include]
    every = [dict(zip(axes, found, strict=True)) for found in product(*axes.values())]
    kept = [one for one in every if not any(row.items() <= one.items() for row in exclude)]
    extended = [dict(one) for one in kept]
    added = []
    for row in include:
        own = {name: text for name, text in row.items() if name in axes}
        fitting = [more for one, more in zip(kept, extended, strict=True) if own.items() <= one.items()]
        for more in fitting:
            more.update({name: text for name, text in row.items() if name not in axes})
        if not fitting:
            added.append(dict(row))
    return [*extended, *added]


NAMES, TEXTS = st.sampled_from("abc"), st.sampled_from("xyz")
AXES = st.dictionaries(NAMES, st.lists(TEXTS, min_size=1, max_size=3, unique=True), max_size=3)


@given(st.data(), AXES)
def test_the_short_way_gives_what_comparing_every_row_gives(data: st.DataObject, axes: dict[str, list[str]]) -> None:
    include = data.draw(st.lists(st.dictionaries(st.sampled_from("abcde"), TEXTS, min_size=1, max_size=3), max_size=5))
    fixed = {name: st.sampled_from(texts) for name, texts in axes.items()}
    exclude = data.draw(st.lists(st.fixed_dictionaries({}, optional=fixed).filter(bool), max_size=4)) if axes else []
    found = expanded(axes, include, exclude)
    assert found == by_comparing(axes, include, exclude)
    assert [list(one) for one in found] == [list(one) for one in by_comparing(axes, include, exclude)]


def test_a_large_matrix_is_made_without_comparing_every_row_with_every_combination() -> None:
    compared = []

    class Counted(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    axes = {"a": [str(number) for number in range(100)], "b": [str(number) for number in range(100)]}
    exclude = [{"a": Counted(number % 100), "b": Counted(number // 100)} for number in range(200)]
    assert len(expanded(axes, exclude=exclude)) == 10_000 - 200
    assert len(compared) < 10_000  # comparing would take some two million


def test_everything_can_be_excluded() -> None:
    assert expanded(FRUIT, exclude=[{"animal": "cat"}, {"animal": "dog"}]) == []


@pytest.mark.parametrize(
    ("axes", "include"),
    [({}, []), ({}, [{"a": "1"}]), (FRUIT, []), (FRUIT, [{"fruit": "kiwi"}, {"animal": "cow"}])],
)
def test_the_bound_is_what_comes_out_when_every_row_adds_one(axes: Mapping[str, Sequence[str]], include: Rows) -> None:
    valued = {name: [Value(text, line=1) for text in found] for name, found in axes.items()}
    assert upper_bound(valued, [values(row) for row in include]) == len(expanded(axes, include))


def test_the_bound_of_a_huge_product_is_known_without_making_it() -> None:
    axes = {f"a{n}": [Value("x", 1), Value("y", 1)] for n in range(500)}
    assert upper_bound(axes, []) == 2**500


def test_a_value_keeps_the_line_it_came_from() -> None:
    (combination,) = expand({"a": [Value("1", line=4)]}, [{"b": Value("2", line=9)}], [])
    assert {name: value.line for name, value in combination.items()} == {"a": 4, "b": 9}


# ---------------------------------------------------------------- ids


@pytest.mark.parametrize(
    ("given", "base", "told", "identity"),
    [
        ({"torch": "2.7.1", "cuda": "12.6", "python": "3.12"}, "", set(), "torch2.7.1-cu126-py3.12"),
        ({"torch": "2.13.0", "cuda": "cpu"}, "", set(), "torch2.13.0-cpu"),
        ({"torch": "2.13.0"}, "", set(), "torch2.13.0"),
        ({"torch": "2.6.0", "cuda": "12.4", "cudnn": "9"}, "", set(), "torch2.6.0-cu124-cudnn9"),
        ({"cudnn": "9", "cuda": "12.10", "torch": "2.6.0"}, "", set(), "torch2.6.0-cu1210-cudnn9"),
        ({"torch": "2.6.0", "flavour": "with spaces/slash"}, "", set(), "torch2.6.0-flavourwith-spaces-slash"),
        ({}, "pytorch-25.01-py3", set(), "pytorch-25.01-py3"),
        ({"release": "25.01"}, "pytorch-25.01-py3", {"release"}, "pytorch-25.01-py3"),
        ({"release": "25.01", "python": "3.12"}, "pytorch-25.01-py3", {"release"}, "pytorch-25.01-py3-py3.12"),
    ],
)
def test_environment_ids(given: dict[str, str], base: str, told: set[str], identity: str) -> None:
    assert environment_id(given, base, told) == identity


@pytest.mark.parametrize(
    ("given", "identity"),
    [
        ({"gpu": "Tesla T4"}, "t4"),
        ({"gpu": "T4", "driver": "535.183.01"}, "t4-535.183.01"),
        ({"gpu": "NVIDIA A100-SXM4-80GB", "driver": "580.95.05"}, "a100-sxm4-80gb-580.95.05"),
        ({"gpu": "NVIDIA A100 80GB PCIe"}, "a100-80gb-pcie"),
        ({"gpu": "NVIDIA GeForce RTX 4090"}, "rtx-4090"),
        ({"gpu": "Quadro RTX 6000 (mobile)"}, "quadro-rtx-6000-mobile"),
        ({"gpu": "Tesla"}, "tesla"),
        ({"compute_capability": "9.0", "driver": "580.95.05"}, "sm90-580.95.05"),
        ({"compute_capability": "12.0"}, "sm120"),
    ],
)
def test_target_ids(given: dict[str, str], identity: str) -> None:
    assert target_id(given) == identity


@pytest.mark.parametrize("text", ["a", "torch2.13.0+cpu", "9-x_y", "a" * 100])
def test_ids(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize("text", ["", "-a", ".a", "a b", "a/b", "a@b", "a*", "é", "a\n", "a" * 101])
def test_no_ids(text: str) -> None:
    assert not is_id(text)


def test_a_slug_holds_only_what_an_id_may() -> None:
    assert slug("/opt/my env/bin/python\n") == "opt-my-env-bin-python"
