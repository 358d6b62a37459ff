"""What a run of a plan would do, and with which cells."""

from __future__ import annotations

from collections.abc import Iterable

from validator.model import Action, Cell
from validator.report.view.lines import line
from validator.report.view.types import SkipGroup

_VERBS = {Action.MEASURE: "measure", Action.INSPECT: "open"}


def actions_of(cells: Iterable[Cell], most_named: int | None) -> Iterable[SkipGroup]:
    """What would be measured or opened, by reason, the first few of them by their ids; the rest is only counted."""
    groups: dict[tuple[Action, str], list[str]] = {}
    rest = 0
    for cell in cells:
        if cell.action is Action.SKIP:
            rest += 1
        else:
            groups.setdefault((cell.action, cell.reason), []).append(cell.id)
    for (action, reason), ids in sorted(groups.items(), key=lambda item: item[0][0] is not Action.MEASURE):
        yield SkipGroup(line(f"{_VERBS[action]}: {reason}"), tuple(map(line, ids[:most_named])), len(ids))
    if rest:
        others = "the other cell: it keeps" if rest == 1 else f"the other {rest} cells: they keep"
        hint = "" if any(action is Action.INSPECT for action, _ in groups) else " (--inspect opens the images as well)"
        yield SkipGroup(f"run nothing for {others} what is predicted{hint}", (), 0)
