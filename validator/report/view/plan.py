"""A plan as the table every renderer shows: each cell as predicted, and what a run would do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from validator.base.text import one_line
from validator.model import Action, Cell, CellResult, HostInfo, Plan, Report, RunInfo
from validator.report.view.build import view
from validator.report.view.types import SkipGroup, View

TITLE = "Predicted: nothing was run"
_VERBS = {Action.MEASURE: "measure", Action.INSPECT: "open", Action.SKIP: "run nothing"}


def plan_view(
    plan: Plan, foretold: Sequence[CellResult], host: HostInfo, *, matrix: str, as_of: str, tool_version: str
) -> View:
    """The view of a plan whose cells are ``foretold``; ``as_of`` is the date of the facts."""
    run = RunInfo("", "", 0.0, plan.runner, plan.runner_reason, False, matrix)
    shown = view(Report(run, {host.id: host}, tuple(foretold), tool_version))
    return replace(
        shown,
        title=TITLE,
        run=one_line(f"matrix {matrix}, facts of {as_of}, validator {tool_version}"),
        engine="",
        actions=tuple(_actions(plan.cells)),
    )


def _actions(cells: Iterable[Cell]) -> Iterable[SkipGroup]:
    """What would be measured and opened, by reason; of the rest only how much it is."""
    groups: dict[tuple[Action, str], list[str]] = {}
    rest = 0
    for cell in cells:
        if cell.action is Action.SKIP:
            rest += 1
        else:
            groups.setdefault((cell.action, cell.reason), []).append(one_line(cell.id))
    for (action, reason), ids in sorted(groups.items(), key=lambda item: item[0][0] is not Action.MEASURE):
        yield SkipGroup(one_line(f"{_VERBS[action]}: {reason}"), tuple(ids))
    if rest:
        hint = "" if any(action is Action.INSPECT for action, _ in groups) else " (--inspect opens the images as well)"
        yield SkipGroup(f"run nothing for the other {rest} cells: they keep what is predicted{hint}", ())
