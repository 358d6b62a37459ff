"""Which words of an engine or a registry mean trouble that may be gone in a moment: ``data/engine_passing.yaml``."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from validator.base.data_files import read_rows

Where = Literal["image", "container", "gpu"]


@cache
def _table() -> tuple[tuple[str, re.Pattern[str]], ...]:
    rows = read_rows("engine_passing.yaml", required=("where", "words", "examples", "source"))
    return tuple((row["where"], re.compile(row["words"], re.IGNORECASE)) for row in rows)


def is_passing(words: str, *where: Where) -> bool:
    """Whether it is worth to try again. Only for words of the engine itself, never for what a container or a build printed."""
    return any(kind in where and pattern.search(words) for kind, pattern in _table())
