"""The catalogue of causes: loads ``data/causes/*.yaml``, the vocabulary that predictions, checks, diagnosis and docs share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

from validator.base.data_files import read_table
from validator.model import Severity


class Family(str, Enum):
    """What kind of thing is at fault; also the name of the file a cause is in."""

    ENVIRONMENT = "environment"
    HARDWARE = "hardware"
    CODE = "code"
    CONTAINER = "container"
    NETWORK = "network"
    DATA = "data"


@dataclass(frozen=True)
class Cause:
    """One entry of the catalogue."""

    ident: str
    family: Family
    title: str
    severity: Severity
    """What it usually means for a cell; a finding may say otherwise."""
    explanation: str
    remedy: str
    """What to do. ``{name}`` stands for a value of the context; a sentence whose value is not known is left out."""
    confirm: str
    """A command that tells whether this is it."""
    neighbours: Mapping[str, str]
    """Causes it is easily mistaken for → how to tell them apart."""
    sources: tuple[str, ...]


_FIELDS = ("title", "severity", "explanation", "remedy", "confirm", "neighbours", "sources")


def anchor(ident: str) -> str:
    """Where a cause is explained: its place in the page that is made from the catalogue."""
    return f"docs/causes.md#{ident}"


@cache
def catalogue() -> Mapping[str, Cause]:
    """Every cause by ident, by family and then in the order of its file."""
    found = {}
    for family in Family:
        for ident, row in read_table(f"causes/{family.value}.yaml", _FIELDS).items():
            found[ident] = Cause(
                ident=ident,
                family=family,
                title=row["title"],
                severity=Severity(row["severity"]),
                explanation=row["explanation"],
                remedy=row["remedy"],
                confirm=row["confirm"],
                neighbours=row["neighbours"],
                sources=tuple(row["sources"]),
            )
    return found
