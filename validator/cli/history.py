"""``validator history``: what came of a cell in every run."""

from __future__ import annotations

from pathlib import Path

import click

from validator.cli.options import answer_format_option, out_option
from validator.cli.output import Output
from validator.report.answers import history as answer

#: How many of the known cells a message names.
_NAMED = 10


@click.command("history")
@click.argument("cell")
@out_option
@answer_format_option(answer.FORMATS)
@click.pass_obj
def command(output: Output, cell: str, out: Path, format_name: str) -> None:
    """Show what came of a cell in every run of the results folder, the newest first.

    CELL is the id of one, <environment>@<target>, or a pattern of ids with *. Each line has when the result was kept, the run
    (`validator report --run` shows all of it), status and basis, how long it took, its causes, and for a result that was used
    again when and by which run it was measured. A run that died before or in the cell has no result.

    \b
    Examples:
      validator history torch2.7.1-cu126@host
      validator history '*@l4-535.183.01' --format json
    """
    from validator.base.errors import NothingSelectedError
    from validator.base.text import one_line, quoted, suggestion
    from validator.results import Store

    store = Store(out, create=False)
    found = store.history(cell)
    if not found:
        known = store.cell_ids()
        if not known:
            raise NothingSelectedError(f"no run in {out} had any cell", hint="`validator run` first, or give --out")
        raise NothingSelectedError(
            f"no run in {out} had a cell {quoted(cell)}{suggestion(cell, known)}",
            why=f"the cells are: {', '.join(map(one_line, known[:_NAMED]))}{' …' if len(known) > _NAMED else ''}",
            hint="a cell is <environment>@<target>; * matches any part of it",
        )
    output.result(answer.FORMATS[format_name](found, output.width))
