"""JSON written part by part is what json.dumps writes, and what is read member by member is what json.loads reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.base.text import clean
from validator.results.json_parts import clean_json, is_clean, object_members, object_parts

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(min_size=1, max_size=3)


def read(text: str, streamed: str) -> Any:
    """An object, read member by member."""
    found: dict[str, Any] = {}
    for name, value in object_members(text, json.JSONDecoder(), streamed):
        found[name] = [item for item, _ in value] if name == streamed and not isinstance(value, (str, dict)) else value
    return found


@given(st.dictionaries(NAMES, PLAIN, max_size=3), st.lists(PLAIN, max_size=4))
def test_parts_are_the_text_of_the_whole(members: dict[str, Any], items: list[Any]) -> None:
    texts: dict[str, Any] = {name: json.dumps(value, indent=2) for name, value in members.items()}
    texts["items"] = (json.dumps(item, indent=2) for item in items)
    assert "".join(object_parts(texts.items())) == json.dumps({**members, "items": items}, indent=2) + "\n"


def test_an_object_without_members_is_one_too() -> None:
    assert json.loads("".join(object_parts([]))) == {}
    assert list(object_members(" { } ", json.JSONDecoder(), "cells")) == []


def test_items_are_made_one_by_one() -> None:
    made = []

    def items() -> Any:
        for number in range(3):
            made.append(number)
            yield str(number)

    parts = object_parts([("cells", items())])
    next(parts)
    assert made == [0]


def test_no_part_holds_a_command_of_a_ci_system_and_the_text_says_the_same() -> None:
    bad = "::error::x\n##vso[task.complete]y"
    text = "".join(object_parts([("a", json.dumps(bad)), ("b", [json.dumps({bad: bad}, indent=2)])]))
    assert "##vso" not in text
    assert json.loads(text) == {"a": bad, "b": [{bad: bad}]}


@given(st.dictionaries(NAMES, PLAIN, max_size=4), st.lists(PLAIN, max_size=4), st.sampled_from([None, 1, "\t"]))
def test_members_are_those_of_the_whole(members: dict[str, Any], items: list[Any], indent: Any) -> None:
    members = {**members, "cells": items}
    text = f" {json.dumps(members, indent=indent)}\n"
    assert read(text, "cells") == members
    for name, value in object_members(text, json.JSONDecoder(), "cells"):
        if name == "cells":
            assert all(json.loads(written) == item for item, written in value)


def test_a_list_that_nobody_reads_is_passed_over() -> None:
    text = '{"cells": [1, [2], {"cells": 3}], "after": 4}'
    assert dict(object_members(text, json.JSONDecoder(), "cells"))["after"] == 4


@given(st.text(alphabet='{}[]:,"ab1 \n', max_size=20))
def test_what_is_no_json_is_refused_as_json_does(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        expected = ValueError
    if expected is ValueError:
        with pytest.raises(ValueError, match=r"line \d+ column \d+"):
            read(text, "cells")
    elif isinstance(expected, dict) and "" not in expected:
        assert read(text, "cells") == expected


def test_what_is_no_object_is_handed_on_as_a_whole() -> None:
    assert read("[1]", "cells") == {"": [1]}


@pytest.mark.parametrize("indent", [None, 2])
def test_no_character_that_acts_is_written_alone_or_among_others(indent: int | None) -> None:
    for character in [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u202e", "\u200b", "\ud800", "\u2028"]:
        for text in (character, f"a{character}b"):
            kept = character in "\n\t"
            shown = text if kept else clean(text)
            assert json.loads(clean_json({text: [text]}, indent)) == {shown: [shown]}
            assert is_clean(json.dumps(text, ensure_ascii=False)) is kept


def test_text_that_shows_itself_is_left_as_it_is() -> None:
    text = 'Prüfung → ✓ 試験\n\t"C:\\\\users" \\ end'
    assert json.loads(clean_json([text], None)) == [text]
