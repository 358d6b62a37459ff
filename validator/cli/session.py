"""From options to values: the matrix, the facts, what must work, the plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from validator.base.text import quoted, suggestion
from validator.cli.output import Output
from validator.model import HostInfo, Matrix, Plan, Report

if TYPE_CHECKING:
    from validator.advice import Predictor
    from validator.facts import Facts
    from validator.runners import Runner


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
    from validator.host import read_host

    return read_host()


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


def plan_for(
    matrix: Matrix,
    runner: Runner,
    reason: str,
    *,
    facts: Facts,
    inspect: bool,
    environments: tuple[str, ...],
    targets: tuple[str, ...],
) -> tuple[Plan, HostInfo, Predictor]:
    """The plan on the runner's machine, that machine, and the rules that judged the cells."""
    from validator.advice import Predictor
    from validator.run import make_plan

    host = runner.host()
    predict = Predictor(facts, host, in_containers=runner.contained)
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
