"""Runs a plan, cell by cell. Whatever happens to a cell becomes its result; only an interrupt ends the run early.

Cells run one after the other. A scheduler of parallel lanes would take the place of the loop in ``execute`` and nothing else:
a cell's way from plan to result is ``cell.CellRuns.result``.
"""

from __future__ import annotations

from dataclasses import dataclass

from validator.base.interrupts import held_back
from validator.model import Action, CellResult, HostInfo, Matrix, Plan, Status, not_run
from validator.run.cell import CellRuns
from validator.run.protocols import Keeper, Progress
from validator.runners.base import Runner
from validator.verdict.agreement import Rejudge
from validator.verdict.findings import with_alternatives


@dataclass(frozen=True)
class Execution:
    """What a run came to."""

    results: tuple[CellResult, ...]
    interrupted: bool


def execute(
    plan: Plan,
    matrix: Matrix,
    runner: Runner,
    keeper: Keeper,
    progress: Progress,
    host: HostInfo | None = None,
    rejudge: Rejudge | None = None,
) -> Execution:
    """Run every cell of a plan, in its order; after an interrupt the cells that would have to be run are skipped, saying so.

    ``host`` is what findings say of this machine; without it they say less. ``rejudge`` says what the rules make of a cell once
    its environment was opened; without it nothing is predicted anew.
    """
    run = CellRuns(matrix, runner, progress, host, rejudge)
    results: list[CellResult] = []
    interrupted = False
    for cell in plan.cells:
        try:
            if interrupted and cell.action is not Action.SKIP:
                result = not_run(cell, Status.SKIP, "the run was interrupted before this cell")
            else:
                if cell.action is not Action.SKIP:
                    progress.cell_started(cell, "")
                    keeper.begin(cell)
                result = run.result(cell)
        except KeyboardInterrupt:
            interrupted = True
            result = not_run(cell, Status.SKIP, "the run was interrupted during this cell")
        try:
            with held_back():  # a result that exists is kept, also when the interrupt comes right now
                keeper.keep(result)
                results.append(result)
                progress.cell_finished(result)
        except KeyboardInterrupt:
            interrupted = True
    try:
        with held_back():
            return Execution(_advised(results, keeper), interrupted)
    except KeyboardInterrupt:
        return Execution(with_alternatives(results), interrupted=True)


def _advised(results: list[CellResult], keeper: Keeper) -> tuple[CellResult, ...]:
    """The results once all are there: a remedy can now name what else works on the same target."""
    advised = with_alternatives(results)
    for before, after in zip(results, advised, strict=True):
        if after is not before:
            keeper.keep(after)
    return advised
