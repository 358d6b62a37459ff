"""Data files are held to their form; what is wrong names the file, the row, and what must be there."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import pytest
import yaml

from validator.base import data_files
from validator.base.data_files import DataFileError, read_first, read_mapping, read_rows, read_table
from validator.base.resources import DATA


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes a data file; gives its name."""
    monkeypatch.setattr(data_files, "DATA", tmp_path)

    def write(text: str) -> str:
        (tmp_path / "some.yaml").write_text(text, encoding="utf-8")
        return "some.yaml"

    return write


def test_scalars_have_their_types_or_stay_as_written(write: Callable[[str], str]) -> None:
    name = write("count: 3\nversion: 12.10\nflag: no\ntext: 'Prüfung'\n")
    assert read_mapping(name) == {"count": 3, "version": 12.1, "flag": False, "text": "Prüfung"}
    assert read_mapping(name, as_text=True) == {"count": "3", "version": "12.10", "flag": "no", "text": "Prüfung"}


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
@pytest.mark.parametrize("as_text", [True, False])
def test_the_fast_parser_reads_where_there_is_one(
    write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, as_text: bool
) -> None:
    """The pure one takes a second for the files of the package."""
    monkeypatch.setattr(yaml.scanner.Scanner, "fetch_more_tokens", lambda scanner: pytest.fail("the slow parser reads"))
    assert read_mapping(write("a: b\n"), as_text=as_text) == {"a": "b"}


def test_a_mapping_may_have_more_keys_than_it_must(write: Callable[[str], str]) -> None:
    assert read_mapping(write("a: 1\nb: 2\n"), ["b"]) == {"a": 1, "b": 2}


def test_rows_have_what_they_must_and_may_have(write: Callable[[str], str]) -> None:
    first, second = {"a": 1}, {"a": 2, "b": 3}
    assert read_table(write("first: {a: 1}\nsecond: {a: 2, b: 3}\n"), ["a"], ["b"]) == {"first": first, "second": second}
    assert read_rows(write("- {a: 1}\n- {a: 2, b: 3}\n"), ["a"], ["b"]) == [first, second]


@pytest.mark.parametrize(
    ("read", "text", "problem"),
    [
        (lambda name: read_mapping(name, ["a", "b", "c"]), "b: 1\n", "the file has no a and no c; it must have a, b, c"),
        (read_mapping, "- a\n", "the file must be a mapping"),
        (read_mapping, "", "the file must be a mapping"),
        (read_mapping, "a: [\n", "not valid YAML: "),
        (read_mapping, "a: !!python/name:os.system\n", "not valid YAML: "),
        (lambda name: read_table(name, ["a"]), "- {a: 1}\n", "the file must be a mapping"),
        (lambda name: read_table(name, ["a"]), "first: {a: 1}\nsecond: 2\n", "`second` must be a mapping"),
        (lambda name: read_table(name, ["a", "b"]), "first: {a: 1}\n", "`first` has no b; it must have a, b"),
        (lambda name: read_table(name, ["a"], ["b"]), "first: {a: 1, c: 2, d: 3}\n", "`first` has c, d; it may have only a, b"),
        (lambda name: read_table(name, ["a"]), "first: {a: 1, b: 2}\n", "`first` has b; it may have only a"),
        (lambda name: read_rows(name, ["a"]), "first: {a: 1}\n", "the file must be a list"),
        (lambda name: read_rows(name, ["a"]), "- {a: 1}\n- text\n", "row 2 must be a mapping"),
        (lambda name: read_rows(name, ["a"]), "- {a: 1}\n- {}\n", "row 2 has no a"),
        (lambda name: read_rows(name, ["a"], ["b"]), "- {a: 1, c: 2}\n", "row 1 has c; it may have only a, b"),
    ],
)
def test_what_is_not_of_its_form_is_refused(
    write: Callable[[str], str], read: Callable[[str], object], text: str, problem: str
) -> None:
    with pytest.raises(DataFileError) as caught:
        read(write(text))
    assert str(caught.value).startswith(f"validator/data/some.yaml: {problem}")


def test_a_file_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "DATA", tmp_path)
    with pytest.raises(DataFileError, match=r"^validator/data/absent\.yaml: the file cannot be read \(No such file"):
        read_mapping("absent.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "first:\n  a: 12.10\n",
        "# what it is\n\nfirst:\n  a: 12.10\n",
        "first:\n  # why\n\n  a: 12.10\n\nsecond: [\n",  # of what comes after it, nothing is read
    ],
)
def test_the_first_mapping_is_read_without_the_rest(write: Callable[[str], str], text: str) -> None:
    assert read_first(write(text), "first") == {"a": "12.10"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("second: 1\nfirst:\n  a: 1\n", "`first` must be its first key"),
        ("first: {a: 1}\n", "`first` must be its first key"),
        ("", "`first` must be its first key"),
        ("first:\n  - a\n", "`first` must be a mapping"),
        ("first:\nsecond: 1\n", "`first` must be a mapping"),
        ("first:\n  a: [\n", "not valid YAML: "),
    ],
)
def test_what_is_no_first_mapping_is_refused(write: Callable[[str], str], text: str, problem: str) -> None:
    with pytest.raises(DataFileError) as caught:
        read_first(write(text), "first")
    assert str(caught.value).startswith(f"validator/data/some.yaml: {problem}")


class _NoKeyTwice(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML keeps the last of two equal keys and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: a key stands twice among {keys}"
        return super().construct_mapping(node, deep=deep)  # type: ignore[no-any-return]


@pytest.mark.parametrize("file", sorted(DATA.rglob("*.yaml")), ids=lambda file: str(file.relative_to(DATA)))
def test_no_key_stands_twice_in_a_shipped_file(file: Path) -> None:
    assert yaml.load(file.read_text(encoding="utf-8"), Loader=_NoKeyTwice)  # noqa: S506 - a safe loader


def test_a_key_that_stands_twice_would_be_found() -> None:
    with pytest.raises(AssertionError, match="a key stands twice"):
        yaml.load("a: {b: 1, c: 2, b: 3}\n", Loader=_NoKeyTwice)  # noqa: S506
