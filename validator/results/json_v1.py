"""results.json, schema_version 1: written and read.

The field names are frozen: a change of one is a new schema version in a new module, and this one keeps reading its own. Values
whose shape in the file is their shape in ``validator.model`` are written from those types; a test pins every name. All text is
cleaned on the way out and on the way in, because a results file may come from anywhere. Cells are written and read one by one;
in a file of very many, ``shared`` has what they have in common (``results/shared.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from validator.base.errors import ReportFileError
from validator.base.text import clean_tree
from validator.model import (
    Assumption,
    AssumptionKind,
    Attempt,
    Basis,
    BuiltImage,
    CellResult,
    CheckResult,
    Content,
    Environment,
    Finding,
    HostInfo,
    HostInterpreter,
    Mismatch,
    Missing,
    MissingKind,
    Origin,
    Outlook,
    Prediction,
    PulledImage,
    RanOn,
    Report,
    RunInfo,
    Seconds,
    Source,
    Status,
    Target,
    Where,
    count,
    unnamed,
)
from validator.results.json_checks import DECODER, SCHEMA_VERSION, Problems, check_version, parsed, readable, validated
from validator.results.json_parts import clean_json, is_clean, object_members, object_parts
from validator.results.shared import (
    ENVIRONMENTS,
    FINDINGS,
    INLINE_CELLS,
    KINDS,
    TARGETS,
    TEXTS,
    NotSharedError,
    Sharing,
    resolved,
)

_TOOL = "torch-matrix-validator"
_BUILD = "build:"
_INTERPRETER = "interpreter:"
#: Where an environment is said to come from when the file, being older, does not say.
_WHERE = Where("results.json", 0)


class _Environment(BaseModel):
    id: str
    torch: str | None
    cuda: str | None
    python: str | None
    image: str
    """A reference, ``build:<folder>`` or ``interpreter:<path>``."""
    digest: str | None
    where: Where | None = None
    """The line of the matrix that asks for it; None in older files."""


class _Prediction(BaseModel):
    """A prediction: sentences, and beside them their kinds, which older files do not have."""

    status: Outlook
    causes: tuple[str, ...] = ()
    basis: Basis = Basis.PREDICTED
    findings: tuple[Finding, ...] = ()
    assumptions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    assumption_kinds: tuple[str, ...] = ()
    """One for each of ``assumptions``; empty in older files. A kind that is not known here is read as unstated."""
    missing_kinds: tuple[str, ...] = ()
    """As ``assumption_kinds``."""


class _Cell(BaseModel):
    id: str
    environment: _Environment
    target: Target
    status: Status
    basis: Basis | None
    predicted: _Prediction | None
    agrees: bool | None
    findings: tuple[Finding, ...]
    checks: tuple[CheckResult, ...]
    seconds: Seconds
    cached: bool
    reason: str = ""
    notes: tuple[str, ...] = ()
    expect: Status | None = None
    unexpected: bool = False
    content: Content = Content()
    mismatches: tuple[Mismatch, ...] = ()
    ran_on: RanOn | None = None
    origin: Origin | None = None
    attempts: tuple[Attempt, ...] = ()
    log_tail: str = ""


class _PredictionSharing(_Prediction):
    """As it is written where values are shared: a number is a place in ``shared``."""

    findings: tuple[int, ...] = ()  # type: ignore[assignment]
    assumptions: tuple[int, ...] = ()  # type: ignore[assignment]
    missing: tuple[int, ...] = ()  # type: ignore[assignment]


class _CellSharing(_Cell):
    """As ``_PredictionSharing``."""

    environment: int  # type: ignore[assignment]
    target: int  # type: ignore[assignment]
    reason: int  # type: ignore[assignment]
    findings: tuple[int, ...]  # type: ignore[assignment]
    notes: tuple[int, ...] = ()  # type: ignore[assignment]
    predicted: _PredictionSharing | None


class _Shared(BaseModel):
    """What the cells of a large file refer to; a small file has none."""

    environments: tuple[_Environment, ...] = ()
    targets: tuple[Target, ...] = ()
    findings: tuple[Finding, ...] = ()
    texts: tuple[str, ...] = ()


class _Tool(BaseModel):
    name: str
    version: str


class _File(BaseModel):
    schema_version: Literal[1]
    tool: _Tool
    run: RunInfo
    host: HostInfo
    hosts: dict[str, HostInfo] = {}
    """Every machine by its id, ``host`` first; empty in older files."""
    shared: _Shared | None = None
    """Only in a file of very many cells."""
    cells: tuple[_Cell, ...]
    summary: dict[Status, int]
    unknown_findings: int = 0
    """Cells that are not green and whose cause could not be named."""


_FILE = TypeAdapter(_File)
_CELL = TypeAdapter(_Cell)
_CELL_SHARING = TypeAdapter(_CellSharing)
_SHARED = TypeAdapter(_Shared)
_TABLES: dict[str, TypeAdapter[Any]] = {
    ENVIRONMENTS: TypeAdapter(tuple[_Environment, ...]),
    TARGETS: TypeAdapter(tuple[Target, ...]),
    FINDINGS: TypeAdapter(tuple[Finding, ...]),
    TEXTS: TypeAdapter(tuple[str, ...]),
}
_RESULT = TypeAdapter(CellResult)
_PREDICTION = TypeAdapter(Prediction)
_RUN = TypeAdapter(RunInfo)
_HOST = TypeAdapter(HostInfo)
_T = TypeVar("_T")
_Kind = TypeVar("_Kind", AssumptionKind, MissingKind)


# ---------------------------------------------------------------- writing


def dump(report: Report) -> str:
    """The text of results.json."""
    return "".join(parts(report))


def parts(report: Report, inline_cells: int = INLINE_CELLS) -> Iterator[str]:
    """The text of results.json in parts, made one cell at a time.

    More cells than ``inline_cells`` share what they have in common.
    """
    sharing = Sharing() if len(report.cells) > inline_cells else None
    if sharing is not None:
        for result in report.cells:
            _written_sharing(result, sharing)  # every value finds its place before the first cell is written
    file = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": _TOOL, "version": report.tool_version},
        "run": _plain(_RUN, report.run),
        "host": _plain(_HOST, report.host),
        "hosts": {name: _plain(_HOST, host) for name, host in report.hosts.items()},
        "cells": (),
        "summary": count(report.cells),
        "unknown_findings": unnamed(report.cells),
    }
    checked = _FILE.dump_python(_FILE.validate_python(file), exclude={"shared"} if sharing is None else None)
    members: dict[str, str | Iterable[str]] = {name: clean_json(value, indent=2) for name, value in checked.items()}
    if sharing is None:
        members["cells"] = (_text(_CELL, _written(result), indent=2) for result in report.cells)
    else:
        members["shared"] = clean_json(_tables(sharing), indent=None)
        members["cells"] = (_sharing_text(result, sharing) for result in report.cells)
    return object_parts(members.items())


def dump_cell(result: CellResult) -> str:
    """One cell, as in ``cells`` of the file."""
    return _text(_CELL, _written(result))


def dump_run(run: RunInfo) -> str:
    """The run, as in ``run`` of the file."""
    return _text(_RUN, _plain(_RUN, run))


def dump_host(host: HostInfo) -> str:
    """The machine, as in ``host`` of the file."""
    return _text(_HOST, _plain(_HOST, host))


def _text(adapter: TypeAdapter[Any], tree: object, indent: int | None = None) -> str:
    """JSON text of a tree that has gone through the reader's own types, so that nothing is written that it could not read."""
    checked = adapter.dump_python(adapter.validate_python(tree))
    return clean_json(checked, indent)


