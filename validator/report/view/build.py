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
from validator.report.view.lines import line, unique
from validator.report.view.plan import actions_of
from validator.report.view.types import SkipGroup, TableRow, View

_PREDICTED = "Predicted: nothing was run"


def view(shown: Report | Forecast) -> View:
    """What there is to show of a run, or of a plan."""
    return _of_run(shown) if isinstance(shown, Report) else _of_plan(shown)


def _of_run(report: Report) -> View:
    run = report.run
    return _of_cells(
        report.cells,
        run=line(f"{run.id}, started {run.started}, {run.seconds:.0f} s, matrix {run.matrix}, validator {report.tool_version}"),
        runner=_runner(run.runner, run.runner_reason),
        interrupted=run.interrupted,
        gpu=gpus_line(report.host.nvml),
        engine=engine_line(report.host.engine),
    )


def _of_plan(forecast: Forecast) -> View:
    plan = forecast.plan
    return _of_cells(
        forecast.cells,
        title=_PREDICTED,
        run=line(f"matrix {forecast.matrix}, facts of {forecast.facts_as_of}, validator {forecast.tool_version}"),
        runner=_runner(plan.runner, plan.runner_reason),
        gpu=gpus_line(forecast.host.nvml),
        actions=tuple(actions_of(plan.cells)),
    )


def _runner(name: str, reason: str) -> str:
    return line(f"{name} ({reason})")


def _of_cells(
    cells: Sequence[CellResult],
    *,
    run: str,
    runner: str,
    gpu: str,
    title: str = "",
    engine: str = "",
    interrupted: bool = False,
    actions: tuple[SkipGroup, ...] = (),
) -> View:
    at = {(cell.environment.id, cell.target.id): cell for cell in cells}
    environments = unique(cell.environment.id for cell in cells)
    targets = unique(cell.target.id for cell in cells)
    busy = {cell.target.id for cell in cells if cell.status is not Status.SKIP}
    telling = [cell for cell in cells if not plain_pass(cell) and not plain_skip(cell) and not plainly_inferred(cell)]
    alarming = sorted((cell for cell in cells if flags_of(cell)), key=urgency)
    return View(
        title=title,
        run=run,
        runner=runner,
        interrupted=interrupted,
        gpu=gpu,
        engine=engine,
        targets=tuple(line(target) for target in targets),
        idle_targets=tuple(index for index, target in enumerate(targets) if target not in busy),
        rows=tuple(
            TableRow(line(environment), tuple(table_cell(at.get((environment, target))) for target in targets))
            for environment in environments
        ),
        summary=tuple((status.value, number) for status, number in count(cells).items()),
        unnamed=unnamed(cells),
        alarms=tuple((line(cell.id), flag) for cell in alarming for flag in flags_of(cell)),
        details=tuple(detail_of(cell) for cell in sorted(telling, key=urgency)),
        skips=_skips(cells),
        digests=unique((line(cell.environment.id), line(cell.digest)) for cell in cells if cell.digest is not None),
        causes=cause_groups([cell for cell in cells if plainly_inferred(cell)]),
        inferred=any(cell.inferred for cell in cells),
        assumed=tuple((line(text), number) for text, number in _assumed(cells).most_common()),
        actions=actions,
    )


def _assumed(cells: Iterable[CellResult]) -> Counter[str]:
    return Counter(str(each) for cell in cells if cell.inferred and cell.predicted for each in cell.predicted.assumptions)


def _skips(cells: Sequence[CellResult]) -> tuple[SkipGroup, ...]:
    groups: dict[str, list[str]] = {}
    for cell in cells:
        if plain_skip(cell):
            groups.setdefault(line(cell.reason), []).append(line(cell.id))
    return tuple(SkipGroup(reason, tuple(ids)) for reason, ids in groups.items())
