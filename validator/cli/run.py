"""``validator run``: what ``make matrix`` calls."""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validator import __version__
from validator.base.errors import InvalidInputError, NothingSelectedError, StoreError
from validator.base.text import quoted
from validator.cli.exit_codes import exit_code
from validator.cli.options import facts_option, out_option, report_format_option, selection_options
from validator.cli.output import Output
from validator.cli.running import Running, running_options
from validator.cli.session import load_facts, load_matrix, plan_for
from validator.model import Basis, HostInfo, Matrix, Plan, Report, RunInfo, Status, cell_id, count
from validator.report import FILES, files, parts
from validator.runners import RunContext, Runner, choose

if TYPE_CHECKING:
    from validator.base.stopping import Stop
    from validator.results import Store
    from validator.results.past import Unfinished
    from validator.run import Execution
    from validator.run.protocols import Keeper
    from validator.run.settings import Known
    from validator.verdict.agreement import Rejudge

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
    from validator.cli.filling import Filling
    from validator.cli.stack import look_at_stack
    from validator.results import Store
    from validator.runners.labels import owner

    if running.resume is not None and (environments or targets or running.rerun_failed or running.shard):
        raise InvalidInputError(
            "--resume takes a run up as it was begun", hint="leave out -e, -t, --shard and --rerun-failed; a new run takes them"
        )
    matrix = load_matrix(matrix_file, output)
    matrix = replace(matrix, quick=running.quick, facts=facts_file or matrix.facts)
    facts = load_facts(None, matrix)
    began, started, stop = time.monotonic(), datetime.now(timezone.utc), Stop()
    with interrupts.as_keyboard_interrupt(), closing(Store(out)) as store:
        unfinished = _to_resume(store, running.resume, matrix.file)
        run_id = unfinished.run.id if unfinished else f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        if unfinished:
            inspect, runner = unfinished.run.inspect, unfinished.run.runner
            matrix = replace(matrix, quick=unfinished.run.quick)
        chosen, reason = choose(runner, matrix, RunContext(run_id, owner(), running.keep, stop=stop))
        whole, host, predictor = plan_for(
            matrix,
            chosen,
            reason,
            facts=facts,
            inspect=inspect,
            environments=environments,
            targets=targets,
        )
        plan = _selected(whole, running, unfinished, store, matrix.file)
        if chosen.contained:
            look_at_stack(output, host.engine, require_patched=running.require_patched)
        if unfinished:
            info = unfinished.run
            store.resume_run(run_id, plan.cells, host)
        else:
            info = RunInfo(
                id=run_id,
                started=started.isoformat(timespec="seconds"),
                seconds=0.0,
                runner=chosen.name,
                runner_reason=reason,
                interrupted=False,
                matrix=matrix.file,
                inspect=inspect,
                quick=running.quick,
            )
            store.begin_run(info, host, plan.cells)
        known = _known(store, running, unfinished, matrix.file)
        taken_up = f", {len(known.results)} of them done" if unfinished else ""
        output.note(f"run {run_id}: cells: {len(plan.cells)}{taken_up}, runner {chosen.name} ({reason})")
        keeper = Filling(store, info, host, plan.cells, known.results)
        keeper.write()
        predicted = ", ".join(f"{number} {status.value}" for status, number in count(keeper.results).items() if number)
        output.note(f"predicted: {predicted}; filled in as it is measured: {out / 'runs' / run_id}")
        execution = _executed(output, running, stop, plan, matrix, chosen, keeper, host, predictor.again, known, run_id)
        info = replace(info, seconds=info.seconds + time.monotonic() - began, interrupted=execution.interrupted)
        with interrupts.held_back():
            report, unwritten = _written(store, info, host, execution, _every_cell(matrix))
    output.result(parts(format_name, report, width=output.width, color=output.color))
    for name in execution.left:
        output.warn(
            f"could not be ended and is still there: {name}; a process of its own goes on trying for 10 minutes, "
            "`validator clean` does later"
        )
    if unwritten:
        raise StoreError(unwritten.what, why=unwritten.why, hint=f"{unwritten.hint}; `validator report` has what was kept")
    output.note(f"written: {' and '.join(str(out / 'latest' / name) for name in FILES)}")
    raise click.exceptions.Exit(interrupts.exit_code(stop.signal) if stop.asked else exit_code(report, strict=strict))


def _to_resume(store: Store, asked: str | None, matrix: str) -> Unfinished | None:
    """The run to take up, where one is to be. Raises StoreError for one that cannot be, NothingSelectedError without any."""
    if asked is None:
        return None
    found = store.unfinished(asked or None, matrix)
    if found is None:
        raise NothingSelectedError(f"no run of {matrix} was killed or interrupted", hint="`validator run` begins a new one")
    if found.run.matrix != matrix:
        raise NothingSelectedError(
            f"the run {quoted(found.run.id)} is not one of {matrix}",
            why=f"it was of {quoted(found.run.matrix)}",
            hint="give that matrix file with it",
        )
    return found


