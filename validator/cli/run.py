"""``validator run``: what ``make matrix`` calls."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import click

from validator import __version__
from validator.base.errors import StoreError
from validator.cli.exit_codes import exit_code
from validator.cli.options import facts_option, out_option, report_format_option, selection_options
from validator.cli.output import Output
from validator.cli.session import load_facts, load_matrix, plan_for
from validator.model import Report, RunInfo
from validator.runners import RunContext, choose


@click.command("run")
@selection_options
@facts_option
@out_option
@click.option("--keep", is_flag=True, help="Leave the containers in place, to look at (`validator clean` removes them).")
@click.option("--strict", is_flag=True, help="Exit 1 for degraded cells too, and for what is only predicted.")
@report_format_option
@click.pass_obj
def command(
    output: Output,
    matrix_file: Path | None,
    runner: str,
    environments: tuple[str, ...],
    targets: tuple[str, ...],
    inspect: bool,
    facts_file: Path | None,
    out: Path,
    keep: bool,
    strict: bool,
    format_name: str,
) -> None:
    """Run the matrix and print the compatibility table.

    Every environment that this machine can train is made (pulled, built, or a virtual environment), the probe trains inside it
    with and without automatic mixed precision, and the table is printed and written to .validator/latest/. Every other cell has
    what the rules say of it: from what was read inside the image (--inspect), or else from the shipped facts.

    The exit code is about what happened here: a failure that is only predicted for another target is in the table, and makes
    the run exit 1 with --strict, or where the matrix expects something else.

    \b
    Examples:
      validator run                          the whole matrix
      validator run -e 'torch2.7*' -t host   some environments, this machine
      validator run --inspect                also open images that need a GPU this machine lacks
    """
    from validator.base.interrupts import as_keyboard_interrupt, held_back
    from validator.cli.progress import make_progress
    from validator.report import files, parts
    from validator.results import Store
    from validator.run import execute
    from validator.runners.labels import owner

    matrix = load_matrix(matrix_file, output)
    facts = load_facts(facts_file, matrix)
    began = time.monotonic()
    started = datetime.now(timezone.utc)
    run_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    chosen, reason = choose(runner, matrix, RunContext(run_id, owner(), keep))
    with as_keyboard_interrupt():
        plan, host, predictor = plan_for(
            matrix,
            chosen,
            reason,
            facts=facts,
            inspect=inspect,
            environments=environments,
            targets=targets,
        )
        info = RunInfo(
            id=run_id,
            started=started.isoformat(timespec="seconds"),
            seconds=0.0,
            runner=chosen.name,
            runner_reason=reason,
            interrupted=False,
            matrix=matrix.file,
        )
        store = Store(out)
        store.begin_run(info, host, plan.cells)
        output.note(f"run {run_id}: cells: {len(plan.cells)}, runner {chosen.name} ({reason})")
        with make_progress(output) as progress:
            execution = execute(plan, matrix, chosen, store, progress, host, predictor.again)
        chosen.close()
        info = replace(info, seconds=time.monotonic() - began, interrupted=execution.interrupted)
        report = Report(run=info, hosts={host.id: host}, cells=execution.results, tool_version=__version__)
        unwritten = None
        with held_back():
            store.finish_run(info)
            texts = files(report)
            try:
                store.write_reports(run_id, texts)
            except StoreError as error:
                unwritten = error  # what was measured is shown first
    output.result(parts(format_name, report, width=output.width, color=output.color))
    if unwritten:
        raise StoreError(unwritten.what, why=unwritten.why, hint=f"{unwritten.hint}; `validator report` has the run all the same")
    output.note(f"written: {' and '.join(str(out / 'latest' / name) for name in texts)}")
    raise click.exceptions.Exit(exit_code(report, strict=strict))
