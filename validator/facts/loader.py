"""The facts: loads ``data/facts/*.yaml`` into typed tables; nothing else reads those files.

Every value of the files is text (12.10 stays 12.10). A user's own file of the same form is laid over them, row by row and
field by field. docs/facts.md describes the format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from packaging.version import Version

from validator.base.errors import EmptyFileError, InvalidInputError, MatrixError
from validator.base.resources import DATA
from validator.base.versions import Dotted
from validator.facts import rows, tables
from validator.facts.reader import Origin, Reader, RowError, words

FOLDER = DATA / "facts"
#: Table → the file it is in. `sources` is in every file and not a table.
TABLES = {
    "toolkits": "toolkits",
    "floors": "drivers",
    "branches": "drivers",
    "distributions": "drivers",
    "compat_lines": "drivers",
    "compat_bases": "drivers",
    "brand_sets": "drivers",
    "gates": "drivers",
    "capabilities": "capabilities",
    "gpus": "gpus",
    "releases": "torch",
    "boundaries": "boundaries",
    "patterns": "images",
    "os_glibc": "images",
    "ngc_arch": "images",
    "tags": "images",
}


@dataclass(frozen=True, eq=False)
class Facts:
    """Everything that is known before anything is run. Two sets of facts are never equal, so that answers can be kept by them."""

    toolkits: Mapping[str, rows.Toolkit]
    floors: Mapping[int, rows.Floor]
    branches: Mapping[int, rows.Branch]
    distributions: Mapping[str, rows.Distribution]
    compat_lines: Mapping[str, frozenset[str]]
    """``allowed``, ``maybe``, ``refused`` → product lines, for forward compatibility."""
    compat_origin: Origin
    compat_bases: Mapping[str, rows.CompatBase]
    gates: Mapping[str, rows.Gate]
    capabilities: Mapping[str, rows.Capability]
    gpus: Mapping[str, rows.GpuRow]
    releases: Mapping[Version, rows.Release]
    """Oldest first."""
    boundaries: Mapping[str, rows.Boundary]
    patterns: tuple[rows.Pattern, ...]
    os_glibc: Mapping[str, Dotted]
    ngc_arch: tuple[rows.NgcArch, ...]
    """Oldest first."""
    tags: Mapping[str, rows.ImageTag]
    as_of: str
    """The newest date of any source: nothing later is known."""
    raw: Mapping[str, Mapping[str, Any]] = field(repr=False, default_factory=dict)
    """The rows as they stand in the files, by table and key, to be shown."""

    @property
    def newest_torch(self) -> Version:
        """The newest release in the facts."""
        return max(self.releases)

    @property
    def newest_branch(self) -> int:
        """The newest driver branch in the facts."""
        return max(self.branches)

    def since(self, boundary: str) -> Version:
        """The first torch that has something."""
        return self.boundaries[boundary].since


@cache
def load(overlay: Path | None = None) -> Facts:
    """The shipped facts, with a file of the user's own on top.

    Raises InvalidInputError with file and line where the overlay cannot be used.
    """
    raw: dict[str, dict[str, Any]] = {}
    sources: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(TABLES.values()):
        document = _shipped(name)
        sources[name] = dict(document.pop("sources"))
        raw.update(document)
    if overlay is None:
        return _build(raw, sources)
    return _with_overlay(raw, sources, overlay)


def _shipped(name: str) -> dict[str, Any]:
    """One file, every scalar as text. The C parser where PyYAML has it: the pure one takes a second."""
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 - BaseLoader makes nothing but text
    return document


def _with_overlay(raw: dict[str, dict[str, Any]], sources: dict[str, dict[str, Any]], overlay: Path) -> Facts:
    from validator.base.yaml_text import read

    try:
        document = read(overlay)
    except MatrixError as error:
        hint = "docs/facts.md shows what it may hold" if isinstance(error, EmptyFileError) else error.hint
        raise InvalidInputError(error.what, why=error.why, hint=hint) from None

    def wrong(place: tuple[str, ...], problem: str) -> InvalidInputError:
        where = "".join(f"{part}." for part in place if part)[:-1]
        return InvalidInputError(
            f"{document.file}:{document.key_line(place)}: {where + ': ' if where else ''}{problem}",
            why="a file of facts has the tables and fields of the shipped ones",
            hint="docs/facts.md lists them; `validator facts` shows a shipped row to copy",
        )

    if not isinstance(document.data, dict):
        raise wrong((), "a file of facts must be a mapping of tables")
    for table, added in document.data.items():
        if table == "sources":
            if not isinstance(added, dict) or not all(isinstance(row, dict) for row in added.values()):
                raise wrong((table,), "each source is {what: …, date: …}")
            for known in sources.values():
                known.update(added)
            continue
        if table not in TABLES or table == "patterns":
            names = ", ".join(name for name in TABLES if name != "patterns")
            raise wrong((table,), f"there is no such table to add to (there are: {names})")
        if not isinstance(added, dict):
            raise wrong((table,), "a table must be a mapping of rows")
        for known in sources.values():
            known.setdefault("overlay", {"what": document.file, "date": ""})
        raw[table] = {**raw[table], **{key: _laid_over(raw[table].get(key), row) for key, row in added.items()}}
    try:
        return _build(raw, sources)
    except _WrongRow as error:
        raise wrong((error.table, error.key, *error.field.split("/")), error.problem) from None


def _laid_over(row: Any, added: Any) -> Any:
    """A row with the fields of another on top; what is new is marked as the user's own."""
    if not isinstance(added, dict):
        return added
    base = dict(row) if isinstance(row, dict) else {}
    mark = {"source": "overlay", "confidence": "own"}
    result = {**base, **mark, **added}
    if isinstance(added.get("builds"), dict):
        builds = base.get("builds", {})
        result["builds"] = {
            **builds,
            **{
                cuda: {**builds.get(cuda, {}), **mark, **build} if isinstance(build, dict) else build
                for cuda, build in added["builds"].items()
            },
        }
    return result


