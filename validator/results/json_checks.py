"""What is wrong with JSON that was read: a results file may come from anywhere, and a person is told which place is meant."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from validator.base.errors import ReportFileError
from validator.base.text import clean_tree, one_line
from validator.results.json_parts import is_clean

SCHEMA_VERSION = 1
_T = TypeVar("_T")
#: What a field holds, by pydantic's name for the mistake; its own words are for programmers.
_EXPECTED = {
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "dataclass_type": "an object",
}


def parsed(text: str, name: str) -> Any:
    """The values of a JSON text, cleaned. Raises ReportFileError."""
    with readable(name):
        tree = DECODER.decode(text)
        return tree if is_clean(text) else clean_tree(tree)


@contextmanager
def readable(name: str) -> Iterator[None]:
    """What is wrong with JSON, as ReportFileError."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise ReportFileError(
            f"{name}:{error.lineno}: not JSON: {error.msg[:1].lower()}{error.msg[1:]} (column {error.colno})",
            why="the file is cut off, was edited, or is of another kind",
            hint="give a results.json that `validator run` wrote",
        ) from None
    except ValueError as error:  # a number beyond what JSON can hold
        raise ReportFileError(f"{name}: {one_line(str(error))}", hint="give a results.json as it was written") from None
    except RecursionError:
        raise ReportFileError(
            f"{name}: values are nested too deep", why="no results file is", hint="give a results.json that `validator run` wrote"
        ) from None


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number


#: Refuses what JSON has no word for, and numbers that it cannot hold.
DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def check_version(data: object, name: str) -> None:
    """Raise ReportFileError unless the members of a file say that it is of a version that can be read."""
    version = data.get("schema_version") if isinstance(data, dict) else None
    if type(version) is not int:
        raise ReportFileError(
            f"{name}: not a results file: it has no schema_version",
            hint="give a results.json that `validator run` wrote",
        )
    if version > SCHEMA_VERSION:
        raise ReportFileError(
            f"{name}: written by a newer validator: schema_version {version}",
            why=f"this one reads up to schema_version {SCHEMA_VERSION}",
            hint="update the validator, or render the report with the one that wrote it",
        )
    if version < 1:
        raise ReportFileError(
            f"{name}: schema_version {version} was never written", hint="give a results.json that `validator run` wrote"
        )


def validated(adapter: TypeAdapter[_T], data: object, name: str, at: str = "") -> _T:
    """Values as their types, ``at`` being their path in the file. Raises ReportFileError."""
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        problems = Problems()
        problems.add(data, error, at)
    raise problems.refusal(name)


class Problems:
    """What is wrong with values that were read: the first in words, the others counted by their places."""

    def __init__(self) -> None:
        self.number = 0
        self._first: tuple[str, object, dict[str, Any]] = ("", None, {})

    def __bool__(self) -> bool:
        return self.number > 0

    def add(self, data: object, error: ValidationError, at: str = "") -> None:
        """What pydantic found wrong with a value that stands at a path of the file."""
        problems = error.errors(include_url=False)
        if not self.number:
            path, found = _walk(data, problems[0]["loc"])
            self._first = (".".join(filter(None, (at, path))), found, dict(problems[0]))
        self.number += len({_walk(data, problem["loc"])[0] for problem in problems})

    def refusal(self, name: str, further: int = 0) -> ReportFileError:
        """The error to raise; ``further`` places elsewhere are wrong as well."""
        path, found, first = self._first
        others = self.number - 1 + further
        more = f" (and {others} more such places)" if others else ""
        if first["type"] == "missing":
            return ReportFileError(
                f"{name}: {f'{path}.' if path else ''}{first['loc'][-1]} is missing{more}",
                why=f"every file of schema_version {SCHEMA_VERSION} has it",
                hint="use the results.json as `validator run` wrote it",
            )
        expected = first.get("ctx", {}).get("expected") or _EXPECTED.get(first["type"], "another kind of value")
        return ReportFileError(
            f"{name}: {path or 'the file'} is {one_line(json.dumps(found, default=str), 60)}{more}",
            why=f"schema_version {SCHEMA_VERSION} has {expected} there",
            hint="use the results.json as `validator run` wrote it",
        )


def _walk(data: Any, location: tuple[int | str, ...]) -> tuple[str, Any]:
    """(path, value there) as far as a location leads; its tail may name alternatives of a type, which are no fields."""
    path = ""
    for part in location:
        if isinstance(data, dict) and part in data:
            path += f".{part}" if path else str(part)
        elif isinstance(data, list) and isinstance(part, int):
            path += f"[{part}]"
        else:
            break
        data = data[part]
    return path, data