def _plain(adapter: TypeAdapter[_T], value: _T, *without: str) -> dict[str, Any]:
    """A value as plain ones, without some of its fields. What is wrong in it is found when the whole is validated."""
    plain: dict[str, Any] = adapter.dump_python(value, exclude=set(without), warnings=False)
    return plain


def _written(result: CellResult) -> dict[str, object]:
    return {
        **_plain(_RESULT, result, "environment", "predicted"),
        "predicted": _written_prediction(result.predicted) if result.predicted is not None else None,
        "unexpected": result.unexpected,
        "environment": _written_environment(result),
    }


def _written_environment(result: CellResult) -> dict[str, object]:
    environment = result.environment
    return {
        "id": environment.id,
        "torch": environment.torch,
        "cuda": environment.cuda,
        "python": environment.python,
        "image": image_text(environment.source),
        "digest": result.digest,
        "where": {"file": environment.where.file, "line": environment.where.line},
    }


def _written_prediction(prediction: Prediction) -> dict[str, object]:
    return {
        **_plain(_PREDICTION, prediction),
        "assumptions": [each.text for each in prediction.assumptions],
        "missing": [each.text for each in prediction.missing],
        "assumption_kinds": [each.kind.value for each in prediction.assumptions],
        "missing_kinds": [each.kind.value for each in prediction.missing],
    }


