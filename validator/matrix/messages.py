"""Checks a matrix document against the models of the file, and words every error in terms of the file, with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from validator.base.problems import Problems
from validator.base.text import one_line, quoted, suggestion
from validator.base.yaml_text import Document
from validator.matrix.file import (
    BuildEntry,
    EnvironmentEntry,
    LimitsEntry,
    MatrixFile,
    ModelEntry,
    PackagesEntry,
    Section,
    TargetEntry,
    TargetRow,
)

#: Location of a mapping, without list indexes → the model that has its keys and examples.
_MODELS: Mapping[tuple[str, ...], type[Section]] = {
    (): MatrixFile,
    ("environments",): EnvironmentEntry,
    ("targets",): TargetEntry,
    ("targets", "include"): TargetRow,
    ("targets", "exclude"): TargetRow,
    ("limits",): LimitsEntry,
    ("build",): BuildEntry,
    ("packages",): PackagesEntry,
    ("model",): ModelEntry,
}
#: Steps that pydantic puts into a location and the file does not have.
_TAGS = frozenset({"<host>", "<target>", "[key]"})
_EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "text or a list of texts",
    "dict_type": "a mapping (`key: value`)",
    "model_type": "a mapping (`key: value`)",
    "float_type": "a duration",
    "int_type": "a number or size",
}


def validate(document: Document) -> MatrixFile:
    """The document as a model. Raises MatrixError with every error in it, in the order of the lines."""
    try:
        return MatrixFile.model_validate(document.data)
    except ValidationError as error:
        problems = Problems(document.file)
        for detail in error.errors(include_url=False):
            if detail["type"] == "too_short" and detail["input"]:
                continue  # pydantic does not count wrong items, which have their own errors
            # A wrong value is looked for where it stands; a wrong or missing key, or kind of value, at its key.
            line = document.line if detail["type"] in ("value_error", "literal_error") else document.key_line
            problems.add(line(detail["loc"]), _sentence(detail))
        problems.check()
        raise  # not reached: every ValidationError has details


def _sentence(detail: ErrorDetails) -> str:
    """An error of pydantic in terms of the file."""
    kind, found, loc = detail["type"], detail["input"], detail["loc"]
    keys = _keys(loc)
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        key, allowed = str(loc[-1]), list(_MODELS[_keys(loc[:-1])].model_fields)
        return f"unknown key {quoted(key)}{suggestion(key, allowed)} (allowed here: {', '.join(allowed)})"
    name = f"`{one_line(keys[-1], 60)}`" if keys else "the file"
    if kind == "value_error":
        return f"{name}: {context['error']}"
    if kind == "missing":
        return f"the key {name} is missing{_example(keys)}"
    if keys and [step for step in loc if step not in _TAGS][-1] != keys[-1]:
        name = f"an entry of {name}"
    if kind == "too_short":
        return f"{name} is empty, but needs at least one entry{_example(keys)}"
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        meant = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
        guess = suggestion(found, choices) if isinstance(found, str) else ""
        return f"{name} is {_described(found)}, but {meant} was meant{guess or _example(keys)}"
    return f"{name} is {_described(found)}, but {_EXPECTED[kind]} was meant{_example(keys)}"


def _keys(loc: Sequence[int | str]) -> tuple[str, ...]:
    return tuple(step for step in loc if isinstance(step, str) and step not in _TAGS)


def _described(found: object) -> str:
    if isinstance(found, str):
        return f"the text {quoted(found)}"
    return "a mapping" if isinstance(found, dict) else "a list"


def _example(keys: tuple[str, ...]) -> str:
    """``, for example `timeout: 10m``` from the models' own examples; nothing where there is none."""
    for end in range(len(keys), 0, -1):
        model = _MODELS.get(keys[: end - 1])
        if model and (entry := model.model_fields.get(keys[end - 1])) and entry.examples:
            return f", for example `{keys[end - 1]}: {_flow(entry.examples[0])}`"
    return ""


def _flow(value: object) -> str:
    """A value as a person writes it in one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    plain = re.fullmatch(r"[A-Za-z/1][A-Za-z0-9_/ :-]*", str(value))
    return str(value) if plain else json.dumps(value)
