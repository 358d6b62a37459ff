"""``validator probe``: the probe in one interpreter of this machine."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import click

from validator.cli.output import Output


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
@click.option("--timeout", "seconds", type=click.FloatRange(1, 86_400), default=600.0, show_default=True, help="Seconds.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def command(output: Output, python: str, device: str, seconds: float, format_name: str) -> None:
    """Run the probe in one interpreter of this machine; no container.

    The same checks that run inside an image, for a torch that is already installed somewhere: a virtual environment, conda,
    a cluster's module.

    \b
    Examples:
      validator probe --python /opt/conda/bin/python
      validator probe --python .venv/bin/python --device cpu --format json
    """
    import shutil

    from validator import checks, nvml, probe_host
    from validator.errors import ExitCode, InvalidInputError
    from validator.findings import of_result
    from validator.interrupts import as_keyboard_interrupt
    from validator.model import Action, Cell, Environment, HostInterpreter, Status, Target, Where
    from validator.report.view import finding_lines
    from validator.runners.base import Prepared
    from validator.runners.local import request_for, run_process
    from validator.verdict import judge

    found = shutil.which(python)
    if found is None:
        raise InvalidInputError(
            f"{python!r} is not a program that can be run here",
            why="it is not there, is a folder, or is not executable",
            hint="give the path of a Python interpreter, such as --python /opt/conda/bin/python",
        )
    gpus = nvml.query().gpus if device in ("auto", "cuda") else ()
    gpu = next((gpu for gpu in gpus if gpu.uuid and not gpu.problem), None)
    if device == "auto":
        device = "cuda" if gpu else "cpu"
    plan = probe_host.ProbePlan(
        nonce=probe_host.new_nonce(),
        checks=tuple(checks.selected({}, inspect=device == "none")),
        device=device,
        host_gpu=gpu,
        deadline_seconds=seconds,
    )
    where = Where("the command line", 0)
    environment = Environment(id="python", source=HostInterpreter(Path(found)), where=where)
    action = Action.INSPECT if device == "none" else Action.MEASURE
    cell = Cell("python@host", environment, Target("host", is_host=True), action, "asked for", gpu)

    def on_event(event: object) -> None:
        if isinstance(event, dict) and event.get("event") == "check-start":
            output.note(f"check {event.get('check')}")

    with as_keyboard_interrupt():
        outcome = run_process(request_for(found, plan, gpu, cell_id=cell.id, name="validator-probe"), on_event)
    prepared = Prepared(handle=found)
    result = judge(cell, prepared, outcome, checks.levels({}))
    result = replace(result, findings=of_result(result, prepared, outcome))
    if format_name == "json":
        from validator.report.json_v1 import dump_cell

        output.result(json.dumps(json.loads(dump_cell(result)), indent=2))
    else:
        rows = [f"{check.status.value:5} {check.name:16} {check.seconds:6.1f} s  {check.message}" for check in result.checks]
        output.result("\n".join([*rows, "", f"{result.status.value}: {result.reason}", *finding_lines(result)]))
    codes = {Status.FAIL: ExitCode.FAILED, Status.ERROR: ExitCode.NOT_FOUND_OUT}
    raise click.exceptions.Exit(codes.get(result.status, ExitCode.OK))
