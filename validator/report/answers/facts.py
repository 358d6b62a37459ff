"""What the rules go by: the answer of ``validator facts``, which is an overview, a list of names, or rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from validator.report.answers import formats

if TYPE_CHECKING:
    from validator.facts.lookup import FactRow


@dataclass(frozen=True)
class Overview:
    """How much each table has."""

    tables: dict[str, dict[str, object]]
    as_of: str
    newest_torch: str


@dataclass(frozen=True)
class Names:
    """What one kind can be asked by."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """The rows that a name stands for, and what was assumed to get to them."""

    kind: str
    name: str
    rows: tuple[FactRow, ...]
    assumption: str


def as_json(answer: Overview | Names | Rows) -> Any:
    """The tables, the names, or the rows with what was asked."""
    match answer:
        case Overview():
            return answer.tables
        case Names():
            return list(answer.names)
        case Rows():
            rows = [row.document() for row in answer.rows]
            return {"asked": {"kind": answer.kind, "name": answer.name}, "assumption": answer.assumption, "rows": rows}


def as_text(answer: Overview | Names | Rows, _width: int) -> str:
    """A line a table, a line a name, or every field of the rows."""
    match answer:
        case Overview():
            return _overview(answer)
        case Names():
            return "\n".join(answer.names)
        case Rows(rows=()):
            nothing = f"no row for {answer.kind} {answer.name}; `validator facts {answer.kind}` lists what there is"
            return answer.assumption or nothing
        case Rows():
            return "\n\n".join([*([answer.assumption] if answer.assumption else []), *map(_row, answer.rows)])


def _overview(answer: Overview) -> str:
    wide = max(map(len, answer.tables))
    lines = [f"{table:{wide}}  {row['rows']:>4} rows  {row['confidence']}" for table, row in answer.tables.items()]
    return "\n".join([*lines, "", f"newest source: {answer.as_of}; a row: `validator facts torch {answer.newest_torch}`"])


def _row(row: FactRow) -> str:
    wide = max([len("confidence"), *(len(name) for name, _ in row.fields)])
    lines = [f"{row.table}: {row.key}"]
    lines += [f"  {name:{wide}}  {value}" for name, value in (*row.fields, *row.origin)]
    return "\n".join(lines)


FORMATS = formats(as_text, as_json)
