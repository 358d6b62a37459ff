"""Rows of the facts as a person asks for them: found by what people call things, written out with where they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from validator.base.text import did_you_mean, quoted
from validator.base.versions import Dotted, torch_version
from validator.facts import gpu_names
from validator.facts import image_names as images
from validator.facts.driver_names import parse as parse_driver
from validator.facts.loader import TABLES, Facts
from validator.facts.reader import Origin

_ORIGIN = ("source", "confidence", "note")
#: Rows listed where a name may mean several.
_MOST = 20


@dataclass(frozen=True)
class FactRow:
    """One row, ready to be shown."""

    table: str
    key: str
    raw: Mapping[str, Any]
    fields: tuple[tuple[str, str], ...]
    origin: tuple[tuple[str, str], ...]

    def document(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return {"table": self.table, "key": self.key, "fields": dict(self.raw), **dict(self.origin)}


def overview(facts: Facts) -> dict[str, dict[str, object]]:
    """For every table how many rows it has, and how sure they are."""
    found: dict[str, dict[str, object]] = {}
    for table in TABLES:
        rows = facts.raw[table]
        sure = Counter(str(row["confidence"]) for row in rows.values() if isinstance(row, dict) and "confidence" in row)
        told = ", ".join(f"{number} {confidence}" for confidence, number in sure.most_common())
        found[table] = {"rows": len(rows), "confidence": told}
    return found


def names(kind: str, facts: Facts) -> list[str]:
    """What there is to ask for, as the files have it."""
    if kind == "driver":
        return [str(number) for number in facts.branches]
    table = {"torch": "releases", "gpu": "gpus", "toolkit": "toolkits", "image": "tags", "cc": "capabilities"}[kind]
    return list(facts.raw[table])


def look_up(kind: str, name: str, facts: Facts) -> tuple[list[FactRow], str]:
    """The rows a name stands for, and what was taken for granted. Raises ValueError for a name that cannot be read."""
    if kind == "gpu":
        return _gpu(name, facts)
    if kind == "driver":
        return _driver(name, facts)
    if kind == "image":
        return _image(name, facts)
    if kind == "torch":
        wanted = torch_version(name)
        rows = [_made("releases", key, facts) for key in facts.raw["releases"] if torch_version(key).public == wanted.public]
        if not rows and wanted.local is None:
            prefix = name.rstrip(".") + "."
            rows = [_made("releases", key, facts) for key in facts.raw["releases"] if f"{key}.".startswith(prefix)]
        return rows, ""
    if kind == "cc":
        return [_made("capabilities", key, facts) for key in facts.raw["capabilities"] if Dotted(key) == Dotted(name)], ""
    wanted_toolkit = Dotted(name)
    rows = [_made("toolkits", key, facts) for key in facts.raw["toolkits"] if _within(Dotted(key), wanted_toolkit)]
    return rows[:_MOST], ""


def _within(version: Dotted, wanted: Dotted) -> bool:
    parts = wanted.text.split(".")
    return version.text.split(".")[: len(parts)] == parts


def _gpu(name: str, facts: Facts) -> tuple[list[FactRow], str]:
    match = gpu_names.find(name, facts)
    if not match.rows:
        question = did_you_mean(gpu_names.closest(name, facts))
        return [], f"no GPU {quoted(name)} in the facts" + (f"; {question}" if question else "")
    rows = [_made("gpus", row.name, facts) for row in match.rows[:_MOST]]
    capabilities = dict.fromkeys(row.cc.text for row in match.rows)
    return [*rows, *(row for cc in capabilities for row in look_up("cc", cc, facts)[0])], match.assumption


def _driver(name: str, facts: Facts) -> tuple[list[FactRow], str]:
    driver = parse_driver(name, facts)
    rows = [_made("branches", key, facts) for key in facts.raw["branches"] if int(key) == driver.branch]
    below = [f"CUDA {major} builds need {floor.linux}" for major, floor in facts.floors.items() if driver.reaches(floor.linux)]
    said = [driver.assumption, f"it is at least what these need: {'; '.join(below)}" if below else ""]
    if not rows:
        known = max((number for number in facts.branches if number <= driver.branch), default=None)
        said.insert(0, f"branch {driver.branch} is not in the facts" + (f"; the one below is {known}" if known else ""))
    return rows, ". ".join(part for part in said if part)


def _image(name: str, facts: Facts) -> tuple[list[FactRow], str]:
    """The row of an image, and what its tag tells by the pattern of its family."""
    rows = [_made("tags", key, facts) for key in facts.raw["tags"] if key == ":".join(images.plain_reference(name))]
    told = images.read_image(name, facts)
    fields = (
        ("torch", told.torch),
        ("cuda", told.cuda),
        ("glibc", told.libc),
        ("NVIDIA_REQUIRE_CUDA", told.requirement),
        ("cuda-compat inside", None if told.compat is None else "yes" if told.compat else "no"),
        ("code", " ".join(told.arch) if told.arch else None),
    )
    known = tuple((field, str(value)) for field, value in fields if value is not None)
    if known and not rows:
        source = told.requirement_from or "the tag's pattern"
        rows = [FactRow("what its tag tells", name, dict(known), known, (("source", source),))]
    return rows, "; ".join(told.assumptions)


def _made(table: str, key: str, facts: Facts) -> FactRow:
    raw = facts.raw[table][key]
    fields = tuple(_flat(raw, _build_sources(table, key, facts))) if isinstance(raw, dict) else (("value", str(raw)),)
    return FactRow(table, key, raw if isinstance(raw, dict) else {"value": raw}, fields, tuple(_origin(table, key, facts)))


def _flat(raw: Mapping[str, Any], sources: Mapping[str, str], above: str = "") -> Iterator[tuple[str, str]]:
    """Fields and the fields below them, a line each; where the row itself comes from stands below all of them."""
    for name, value in raw.items():
        if name in _ORIGIN and not above:
            continue
        if isinstance(value, dict):
            yield from _flat(value, sources, f"{above}{name}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{above}{name}", sources.get(f"{above}{name}", text)


def _build_sources(table: str, key: str, facts: Facts) -> dict[str, str]:
    """The sources of the builds of a release, in words."""
    if table != "releases":
        return {}
    return {f"builds.{cuda}.source": build.origin.what for cuda, build in facts.releases[torch_version(key)].builds.items()}


def _origin(table: str, key: str, facts: Facts) -> Iterator[tuple[str, str]]:
    origin = _typed_origin(table, key, facts)
    if origin is not None:
        yield "source", origin.what
        yield "date", origin.date
        yield "confidence", origin.confidence
        if origin.note:
            yield "note", origin.note


def _typed_origin(table: str, key: str, facts: Facts) -> Origin | None:
    typed: Any = getattr(facts, table)
    lookup: Any = {"releases": torch_version, "branches": int}.get(table, str)
    row = typed.get(lookup(key))
    return row.origin if row is not None else None
