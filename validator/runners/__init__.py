"""Runners: where a probe runs. The registry imports a runner's module only when that runner is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from validator.runners.base import RunnerFactory

_REGISTRY = {
    "docker": "validator.runners.docker.runner",
    "local": "validator.runners.local.runner",
}

NAMES = tuple(_REGISTRY)


def factory(name: str) -> RunnerFactory:
    """The ``create`` function of a runner's module; KeyError for a name that is not in NAMES."""
    return cast(RunnerFactory, import_module(_REGISTRY[name]).create)
