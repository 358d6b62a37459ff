"""How a row of plain text is read: each field in its type, what is left over or missing refused, and where the row comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from validator.base.versions import Dotted

_T = TypeVar("_T")

CONFIDENCES = ("verified", "single-source", "inferred", "unverified", "own")
_ARCH = re.compile(r"(sm|compute)_([0-9]{1,2})([0-9])([af]?)", re.ASCII)


class RowError(ValueError):
    """A row that cannot be used: which field (``builds/13.2/arch``), and why."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True)
class Origin:
    """Where a row comes from."""

    source: str
    """Key of the source in its file."""
    what: str
    """What the source is, in words."""
    date: str
    """The day it was read (``2026-11-23``); empty for a user's own file."""
    confidence: str
    """One of ``CONFIDENCES``."""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.date}, {self.confidence})"


class Reader:
    """Takes the fields of one row, each in its type, and refuses what is left over or missing."""

    def __init__(self, raw: object, sources: Mapping[str, tuple[str, str]]) -> None:
        if not isinstance(raw, dict):
            raise RowError("", "a row must be a mapping of fields")
        self._raw: dict[str, object] = dict(raw)
        self._sources = sources

    def text(self, field: str, default: str | None = None) -> str:
        """A text; required unless there is a default."""
        value = self._raw.pop(field, default)
        if value is None:
            raise RowError(field, "is missing")
        if not isinstance(value, str):
            raise RowError(field, "must be one value, not a list or mapping")
        return value

    def parsed(self, field: str, parse: Callable[[str], _T]) -> _T:
        """A text in its type."""
        text = self.text(field)
        try:
            return parse(text)
        except ValueError as error:
            raise RowError(field, str(error)) from None

    def optional(self, field: str, parse: Callable[[str], _T]) -> _T | None:
        """A text in its type, or None where the field is left out."""
        return self.parsed(field, parse) if field in self._raw else None

    def whole(self, field: str) -> int | None:
        """A whole number, or None where the field is left out."""
        text = self.text(field, "")
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise RowError(field, f"{text!r} is not a whole number such as 16")
        return int(text) if text else None

    def choice(self, field: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of a few words."""
        value = self.text(field, default)
        if value not in choices:
            raise RowError(field, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def words(self, field: str) -> tuple[str, ...]:
        """A list, or one text with spaces; empty where left out."""
        return words(self._raw.pop(field, []), field)

    def mapping(self, field: str) -> dict[str, object]:
        """A mapping; empty where left out."""
        value = self._raw.pop(field, {})
        if not isinstance(value, dict):
            raise RowError(field, "must be a mapping (`key: value`)")
        return value

    def many(self, field: str) -> list[object]:
        """A list of anything; empty where left out."""
        value = self._raw.pop(field, [])
        if not isinstance(value, list):
            raise RowError(field, "must be a list")
        return value

    def origins(self, *parts: str) -> dict[str, Origin]:
        """The row's own origin and those of parts that come from another source (``branch_source``), by field name."""
        others = {part: self.text(f"{part}_source", "") for part in parts}
        own = self.origin()
        found = {"origin": own}
        for part, source in others.items():
            if source and source not in self._sources:
                raise RowError(f"{part}_source", f"{source!r} is not among the sources ({', '.join(self._sources)})")
            what, date = self._sources[source] if source else (own.what, own.date)
            found[f"{part}_origin"] = Origin(source or own.source, what, date, own.confidence)
        return found

    def origin(self) -> Origin:
        """Source, date and confidence; must be read last: a field that nobody took is then refused."""
        source = self.text("source")
        if source not in self._sources:
            raise RowError("source", f"{source!r} is not among the sources ({', '.join(self._sources)})")
        what, date = self._sources[source]
        origin = Origin(source, what, date, self.choice("confidence", CONFIDENCES), self.text("note", ""))
        if self._raw:
            raise RowError(next(iter(self._raw)), "is not a field of this table")
        return origin


def words(value: object, field: str) -> tuple[str, ...]:
    """The texts of a list, or of one text with spaces."""
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise RowError(field, "must be a list of values")


def arch_entries(value: object, field: str) -> tuple[str, ...]:
    """``sm_86 compute_120`` as entries; refuses what is neither SASS nor PTX."""
    entries = words(value, field)
    for entry in entries:
        if not _ARCH.fullmatch(entry):
            raise RowError(field, f"{entry!r} is not an architecture such as sm_86 or compute_120")
    return entries


def cuda_version(text: str) -> Dotted:
    """A CUDA version of two numbers. Raises ValueError."""
    version = Dotted(text)
    if text.count(".") != 1:
        raise ValueError(f"{text!r} is not a CUDA version such as 12.8")
    return version


def truth(text: str) -> bool:
    """``true`` or ``false``. Raises ValueError."""
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"
