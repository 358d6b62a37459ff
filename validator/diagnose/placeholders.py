"""The catalogue's texts with their placeholders filled in; a sentence whose value is not known is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from validator.base.text import one_line

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`{])")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def fill(template: str, values: Mapping[str, str]) -> str:
    """The text with every ``{name}`` replaced by its value. Values are untrusted: they are cleaned, and cut to 120 characters."""
    kept = []
    for sentence in _SENTENCE.split(" ".join(template.split())):
        names = set(_PLACEHOLDER.findall(sentence))
        if all(values.get(name) for name in names):
            kept.append(_PLACEHOLDER.sub(lambda hit: one_line(values[hit.group(1)], 120), sentence))
    return " ".join(kept)
