"""Matrix + host → plan: what would be done for every cell, and why. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from validator.base.errors import NothingSelectedError
from validator.base.text import quoted, suggestion
from validator.host import gpu_for
from validator.model import (
    Action,
    ActionReason,
    Because,
    Cell,
    Environment,
    Gpu,
    HostInfo,
    Matrix,
    Plan,
    Prediction,
    Status,
    Target,
)

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
    cells = []
    for environment in chosen_environments:
        for target in chosen_targets:
            cell_id = f"{environment.id}@{target.id}"
            action, why, gpu = _action(environment, target, host, supports, inspect)
            predicted = predict(environment, target) if predict else None
            cells.append(Cell(cell_id, environment, target, action, why, gpu, _expectation(matrix, cell_id), predicted))
    return Plan(tuple(cells), runner, runner_reason)


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


def _expectation(matrix: Matrix, cell_id: str) -> Status | None:
    return next((row.status for row in matrix.expectations if fnmatchcase(cell_id, row.glob)), None)


def _action(
    environment: Environment, target: Target, host: HostInfo, supports: Supports, inspect: bool
) -> tuple[Action, ActionReason, Gpu | None]:
    """What to do with a cell.

    ============================  ==================  =========================  ===================
    environment                   this machine + GPU  this machine, no GPU       another machine
    ============================  ==================  =========================  ===================
    the runner cannot run it      skip                skip                       skip
    CPU build                     measure (CPU)       measure (CPU)              skip
    CUDA build                    measure (GPU)       inspect if asked, or skip  inspect if asked, or skip
    ============================  ==================  =========================  ===================
    """
    if obstacle := supports(environment):
        return Action.SKIP, ActionReason(Because.NOT_SUPPORTED, obstacle), None
    if environment.is_cpu:
        if target.is_host:
            return Action.MEASURE, ActionReason(Because.ON_CPU), None
        return Action.SKIP, ActionReason(Because.CPU_BUILD_ELSEWHERE), None
    gpu, why = gpu_for(target, host)
    if why is None:
        return Action.MEASURE, ActionReason(Because.ON_GPU, gpu.name or "" if gpu else ""), gpu
    return (Action.INSPECT if inspect else Action.SKIP), why, None
