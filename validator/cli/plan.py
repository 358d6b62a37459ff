"""``validator plan``: what a run would do; runs nothing."""

from __future__ import annotations

import json
from pathlib import Path

import click

from validator.cli.options import choose_runner, load_matrix, plan_for, selection_options
from validator.cli.output import Output
from validator.model import Action, Plan
from validator.runners.base import RunContext


@click.command("plan")
@selection_options
@click.option("--format", "format_name", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def command(
    output: Output,
    matrix_file: Path | None,
    runner: str,
    environments: tuple[str, ...],
    targets: tuple[str, ...],
    inspect: bool,
    format_name: str,
) -> None:
    """Show what a run would do, cell by cell; runs nothing.

    Lists every cell by its id, with what a run would do with it (measure, inspect or skip) and why. The ids are what -e and -t
    select by: the part before the @ is the environment, the part after it the target.
    """
    from validator.labels import owner

    matrix = load_matrix(matrix_file, output)
    chosen, reason, engine = choose_runner(runner, matrix, RunContext("plan", owner()))
    plan, _ = plan_for(matrix, chosen, reason, engine, inspect=inspect, environments=environments, targets=targets)
    chosen.close()
    output.result(_json(plan) if format_name == "json" else _table(plan))


def _json(plan: Plan) -> str:
    return json.dumps(
        {
            "runner": plan.runner,
            "runner_reason": plan.runner_reason,
            "cells": [
                {
                    "id": cell.id,
                    "environment": cell.environment.id,
                    "target": cell.target.id,
                    "action": cell.action.value,
                    "reason": cell.reason,
                    "gpu": cell.gpu.uuid if cell.gpu else None,
                    "expect": cell.expect.value if cell.expect else None,
                }
                for cell in plan.cells
            ],
        },
        indent=2,
    )


def _table(plan: Plan) -> str:
    wide = max(len(cell.id) for cell in plan.cells)
    # What would be done stands first: it is what is looked for, and the skips can be many.
    ordered = sorted(plan.cells, key=lambda cell: cell.action is Action.SKIP)
    lines = [f"{cell.id:{wide}}  {cell.action.value:8} {cell.reason}" for cell in ordered]
    counts = ", ".join(
        f"{sum(cell.action is action for cell in plan.cells)} to {action.value}" for action in Action
    )
    return "\n".join([*lines, "", f"cells: {len(plan.cells)}: {counts}; runner {plan.runner} ({plan.runner_reason})"])