class _WrongRow(Exception):
    """A row that cannot be used, and where it is."""

    def __init__(self, table: str, key: str, error: RowError) -> None:
        super().__init__(f"{table}.{key}: {error}")
        self.table, self.key, self.field, self.problem = table, key, error.field, error.problem


def _build(raw: Mapping[str, Mapping[str, Any]], documents: Mapping[str, Mapping[str, Any]]) -> Facts:
    """The typed tables. Raises _WrongRow."""
    sources = {
        table: {name: (str(row.get("what", "")), str(row.get("date", ""))) for name, row in documents[file].items()}
        for table, file in TABLES.items()
    }

    def plain(name: str, make: Callable[[str, Any], Any]) -> dict[str, Any]:
        made = {}
        for key, value in raw[name].items():
            try:
                made[key] = make(key, value)
            except RowError as error:
                raise _WrongRow(name, key, error) from None
            except ValueError as error:
                raise _WrongRow(name, key, RowError("", str(error))) from None
        return made

    def table(name: str, make: Callable[[str, Reader], Any]) -> dict[str, Any]:
        return plain(name, lambda key, row: make(key, Reader(row, sources[name])))

    lines = table("compat_lines", tables.compat_lines)["all"]
    brands = plain("brand_sets", lambda _, listed: words(listed, ""))
    releases = table("releases", lambda key, row: tables.release(key, row, sources["releases"]))
    ngc = table("ngc_arch", tables.ngc_arch)
    return Facts(
        toolkits=table("toolkits", tables.toolkit),
        floors={int(key): row for key, row in table("floors", tables.floor).items()},
        branches={row.number: row for row in table("branches", tables.branch).values()},
        distributions=table("distributions", tables.distribution),
        compat_lines=lines[0],
        compat_origin=lines[1],
        compat_bases=table("compat_bases", tables.compat_base),
        gates=table("gates", lambda key, row: tables.gate(key, row, brands)),
        capabilities=table("capabilities", tables.capability),
        gpus=table("gpus", tables.gpu),
        releases={row.version: row for row in sorted(releases.values(), key=lambda row: row.version)},
        boundaries=table("boundaries", tables.boundary),
        patterns=tuple(
            tables.pattern(repository, Reader(row, sources["patterns"]))
            for repository, group in raw["patterns"].items()
            for row in group
        ),
        os_glibc=plain("os_glibc", lambda _, version: Dotted(str(version))),
        ngc_arch=tuple(sorted(ngc.values(), key=lambda row: row.month)),
        tags=table("tags", tables.tag),
        as_of=max(date for group in sources.values() for _, date in group.values()),
        raw=raw,
    )
