"""``validator recommend``: which environments should train on a GPU and driver, best first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from validator.base.errors import ExitCode
from validator.cli.options import facts_option, format_option, place_options
from validator.cli.output import Output
from validator.cli.session import load_facts, load_matrix, load_results, this_machine

if TYPE_CHECKING:
    from validator.advice.recommendation import Candidate, Recommendation
    from validator.facts import Facts
    from validator.model import Assumption, Environment, HostInfo, Target

#: Environments shown in text unless --all; JSON has every one.
_SHOWN = 5


@click.command("recommend")
@place_options
@click.option("--python", metavar="X.Y", help="The Python you need: then wheels, for images hold one of their own.")
@click.option("--need", metavar="LIST", default="", help="What it must do besides AMP training: bf16,fp8,fp4,compile …")
@click.option("-m", "--matrix", "matrix_file", type=click.Path(path_type=Path), help="Choose among the environments of a matrix.")
@click.option(
    "--results", "results_file", type=click.Path(path_type=Path), help="A results.json: what was measured there comes first."
)
@click.option("--all", "everything", is_flag=True, help="List every environment that should work.")
@facts_option
@format_option
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

    Without --gpu and --driver this machine is meant. Without --matrix the candidates are the recent releases of torch in every
    CUDA build there is, and older ones where none of those fits. Each comes with a line to copy. Exit code 1 when nothing fits,
    4 when that cannot be told.

    \b
    Examples:
      validator recommend --gpu "Tesla V100-SXM2-16GB" --driver 535.183.01
      validator recommend --gpu 5090 --driver 580 --need fp8,compile --python 3.12
    """
    from validator.advice import Predictor, recommend
    from validator.advice.recommendation import candidates, measured_on
    from validator.cli.check import needs_of

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
    measured = measured_on(target, report.cells, host) if report else lambda _: None
    if matrix and python:
        environments = [each for each in environments if each.python in (None, python)]
    found = recommend(environments, target, predictor, measured)
    if matrix is None and not found.good:
        before = recommend(candidates(facts, python, older=True), target, predictor, measured)
        found = replace(found, good=before.good, unknown=() if before.good else found.unknown)
    if format_name == "json":
        output.result(json.dumps(_json(found, target, needs, facts), indent=2))
    else:
        output.result(_text(found, target, needs, everything, facts))
    if not found.good:
        raise click.exceptions.Exit(ExitCode.NOT_FOUND_OUT if found.unknown or not found.rejected else ExitCode.FAILED)


def _target(gpu: str | None, cc: str | None, driver: str | None, host: HostInfo) -> Target:
    """The place asked about; what is not given is this machine's, where NVML says it. Raises InvalidInputError."""
    from validator.base.errors import InvalidInputError
    from validator.host.gpus import usable_gpu
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


def _json(found: Recommendation, target: Target, needs: tuple[str, ...], facts: Facts) -> dict[str, Any]:
    return {
        "target": {"gpu": target.gpu, "compute_capability": target.compute_capability, "driver": target.driver},
        "needs": list(needs),
        "recommended": [_candidate(each, facts) for each in found.good],
        "rejected": [_candidate(each, facts) for each in found.rejected],
        "unknown": [_candidate(each, facts) for each in found.unknown],
    }


def _candidate(each: Candidate, facts: Facts) -> dict[str, Any]:
    from validator.advice.recommendation import lines
    from validator.cli.check import as_json
    from validator.model import PulledImage

    environment = each.environment
    return {
        "id": environment.id,
        "torch": environment.torch,
        "cuda": environment.cuda,
        "python": environment.python,
        "verdict": each.outlook.value,
        "basis": each.basis.value,
        "reason": each.reason,
        "predicted": as_json(each.prediction),
        "image": environment.source.reference if isinstance(environment.source, PulledImage) else None,
        "image_seen": isinstance(environment.source, PulledImage) and environment.source.reference in facts.tags,
        **lines(environment),
    }


def _text(found: Recommendation, target: Target, needs: tuple[str, ...], everything: bool, facts: Facts) -> str:
    from validator.model import AssumptionKind

    wanted = f", able to do {', '.join(needs)}" if needs else ""
    text = [f"For {target.id}{wanted} (facts of {facts.as_of}):"]
    if not found.good:
        text += ["", "Nothing is known to work."]
    shown = found.good if everything else found.good[:_SHOWN]
    assumed = _assumed(found)
    for number, each in enumerate(shown, 1):
        rank = _rank(each, shown[number - 2] if number > 1 else None)
        text += ["", f"{number}. {each.environment.id}  {each.outlook.value} ({each.basis.value}): {rank}"]
        text += [f"   {each.reason}"] if each.measured or each.outlook.value != "pass" else []
        # That an image holds what its tag names is what the line to copy says.
        known = [line for line in each.prediction.assumptions if line.kind is not AssumptionKind.IMAGE_NAME]
        own = [line for line in known if line not in assumed]
        text += [f"   assumed: {line}" for line in own]
        text += [f"   {line}" for line in _copied(each.environment, facts)]
    if len(found.good) > len(shown):
        text += ["", f"… and {len(found.good) - len(shown)} more that should work (--all)"]
    if assumed:
        text += ["", *(f"assumed: {line}" for line in assumed)]
    for heading, group in (("Not these:", found.rejected), ("Not known:", found.unknown)):
        if group:
            text += ["", heading, *_reasons(group)]
    return "\n".join(text)


def _assumed(found: Recommendation) -> list[Assumption]:
    """What was taken for granted of every candidate: the place asked about, as far as it was not given."""
    every = [each.prediction.assumptions for each in (*found.good, *found.rejected, *found.unknown)]
    return [text for text in every[0] if all(text in others for others in every)] if every else []


def _rank(each: Candidate, better: Candidate | None) -> str:
    """Why it stands here and not above."""
    if each.measured:
        return "measured on this GPU and driver"
    why = "" if each.outlook.value != "pass" else "no rule speaks against it; "
    if better is None:
        return f"{why}the newest torch that fits"
    if better.measured:
        return f"{why}not measured"
    if (better.outlook, better.basis) != (each.outlook, each.basis):
        return f"{each.outlook.value} where the others above are {better.outlook.value}"
    if better.environment.torch == each.environment.torch:
        return f"{why}the same torch in an older build"
    return f"{why}an older torch"


def _copied(environment: Environment, facts: Facts) -> list[str]:
    from validator.advice.recommendation import lines
    from validator.model import PulledImage

    copied = lines(environment)
    if isinstance(environment.source, PulledImage):
        reference = environment.source.reference
        if reference in facts.tags:
            return [copied["from"], copied["pull"]]
        unseen = f"# named as its family is, not seen yet; look first: docker manifest inspect {reference}"
        return [unseen, copied["from"], copied["pull"], *([copied["pip"]] if "pip" in copied else [])]
    return [copied["pip"]] if "pip" in copied else []


def _reasons(group: tuple[Candidate, ...]) -> list[str]:
    """By cause, in the words of the first; every one is named, for it was asked about."""
    from validator.advice.upgrading import gravest

    by_cause: dict[str, list[Candidate]] = {}
    for each in group:
        causes = ", ".join(dict.fromkeys(finding.cause for finding in gravest(each.prediction)))
        by_cause.setdefault("measured" if each.measured else causes, []).append(each)
    text = []
    for cause, each_of in by_cause.items():
        text.append(f"  {cause + ': ' if cause else ''}{each_of[0].reason}")
        text.append(f"    {', '.join(each.environment.id for each in each_of)}")
    return text