# ---------------------------------------------------------------- writing what is shared


def _written_sharing(result: CellResult, sharing: Sharing) -> dict[str, object]:
    """A cell with places in ``shared`` for its values."""
    environment = _written_environment(result)
    where = result.environment.where
    key = tuple(value for value in environment.values() if not isinstance(value, dict))
    predicted = result.predicted
    shared = ("environment", "target", "reason", "findings", "notes", "predicted")
    return {
        **_plain(_RESULT, result, *shared),
        "unexpected": result.unexpected,
        "environment": sharing.place(ENVIRONMENTS, (*key, where), environment),
        "target": sharing.place(TARGETS, (result.target, result.target.where), result.target),
        "reason": sharing.place(TEXTS, result.reason),
        "findings": [sharing.place(FINDINGS, each) for each in result.findings],
        "notes": [sharing.place(TEXTS, each) for each in result.notes],
        "predicted": None
        if predicted is None
        else {
            "status": predicted.status,
            "causes": predicted.causes,
            "basis": predicted.basis,
            "findings": [sharing.place(FINDINGS, each) for each in predicted.findings],
            "assumptions": [sharing.place(TEXTS, each.text) for each in predicted.assumptions],
            "missing": [sharing.place(TEXTS, each.text) for each in predicted.missing],
            "assumption_kinds": [each.kind.value for each in predicted.assumptions],
            "missing_kinds": [each.kind.value for each in predicted.missing],
        },
    }


def _sharing_text(result: CellResult, sharing: Sharing) -> str:
    """A cell on one line, without what is as it is where nothing is said."""
    cell = _CELL_SHARING.validate_python(_written_sharing(result, sharing))
    return clean_json(_CELL_SHARING.dump_python(cell, exclude_defaults=True), indent=None)


def _tables(sharing: Sharing) -> object:
    tables = {name: _plain(_TABLES[name], tuple(values)) for name, values in sharing.tables.items()}
    return _SHARED.dump_python(_SHARED.validate_python(tables))


def image_text(source: Source) -> str:
    """Where an environment comes from, as ``environment.image`` of the file: a reference, a folder's name, a path."""
    if isinstance(source, PulledImage):
        return source.reference
    if isinstance(source, BuiltImage):
        return _BUILD + source.context.name
    return f"{_INTERPRETER}{source.path}"


# ---------------------------------------------------------------- reading


def load(text: str, *, name: str = "the results file") -> Report:
    """The report in the text of a results.json. Raises ReportFileError; ``name`` is what its message calls the file."""
    found = _Found(name)
    with readable(name):
        for member, value in object_members(text, DECODER, "cells"):
            if member == "":
                check_version(value, name)  # no object
            elif member != "cells" or not isinstance(value, Iterator):
                found.head[member] = value
            elif "schema_version" in found.head:
                found.cells_of(item if is_clean(written) else clean_tree(item) for item, written in value)
            else:  # in an order that is not ours: nobody knows yet what is to be read
                found.late = [clean_tree(item) for item, _ in value]
    return found.report()


