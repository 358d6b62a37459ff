"""``validator causes``: the catalogue."""

from __future__ import annotations

import json
from difflib import get_close_matches

import click

from validator.cli.output import Output


@click.command("causes")
@click.argument("ident", required=False)
@click.option("--format", "format_name", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@click.pass_obj
def command(output: Output, ident: str | None, format_name: str) -> None:
    """Show the causes the validator can name, or one of them in full.

    With IDENT: what it is, what to do, how to make sure, and how to tell it from what it is easily mistaken for. The markdown
    of all of them is docs/causes.md.
    """
    from validator.base.errors import InvalidInputError
    from validator.catalogue.causes import catalogue
    from validator.report.answers.causes import as_json, entry, markdown, table

    causes = catalogue()
    if ident is not None:
        if ident not in causes:
            close = get_close_matches(ident, causes, n=3)
            hint = f"did you mean {', '.join(close)}?" if close else "`validator causes` lists them"
            raise InvalidInputError(f"there is no cause {ident!r}", hint=hint)
        causes = {ident: causes[ident]}
    if format_name == "json":
        rows = [as_json(cause) for cause in causes.values()]
        output.result(json.dumps(rows[0] if ident else rows, indent=2, ensure_ascii=False))
    elif format_name == "markdown":
        output.result(markdown(causes))
    else:
        output.result(entry(causes[ident], output.width) if ident else table(causes))
