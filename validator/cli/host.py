"""``validator host``: this machine as the validator sees it."""

from __future__ import annotations

import click

from validator.cli.options import answer_format_option
from validator.cli.output import Output
from validator.report.answers import host as answer


@click.command("host")
@answer_format_option(answer.FORMATS)
@click.pass_obj
def command(output: Output, format_name: str) -> None:
    """Show this machine: driver, GPUs, container engine.

    Asks NVML (the library beside nvidia-smi) and the container engine. What does not answer is said in words, with what to do;
    that is a description, not a failure, and the exit code is 0.
    """
    from validator.host import read_host
    from validator.runners.docker.engine import probe_engine

    output.result(answer.FORMATS[format_name](read_host(probe_engine()), output.width))
