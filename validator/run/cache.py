"""Which result may be used again: the key that stands for all that made it, and which results never are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache as remembered

from validator import __version__, probe_host
from validator.catalogue import checks
from validator.model import (
    Action,
    Basis,
    Cell,
    CellResult,
    CheckStatus,
    Gpu,
    HostInfo,
    Level,
    Matrix,
    Status,
    Target,
    UserModel,
)
from validator.runners.base import Prepared


def key_of(
    cell: Cell, prepared: Prepared, matrix: Matrix, host: HostInfo, *, runner: str, facts: str = "", version: str = __version__
) -> str | None:
    """The key of a cell's result, 64 hexadecimal digits: equal for two cells exactly if the same thing would be measured.

    None where it is not known what is inside the environment. ``cell`` is one that has its lane. The verdict of an environment
    that is only opened follows from the facts, for which ``facts`` stands where they are the user's own, and from its target.
    That the GPU is another one of the same model and memory makes no difference, nor do the names of the cell, its target and
    the matrix, its expectation, or how many cells ran beside it. A MIG device counts as itself: NVML does not say its size.
    """
    if prepared.identity is None:
        return None
    environment, engine, nvml, inspect = cell.environment, host.engine, host.nvml, cell.action is Action.INSPECT
    here = bool(cell.gpus) or (inspect and cell.target.is_host)
    parts = {
        "validator": version,
        "environment": prepared.identity,
        "asked": [environment.torch, environment.cuda, environment.python],
        "started": [environment.python_command, environment.keep_entrypoint, list(prepared.entrypoint)],
        "probe": _probe(matrix.model),
        "model": _model(matrix.model),
        "quick": matrix.quick,
        "checks": _checks(matrix.levels),
        "limits": asdict(matrix.limits),
        "action": cell.action.value,
        "facts": facts if inspect else "",
        "target": _target(cell.target, host) if inspect else [],
        "gpus": [_gpu(gpu) for gpu in cell.gpus],
        "driver": [nvml.driver_version, nvml.cuda_driver_version, host.kernel_modules] if here else [],
        "cdi": bool(engine.cdi_devices and cell.gpus),
        "machine": [host.id, host.system, host.cpu_count],
        "runner": runner,
        "engine": [
            engine.name,
            engine.version,
            engine.default_runtime,
            list(engine.runtimes),
            engine.toolkit_version,
            engine.toolkit_mode,
        ],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def placements(cell: Cell) -> tuple[Cell, ...]:
    """The cell on each of the lanes that it may be given, but only once for those that make no difference to its key."""
    if cell.takes_all or len(cell.lanes) < 2:
        return (cell,)
    kinds = {json.dumps(_gpu(gpu)): gpu for gpu in reversed(cell.lanes)}
    return tuple(replace(cell, gpu=gpu, lanes=(gpu,)) for gpu in reversed(kinds.values()))


def may_be_kept(result: CellResult) -> bool:
    """Whether a result says something that holds the next time too.

    An error is never used again, nor what was not run; nor a result that is only short of a pass because a rate was low, since
    rates are noisy, or that fell short on a GPU that others used, since that may be their doing.
    """
    if result.basis not in (Basis.MEASURED, Basis.INSPECTED) or not result.status.is_fact:
        return False
    known = checks.registry()
    bad = (CheckStatus.FAIL, CheckStatus.WARN)
    short = [check.name for check in result.checks if check.status in bad and check.level is not Level.SKIP]
    noisy = bool(short) and not result.mismatches and all(name in known and known[name].alone for name in short)
    disturbed = result.ran_on is not None and result.ran_on.exclusive is False
    return result.status is Status.PASS or not (noisy or disturbed)


@remembered
def _probe(model: UserModel | None) -> str:
    return hashlib.sha256(probe_host.pack(model)).hexdigest()


def _model(model: UserModel | None) -> Mapping[str, str | None] | None:
    """How the model is made and fed; its file is part of the probe."""
    if model is None:
        return None
    names = ("file", "module", "factory", "input", "dtype", "loss", "batch", "amp")
    return {name: getattr(model, name) for name in names}


def _checks(overrides: Mapping[str, Level]) -> list[list[object]]:
    effective = checks.levels(overrides)
    return [[spec.name, effective[spec.name].value, spec.deadline_seconds] for spec in checks.registry().values()]


def _gpu(gpu: Gpu) -> list[object]:
    part = gpu.device_uuid if gpu.in_slices else None
    return [gpu.name, gpu.compute_capability, gpu.memory_total_bytes, part, gpu.ecc_enabled, gpu.compute_mode]


def _target(target: Target, host: HostInfo) -> list[object]:
    """What rules see of a target; its name is none of it."""
    here = [_gpu(gpu) for gpu in host.nvml.gpus] if target.is_host else []
    return [target.is_host, target.gpu, target.compute_capability, target.driver, here]
