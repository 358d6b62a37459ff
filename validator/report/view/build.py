"""A report or a plan as a view: the one table every renderer shows, and what stands around it.

Every text in a view is cleaned and bounded, and on one line (``Detail.log`` alone has several); renderers escape it for their
format and lay it out, and decide nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from validator.model import CellResult, Report, Status, count, unnamed
from validator.report.forecast import Forecast
from validator.report.view.cause_groups import cause_groups
from validator.report.view.cells import detail_of, flags_of, plain_pass, plain_skip, plainly_inferred, table_cell, urgency
from validator.report.view.host import engine_line, gpus_line
from validator.report.view.kinds import kind_tables
from validator.report.view.lines import line, unique
from validator.report.view.plan import actions_of
from validator.report.view.ran import beside_line, earlier_lines
from validator.report.view.types import Bounds, SkipGroup, TableRow, View

_PREDICTED = "Predicted: nothing was run"


def view(shown: Report | Forecast, bounds: Bounds | None = None) -> View:
    """What there is to show of a run, or of a plan; everything, or what ``bounds`` leave of it where there are too many cells."""
    if bounds is not None and len(shown.cells) <= bounds.cells:
        bounds = None
    return _of_run(shown, bounds) if isinstance(shown, Report) else _of_plan(shown, bounds)


def _of_run(report: Report, bounds: Bounds | None) -> View:
    run = report.run
    return _of_cells(
        report.cells,
        bounds,
        started=run.started,
        run=line(f"{run.id}, started {run.started}, {run.seconds:.0f} s, matrix {run.matrix}, validator {report.tool_version}"),
        runner=_runner(run.runner, run.runner_reason),
        interrupted=run.interrupted,
        gpu=gpus_line(report.host.nvml),
        engine=engine_line(report.host.engine),
    )


def _of_plan(forecast: Forecast, bounds: Bounds | None) -> View:
    plan = forecast.plan
    return _of_cells(
        forecast.cells,
        bounds,
        title=_PREDICTED,
        run=line(f"matrix {forecast.matrix}, facts of {forecast.facts_as_of}, validator {forecast.tool_version}"),
        runner=_runner(plan.runner, plan.runner_reason),
        gpu=gpus_line(forecast.host.nvml),
        actions=tuple(actions_of(plan.cells, bounds.named if bounds else None)),
    )


def _runner(name: str, reason: str) -> str:
    return line(f"{name} ({reason})")


def _of_cells(
    cells: Sequence[CellResult],
    bounds: Bounds | None,
    *,
    run: str,
    runner: str,
    gpu: str,
    started: str = "",
    title: str = "",
    engine: str = "",
    interrupted: bool = False,
    actions: tuple[SkipGroup, ...] = (),
) -> View:
    environments = unique(cell.environment.id for cell in cells)
    targets = unique(cell.target.id for cell in cells)
    busy = {cell.target.id for cell in cells if cell.status is not Status.SKIP}
    inferred = [cell for cell in cells if plainly_inferred(cell)]
    telling = [cell for cell in cells if not plainly_inferred(cell) and not plain_pass(cell) and not plain_skip(cell)]
    telling.sort(key=urgency)
    alarms = [(cell.id, flag) for cell in telling for flag in flags_of(cell)]
    digests = unique((cell.environment.id, cell.digest) for cell in cells if cell.digest is not None)
    left_out = []
    if bounds is not None:
        left_out = [
            f"{len(every) - bounds.details} more {what}"
            for every, what in (
                (alarms, "that contradict the prediction or are unexpected"),
                (telling, "cells that there is something to say of"),
                (digests, "environments whose image has a digest"),
            )
            if len(every) > bounds.details
        ]
        most = bounds.details
        alarms, telling, digests = alarms[:most], telling[:most], digests[:most]
    return View(
        title=title,
        run=run,
        runner=runner,
        interrupted=interrupted,
        gpu=gpu,
        engine=engine,
        targets=tuple(line(target) for target in targets),
        idle_targets=tuple(index for index, target in enumerate(targets) if target not in busy),
        rows=() if bounds else _rows(cells, environments, targets, started),
        kinds=kind_tables(cells, bounds.kinds) if bounds else (),
        cells=len(cells),
        left_out=tuple(left_out),
        summary=tuple((status.value, number) for status, number in count(cells).items()),
        unnamed=unnamed(cells),
        alarms=tuple((line(cell_id), flag) for cell_id, flag in alarms),
        details=tuple(detail_of(cell, started) for cell in telling),
        skips=_skips(cells, bounds.named if bounds else None),
        digests=tuple((line(environment), line(digest)) for environment, digest in digests),
        causes=cause_groups(inferred),
        inferred=any(cell.inferred for cell in cells),
        assumed=tuple((line(text), number) for text, number in _assumed(cells).most_common()),
        earlier=earlier_lines(cells, started),
        beside=beside_line(cells),
        actions=actions,
    )


def _rows(
    cells: Sequence[CellResult], environments: Sequence[str], targets: Sequence[str], started: str
) -> tuple[TableRow, ...]:
    at = {(cell.environment.id, cell.target.id): cell for cell in cells}
    return tuple(
        TableRow(line(environment), tuple(table_cell(at.get((environment, target)), started) for target in targets))
        for environment in environments
    )


def _assumed(cells: Iterable[CellResult]) -> Counter[str]:
    return Counter(each.text for cell in cells if cell.inferred and cell.predicted for each in cell.predicted.assumptions)


def _skips(cells: Sequence[CellResult], most_named: int | None) -> tuple[SkipGroup, ...]:
    groups: dict[str, list[str]] = {}
    for cell in cells:
        if plain_skip(cell):
            groups.setdefault(cell.reason, []).append(cell.id)
    return tuple(SkipGroup(line(reason), tuple(map(line, ids[:most_named])), len(ids)) for reason, ids in groups.items())
