"""``validator run``: what ``make matrix`` calls."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import click

from validator import __version__
from validator.base.errors import NothingSelectedError, StoreError
from validator.cli.exit_codes import exit_code
from validator.cli.options import facts_option, out_option, report_format_option, selection_options
from validator.cli.output import Output
from validator.cli.running import Running, running_options
from validator.cli.session import load_facts, load_matrix, plan_for
from validator.model import Report, RunInfo
from validator.runners import RunContext, choose

#: Seconds that a cell which runs has after the first Ctrl-C.
_GRACE_SECONDS = 20.0


@click.command("run")
@selection_options
@facts_option
@out_option
@running_options
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
    running: Running,
    strict: bool,
    format_name: str,
) -> None:
    """Run the matrix and print the compatibility table.

    Every environment that this machine can train is made (pulled, built, or a virtual environment), the probe trains inside it
    with and without automatic mixed precision, and the table is printed and written to .validator/latest/. Every other cell has
    what the rules say of it: from what was read inside the image (--inspect), or else from the shipped facts.

    A cell that nothing has changed for since it was measured is not measured again (--fresh does). A run that was killed or
    interrupted is taken up with --resume.

    The exit code is about what happened here: a failure that is only predicted for another target is in the table, and makes
    the run exit 1 with --strict, or where the matrix expects something else.

    \b
    Examples:
      validator run                          the whole matrix
      validator run -e 'torch2.7*' -t host   some environments, this machine
      validator run --inspect                also open images that need a GPU this machine lacks
      validator run --rerun-failed           what failed or was an error the last time
    """
    from validator.base import interrupts
    from validator.base.stopping import Stop
    from validator.cli.progress import make_progress
    from validator.report import files, render
    from validator.results import Store
    from validator.run import execute
    from validator.run.selection import only, shard
    from validator.run.settings import Known
    from validator.run.watchdog import Reaper
    from validator.runners.labels import owner

    matrix = replace(load_matrix(matrix_file, output), quick=running.quick)
    facts = load_facts(facts_file, matrix)
    began = time.monotonic()
    with interrupts.as_keyboard_interrupt(), closing(Store(out)) as store:
        unfinished = None
        if running.resume is not None:
            unfinished = store.unfinished(running.resume or None, matrix.file)
            if unfinished is None:
                raise NothingSelectedError(
                    f"no run of {matrix.file} was killed or interrupted", hint="`validator run` begins a new one"
                )
        started = datetime.now(timezone.utc)
        run_id = unfinished.run.id if unfinished else f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        stop = Stop()
        chosen, reason = choose(runner, matrix, RunContext(run_id, owner(), running.keep, stop=stop))
        plan, host, predictor = plan_for(
            matrix,
            chosen,
            reason,
            facts=facts,
            inspect=inspect,
            environments=environments,
            targets=targets,
        )
        whole = plan
        if unfinished:
            plan = only(plan, unfinished.cells)
        if running.rerun_failed:
            plan = only(plan, store.last_failures(matrix.file, [cell.id for cell in plan.cells]))
        if running.shard:
            plan = shard(plan, *running.shard)
        if not plan.cells:
            raise NothingSelectedError("no cell is left to run", hint="nothing failed the last time, or this shard is empty")
        info = unfinished.run if unfinished else RunInfo(
            id=run_id,
            started=started.isoformat(timespec="seconds"),
            seconds=0.0,
            runner=chosen.name,
            runner_reason=reason,
            interrupted=False,
            matrix=matrix.file,
        )
        if unfinished:
            store.resume_run(run_id, plan.cells, host)
        else:
            store.begin_run(info, host, plan.cells)
        durations = store.durations(matrix.file)
        known = Known(
            results=unfinished.results if unfinished else {},
            intents=unfinished.intents if unfinished else {},
            seconds=durations.cells,
            acquire_seconds=durations.environments,
            reusable=(lambda keys: {}) if running.fresh else lambda keys: store.reusable(keys, not_before=running.not_before),
        )
        reaper = Reaper.start(run_id, chosen.name, host.engine.address, said=output.note)
        if reaper.problem:
            output.warn(f"what this run leaves if it is killed stays until the next run: {reaper.problem}")
        taken_up = f", {len(known.results)} of them done" if unfinished else ""
        output.note(f"run {run_id}: cells: {len(plan.cells)}{taken_up}, runner {chosen.name} ({reason})")
        with make_progress(output) as progress, interrupts.turned_into(stop, _GRACE_SECONDS, progress.said):
            execution = execute(
                plan,
                matrix,
                chosen,
                store,
                progress,
                host,
                predictor.again,
                settings=running.settings(""),
                known=known,
                guard=running.guard(),
                stop=stop,
            )
        chosen.close()
        (reaper.take_over if execution.left else reaper.dismiss)()
        info = replace(info, seconds=info.seconds + time.monotonic() - began, interrupted=execution.interrupted)
        results, hosts = store.hosts_of(execution.results, host)
        report = Report(run=info, hosts=hosts, cells=results, tool_version=__version__)
        unwritten = execution.problem
        with interrupts.held_back():
            try:
                store.finish_run(info)
                with store.alone_at_latest():
                    newest = store.newest(matrix.file, [cell.id for cell in whole.cells])
                    latest = Report(info, newest.hosts, newest.results, __version__)
                    texts = files(report)
                    store.write_reports(run_id, texts, files(latest))
            except StoreError as error:
                unwritten = unwritten or error  # what was measured is shown first
    output.result(render(format_name, report, width=output.width, color=output.color))
    for name in execution.left:
        output.warn(f"could not be ended and is still there: {name}; `validator clean` removes it once it can be")
    if unwritten:
        raise StoreError(unwritten.what, why=unwritten.why, hint=f"{unwritten.hint}; `validator report` has what was kept")
    output.note(f"written: {' and '.join(str(out / 'latest' / name) for name in texts)}")
    raise click.exceptions.Exit(exit_code(report, strict=strict))
