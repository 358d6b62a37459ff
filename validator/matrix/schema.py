"""The JSON Schema of matrix.yaml, by which editors complete and check the file; made from the models of ``file.py``."""

from __future__ import annotations

import json
from typing import Any

from validator.matrix.file import MatrixFile


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the file. It also allows the numbers that an editor's YAML parser makes of unquoted versions."""
    body = MatrixFile.model_json_schema()
    for model in (body, *body["$defs"].values()):
        for entry in model["properties"].values():
            if not entry.get("default", True):  # it means that the key is absent; nobody would write it
                del entry["default"]
            if {"type": "null"} in entry.get("anyOf", ()):  # a section that may be left out, but is never null
                entry["$ref"] = entry.pop("anyOf")[0]["$ref"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **body}


def schema_text() -> str:
    """The text of ``data/matrix.schema.json``."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
