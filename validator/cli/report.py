"""``validator report``: an earlier run's report again; needs no engine, no GPU, no torch."""

from __future__ import annotations

from pathlib import Path

import click

from validator.cli.options import out_option, report_format_option
from validator.cli.output import Output
from validator.cli.session import load_results


@click.command("report")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--run", "run_id", metavar="ID", help="A run of the history instead of the latest.")
@out_option
@report_format_option
@click.pass_obj
def command(output: Output, file: Path | None, run_id: str | None, out: Path, format_name: str) -> None:
    """Show the report of an earlier run again, in any format.

    FILE is a results.json, of this machine or another. Without it, the history in the results folder is read; a run that was
    killed half-way has its report there too.
    """
    from validator.report import parts
    from validator.results import Store

    if file is None:
        report = Store(out, create=False).load_report(run_id)
    elif run_id is not None:
        raise click.UsageError("give either FILE or --run, not both")
    else:
        report = load_results(file)
    output.result(parts(format_name, report, width=output.width, color=output.color))
