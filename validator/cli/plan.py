"""``validator plan``: the whole table as the rules predict it, and what a run would do; runs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from validator import __version__
from validator.cli.options import facts_option, report_format_option, selection_options
from validator.cli.output import Output
from validator.cli.session import load_facts, load_matrix, plan_for
from validator.model import Plan
from validator.runners import RunContext, choose

if TYPE_CHECKING:
    from validator.report.view import View


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
    pulled. Then every cell that a run would measure or open, by its id. The ids are what -e and -t select by: the part before
    the @ is the environment, the part after it the target. With --runner auto an engine is taken to answer where its socket or
    DOCKER_HOST points.
    """
    from validator.runners.labels import owner

    matrix = load_matrix(matrix_file, output)
    facts = load_facts(facts_file, matrix)
    chosen, reason = choose(runner, matrix, RunContext("plan", owner()), ask=False)
    plan, host, _ = plan_for(
        matrix, chosen, reason, facts=facts, inspect=inspect, environments=environments, targets=targets
    )
    chosen.close()
    if format_name == "json":
        output.result(json.dumps(_json(plan, facts.as_of), indent=2))
        return
    from validator.report.view import plan_view
    from validator.verdict.agreement import foretold

    results = [foretold(cell) for cell in plan.cells]
    shown: View = plan_view(plan, results, host, matrix=matrix.file, as_of=facts.as_of, tool_version=__version__)
    if format_name == "markdown":
        from validator.report import markdown

        output.result(markdown.render_view(shown))
    else:
        from validator.report import terminal

        output.result(terminal.render_view(shown, width=output.width, color=output.color))


def _json(plan: Plan, as_of: str) -> dict[str, Any]:
    from validator.cli.check import as_json
    from validator.verdict.agreement import status_of

    return {
        "runner": plan.runner,
        "runner_reason": plan.runner_reason,
        "facts_as_of": as_of,
        "cells": [
            {
                "id": cell.id,
                "environment": cell.environment.id,
                "target": cell.target.id,
                "status": status_of(cell.predicted).value if cell.predicted else "skip",
                "predicted": as_json(cell.predicted) if cell.predicted else None,
                "action": cell.action.value,
                "reason": cell.reason,
                "gpu": cell.gpu.uuid if cell.gpu else None,
                "expect": cell.expect.value if cell.expect else None,
            }
            for cell in plan.cells
        ],
    }
