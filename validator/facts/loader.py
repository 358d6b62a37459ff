"""The facts: reads ``data/facts/*.yaml`` into typed tables; nothing else reads those files.

Every value of the files is text (12.10 stays 12.10). A file is read when one of its tables is first asked for. A user's own file
of the same form is laid over them, row by row and field by field. docs/facts.md describes the format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from packaging.version import Version

from validator.base.data_files import read_first, read_mapping
from validator.base.errors import EmptyFileError, InvalidInputError, MatrixError
from validator.base.once import once
from validator.base.resources import DATA
from validator.base.versions import Dotted
from validator.facts import rows, tables
from validator.facts.reader import Origin, Reader, RowError, words

_Row = TypeVar("_Row")
#: Key of a source → what it is, and its date.
Sources = Mapping[str, tuple[str, str]]

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


class Facts:
    """Everything that is known before anything is run.

    Each table is read when it is first asked for, so a question costs what it touches. Two sets of facts are never equal, so that
    answers can be kept by them.
    """

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        """The rows as they stand in the files, by table and key, to be shown."""

    @once
    def toolkits(self) -> Mapping[str, rows.Toolkit]:
        """By full version."""
        return self._table("toolkits", tables.toolkit)

    @once
    def floors(self) -> Mapping[int, rows.Floor]:
        """By CUDA major."""
        return {row.major: row for row in self._table("floors", tables.floor).values()}

    @once
    def branches(self) -> Mapping[int, rows.Branch]:
        """By number."""
        return {row.number: row for row in self._table("branches", tables.branch).values()}

    @once
    def distributions(self) -> Mapping[str, rows.Distribution]:
        """By name, in lower case."""
        return self._table("distributions", tables.distribution)

    @property
    def compat_lines(self) -> Mapping[str, frozenset[str]]:
        """``allowed``, ``maybe``, ``refused`` → product lines, for forward compatibility."""
        return self._compat_lines[0]

    @property
    def compat_origin(self) -> Origin:
        """Where ``compat_lines`` come from."""
        return self._compat_lines[1]

    @once
    def _compat_lines(self) -> tuple[Mapping[str, frozenset[str]], Origin]:
        return self._table("compat_lines", tables.compat_lines)["all"]

    @once
    def compat_bases(self) -> Mapping[str, rows.CompatBase]:
        """By CUDA version."""
        return self._table("compat_bases", tables.compat_base)

    @once
    def gates(self) -> Mapping[str, rows.Gate]:
        """By CUDA version."""
        brands = self._plain("brand_sets", lambda _, listed: words(listed, ""))
        return self._table("gates", lambda key, row: tables.gate(key, row, brands))

    @once
    def capabilities(self) -> Mapping[str, rows.Capability]:
        """By the text of the compute capability, in order."""
        return self._table("capabilities", tables.capability)

    @once
    def gpus(self) -> Mapping[str, rows.GpuRow]:
        """By NVML's name without the vendor."""
        return self._table("gpus", tables.gpu)

    @once
    def releases(self) -> Mapping[Version, rows.Release]:
        """Oldest first."""
        sources = self.raw.sources("releases")
        found = self._table("releases", lambda key, row: tables.release(key, row, sources))
        return {row.version: row for row in sorted(found.values(), key=lambda row: row.version)}

    @once
    def boundaries(self) -> Mapping[str, rows.Boundary]:
        """By ident."""
        return self._table("boundaries", tables.boundary)

    @once
    def patterns(self) -> tuple[rows.TagPattern, ...]:
        """In the order in which they are tried."""
        sources = self.raw.sources("patterns")
        return tuple(
            tables.tag_pattern(repository, Reader(row, sources))
            for repository, group in self.raw["patterns"].items()
            for row in group
        )

    @once
    def os_glibc(self) -> Mapping[str, Dotted]:
        """The glibc of a distribution, by its name in tags (``ubuntu22.04``)."""
        return self._plain("os_glibc", lambda _, version: Dotted(str(version)))

    @once
    def ngc_arch(self) -> tuple[rows.NgcArch, ...]:
        """Oldest first."""
        return tuple(sorted(self._table("ngc_arch", tables.ngc_arch).values(), key=lambda row: row.month))

    @once
    def tags(self) -> Mapping[str, rows.ImageTag]:
        """By whole reference."""
        return self._table("tags", tables.tag)

    @once
    def as_of(self) -> str:
        """The newest date of any source (``2026-11-25``): nothing later is known."""
        return max(date for table in TABLES for _, date in self.raw.sources(table).values())

    @once
    def newest_torch(self) -> Version:
        """The newest release in the facts."""
        return max(self.releases)

    @once
    def newest_branch(self) -> int:
        """The newest driver branch in the facts."""
        return max(self.branches)

    def since(self, boundary: str) -> Version:
        """The first torch that has something."""
        return self.boundaries[boundary].since

    def check(self) -> None:
        """Reads every table. Raises WrongRow for a row that cannot be used."""
        for table in TABLES:
            if table != "brand_sets":  # read with the gates
                getattr(self, table)

    def _table(self, name: str, make: Callable[[str, Reader], _Row]) -> dict[str, _Row]:
        sources = self.raw.sources(name)
        return self._plain(name, lambda key, row: make(key, Reader(row, sources)))

    def _plain(self, name: str, make: Callable[[str, Any], _Row]) -> dict[str, _Row]:
        made = {}
        for key, value in self.raw[name].items():
            try:
                made[key] = make(key, value)
            except RowError as error:
                raise WrongRow(name, key, error) from None
            except ValueError as error:
                raise WrongRow(name, key, RowError("", str(error))) from None
        return made


