"""JSON of any length, written part by part and read member by member, so that it is never in memory as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from validator.base.text import clean_tree, inert_json

_SPACE = re.compile(r"[ \t\n\r]*")


def clean_json(tree: object, indent: int | None) -> str:
    """Plain values as JSON, every text in them cleaned; on one line without blanks if ``indent`` is None."""
    text = _dumped(tree, indent)
    return text if is_clean(text) else _dumped(clean_tree(tree), indent)


def _dumped(tree: object, indent: int | None) -> str:
    separators = (",", ":") if indent is None else None
    return json.dumps(tree, indent=indent, ensure_ascii=False, allow_nan=False, separators=separators)


def is_clean(text: str) -> bool:
    """Whether no text within this JSON needs cleaning: one look at all of it, which is much cheaper than one at each value.

    JSON escapes the control characters that it knows of, and what it leaves as it is shows itself.
    """
    escaped = any(escape in text for escape in ("\\u", "\\r", "\\b", "\\f"))
    return not escaped and text.replace("\n", "").isprintable()


def object_parts(members: Iterable[tuple[str, str | Iterable[str]]]) -> Iterator[str]:
    """The text of an object, in parts of whole lines, as ``json.dumps(…, indent=2)`` lays it out.

    A member is its name and its JSON text, or the texts of the items of a list, which are taken one by one.
    """
    separator = "{\n"
    for name, value in members:
        head = f"{separator}  {json.dumps(name)}: "
        if isinstance(value, str):
            yield head + _indented(value, 2)
        else:
            yield from _list_parts(head, value)
        separator = ",\n"
    yield "\n}\n" if separator != "{\n" else "{}\n"


def _list_parts(head: str, items: Iterable[str]) -> Iterator[str]:
    written = 0
    for item in items:
        yield f"{head}[\n    {_indented(item, 4)}" if not written else f",\n    {_indented(item, 4)}"
        written += 1
    yield "\n  ]" if written else f"{head}[]"


def _indented(text: str, columns: int) -> str:
    """A text within an object or list; its line breaks are all of the layout, since a string of JSON has none."""
    return inert_json(text.replace("\n", "\n" + " " * columns) if "\n" in text else text)


def object_members(text: str, decoder: json.JSONDecoder, streamed: str) -> Iterator[tuple[str, Any]]:
    """The members of the object that a text is, one after the other.

    The list named ``streamed`` comes as an iterator over (item, its text), read as it goes; what is left of it when the next
    member is asked for is passed over. A text that is no object comes as a whole, without a name. Whatever is wrong raises
    JSONDecodeError as ``json.loads`` does, or what the decoder raises.
    """
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":  # no object; let the decoder say what it is
        value, end = decoder.raw_decode(text, at)
        _at_end(text, end)
        yield "", value
        return
    at = _after_space(text, at + 1)
    more = text[at : at + 1] != "}"
    while more:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        name, at = decoder.raw_decode(text, at)
        at = _after_space(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
        at = _after_space(text, at + 1)
        if name == streamed and text[at : at + 1] == "[":
            items = _Items(text, decoder, at)
            yield name, items
            at = items.end()
        else:
            value, at = decoder.raw_decode(text, at)
            yield name, value
        at, more = _next(text, at, "}")
    _at_end(text, at + 1)


class _Items:
    """The items of a list within a text, with their texts."""

    def __init__(self, text: str, decoder: json.JSONDecoder, at: int) -> None:
        self._text, self._decoder = text, decoder
        self._at = _after_space(text, at + 1)
        self._more = text[self._at : self._at + 1] != "]"

    def __iter__(self) -> _Items:
        return self

    def __next__(self) -> tuple[Any, str]:
        if not self._more:
            raise StopIteration
        begin = self._at
        item, end = self._decoder.raw_decode(self._text, begin)
        self._at, self._more = _next(self._text, end, "]")
        return item, self._text[begin:end]

    def end(self) -> int:
        """The place behind the list; what was not asked for is passed over."""
        for _ in self:
            pass
        return self._at + 1


def _next(text: str, at: int, closing: str) -> tuple[int, bool]:
    """The place of the next item, and True; or of the closing bracket, and False."""
    at = _after_space(text, at)
    found = text[at : at + 1]
    if found == closing:
        return at, False
    if found != ",":
        raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    return _after_space(text, at + 1), True


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _at_end(text: str, at: int) -> None:
    at = _after_space(text, at)
    if at != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
