"""Matrix + host → plan: what would be done for every cell, and why. No I/O."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate

from validator.base.errors import NothingSelectedError
from validator.base.text import quoted, suggestion
from validator.host import lanes_for, together
from validator.model import (
    Action,
    ActionReason,
    Because,
    Cell,
    Environment,
    Gpu,
    HostInfo,
    Level,
    Matrix,
    Plan,
    Prediction,
    Target,
    cell_id,
)

_ON_CPU = ActionReason(Because.ON_CPU)
_CPU_BUILD_ELSEWHERE = ActionReason(Because.CPU_BUILD_ELSEWHERE)

#: Why a runner cannot run an environment, or None when it can.
Supports = Callable[[Environment], str | None]
#: What the rules say of an environment on a target.
Predict = Callable[[Environment, Target], Prediction]


def make_plan(
    matrix: Matrix,
    host: HostInfo,
    *,
    runner: str,
    runner_reason: str,
    supports: Supports,
    inspect: bool = False,
    environments: Iterable[str] = (),
    targets: Iterable[str] = (),
    predict: Predict | None = None,
) -> Plan:
    """The cells of the selected environments × targets, in matrix order, each with what ``predict`` says of it.

    ``environments`` and ``targets`` are globs over ids; none selects all. Raises NothingSelectedError when one matches nothing.
    """
    chosen_environments = _select(matrix.environments, tuple(environments), "environment", "-e")
    chosen_targets = _select(matrix.targets, tuple(targets), "target", "-t")
    with _without_collector():
        cells = tuple(_cells(matrix, host, chosen_environments, chosen_targets, supports, inspect, predict))
    return Plan(cells, runner, runner_reason)


def _cells(
    matrix: Matrix,
    host: HostInfo,
    environments: Iterable[Environment],
    targets: Iterable[Target],
    supports: Supports,
    inspect: bool,
    predict: Predict | None,
) -> Iterator[Cell]:
    places = [(target, _place(target, host, matrix)) for target in targets]
    expected = [(re.compile(translate(row.glob)).match, row.status) for row in matrix.expectations]
    for environment in environments:
        obstacle = _obstacle(supports(environment))
        for target, place in places:
            id_ = cell_id(environment, target)
            action, why, on_gpu = _action(environment, target, place, obstacle, inspect)
            yield Cell(
                id_,
                environment,
                target,
                action,
                why,
                gpu=place.lanes[0] if on_gpu else None,
                expect=next((status for matches, status in expected if matches(id_)), None) if expected else None,
                predicted=predict(environment, target) if predict else None,
                lanes=place.lanes if on_gpu else (),
                takes_all=on_gpu and place.takes_all,
            )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Nothing of what is made in here is garbage; the collector would walk through all of it again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True)
class _Place:
    """What of this machine a target means."""

    why: ActionReason
    """Why a cell that needs a GPU is measured there, or, without lanes, why not."""
    lanes: tuple[Gpu, ...] = ()
    takes_all: bool = False


def _place(target: Target, host: HostInfo, matrix: Matrix) -> _Place:
    """All GPUs of a kind together where the matrix itself asks for the check that needs several."""
    lanes, why_none = lanes_for(target, host)
    if why_none is not None:
        return _Place(why_none)
    several = together(lanes) if matrix.levels.get("multi_gpu") in (Level.REQUIRED, Level.ADVISORY) else ()
    lanes = several or lanes
    return _Place(ActionReason(Because.ON_GPU, lanes[0].name or ""), lanes, bool(several))


def _select(items: tuple, globs: tuple[str, ...], what: str, option: str) -> tuple:  # type: ignore[type-arg]
    """Environments or targets whose id matches any of the globs."""
    if not globs:
        return items
    for glob in globs:
        if not any(fnmatchcase(item.id, glob) for item in items):
            raise NothingSelectedError(
                f"{option} {quoted(glob)} matches no {what}{suggestion(glob, [item.id for item in items[:1000]])}",
                why=f"the matrix has: {', '.join(item.id for item in items[:20])}{' …' if len(items) > 20 else ''}",
                hint="`validator plan` lists every id; * matches any part of one",
            )
    return tuple(item for item in items if any(fnmatchcase(item.id, glob) for glob in globs))


def _obstacle(words: str | None) -> ActionReason | None:
    return ActionReason(Because.NOT_SUPPORTED, words) if words else None


def _action(
    environment: Environment, target: Target, place: _Place, obstacle: ActionReason | None, inspect: bool
) -> tuple[Action, ActionReason, bool]:
    """What to do with a cell, why, and whether on a GPU.

    ============================  ==================  =========================  ===================
    environment                   this machine + GPU  this machine, no GPU       another machine
    ============================  ==================  =========================  ===================
    the runner cannot run it      skip                skip                       skip
    CPU build                     measure (CPU)       measure (CPU)              skip
    CUDA build                    measure (GPU)       inspect if asked, or skip  inspect if asked, or skip
    ============================  ==================  =========================  ===================
    """
    if obstacle is not None:
        return Action.SKIP, obstacle, False
    if environment.is_cpu:
        if target.is_host:
            return Action.MEASURE, _ON_CPU, False
        return Action.SKIP, _CPU_BUILD_ELSEWHERE, False
    if place.lanes:
        return Action.MEASURE, place.why, True
    return (Action.INSPECT if inspect else Action.SKIP), place.why, False
