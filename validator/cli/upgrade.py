"""``validator upgrade``: what a change would do to the matrix; the check before anybody touches a machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from validator.base.errors import ExitCode
from validator.cli.options import answer_format_option, facts_option
from validator.cli.output import Output
from validator.cli.session import load_facts, load_matrix, load_results, this_machine
from validator.report.answers import upgrade as answer

if TYPE_CHECKING:
    from validator.advice import Predictor
    from validator.advice.upgrading import Change, Predict
    from validator.model import CellResult, Environment, Prediction, Target


@click.command("upgrade")
@click.option("--driver", metavar="VERSION", help="This driver on every target, this machine included.")
@click.option("--gpu", metavar="NAME", help="This GPU on every target.")
@click.option("--torch", metavar="VERSION", help="This torch in every environment that names its version.")
@click.option("--cuda", metavar="VERSION", help="This CUDA build in every environment that names one.")
@click.option("-m", "--matrix", "matrix_file", type=click.Path(path_type=Path), help="The matrix; as for `validator run`.")
@click.option(
    "--results", "results_file", type=click.Path(path_type=Path), help="A results.json: what was measured there is the baseline."
)
@facts_option
@answer_format_option(answer.FORMATS)
@click.pass_obj
def command(
    output: Output,
    driver: str | None,
    gpu: str | None,
    torch: str | None,
    cuda: str | None,
    matrix_file: Path | None,
    results_file: Path | None,
    facts_file: Path | None,
    format_name: str,
) -> None:
    """Show what a new driver, GPU, torch or CUDA would change for the matrix: what stops working, and what newly works.

    Every environment on every target is judged as it is and as it would be; nothing is run and nothing is changed. With --results
    the baseline is what an earlier run measured. Exit code 1 when something stops working.

    \b
    Examples:
      validator upgrade --driver 580.95.05
      validator upgrade --torch 2.14.1 --cuda 13.0 --results .validator/latest/results.json
    """
    from validator.advice import Predictor, upgrade
    from validator.advice.upgrading import Change, Effect

    change = Change(driver=driver, gpu=gpu, torch=torch, cuda=cuda)
    if not str(change):
        raise click.UsageError("say what would change: --driver, --gpu, --torch or --cuda")
    matrix = load_matrix(matrix_file, output)
    facts = load_facts(facts_file, matrix)
    _check(change, facts)
    report = load_results(results_file) if results_file else None
    host = report.host if report else this_machine()
    predictor = Predictor(facts, host, in_containers=True)
    known = {cell.id: cell for cell in report.cells} if report else {}
    predict = _knowing(predictor, known)
    affected, remarks = upgrade(
        matrix.environments, matrix.targets, change, before=predict, after=predict, results=known
    )
    shown = answer.Upgraded(change, tuple(affected), remarks, report.run.id if report else None)
    output.result(answer.FORMATS[format_name](shown, output.width))
    if any(each.effect is Effect.STOPS for each in affected):
        raise click.exceptions.Exit(ExitCode.FAILED)
    if all(each.effect is Effect.UNKNOWN for each in affected):
        raise click.exceptions.Exit(ExitCode.NOT_FOUND_OUT)


def _check(change: Change, facts: Any) -> None:
    """Raises InvalidInputError if a value is not a version."""
    from validator.base.errors import InvalidInputError
    from validator.base.versions import Dotted, torch_version
    from validator.facts.driver_names import parse

    checks = (
        ("--driver", change.driver, lambda text: parse(text, facts)),
        ("--torch", change.torch, torch_version),
        ("--cuda", change.cuda, Dotted),
    )
    for option, text, check in checks:
        try:
            if text is not None:
                check(text)
        except ValueError as error:
            raise InvalidInputError(f"{option}: {error}", hint="give a version as the matrix would have it") from None


def _knowing(predictor: Predictor, known: Mapping[str, CellResult]) -> Predict:
    """The rules, with what an earlier run read inside an environment in place of the facts, where that environment stays."""

    inside = {result.environment.id: result for result in known.values() if result.content.torch}

    def predict(environment: Environment, target: Target) -> Prediction:
        result = inside.get(environment.id)
        same = result is not None and (environment.torch, environment.cuda) == (result.environment.torch, result.environment.cuda)
        if result is None or not same:
            return predictor(environment, target)
        return predictor.opened(environment, target, result.content)

    return predict