class WrongRow(Exception):
    """A row that cannot be used, and where it is."""

    def __init__(self, table: str, key: str, error: RowError) -> None:
        super().__init__(f"{table}.{key}: {error}")
        self.table, self.key, self.field, self.problem = table, key, error.field, error.problem


class Raw(Mapping[str, Mapping[str, Any]]):
    """The rows of every table as they stand in the files, with a user's own laid over them."""

    def __init__(self, overlay: Mapping[str, Mapping[str, Any]] | None = None, overlay_file: str = "") -> None:
        self._overlay = overlay or {}
        self._overlay_file = overlay_file
        self._tables: dict[str, Mapping[str, Any]] = {}

    def __getitem__(self, table: str) -> Mapping[str, Any]:
        known = self._tables.get(table)
        if known is not None:
            return known
        shipped = _shipped(TABLES[table])[table]
        added = {key: _laid_over(shipped.get(key), row) for key, row in self._overlay.get(table, {}).items()}
        return self._tables.setdefault(table, {**shipped, **added} if added else shipped)

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)

    def sources(self, table: str) -> Sources:
        """The sources that rows of a table may name: those of its file, and the user's own."""
        own = {"overlay": (self._overlay_file, ""), **_named(self._overlay.get("sources", {}))} if self._overlay_file else {}
        return {**_shipped_sources(TABLES[table]), **own}


def _named(sources: Mapping[str, Mapping[str, Any]]) -> Sources:
    return {key: (str(row.get("what", "")), str(row.get("date", ""))) for key, row in sources.items()}


@cache
def _shipped(name: str) -> Mapping[str, Any]:
    """The tables of one file, every scalar as text."""
    expected = [table for table, file in TABLES.items() if file == name]
    return read_mapping(f"facts/{name}.yaml", ["sources", *expected], as_text=True)


@cache
def _shipped_sources(name: str) -> Sources:
    """The sources of one file, read without its tables."""
    return _named(read_first(f"facts/{name}.yaml", "sources"))


@cache
def load(overlay: Path | None = None) -> Facts:
    """The shipped facts, with a file of the user's own on top.

    Raises InvalidInputError with file and line where the overlay cannot be used.
    """
    return Facts(Raw()) if overlay is None else _with_overlay(overlay)


def _with_overlay(overlay: Path) -> Facts:
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
    added: dict[str, dict[str, Any]] = {}
    for table, rows_of in document.data.items():
        if table == "sources":
            if not isinstance(rows_of, dict) or not all(isinstance(row, dict) for row in rows_of.values()):
                raise wrong((table,), "each source is {what: …, date: …}")
        elif table not in TABLES or table == "patterns":
            names = ", ".join(name for name in TABLES if name != "patterns")
            raise wrong((table,), f"there is no such table to add to (there are: {names})")
        elif not isinstance(rows_of, dict):
            raise wrong((table,), "a table must be a mapping of rows")
        added[table] = rows_of
    facts = Facts(Raw(added, document.file))
    try:
        facts.check()  # now, where the file and its lines are known
    except WrongRow as error:
        raise wrong((error.table, error.key, *error.field.split("/")), error.problem) from None
    return facts


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
