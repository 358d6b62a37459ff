"""A row of plain text: each field in its type, nothing missing, nothing left over, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from validator.base.versions import Dotted
from validator.facts.reader import Origin, Reader, RowError, arch_entries, cuda_version, truth, words

SOURCES = {"notes": ("release notes", "2026-11-23"), "guide": ("programming guide", "2026-01-02")}
OWN = {"source": "notes", "confidence": "verified"}


def reader(**fields: Any) -> Reader:
    return Reader({**fields, **OWN}, SOURCES)


@pytest.mark.parametrize(
    ("read", "field", "value"),
    [
        (lambda row: row.text("field"), "a", "a"),
        (lambda row: row.text("other", "default"), "a", "default"),
        (lambda row: row.parsed("field", Dotted), "12.10", Dotted("12.10")),
        (lambda row: row.optional("field", Dotted), "12.8", Dotted("12.8")),
        (lambda row: row.optional("other", Dotted), "12.8", None),
        (lambda row: row.whole("field"), "16", 16),
        (lambda row: row.whole("field"), "0", 0),
        (lambda row: row.whole("field"), "123456789", 123456789),
        (lambda row: row.whole("other"), "16", None),
        (lambda row: row.choice("field", ("a", "b")), "b", "b"),
        (lambda row: row.choice("other", ("a", ""), ""), "b", ""),
        (lambda row: row.words("field"), ["a", "b"], ("a", "b")),
        (lambda row: row.words("field"), "a b", ("a", "b")),
        (lambda row: row.words("other"), "a b", ()),
        (lambda row: row.mapping("field"), {"a": "b"}, {"a": "b"}),
        (lambda row: row.mapping("other"), "a", {}),
        (lambda row: row.many("field"), [{"a": "b"}], [{"a": "b"}]),
        (lambda row: row.many("other"), "a", []),
    ],
)
def test_a_field_in_its_type(read: Callable[[Reader], Any], field: Any, value: Any) -> None:
    assert read(reader(field=field)) == value


@pytest.mark.parametrize(
    ("read", "field", "says"),
    [
        (lambda row: row.text("other"), "a", "other: is missing"),
        (lambda row: row.text("field"), ["a"], "field: must be one value, not a list or mapping"),
        (lambda row: row.parsed("field", Dotted), "new", "field: 'new' is not a version of dotted numbers"),
        (lambda row: row.whole("field"), "-1", "field: '-1' is not a whole number such as 16"),
        (lambda row: row.whole("field"), "1234567890", "is not a whole number"),
        (lambda row: row.whole("field"), "²", "is not a whole number"),
        (lambda row: row.choice("field", ("a", "b")), "c", "field: 'c' is not one of a, b"),
        (lambda row: row.words("field"), {"a": "b"}, "field: must be a list of values"),
        (lambda row: row.words("field"), ["a", ["b"]], "field: must be a list of values"),
        (lambda row: row.mapping("field"), "a", "field: must be a mapping"),
        (lambda row: row.many("field"), "a", "field: must be a list"),
        (lambda row: row.origin(), "a", "field: is not a field of this table"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(read: Callable[[Reader], Any], field: Any, says: str) -> None:
    with pytest.raises(RowError) as caught:
        read(reader(field=field))
    assert says in str(caught.value)
    assert caught.value.field == says.split(":")[0] or ":" not in says


def test_a_row_must_be_a_mapping_and_is_not_changed_by_being_read() -> None:
    with pytest.raises(RowError, match="a row must be a mapping of fields"):
        Reader(["a"], SOURCES)
    raw = {"field": "a", **OWN}
    Reader(raw, SOURCES).text("field")
    assert raw == {"field": "a", **OWN}


def test_where_a_row_comes_from() -> None:
    assert reader(note="seen twice").origin() == Origin("notes", "release notes", "2026-11-23", "verified", "seen twice")
    assert str(reader().origin()) == "release notes (2026-11-23, verified)"


def test_parts_of_a_row_may_come_from_another_source() -> None:
    found = reader(branch_source="guide").origins("branch", "feature")
    assert found["origin"] == Origin("notes", "release notes", "2026-11-23", "verified")
    assert found["branch_origin"] == Origin("guide", "programming guide", "2026-01-02", "verified")
    assert found["feature_origin"] == found["origin"]
    assert list(found) == ["origin", "branch_origin", "feature_origin"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"source": "hearsay", "confidence": "verified"}, "source: 'hearsay' is not among the sources (notes, guide)"),
        ({"source": "notes", "confidence": "sure"}, "confidence: 'sure' is not one of verified, single-source"),
        ({"source": "notes"}, "confidence: is missing"),
        ({"confidence": "verified"}, "source: is missing"),
    ],
)
def test_a_source_must_be_known_and_a_confidence_one_of_a_few(fields: dict[str, str], says: str) -> None:
    with pytest.raises(RowError) as caught:
        Reader(fields, SOURCES).origin()
    assert says in str(caught.value)


def test_the_source_of_a_part_must_be_known() -> None:
    with pytest.raises(RowError, match="branch_source: 'hearsay' is not among the sources"):
        reader(branch_source="hearsay").origins("branch")


def test_words_and_entries() -> None:
    assert words("sm_80  sm_86", "arch") == ("sm_80", "sm_86")
    assert arch_entries("sm_90a compute_120 sm_103f", "arch") == ("sm_90a", "compute_120", "sm_103f")
    for wrong in ("gfx90a", "sm_9", "sm_1000", "SM_90", "sm_90b"):
        with pytest.raises(RowError, match="is not an architecture such as sm_86 or compute_120"):
            arch_entries(["sm_80", wrong], "arch")


@pytest.mark.parametrize("text", ["12", "12.8.1", "new"])
def test_a_cuda_version_has_two_numbers(text: str) -> None:
    assert cuda_version("12.10").text == "12.10"
    with pytest.raises(ValueError, match="is not a"):
        cuda_version(text)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
def test_a_truth(text: str, value: bool) -> None:
    assert truth(text) is value
    with pytest.raises(ValueError, match="neither true nor false"):
        truth(text.upper())
