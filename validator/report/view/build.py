"""A report as a view: the one table every renderer shows, and what stands around it.

Every text in a view is cleaned and bounded, and on one line (``Detail.log`` alone has several); renderers escape it for their
format and lay it out, and decide nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from validator.model import CellResult, Report, RunInfo, Status, count, unnamed
from validator.report.view.cause_groups import cause_groups
from validator.report.view.cells import detail_of, flags_of, plain_pass, plain_skip, plainly_inferred, table_cell, urgency
from validator.report.view.host import engine_line, gpus_line
from validator.report.view.lines import line, unique
from validator.report.view.types import Row, SkipGroup, View


def view(report: Report) -> View:
    """What there is to show of a report."""
    cells = report.cells
    at = {(cell.environment.id, cell.target.id): cell for cell in cells}
    environments = unique(cell.environment.id for cell in cells)
    targets = unique(cell.target.id for cell in cells)
    busy = {cell.target.id for cell in cells if cell.status is not Status.SKIP}
    telling = [cell for cell in cells if not plain_pass(cell) and not plain_skip(cell) and not plainly_inferred(cell)]
    alarming = sorted((cell for cell in cells if flags_of(cell)), key=urgency)
    return View(
        title="",
        run=_run(report.run, report.tool_version),
        runner=line(f"{report.run.runner} ({report.run.runner_reason})"),
        interrupted=report.run.interrupted,
        gpu=gpus_line(report.host.nvml),
        engine=engine_line(report.host.engine),
        targets=tuple(line(target) for target in targets),
        idle_targets=tuple(index for index, target in enumerate(targets) if target not in busy),
        rows=tuple(
            Row(line(environment), tuple(table_cell(at.get((environment, target))) for target in targets))
            for environment in environments
        ),
        summary=tuple((status.value, number) for status, number in count(cells).items()),
        unnamed=unnamed(cells),
        alarms=tuple((line(cell.id), flag) for cell in alarming for flag in flags_of(cell)),
        details=tuple(detail_of(cell) for cell in sorted(telling, key=urgency)),
        skips=_skips(cells),
        digests=tuple(
            unique((line(cell.environment.id), line(cell.digest)) for cell in cells if cell.digest is not None)
        ),
        causes=cause_groups([cell for cell in cells if plainly_inferred(cell)]),
        inferred=any(cell.inferred for cell in cells),
        assumed=tuple((line(text), number) for text, number in _assumed(cells).most_common()),
    )



def _assumed(cells: Iterable[CellResult]) -> Counter[str]:
    return Counter(each.text for cell in cells if cell.inferred and cell.predicted for each in cell.predicted.assumptions)


def _skips(cells: Sequence[CellResult]) -> tuple[SkipGroup, ...]:
    groups: dict[str, list[str]] = {}
    for cell in cells:
        if plain_skip(cell):
            groups.setdefault(line(cell.reason), []).append(line(cell.id))
    return tuple(SkipGroup(reason, tuple(ids)) for reason, ids in groups.items())


def _run(run: RunInfo, tool_version: str) -> str:
    return line(f"{run.id}, started {run.started}, {run.seconds:.0f} s, matrix {run.matrix}, validator {tool_version}")
