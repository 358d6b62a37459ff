"""``validator causes``: the catalogue."""

from __future__ import annotations

import click

from validator.cli.options import answer_format_option
from validator.cli.output import Output
from validator.report.answers import causes as answer


@click.command("causes")
@click.argument("ident", required=False)
@answer_format_option(answer.FORMATS)
@click.pass_obj
def command(output: Output, ident: str | None, format_name: str) -> None:
    """Show the causes the validator can name, or one of them in full.

    With IDENT: what it is, what to do, how to make sure, and how to tell it from what it is easily mistaken for. The markdown
    of all of them is docs/causes.md.
    """
    from validator.base.errors import InvalidInputError
    from validator.base.text import did_you_mean, quoted, similar
    from validator.catalogue.causes import catalogue

    causes = catalogue()
    if ident is not None and ident not in causes:
        hint = did_you_mean(similar(ident, causes, most=3)) or "`validator causes` lists them"
        raise InvalidInputError(f"there is no cause {quoted(ident)}", hint=hint)
    output.result(answer.FORMATS[format_name](causes[ident] if ident else causes, output.width))
