"""How large a matrix may be, on both sides of every limit, before anything of it is multiplied out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from validator.base.errors import MatrixError
from validator.base.yaml_text import parse
from validator.matrix import load
from validator.matrix.axes import MAX_ADDITIONS, MAX_CELLS, MAX_ENVIRONMENTS, MAX_NAMES, EntryAxes, check_sizes
from validator.matrix.expand import Value

DOCUMENT = parse("version: 1\nenvironments:\n- first\n- second\n\ntargets:\n- first\n- second\n", "m")
ROW = {"x": Value("1", 1)}


def entry(kind: str, index: int, *sizes: int, exclude: int = 0, include: int = 0) -> EntryAxes:
    axes = {f"axis{number}": [Value("x", 1)] * size for number, size in enumerate(sizes)}
    return EntryAxes((kind, index), axes, include=[ROW] * include, exclude=[ROW] * exclude)


def environment(index: int, *sizes: int, **rows: int) -> EntryAxes:
    return entry("environments", index, *sizes, **rows)


def target(index: int, *sizes: int, **rows: int) -> EntryAxes:
    return entry("targets", index, *sizes, **rows)


@pytest.mark.parametrize(
    ("environments", "targets"),
    [
        ([environment(0, MAX_ENVIRONMENTS)], [target(0, 1)]),
        ([environment(0, 1), environment(1, MAX_ENVIRONMENTS - 1)], [target(0, 1)]),
        ([environment(0, 10_000)], [target(0, MAX_CELLS // 10_000)]),
        ([environment(0, 4_800, include=200)], [target(0, 1)]),
        ([environment(0, 5_000, exclude=15_000)], [target(0, 1)]),
        ([environment(0, include=15_000)], [target(0, 1)]),
    ],
)
def test_a_matrix_of_exactly_the_limit_is_allowed(environments: list[EntryAxes], targets: list[EntryAxes]) -> None:
    check_sizes(DOCUMENT, environments, targets)


@pytest.mark.parametrize(
    ("environments", "targets", "line", "words"),
    [
        ([environment(0, MAX_ENVIRONMENTS + 1)], [target(0, 1)], 3, "multiply to 20,001 environments; the limit is 20,000"),
        ([environment(0, 2), environment(1, 20_000)], [target(0, 1)], 4, "multiply to 20,002 environments"),
        ([environment(0, 9), environment(1, 3, 3_000, include=82)], [target(0, 10), target(1)], 4, "100,001 cells"),
        ([environment(0, 4_801, include=200)], [target(0, 1)], 3, "5,001 combinations with 200 include rows"),
        ([environment(0, 1)], [target(0, 1), target(1, 4_801, include=200)], 8, "5,001 combinations with 200"),
        ([environment(0, *[10] * 12)], [target(0, 1)], 3, "multiply to 1,000,000,000,000 environments"),
        ([environment(0, *[10] * 13)], [target(0, 1)], 3, "multiply to more than a million million environments"),
    ],
)
def test_a_matrix_beyond_a_limit_is_refused(
    environments: list[EntryAxes], targets: list[EntryAxes], line: int, words: str
) -> None:
    with pytest.raises(MatrixError, match=rf"^m:{line}: .*{re.escape(words)}") as caught:
        check_sizes(DOCUMENT, environments, targets)
    assert len(caught.value.what.splitlines()) == 1


def test_the_limit_of_additions_is_the_one_that_is_tested() -> None:
    assert MAX_ADDITIONS == 5_000 * 200


@pytest.mark.parametrize(
    ("axes", "rows", "problem"),
    [
        (MAX_NAMES, MAX_NAMES, None),
        (MAX_NAMES + 1, 0, "this entry has 101 axes; the limit is 100"),
        (1, MAX_NAMES + 1, "this entry has 101 names in its include rows; the limit is 100"),
    ],
)
def test_how_many_names_an_entry_may_have(tmp_path: Path, axes: int, rows: int, problem: str | None) -> None:
    file = tmp_path / "matrix.yaml"
    named = ", ".join(f"axis{number}: x" for number in range(axes))
    brought = "".join(f"  - {{name{number:x}: y}}\n" for number in range(10_000_000, 10_000_000 + rows))
    rows_text = brought or "  - {axis0: x}\n"
    file.write_text(f"version: 1\nenvironments:\n- image: a\n  name: a\n  axes: {{{named}}}\n  include:\n{rows_text}")
    if problem is None:
        assert len(load(file).environments) == 1
        return
    with pytest.raises(MatrixError) as caught:
        load(file)
    assert f"matrix.yaml:3: {problem}" in caught.value.what


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("cudn: 9", "include names 'cudn', which is not an axis here; did you mean 'cudnn'?"),
        ("pyton: 3.11", "include names 'pyton', which is not an axis here; did you mean 'python'?"),
        ("cudnn: ''", "`cudnn`: '' is not one line of printable text"),
        ("flavour: slim", None),
        ("python: 3.11", None),
    ],
)
def test_an_include_row_may_bring_a_name_of_its_own_but_not_a_slip(tmp_path: Path, row: str, problem: str | None) -> None:
    file = tmp_path / "matrix.yaml"
    file.write_text(f"version: 1\nenvironments:\n- image: 'a:{{cudnn}}'\n  axes: {{cudnn: 8}}\n  include:\n  - {row}\n")
    if problem is None:
        assert load(file).environments
        return
    with pytest.raises(MatrixError) as caught:
        load(file)
    assert f"matrix.yaml:6: {problem}" in caught.value.what
