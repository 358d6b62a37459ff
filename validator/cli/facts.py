"""``validator facts``: what the rules go by, row by row, with source and date."""

from __future__ import annotations

from pathlib import Path

import click

from validator.base.errors import ExitCode, InvalidInputError
from validator.base.text import quoted
from validator.cli.options import answer_format_option, facts_option
from validator.cli.output import Output
from validator.cli.session import load_facts, load_matrix
from validator.report.answers import facts as answer

KINDS = ("torch", "gpu", "toolkit", "driver", "image", "cc")


@click.command("facts")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@click.argument("name", required=False)
@click.option("-m", "--matrix", "matrix_file", type=click.Path(path_type=Path), help="Take `facts:` of this matrix into account.")
@facts_option
@answer_format_option(answer.FORMATS)
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
    found: answer.Overview | answer.Names | answer.Rows
    if kind is None:
        found = answer.Overview(overview(facts), facts.as_of, str(facts.newest_torch))
    elif name is None:
        found = answer.Names(tuple(names(kind, facts)))
    else:
        try:
            rows, assumption = look_up(kind, name, facts)
        except ValueError as error:
            hint = f"`validator facts {kind}` lists what there is"
            raise InvalidInputError(f"{kind} {quoted(name)}: {error}", hint=hint) from None
        found = answer.Rows(kind, name, tuple(rows), str(assumption))
    output.result(answer.FORMATS[format_name](found, output.width))
    if isinstance(found, answer.Rows) and not found.rows:
        raise click.exceptions.Exit(ExitCode.NOT_FOUND_OUT)
