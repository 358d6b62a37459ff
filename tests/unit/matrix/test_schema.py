"""The JSON Schema for editors: checked in as generated, and as wide as the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from validator.base.resources import DATA
from validator.catalogue.checks import registry
from validator.matrix.schema import schema, schema_text

TOP = Path(__file__).parents[3]


def properties(model: str) -> dict[str, Any]:
    found: dict[str, Any] = schema()["$defs"][model]["properties"]
    return found


def test_the_checked_in_schema_is_the_generated_one() -> None:
    checked_in = (DATA / "matrix.schema.json").read_text(encoding="utf-8")
    assert checked_in == schema_text(), (
        "the file format has changed: run `validator schema --write validator/data/matrix.schema.json`"
    )


def test_the_shipped_matrix_links_the_schema_that_is_there() -> None:
    first = (TOP / "matrix.yaml").read_text(encoding="utf-8").splitlines()[0]
    link = first.partition("$schema=")[2]
    assert first.startswith("# yaml-language-server:")
    assert (TOP / link).resolve() == (DATA / "matrix.schema.json").resolve()


def test_the_schema_names_its_dialect() -> None:
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("axis", ["torch", "cuda", "python"])
def test_an_editor_may_take_an_unquoted_version_for_a_number(axis: str) -> None:
    one, many = properties("EnvironmentEntry")[axis]["anyOf"]
    assert set(one["type"]) == {"string", "number"}
    assert (many["type"], set(many["items"]["type"])) == ("array", {"string", "number"})


@pytest.mark.parametrize("limit", ["timeout", "memory", "shm", "scratch", "pids"])
def test_an_editor_may_take_a_limit_for_a_number(limit: str) -> None:
    assert set(properties("LimitsEntry")[limit]["type"]) == {"string", "integer"}


def test_unknown_keys_are_marked_everywhere() -> None:
    models = [schema(), *schema()["$defs"].values()]
    assert [model["title"] for model in models if model["additionalProperties"] is not False] == []


def test_every_key_is_described_and_has_an_example() -> None:
    models = {"file": schema(), **schema()["$defs"]}
    bare = [
        f"{name}.{key}"
        for name, model in models.items()
        for key, entry in model["properties"].items()
        if not entry.get("description") or not entry.get("examples")
    ]
    assert bare == []


def test_no_default_is_one_that_cannot_be_written() -> None:
    assert '"default": null' not in schema_text()


def test_checks_are_offered_by_name() -> None:
    assert schema()["properties"]["checks"]["propertyNames"]["enum"] == list(registry())


def test_an_environment_has_one_source() -> None:
    choices = schema()["$defs"]["EnvironmentEntry"]["oneOf"]
    assert choices == [{"required": ["image"]}, {"required": ["build"]}, {"required": ["interpreter"]}]


def test_the_text_is_plain_json_with_an_end() -> None:
    assert json.loads(schema_text()) == schema()
    assert schema_text().endswith("}\n")
