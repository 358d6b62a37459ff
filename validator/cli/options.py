"""Options and set-up that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from validator.cli.output import Output
from validator.model import EngineInfo, HostInfo, Matrix, Plan, Report
from validator.runners.base import RunContext, Runner

if TYPE_CHECKING:
    from validator.advice.predictor import Predictor
    from validator.facts.loader import Facts

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


def facts_option(function: _F) -> _F:
    """``--facts``: facts of the user's own."""
    return click.option(
        "--facts",
        "facts_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Facts of your own, laid over the shipped ones (docs/facts.md); goes before `facts:` of the matrix.",
    )(function)


def place_options(function: _F) -> _F:
    """The machine that is asked about."""
    for option in reversed(
        [
            click.option("--gpu", metavar="NAME", help='The GPU, as nvidia-smi prints it or short: "Tesla T4", A100, 4090.'),
            click.option("--cc", metavar="X.Y", help="Its compute capability, in place of a name."),
            click.option("--driver", metavar="VERSION", help="The NVIDIA driver: 580.95.05, or a branch such as 535."),
        ]
    ):
        function = option(function)
    return function


def format_option(function: _F) -> _F:
    """``--format``: text for people, JSON for programs."""
    return click.option(
        "--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True
    )(function)


def load_facts(facts_file: Path | None, matrix: Matrix | None = None) -> Facts:
    """The shipped facts, with a file of the user's own on top. Raises InvalidInputError."""
    from validator.facts.loader import load

    return load(facts_file or (matrix.facts if matrix else None))


def load_results(file: Path) -> Report:
    """A results.json. Raises ReportFileError."""
    from validator.base.errors import ReportFileError
    from validator.report.json_v1 import load

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportFileError(
            f"{file} cannot be read",
            why=getattr(error, "strerror", None) or "it is not UTF-8 text",
            hint="give a results.json that `validator run` wrote, or a results folder with --out",
        ) from error
    return load(text, name=str(file))


def this_machine() -> HostInfo:
    """This machine, without asking any container engine."""
    from validator.host.machine import read_host

    return read_host(EngineInfo(problem="not asked: nothing is run"))


def load_matrix(matrix_file: Path | None, output: Output) -> Matrix:
    """The matrix asked for. Raises MatrixError."""
    from validator.base.resources import shipped_folder
    from validator.matrix import load

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
    from validator.base.errors import EngineUnavailableError
    from validator.runners import factory
    from validator.runners.docker.engine import probe_engine

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


def assumed_runner(name: str, matrix: Matrix, context: RunContext) -> tuple[Runner, str, EngineInfo]:
    """The runner that ``run`` would choose, as far as that can be told without asking an engine anything."""
    from validator.runners import factory
    from validator.runners.docker.engine import expected

    reason = "asked for"
    if name == "auto":
        address = expected()
        name = "docker" if address else "local"
        reason = f"assumed: {address} was not asked" if address else "assumed: no sign of a container engine on this machine"
    return factory(name)(matrix, context), reason, EngineInfo(problem="not asked: nothing is run")


def plan_for(
    matrix: Matrix,
    runner: Runner,
    reason: str,
    engine: EngineInfo,
    *,
    facts: Facts,
    inspect: bool,
    environments: tuple[str, ...],
    targets: tuple[str, ...],
) -> tuple[Plan, HostInfo, Predictor]:
    """The plan on this machine, the machine, and the rules that judged the cells."""
    from validator.advice.predictor import Predictor
    from validator.host.machine import read_host
    from validator.plan import make_plan

    host = read_host(engine)
    predict = Predictor(facts, host, in_containers=runner.name == "docker")
    plan = make_plan(
        matrix,
        host,
        runner=runner.name,
        runner_reason=reason,
        supports=runner.supports,
        inspect=inspect,
        environments=environments,
        targets=targets,
        predict=predict,
    )
    return plan, host, predict
