"""docs/faults.md: the gallery as a table, written by the suite itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gallery import GALLERY, Fault
from written_page import write_page

from validator.base.text import one_line
from validator.report.markdown import escape

_HEAD = """\
# Gallery of broken environments

Every row is a small environment that is honestly broken, set up by `tests/faults` on a real engine or on the local runner, and
what the product said of it. Written by `make faults`; the default suite compares the first four columns with the gallery.

| fault | runs on | status | cause | what the product said | seconds |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """What was seen of one fault."""

    fault: Fault
    said: str
    seconds: float


def fixed(fault: Fault) -> str:
    """The part of a row that follows from the gallery alone."""
    return f"| {escape(fault.told)} | {_runner(fault)} | {fault.status} | [{fault.cause}](causes.md#{fault.cause}) |"


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write the page; rows that were not seen this time keep what an earlier writing had."""
    seen = {row.fault.id: f"{fixed(row.fault)} {escape(_anywhere(row.said))} | {row.seconds:.1f} |" for row in rows}
    write_page(path, _HEAD, ((fixed(fault), seen.get(fault.id)) for fault in GALLERY))


def _anywhere(said: str) -> str:
    """The words without what is another on every machine and in every run: folders, ports, nonces."""
    said = said.replace(f"{Path(__file__).parents[2]}/", "")
    said = re.sub(r"/tmp/(?:pytest-of|validator-engine)[\w/.-]*?(?=/bin/|/docker\.sock)", "/tmp/…", said)
    said = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:5000", said)
    return one_line(re.sub(r"\b[0-9a-f]{32}\b", "…", said), 450)


def _runner(fault: Fault) -> str:
    return "this machine" if fault.place == "local" else "the engine"
