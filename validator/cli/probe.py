"""``validator probe``: the probe in one interpreter of this machine."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validator.base.text import quoted, suggestion
from validator.cli.options import answer_format_option
from validator.cli.output import Output
from validator.report.answers import probe as answer

if TYPE_CHECKING:
    from validator.catalogue.checks import CheckSpec
    from validator.model import Cell, Gpu, UserModel


@click.command("probe")
@click.option(
    "--python",
    default=sys.executable,
    metavar="PATH",
    help="The interpreter that holds the torch to probe (default: the one that runs validator).",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "none"]),
    default="auto",
    show_default=True,
    help="auto: the first GPU that NVML names, else the CPU. none: only open torch and read what it is.",
)
@click.option(
    "--checks",
    "globs",
    metavar="GLOB[,GLOB]",
    help="Only these checks, and what they need: 'train_*', bf16,sdpa. `validator probe --list` names them.",
)
@click.option("--list", "list_only", is_flag=True, help="List the checks and end.")
@click.option(
    "--quick",
    is_flag=True,
    help="Import, device and AMP training only, with one small net: in less than three times what `import torch` takes.",
)
@click.option(
    "--model",
    "model_text",
    metavar="FILE.py:FACTORY",
    help="A model of your own to train too: what FACTORY() returns. MODULE:FACTORY takes one that is installed beside torch.",
)
@click.option("--input", "shape", metavar="CxHxW", help="Shape of one sample for --model, without the batch: 3x640x640, or 128.")
@click.option("--dtype", metavar="DTYPE", help="Dtype of the input (default: float32); long:1000 are integers below 1000.")
@click.option(
    "--loss", metavar="NAME", help="auto, mean, cross_entropy, or a function beside FACTORY: result of the model → loss."
)
@click.option("--batch", metavar="N", help="Samples in a batch (default: 2); 0 puts no batch dimension in front.")
@click.option("--amp-dtype", metavar="DTYPE", help="float16 or bfloat16 for --model; unless given, what the device has.")
@click.option("--timeout", "seconds", type=click.FloatRange(1, 86_400), default=600.0, show_default=True, help="Seconds.")
@answer_format_option(answer.FORMATS)
@click.pass_obj
def command(
    output: Output,
    /,
    python: str,
    device: str,
    globs: str | None,
    list_only: bool,
    quick: bool,
    model_text: str | None,
    seconds: float,
    format_name: str,
    **model_options: str | None,
) -> None:
    """Run the probe in one interpreter of this machine; no container.

    The same checks that run inside an image, for a torch that is already installed somewhere: a virtual environment, conda,
    a cluster's module. With --model, a model of your own is trained in float32 and under AMP, and a fault is told apart:
    your code or data, how your model handles precision, or the environment.

    \b
    Examples:
      validator probe --python /opt/conda/bin/python
      validator probe --python .venv/bin/python --device cpu --format json
      validator probe --quick
      validator probe --checks 'train_*,bf16'
      validator probe --model net.py:build --input 1x640x640
    """
    from validator.base.errors import ExitCode
    from validator.base.interrupts import as_keyboard_interrupt
    from validator.catalogue import checks
    from validator.model import Status
    from validator.probe_host import ProbePlan, new_nonce
    from validator.runners.base import Prepared
    from validator.runners.local.runner import request_for, run_process
    from validator.verdict import of_outcome

    if list_only:
        output.result(_listed())
        return
    model = _model(model_text, model_options)
    found = _interpreter(python)
    gpu, device = _device(device)
    plan = ProbePlan(
        nonce=new_nonce(),
        checks=_chosen(globs, device, model, quick=quick),
        device=device,
        host_gpu=gpu,
        deadline_seconds=seconds,
        quick=quick,
        model=model,
    )
    cell = _cell(found, device, gpu)

    def on_event(event: object) -> None:
        if isinstance(event, dict) and event.get("event") == "check-start":
            output.note(f"check {event.get('check')}")

    with as_keyboard_interrupt():
        outcome = run_process(request_for(found, plan, cell.gpus, cell_id=cell.id), on_event)
    prepared = Prepared(handle=found)
    result = of_outcome(cell, prepared, outcome, checks.levels({}))
    output.result(answer.FORMATS[format_name](answer.Probed(result, is_own=found == sys.executable), output.width))
    codes = {Status.FAIL: ExitCode.FAILED, Status.ERROR: ExitCode.NOT_FOUND_OUT}
    raise click.exceptions.Exit(codes.get(result.status, ExitCode.OK))


def _listed() -> str:
    """Every check with its level and what it needs, a line each."""
    from validator.catalogue import checks

    return "\n".join(
        f"{spec.name:16} {spec.level.value:9} needs {', '.join(spec.needs) or 'nothing'}" for spec in checks.registry().values()
    )


def _interpreter(python: str) -> str:
    """Where the interpreter asked for is. Raises InvalidInputError."""
    import shutil

    from validator.base.errors import InvalidInputError

    found = shutil.which(python)
    if found is None:
        raise InvalidInputError(
            f"{quoted(python)} is not a program that can be run here",
            why="it is not there, is a folder, or is not executable",
            hint="give the path of a Python interpreter, such as --python /opt/conda/bin/python",
        )
    return found


def _device(asked: str) -> tuple[Gpu | None, str]:
    """The GPU there is for it, and the device with ``auto`` decided."""
    from validator.host import first_usable, nvml

    gpu = first_usable(nvml.query().gpus) if asked in ("auto", "cuda") else None
    return gpu, ("cuda" if gpu else "cpu") if asked == "auto" else asked


def _cell(interpreter: str, device: str, gpu: Gpu | None) -> Cell:
    """The interpreter as an environment on this machine, as a plan would have it."""
    from validator.model import Action, ActionReason, Because, Cell, Environment, HostInterpreter, Target, Where

    environment = Environment(id="python", source=HostInterpreter(Path(interpreter)), where=Where("the command line", 0))
    action = Action.INSPECT if device == "none" else Action.MEASURE
    return Cell("python@host", environment, Target("host", is_host=True), action, ActionReason(Because.ASKED), gpu)


def _chosen(globs: str | None, device: str, model: UserModel | None, *, quick: bool) -> tuple[CheckSpec, ...]:
    """The checks that the options ask for. Raises InvalidInputError."""
    from validator.base.errors import InvalidInputError
    from validator.catalogue import checks

    inspect = device == "none"
    if model is not None and inspect:
        raise InvalidInputError(
            "--model with --device none", hint="a model is trained, and --device none trains nothing: leave one out"
        )
    among = checks.selected({}, inspect=inspect, model=model is not None)
    wanted = [glob.strip() for glob in globs.split(",") if glob.strip()] if globs else []
    if not wanted:
        return tuple(checks.in_short(among) if quick else among)
    try:
        return tuple(checks.chosen(wanted, among))
    except KeyError as error:
        glob, names = error.args[0], [spec.name for spec in among]
        hint = f"the checks here are {', '.join(names)}"
        if glob == "model":
            hint = "the check `model` needs --model"
        raise InvalidInputError(f"no check matches {quoted(glob)}{suggestion(glob, names)}", hint=hint) from None


def _model(text: str | None, options: dict[str, str | None]) -> UserModel | None:
    """The model that the options describe; None where none does. Raises InvalidInputError."""
    from validator.base.errors import InvalidInputError
    from validator.matrix import user_model

    given = [f"--{name.replace('shape', 'input').replace('_', '-')}" for name, value in options.items() if value is not None]
    if text is None:
        if given:
            raise InvalidInputError(f"{', '.join(given)} without --model", hint="--model FILE.py:FACTORY names the model to feed")
        return None
    shape = options["shape"]
    if shape is None:
        hint = "give the shape of one sample without the batch, such as --input 3x640x640"
        raise InvalidInputError("--model needs --input", hint=hint)
    more = {"dtype": options["dtype"], "loss": options["loss"], "batch_size": options["batch"], "amp": options["amp_dtype"]}
    try:
        where, factory = user_model.split(text)
        if not user_model.is_file(where):
            return user_model.from_module(where, factory, shape, **more)
        path = Path(where).absolute()
        return replace(user_model.from_file(path, factory, shape, **more), folder=str(path.parent))
    except ValueError as error:
        raise InvalidInputError(f"--model: {error}") from None
