"""Options and set-up that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from validator.cli.output import Output
from validator.model import EngineInfo, Matrix, Plan
from validator.runners.base import RunContext, Runner

_F = TypeVar("_F", bound=Callable[..., Any])

DEFAULT_OUT = Path(".validator")


def out_option(function: _F) -> _F:
    """``--out``: the results folder."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_OUT,
        show_default=True,
        help="Folder of results and history.",
    )(function)


def selection_options(function: _F) -> _F:
    """What ``run`` and ``plan`` have in common: the matrix, the runner, the selection."""
    for option in reversed(
        [
            click.option(
                "-m",
                "--matrix",
                "matrix_file",
                type=click.Path(path_type=Path),
                help="The matrix; ./matrix.yaml, or the one shipped with validator where there is none.",
            ),
            click.option(
                "--runner",
                type=click.Choice(["auto", "docker", "local"]),
                default="auto",
                show_default=True,
                help="docker: containers, on Docker or Podman. local: virtual environments of this machine, no engine. "
                "auto: docker if an engine answers, else local.",
            ),
            click.option("-e", "--environment", "environments", multiple=True, metavar="GLOB", help="Environments, by id."),
            click.option("-t", "--target", "targets", multiple=True, metavar="GLOB", help="Targets, by id."),
            click.option(
                "--inspect",
                is_flag=True,
                help="Also open the environments that cannot be trained on this machine, and read what is inside.",
            ),
        ]
    ):
        function = option(function)
    return function


def load_matrix(matrix_file: Path | None, output: Output) -> Matrix:
    """The matrix asked for. Raises MatrixError."""
    from validator.matrix import load
    from validator.resources import shipped_folder

    if matrix_file is None:
        matrix_file = Path("matrix.yaml")
        if not matrix_file.exists():
            matrix_file = shipped_folder() / "matrix.yaml"
            output.note("no matrix.yaml here: using the one shipped with validator (`validator init` writes a copy to edit)")
    return load(matrix_file)


def choose_runner(name: str, matrix: Matrix, context: RunContext) -> tuple[Runner, str, EngineInfo]:
    """The runner, why it is this one, and the engine there is.

    Raises EngineUnavailableError when ``docker`` was asked for and no engine answers.
    """
    from validator.engine import probe_engine
    from validator.errors import EngineUnavailableError
    from validator.runners import factory

    engine = probe_engine()
    if name == "docker" and engine.problem:
        raise EngineUnavailableError(
            "no container engine answers",
            why=engine.problem,
            hint="start Docker or Podman's socket, set DOCKER_HOST, or measure this machine itself with --runner local",
        )
    if name == "auto":
        name = "local" if engine.problem else "docker"
        reason = f"no container engine answers ({engine.problem})" if engine.problem else f"{engine.name} answers"
    else:
        reason = "asked for"
    return factory(name)(matrix, context), reason, engine


def plan_for(
    matrix: Matrix,
    runner: Runner,
    reason: str,
    engine: EngineInfo,
    *,
    inspect: bool,
    environments: tuple[str, ...],
    targets: tuple[str, ...],
) -> tuple[Plan, Any]:
    """The plan on this machine, and the machine (a HostInfo)."""
    from validator.host import read_host
    from validator.plan import make_plan

    host = read_host(engine)
    plan = make_plan(
        matrix,
        host,
        runner=runner.name,
        runner_reason=reason,
        supports=runner.supports,
        inspect=inspect,
        environments=environments,
        targets=targets,
    )
    return plan, host
