"""All problems of a file are raised at once, in its order, and no more of them than can be read."""

from __future__ import annotations

import pytest

from validator.base.errors import MatrixError
from validator.base.problems import MAX_HINTS, MAX_PROBLEMS, Problems


def test_without_problems_nothing_is_raised() -> None:
    Problems("m.yaml").check()


def test_problems_are_told_by_line_and_each_once() -> None:
    problems = Problems("m.yaml")
    for line, text in [(12, "late"), (3, "second here"), (3, "also here"), (12, "late")]:
        problems.add(line, text)
    with pytest.raises(MatrixError) as caught:
        problems.check()
    assert caught.value.what.splitlines() == ["m.yaml:3: second here", "m.yaml:3: also here", "m.yaml:12: late"]


@pytest.mark.parametrize(("count", "last"), [(MAX_PROBLEMS, f"m:{MAX_PROBLEMS}: x"), (MAX_PROBLEMS + 1, "and 1 more")])
def test_a_flood_is_cut_and_the_rest_counted(count: int, last: str) -> None:
    problems = Problems("m", [(line, "x") for line in range(1, count + 1)])
    with pytest.raises(MatrixError) as caught:
        problems.check()
    lines = caught.value.what.splitlines()
    assert lines[MAX_PROBLEMS - 1] == f"m:{MAX_PROBLEMS}: x"
    assert lines[-1] == last


def test_names_are_suggested_for_the_first_problems_only() -> None:
    few = Problems("m", [(line, "x") for line in range(MAX_HINTS - 1)])
    many = Problems("m", [(line, "x") for line in range(MAX_HINTS)])
    assert few.hint("pyton", ["python"]) == "; did you mean 'python'?"
    assert many.hint("pyton", ["python"]) == ""
