"""From options to values: the matrix, the facts, what must work, the runner, the plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from validator.base.text import quoted, suggestion
from validator.cli.output import Output
from validator.model import EngineInfo, HostInfo, Matrix, Plan, Report
from validator.runners.base import RunContext, Runner

if TYPE_CHECKING:
    from validator.advice import Predictor
    from validator.facts import Facts


def load_facts(facts_file: Path | None, matrix: Matrix | None = None) -> Facts:
    """The shipped facts, with a file of the user's own on top. Raises InvalidInputError."""
    from validator.facts import load

    return load(facts_file or (matrix.facts if matrix else None))


def load_results(file: Path) -> Report:
    """A results.json. Raises ReportFileError."""
    from validator.base.errors import ReportFileError
    from validator.results import load

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportFileError(
            f"{file} cannot be read",
            why=getattr(error, "strerror", None) or "it is not UTF-8 text",
            hint="give a results.json that `validator run` wrote, or a results folder with --out",
        ) from error
    return load(text, name=str(file))


def needs_of(lists: tuple[str, ...], facts: Facts) -> tuple[str, ...]:
    """The words of --need. Raises InvalidInputError for one that no fact is about."""
    from validator.base.errors import InvalidInputError

    known = {"fp16", *(row.name for row in facts.boundaries.values() if "-3." not in row.name)}
    wanted = [word for text in lists for word in text.replace(",", " ").split()]
    for word in wanted:
        if word not in known:
            hint = f"the features are {', '.join(sorted(known))}"
            raise InvalidInputError(f"--need {quoted(word)} is not known{suggestion(word, known)}", hint=hint)
    return tuple(dict.fromkeys(wanted))


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
    from validator.advice import Predictor
    from validator.host.machine import read_host
    from validator.run import make_plan

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
