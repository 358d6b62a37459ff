"""Answers to the questions of the command line, as text and as JSON: one module a question, pure.

Every module has ``FORMATS``: the name of a format → what makes it of the answer and of the columns there are. A further format of
every question is one line in ``formats``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from validator.base.text import clean_tree, inert_json

_A = TypeVar("_A")


def formats(as_text: Callable[[_A, int], str], as_json: Callable[[_A], object]) -> dict[str, Callable[[_A, int], str]]:
    """What every question can be answered in, from its text and its JSON as plain values."""
    return {
        "text": as_text,
        "json": lambda answer, _width: json_text(as_json(answer)),
    }


def json_text(document: object) -> str:
    """Plain values as JSON, every text in them cleaned; no CI system finds a command in it."""
    return inert_json(json.dumps(clean_tree(document), indent=2, ensure_ascii=False))
