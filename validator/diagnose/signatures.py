"""Signatures, loaded from data/signatures/*.yaml and checked. What a message means is data; no message is known to the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from validator.base.data_files import read_mapping, read_rows
from validator.base.resources import DATA
from validator.catalogue.causes import catalogue
from validator.diagnose.patterns import MessagePattern, normal, parse

FOLDER = DATA / "signatures"
#: In relations.yaml: any cause that is firmly seen.
ANY = "any"


@dataclass(frozen=True)
class Case:
    """What a signature means under certain conditions."""

    when: tuple[str, ...]
    """Conditions, in the language of ``conditions``; all must hold."""
    cause: str | None
    """None: the signature then says nothing at all."""
    weight: int


@dataclass(frozen=True)
class Signature:
    """Messages that mean the same."""

    id: str
    patterns: tuple[MessagePattern, ...]
    unless: tuple[str, ...]
    """A line that also contains one of these texts is another message."""
    cause: str | None
    """None for a clue, which decides between causes and names none."""
    weight: int
    """0 … 100: how firmly it names its cause on its own."""
    cases: tuple[Case, ...]
    also: tuple[str, ...]
    """What else the same message can come from; offered as alternatives, never named because of this message alone."""
    examples: tuple[str, ...]
    """Logs for which ``diagnose`` must name this cause."""
    counterexamples: tuple[str, ...]
    """Similar logs for which it must name another one, or none."""


@cache
def signatures() -> tuple[Signature, ...]:
    """Every signature and clue, file by file, each in the file's order. Raises ValueError for a broken one."""
    found: dict[str, Signature] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name == "relations.yaml":
            continue
        for row in read_rows(f"signatures/{path.name}", required=("id", "any"), optional=_FIELDS):
            signature = _signature(row)
            if signature.id in found:
                raise ValueError(f"{path.name}: two signatures are called {signature.id}")
            found[signature.id] = signature
    return tuple(found.values())


@cache
def relations() -> Mapping[str, tuple[str, ...]]:
    """Cause (``any``: every one) → causes whose messages it also brings about; where both are seen, the first is the root."""
    aftermath = read_mapping("signatures/relations.yaml")
    for cause, others in aftermath.items():
        for name in (cause, *others):
            if name != ANY:
                _known(name, "relations.yaml")
    return {cause: tuple(others) for cause, others in aftermath.items()}


#: What a signature may have besides its id and its patterns.
_FIELDS = ("cause", "weight", "unless", "cases", "also", "example", "counterexample")


def _signature(row: Mapping[str, object]) -> Signature:
    name = str(row["id"])
    cause = row.get("cause")
    cases = tuple(_case(item, name) for item in _list(row.get("cases")))
    return Signature(
        id=name,
        patterns=tuple(parse(str(text)) for text in _list(row["any"])),
        unless=tuple(_text(text, name) for text in _list(row.get("unless"))),
        cause=_known(str(cause), name) if cause else None,
        weight=int(str(row.get("weight", 0))),
        cases=cases,
        also=tuple(_known(str(other), name) for other in _list(row.get("also"))),
        examples=tuple(str(text) for text in _list(row.get("example"))),
        counterexamples=tuple(str(text) for text in _list(row.get("counterexample"))),
    )


def _case(item: object, name: str) -> Case:
    if not isinstance(item, dict):
        raise ValueError(f"signature {name}: a case is a mapping")
    cause = item.get("cause")
    when = tuple(str(text) for text in _list(item["when"]))
    return Case(when=when, cause=_known(str(cause), name) if cause else None, weight=int(item.get("weight", 0)))


def _text(value: object, name: str) -> str:
    text = str(value)
    if normal(text) != text or set(text) & set("{}*"):
        raise ValueError(f"{name}: {text!r} is not plain text in normal form")
    return text


def _list(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _known(cause: str, name: str) -> str:
    if cause not in catalogue():
        raise ValueError(f"{name}: {cause} is not a cause of the catalogue")
    return cause
