"""``validator plan``: the whole table as the rules predict it, and what a run would do; runs nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from validator import __version__
from validator.cli.options import facts_option, report_format_option, selection_options
from validator.cli.output import Output
from validator.cli.session import load_facts, load_matrix, plan_for
from validator.runners import RunContext, choose


@click.command("plan")
@selection_options
@facts_option
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
    format_name: str,
) -> None:
    """Show the whole table as predicted, and what a run would do; runs nothing.

    Every cell is judged by the rules, from the shipped facts: no container engine is asked, no torch is needed, nothing is
    pulled. Below the table is every cell that a run would measure or open, by its id. -e and -t select by these ids: the part
    before the @ is the environment, the part after it the target. With --runner auto, an engine is assumed to answer if
    DOCKER_HOST is set or the socket of one is there.
    """
    with _no_search_for_cycles():
        _show(output, matrix_file, runner, environments, targets, inspect, facts_file, format_name)


def _show(
    output: Output,
    matrix_file: Path | None,
    runner: str,
    environments: tuple[str, ...],
    targets: tuple[str, ...],
    inspect: bool,
    facts_file: Path | None,
    format_name: str,
) -> None:
    from validator.report import Forecast, parts
    from validator.runners.labels import owner
    from validator.verdict.agreement import foretold

    matrix = load_matrix(matrix_file, output)
    facts = load_facts(facts_file, matrix)
    chosen, reason = choose(runner, matrix, RunContext("plan", owner()), ask=False)
    plan, host, _ = plan_for(
        matrix, chosen, reason, facts=facts, inspect=inspect, environments=environments, targets=targets
    )
    chosen.close()
    cells = tuple(foretold(cell) for cell in plan.cells)
    shown = Forecast(plan, cells, host, matrix.file, facts.as_of, __version__)
    output.result(parts(format_name, shown, width=output.width, color=output.color))


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """A plan is a million small values, none of them in a cycle: looking for some again and again is a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
