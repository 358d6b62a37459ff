"""docs/storms.md: what was expected of each storm and what was seen, written by the suite itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storms import STORMS, Storm
from written_page import write_page

from validator.base.text import one_line

PAGE = Path(__file__).parents[2] / "docs" / "storms.md"
_HEAD = """\
# Storms

Every row is a fault that `tests/storms` brings about on a real engine, file system or clock while the validator is at work, what
is expected of the validator then, and what was seen. Written by `make storms`; the default suite compares the first two columns.

| storm | expected | seen | seconds |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """What was seen of one storm."""

    storm: Storm
    seen: str
    seconds: float


def fixed(storm: Storm) -> str:
    """The part of a row that follows from the data alone."""
    return f"| {storm.told} | {storm.expected} |"


def write(rows: Sequence[Row]) -> None:
    """Write the page; rows that were not seen this time keep what an earlier writing had."""
    seen = {row.storm.id: f"{fixed(row.storm)} {_cell(row.seen)} | {row.seconds:.0f} |" for row in rows}
    write_page(PAGE, _HEAD, ((fixed(storm), seen.get(storm.id)) for storm in STORMS))


def _cell(text: str) -> str:
    """Without what is another in every run: folders, and ids of containers."""
    text = re.sub(r"/tmp/(?:validator-engine|pytest-of)[\w/.-]*?(?=/docker\.sock|/out/)", "/tmp/…", text)
    return one_line(re.sub(r"\b[0-9a-f]{64}\b", "…", text), 600).replace("|", "\\|")
