"""Where a probe runs: the protocol of a runner, and the one choice of which runner is taken.

A runner is a folder with a module ``runner`` that has ``create`` (a RunnerFactory), and a row in ``_REGISTRY``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import NamedTuple, cast

from validator.base.errors import EngineUnavailableError
from validator.host import NOT_ASKED
from validator.model import EngineInfo, Matrix
from validator.runners.base import OnEvent, OnLine, Prepared, RunContext, Runner, RunnerFactory, RunOutcome, RunRequest

__all__ = [
    "AUTO",
    "NAMES",
    "Chosen",
    "OnEvent",
    "OnLine",
    "Prepared",
    "RunContext",
    "RunOutcome",
    "RunRequest",
    "Runner",
    "choose",
    "needs_engine",
]


@dataclass(frozen=True)
class _Row:
    """What must be known of a runner before its module is imported."""

    needs_engine: bool
    """Whether it runs environments on the container engine of this machine."""


#: By folder, in the order in which AUTO tries them. One that stands below ``local``, which always works, is only taken by name.
_REGISTRY = {
    "docker": _Row(needs_engine=True),
    "local": _Row(needs_engine=False),
}

NAMES = tuple(_REGISTRY)
#: In place of a name: the first runner of the registry that can be used here.
AUTO = "auto"


def needs_engine(name: str) -> bool:
    """Whether the runner of that name runs environments on this machine's container engine. Raises KeyError for no runner."""
    return _REGISTRY[name].needs_engine


class Chosen(NamedTuple):
    """A runner, and why it is this one."""

    runner: Runner
    reason: str


def choose(name: str, matrix: Matrix, context: RunContext, *, ask: bool = True) -> Chosen:
    """The runner of that name, or the one that AUTO stands for; with ``ask`` false, as far as no engine need be asked for it.

    Raises EngineUnavailableError when a runner that needs an engine was named and none answers; KeyError for a name that is
    neither in NAMES nor AUTO.
    """
    engine = _asked() if ask else _assumed()
    reason = "asked for"
    if name == AUTO:
        name = next(each for each, row in _REGISTRY.items() if engine.usable or not row.needs_engine)
        reason = engine.reason
    elif _REGISTRY[name].needs_engine and ask and not engine.usable:
        raise EngineUnavailableError(
            "no container engine answers",
            why=engine.info.problem or "",
            hint="start Docker or Podman's socket, set DOCKER_HOST, or measure this machine itself with --runner local",
        )
    create = cast(RunnerFactory, import_module(f"{__name__}.{name}.runner").create)
    return Chosen(create(matrix, replace(context, engine=engine.info)), reason)


class _Engine(NamedTuple):
    """The container engine of this machine as the choice sees it."""

    info: EngineInfo
    usable: bool
    reason: str
    """Why AUTO goes by it."""


def _asked() -> _Engine:
    from validator.runners.docker.engine import probe_engine

    info = probe_engine()
    if info.problem:
        return _Engine(info, usable=False, reason=f"no container engine answers ({info.problem})")
    return _Engine(info, usable=True, reason=f"{info.name} answers")


def _assumed() -> _Engine:
    from validator.runners.docker.engine import expected

    address = expected()
    if address is None:
        return _Engine(NOT_ASKED, usable=False, reason="assumed: no sign of a container engine on this machine")
    return _Engine(NOT_ASKED, usable=True, reason=f"assumed: {address} was not asked")
