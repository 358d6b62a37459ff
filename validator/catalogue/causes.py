"""The catalogue of causes: loads ``data/causes/*.yaml``, the one vocabulary of predictions, checks, diagnosis and the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

import yaml

from validator.base.resources import DATA
from validator.model import Severity

FOLDER = DATA / "causes"


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
    explanation: str = ""
    remedy: str = ""
    """What to do; ``{name}`` stands for a value of the context and is left out with its sentence where there is none."""
    confirm: str = ""
    """A command that tells whether this is it."""
    neighbours: Mapping[str, str] | None = None
    """Causes it is easily mistaken for → how to tell them apart."""
    sources: tuple[str, ...] = ()


@cache
def catalogue() -> Mapping[str, Cause]:
    """Every cause by ident, by family and then in the order of its file."""
    found = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the pure parser takes ten times as long
    for family in Family:
        text = (FOLDER / f"{family.value}.yaml").read_text(encoding="utf-8")
        rows = yaml.load(text, Loader=loader)  # noqa: S506 - safe, either way
        for ident, row in rows.items():
            found[ident] = Cause(
                ident=ident,
                family=family,
                title=row["title"],
                severity=Severity(row["severity"]),
                explanation=row.get("explanation", ""),
                remedy=row.get("remedy", ""),
                confirm=row.get("confirm", ""),
                neighbours=row.get("neighbours", {}),
                sources=tuple(row.get("sources", ())),
            )
    return found