def _selected(plan: Plan, running: Running, unfinished: Unfinished | None, store: Store, matrix: str) -> Plan:
    """What of a plan is to run. Raises NothingSelectedError where that is nothing."""
    from validator.run.selection import only, shard

    if unfinished:
        plan = only(plan, unfinished.cells)
    if running.rerun_failed:
        plan = only(plan, store.last_failures(matrix, [cell.id for cell in plan.cells]))
        if not plan.cells:
            raise NothingSelectedError("nothing failed the last time", hint="`validator run` runs all cells")
    if running.shard:
        plan = shard(plan, *running.shard)
    if not plan.cells:
        raise NothingSelectedError("no cell is left to run", hint="`validator plan` lists the cells of the matrix")
    return plan


def _known(store: Store, running: Running, unfinished: Unfinished | None, matrix: str) -> Known:
    """What the run builds on."""
    from validator.run.settings import Known

    durations, not_before = store.durations(matrix), running.not_before
    known = Known(seconds=durations.cells, acquire_seconds=durations.environments)
    if unfinished:
        known = replace(known, results=unfinished.results, intents=unfinished.intents)
    return known if running.fresh else replace(known, reusable=lambda keys: store.reusable(keys, not_before=not_before))


def _executed(
    output: Output,
    running: Running,
    stop: Stop,
    plan: Plan,
    matrix: Matrix,
    runner: Runner,
    keeper: Keeper,
    host: HostInfo,
    rejudge: Rejudge,
    known: Known,
    run_id: str,
) -> Execution:
    """The plan carried out, with a process beside that removes what is left if this one dies."""
    from validator.base import interrupts
    from validator.cli.progress import make_progress
    from validator.cli.sweeping import sweep_up
    from validator.run import execute
    from validator.run.watchdog import Reaper

    under_way: set[str] = set()
    reaper = Reaper.start(run_id, runner.name, host.engine.address, said=output.note)
    if reaper.problem:
        output.warn(f"if this run is killed, what it leaves stays until the next run: {reaper.problem}")
    elif runner.contained:
        sweep_up(output, host.engine.address)  # the run is claimed by now, so what it left itself, when it died, stays
    with (
        closing(runner),
        make_progress(output, known.seconds) as progress,
        interrupts.turned_into(stop, _GRACE_SECONDS, progress.said, lambda: sorted(under_way)),
    ):
        execution = execute(
            plan,
            matrix,
            runner,
            keeper,
            progress,
            host,
            rejudge,
            settings=running.settings(_identity(matrix.facts)),
            known=known,
            guard=running.guard(),
            stop=stop,
            under_way=under_way,
        )
    if execution.left:
        reaper.take_over()
    else:
        reaper.dismiss()
    return execution


def _written(
    store: Store, info: RunInfo, host: HostInfo, execution: Execution, cells: list[str]
) -> tuple[Report, StoreError | None]:
    """The run's report, written, and what kept it from being so. ``latest/`` has the newest result of every cell."""
    report = Report(run=info, hosts={host.id: host}, cells=execution.results, tool_version=__version__)
    problem = execution.problem
    try:
        results, hosts = store.hosts_of(execution.results, host)
        report = replace(report, hosts=hosts, cells=results)
        with store.alone_at_latest():
            latest = None
            if not _is_newest(report, cells):
                newest = store.newest(info.matrix, cells, own=report.cells)
                latest = files(replace(report, hosts=newest.hosts, cells=newest.results))
            store.write_reports(info.id, files(report), latest)
    except StoreError as error:
        problem = problem or error  # what was measured is shown first
    try:
        store.finish_run(info)  # last: a run that dies before can be taken up, and then writes its reports
    except StoreError as error:
        problem = problem or error
    return report, problem


def _is_newest(report: Report, cells: list[str]) -> bool:
    """Whether a run's own report is all that ``latest/`` has to show: nothing says more than a run that tried every cell."""
    tried = all(cell.basis is Basis.MEASURED or cell.status is Status.ERROR for cell in report.cells)
    return tried and [cell.id for cell in report.cells] == cells


def _every_cell(matrix: Matrix) -> list[str]:
    """The ids of all cells of a matrix, in its order, whatever this run is about."""
    return [cell_id(environment, target) for environment in matrix.environments for target in matrix.targets]


def _identity(facts: Path | None) -> str:
    """What stands for a file of the user's own facts."""
    return hashlib.sha256(facts.read_bytes()).hexdigest() if facts else ""
