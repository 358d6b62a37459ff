"""``validator recommend``: which environments should train on a GPU and driver, best first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validator.base.errors import ExitCode
from validator.cli.options import answer_format_option, facts_option, place_options
from validator.cli.output import Output
from validator.cli.session import load_facts, load_matrix, load_results, needs_of, this_machine
from validator.report.answers import recommendation as answer

if TYPE_CHECKING:
    from validator.model import HostInfo, Target


@click.command("recommend")
@place_options
@click.option("--python", metavar="X.Y", help="The Python you need; then only wheels count, as an image brings its own.")
@click.option("--need", metavar="LIST", default="", help="What it must do besides AMP training: bf16,fp8,fp4,compile …")
@click.option("-m", "--matrix", "matrix_file", type=click.Path(path_type=Path), help="Choose among the environments of a matrix.")
@click.option(
    "--results", "results_file", type=click.Path(path_type=Path), help="A results.json: what was measured there comes first."
)
@click.option("--all", "everything", is_flag=True, help="List every environment that should work.")
@facts_option
@answer_format_option(answer.FORMATS)
@click.pass_obj
def command(
    output: Output,
    gpu: str | None,
    cc: str | None,
    driver: str | None,
    python: str | None,
    need: str,
    matrix_file: Path | None,
    results_file: Path | None,
    everything: bool,
    facts_file: Path | None,
    format_name: str,
) -> None:
    """Show which environments should train on a GPU and driver, best first, and why the others do not.

    Without --gpu and --driver, this machine is meant. Without --matrix, the candidates are the recent releases of torch in every
    CUDA build there is, and older ones where none of those fits. Each comes with a line to copy. Exit code 1 when nothing fits,
    4 when that cannot be told.

    \b
    Examples:
      validator recommend --gpu "Tesla V100-SXM2-16GB" --driver 535.183.01
      validator recommend --gpu 5090 --driver 580 --need fp8,compile --python 3.12
    """
    from validator.advice import Predictor, recommend
    from validator.advice.recommendation import candidates, measured_on

    if gpu and cc:
        raise click.UsageError("give --gpu or --cc, not both")
    report = load_results(results_file) if results_file else None
    host = report.host if report else this_machine()
    target = _target(gpu, cc, driver, host)
    matrix = load_matrix(matrix_file, output) if matrix_file else None
    facts = load_facts(facts_file, matrix)
    needs = needs_of((need,), facts)
    environments = list(matrix.environments) if matrix else candidates(facts, python)
    predictor = Predictor(facts, None, in_containers=True, needs=needs)
    measured = measured_on(target, report) if report else lambda _: None
    if matrix and python:
        environments = [each for each in environments if each.python in (None, python)]
    found = recommend(environments, target, predictor, measured)
    if matrix is None and not found.good:
        before = recommend(candidates(facts, python, older=True), target, predictor, measured)
        found = replace(found, good=before.good, unknown=() if before.good else found.unknown)
    shown = answer.Recommended(found, target, needs, facts, everything)
    output.result(answer.FORMATS[format_name](shown, output.width))
    if not found.good:
        raise click.exceptions.Exit(ExitCode.NOT_FOUND_OUT if found.unknown or not found.rejected else ExitCode.FAILED)


def _target(gpu: str | None, cc: str | None, driver: str | None, host: HostInfo) -> Target:
    """The GPU and driver asked about; without a GPU those of this machine, as NVML names them. Raises InvalidInputError."""
    from validator.base.errors import InvalidInputError
    from validator.host import usable_gpu
    from validator.model import Target

    here = usable_gpu(host)
    if gpu is None and cc is None:
        if here is None:
            raise InvalidInputError(
                "which GPU? this machine has none that answers",
                why=host.nvml.problem or "NVML lists no GPU",
                hint='name it: --gpu "NVIDIA L4" --driver 580.95.05, or --cc 8.9',
            )
        gpu, driver = here.name, driver or host.nvml.driver_version
    name = gpu or f"compute capability {cc}"
    return Target(f"{name}{f', driver {driver}' if driver else ''}", gpu=gpu, compute_capability=cc, driver=driver)