@dataclass
class _Found:
    """What was read of a file so far."""

    name: str
    head: dict[str, Any] = field(default_factory=dict)
    """The members of the file but for its cells, not yet checked."""
    late: list[Any] | None = None
    """Cells that stand before what says how they are to be read."""
    cells: list[CellResult] = field(default_factory=list)
    problems: Problems = field(default_factory=lambda: Problems())
    _places: set[tuple[str, str]] = field(default_factory=set)

    def cells_of(self, items: Iterable[Any]) -> None:
        """Check and take the cells of the file, in place of any that were there."""
        check_version(self.head, self.name)
        self.cells, self.problems, self._places = [], Problems(), set()
        self.head["cells"] = []
        shared = self.head.get("shared")
        tables: _Shared | None = validated(_SHARED, clean_tree(shared), self.name, "shared") if shared is not None else None
        values = {kind: getattr(tables, kind) for kind in KINDS} if tables else {}
        for index, item in enumerate(items):
            try:
                cell = resolved(item, values) if tables else item
                checked = _CELL.validate_python(cell)
            except NotSharedError as error:
                raise ReportFileError(
                    f"{self.name}: cells[{index}].{error.path} refers to shared.{error.kind}[{error.place}], which is not there",
                    why=f"shared.{error.kind} has {len(values[error.kind])} of them",
                    hint="use the results.json as `validator run` wrote it",
                ) from None
            except ValidationError as error:
                self.problems.add(cell, error, f"cells[{index}]")
                continue
            self._add(checked, index)

    def _add(self, cell: _Cell, index: int) -> None:
        place = (cell.environment.id, cell.target.id)
        if place in self._places and not self.problems:
            raise ReportFileError(
                f"{self.name}: cells[{index}]: environment {place[0]} on target {place[1]} is there twice",
                why="a report has one answer for each environment on each target",
                hint="use the results.json as `validator run` wrote it",
            )
        self._places.add(place)
        if not self.problems:
            self.cells.append(_read(cell))

    def report(self) -> Report:
        """The report, once everything was read. Raises ReportFileError."""
        if self.late is not None:
            late, self.late = self.late, None
            self.cells_of(late)
        check_version(self.head, self.name)
        head = clean_tree({name: value for name, value in self.head.items() if name != "shared"})
        try:
            file = _FILE.validate_python(head)
        except ValidationError as error:
            problems = Problems()
            problems.add(head, error)
            raise problems.refusal(self.name, self.problems.number) from None
        if self.problems:
            raise self.problems.refusal(self.name)
        hosts = file.hosts or {file.host.id: file.host}
        return Report(file.run, hosts, tuple(self.cells), file.tool.version)


def load_cell(text: str, name: str) -> CellResult:
    """What ``dump_cell`` wrote. Raises ReportFileError."""
    return _read(validated(_CELL, parsed(text, name), name))


def load_run(text: str, name: str) -> RunInfo:
    """What ``dump_run`` wrote. Raises ReportFileError."""
    return validated(_RUN, parsed(text, name), name)


def load_host(text: str, name: str) -> HostInfo:
    """What ``dump_host`` wrote. Raises ReportFileError."""
    return validated(_HOST, parsed(text, name), name)


def _read(cell: _Cell) -> CellResult:
    written = cell.environment
    apart = ("environment", "predicted", "unexpected")
    fields = {field: getattr(cell, field) for field in _Cell.model_fields if field not in apart}
    predicted = _prediction(cell.predicted) if cell.predicted is not None else None
    environment = Environment(
        id=written.id,
        source=_source(written.image),
        where=written.where or _WHERE,
        torch=written.torch,
        cuda=written.cuda,
        python=written.python,
    )
    return _RESULT.validate_python({**fields, "predicted": predicted, "environment": environment, "digest": written.digest})


def _prediction(written: _Prediction) -> Prediction:
    return Prediction(
        status=written.status,
        causes=written.causes,
        basis=written.basis,
        findings=written.findings,
        assumptions=tuple(
            Assumption(_kind(AssumptionKind, kind), text)
            for text, kind in zip_longest(written.assumptions, written.assumption_kinds[: len(written.assumptions)])
        ),
        missing=tuple(
            Missing(_kind(MissingKind, kind), text)
            for text, kind in zip_longest(written.missing, written.missing_kinds[: len(written.missing)])
        ),
    )


def _kind(kinds: type[_Kind], word: str | None) -> _Kind:
    return kinds(word) if word in {kind.value for kind in kinds} else kinds("unstated")


def _source(image: str) -> Source:
    if image.startswith(_BUILD):
        return BuiltImage(Path(image.removeprefix(_BUILD)))
    if image.startswith(_INTERPRETER):
        return HostInterpreter(Path(image.removeprefix(_INTERPRETER)))
    return PulledImage(image)
