"""Matrix + host → plan: what would be done for every cell, and why. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from validator.base.errors import NothingSelectedError
from validator.facts.gpu_names import plain_name
from validator.host.gpus import unusable, usable_gpu
from validator.model import Action, Cell, Environment, Gpu, HostInfo, Matrix, Plan, Prediction, Status, Target

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
            action, reason, gpu = _action(environment, target, host, supports, inspect)
            predicted = predict(environment, target) if predict else None
            cells.append(Cell(cell_id, environment, target, action, reason, gpu, _expectation(matrix, cell_id), predicted))
    return Plan(tuple(cells), runner, runner_reason)


def _select(items: tuple, globs: tuple[str, ...], what: str, option: str) -> tuple:  # type: ignore[type-arg]
    """Environments or targets whose id matches any of the globs."""
    if not globs:
        return items
    for glob in globs:
        if not any(fnmatchcase(item.id, glob) for item in items):
            raise NothingSelectedError(
                f"{option} {glob!r} matches no {what}",
                why=f"the matrix has: {', '.join(item.id for item in items[:20])}{' …' if len(items) > 20 else ''}",
                hint="`validator plan` lists every id; * matches any part of one",
            )
    return tuple(item for item in items if any(fnmatchcase(item.id, glob) for glob in globs))


def _expectation(matrix: Matrix, cell_id: str) -> Status | None:
    return next((row.status for row in matrix.expectations if fnmatchcase(cell_id, row.glob)), None)


def _action(
    environment: Environment, target: Target, host: HostInfo, supports: Supports, inspect: bool
) -> tuple[Action, str, Gpu | None]:
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
        return Action.SKIP, obstacle, None
    if environment.is_cpu:
        if target.is_host:
            return Action.MEASURE, "CPU build: trained on this machine's CPU", None
        return Action.SKIP, "a CPU build does not use the target's GPU", None
    gpu, obstacle = _gpu_for(target, host)
    if gpu is not None:
        return Action.MEASURE, f"trained on {gpu.name}", gpu
    if environment.cuda is None:
        obstacle = f"{obstacle}, and the matrix does not say `cuda: cpu`"
    if inspect:
        return Action.INSPECT, f"opened without a GPU: {obstacle}", None
    return Action.SKIP, f"{obstacle}; --inspect opens it all the same", None


def _gpu_for(target: Target, host: HostInfo) -> tuple[Gpu | None, str | None]:
    """The GPU of this machine that stands for a target, or why there is none."""
    usable = [gpu for gpu in host.nvml.gpus if unusable(gpu) is None]
    if target.is_host:
        if usable:
            return usable_gpu(host), None
        if host.nvml.gpus:
            return None, f"no GPU of this machine can be used ({unusable(host.nvml.gpus[0])})"
        return None, "this machine has no NVIDIA GPU that answers"
    if target.driver is not None and target.driver != host.nvml.driver_version:
        return None, _elsewhere(target)
    for gpu in usable:
        if target.gpu is not None and plain_name(target.gpu) == plain_name(gpu.name or ""):
            return gpu, None
        if target.compute_capability is not None and target.compute_capability == gpu.compute_capability:
            return gpu, None
    return None, _elsewhere(target)


def _elsewhere(target: Target) -> str:
    what = target.gpu or f"compute capability {target.compute_capability}"
    driver = f" and driver {target.driver}" if target.driver else ""
    return f"this machine is not the target with {what}{driver}"
