"""``validator facts``: what the rules go by, row by row, with source and date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validator.base.errors import ExitCode, InvalidInputError
from validator.cli.options import facts_option, format_option
from validator.cli.output import Output
from validator.cli.session import load_facts, load_matrix

if TYPE_CHECKING:
    from validator.facts import Facts
    from validator.facts.lookup import FactRow

KINDS = ("torch", "gpu", "toolkit", "driver", "image", "cc")


@click.command("facts")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@click.argument("name", required=False)
@click.option("-m", "--matrix", "matrix_file", type=click.Path(path_type=Path), help="Take `facts:` of this matrix into account.")
@facts_option
@format_option
@click.pass_obj
def command(
    output: Output,
    kind: str | None,
    name: str | None,
    matrix_file: Path | None,
    facts_file: Path | None,
    format_name: str,
) -> None:
    """Show a row of the facts with its source, date and confidence.

    Without arguments: how many rows each table has and what they rest on. With a kind alone: what there is to ask for. A name
    that may mean several things lists them, and one that is not there ends with exit code 4.

    \b
    Examples:
      validator facts torch 2.7.1
      validator facts gpu T4
      validator facts image pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime
    """
    from validator.facts.lookup import look_up, names, overview

    facts = load_facts(facts_file, load_matrix(matrix_file, output) if matrix_file else None)
    if kind is None:
        rows = overview(facts)
        output.result(json.dumps(rows, indent=2) if format_name == "json" else _overview(rows, facts))
        return
    if name is None:
        known = names(kind, facts)
        output.result(json.dumps(known, indent=2) if format_name == "json" else "\n".join(known))
        return
    try:
        found, assumption = look_up(kind, name, facts)
    except ValueError as error:
        raise InvalidInputError(f"{kind} {name!r}: {error}", hint=f"`validator facts {kind}` lists what there is") from None
    if format_name == "json":
        answer = {"asked": {"kind": kind, "name": name}, "assumption": assumption, "rows": [row.document() for row in found]}
        output.result(json.dumps(answer, indent=2))
    elif not found:
        output.result(assumption or f"no row for {kind} {name}; `validator facts {kind}` lists what there is")
    else:
        output.result("\n\n".join([*([assumption] if assumption else []), *(_row(row) for row in found)]))
    if not found:
        raise click.exceptions.Exit(ExitCode.NOT_FOUND_OUT)


def _overview(rows: dict[str, dict[str, object]], facts: Facts) -> str:
    wide = max(map(len, rows))
    lines = [f"{table:{wide}}  {row['rows']:>4} rows  {row['confidence']}" for table, row in rows.items()]
    return "\n".join([*lines, "", f"newest source: {facts.as_of}; a row: `validator facts torch {facts.newest_torch}`"])


def _row(row: FactRow) -> str:
    wide = max((len(name) for name, _ in row.fields), default=0)
    wide = max(wide, len("confidence"))
    lines = [f"{row.table}: {row.key}"]
    lines += [f"  {name:{wide}}  {value}" for name, value in (*row.fields, *row.origin)]
    return "\n".join(lines)
