"""Which result may be used again: the key that stands for all that made it, and which results never are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache as remembered

from validator import __version__, probe_host
from validator.catalogue import checks
from validator.model import Action, Basis, Cell, CellResult, CheckStatus, Gpu, HostInfo, Level, Matrix, Status, UserModel
from validator.runners.base import Prepared


def key_of(
    cell: Cell, prepared: Prepared, matrix: Matrix, host: HostInfo, *, runner: str, facts: str = "", version: str = __version__
) -> str | None:
    """The key of a cell's result, 64 hexadecimal digits: equal for two cells exactly if the same thing would be measured.

    None where it is not known what is inside the environment. ``facts`` stands for the user's own facts, from which the verdict
    of an environment that is only opened follows. That the GPU is another one of the same model, memory and MIG profile, makes no
    difference, nor do the names of the cell and of the matrix, its expectation, or how many cells ran beside it.
    """
    if prepared.identity is None:
        return None
    environment, engine, nvml = cell.environment, host.engine, host.nvml
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
        "facts": facts if cell.action is Action.INSPECT else "",
        "gpus": [_gpu(gpu) for gpu in cell.gpus],
        "driver": [nvml.driver_version, nvml.cuda_driver_version, host.kernel_modules] if cell.gpus else [],
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


def may_be_kept(result: CellResult) -> bool:
    """Whether a result says something that holds the next time too.

    An error is never used again, nor what was not run; nor a result that is only short of a pass because a rate was low, since
    rates are noisy.
    """
    if result.basis not in (Basis.MEASURED, Basis.INSPECTED) or not result.status.is_fact:
        return False
    known = checks.registry()
    bad = (CheckStatus.FAIL, CheckStatus.WARN)
    short = [check.name for check in result.checks if check.status in bad and check.level is not Level.SKIP]
    noisy = bool(short) and all(name in known and known[name].alone for name in short)
    return result.status is not Status.DEGRADED or not noisy


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
    return [gpu.name, gpu.compute_capability, gpu.memory_total_bytes, gpu.in_slices, gpu.ecc_enabled, gpu.compute_mode]
