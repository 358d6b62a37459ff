"""Looks up what an engine, an OCI runtime or a registry said in ``data/engine_words.yaml``. Never given a container's output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from validator.base.data_files import read_rows


@dataclass(frozen=True)
class EngineWords:
    """One row of the table."""

    cause: str
    pattern: re.Pattern[str]
    examples: tuple[str, ...]
    source: str


@cache
def table() -> tuple[EngineWords, ...]:
    """The rows, in the order in which they are looked through."""
    return tuple(
        EngineWords(row["cause"], re.compile(row["words"], re.IGNORECASE), tuple(row["examples"]), row["source"])
        for row in read_rows("engine_words.yaml", required=("cause", "words", "examples", "source"))
    )


def cause_of(words: str) -> str | None:
    """The cause that the engine's words name, or None where no row knows them."""
    return next((row.cause for row in table() if row.pattern.search(words)), None)
