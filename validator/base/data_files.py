"""Reads the YAML files of ``validator/data/`` and holds each to its form, so that every room keeps only its own typed rows."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import yaml

from validator.base.resources import DATA

Fields = dict[str, Any]

# The C parser where PyYAML has it: the pure one takes a second for all of the files.
_TYPED = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class DataFileError(Exception):
    """A data file is missing or does not have its form: a defect of the package or of its installation."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"validator/data/{name}: {problem}")


def read_mapping(name: str, keys: Collection[str] = (), *, as_text: bool = False) -> Fields:
    """A file that is one mapping with at least these keys; ``as_text`` keeps every scalar as written (12.10 stays 12.10)."""
    found = _parsed(name, as_text=as_text)
    _check(name, "the file", found, keys)
    return dict(found)


def read_table(name: str, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Fields]:
    """A file of rows by key. Each must have the required fields, and no others than these and the optional ones."""
    found = read_mapping(name)
    for key, row in found.items():
        _check(name, f"`{key}`", row, required, optional)
    return found


def read_rows(name: str, required: Collection[str], optional: Collection[str] = ()) -> list[Fields]:
    """A file that is a list of rows, with the fields of ``read_table``."""
    found = _parsed(name)
    if not isinstance(found, list):
        raise DataFileError(name, "the file must be a list")
    for number, row in enumerate(found, 1):
        _check(name, f"row {number}", row, required, optional)
    return found


def read_first(name: str, key: str) -> Fields:
    """The mapping under the first key of a file, every scalar as written, without the cost of what comes after it."""
    text = _text(name)
    top = re.match(rf"(?:#.*\n|\n)*{re.escape(key)}:\n(?:[ #].*\n|\n)*", text)
    if top is None:
        raise DataFileError(name, f"`{key}` must be its first key")
    found = _loaded(name, top[0], as_text=True)[key]
    _check(name, f"`{key}`", found, ())
    return dict(found)


def _parsed(name: str, *, as_text: bool = False) -> Any:
    return _loaded(name, _text(name), as_text=as_text)


def _text(name: str) -> str:
    try:
        return (DATA / name).read_text(encoding="utf-8")
    except OSError as error:
        raise DataFileError(name, f"the file cannot be read ({error.strerror}); install validator again") from None


def _loaded(name: str, text: str, *, as_text: bool) -> Any:
    try:
        return yaml.load(text, Loader=_TEXT if as_text else _TYPED)  # noqa: S506 - both make plain values only
    except yaml.YAMLError as error:
        raise DataFileError(name, f"not valid YAML: {error}") from None


def _check(name: str, what: str, found: object, required: Collection[str], allowed: Collection[str] | None = None) -> None:
    """Raises DataFileError. With ``allowed`` None there may be any other keys besides the required ones."""
    if not isinstance(found, dict):
        raise DataFileError(name, f"{what} must be a mapping")
    if missing := [key for key in required if key not in found]:
        raise DataFileError(name, f"{what} has no {' and no '.join(missing)}; it must have {', '.join(required)}")
    if allowed is not None and (unknown := found.keys() - {*required, *allowed}):
        known = ", ".join([*required, *allowed])
        raise DataFileError(name, f"{what} has {', '.join(map(str, sorted(unknown)))}; it may have only {known}")
