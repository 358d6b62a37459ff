"""The options that several commands share: decorators only.

A registry that an option's choice comes from is imported where the option is used, so that other commands do not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

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
    from validator.runners import AUTO, NAMES

    for option in reversed(
        [
            click.option(
                "-m",
                "--matrix",
                "matrix_file",
                type=click.Path(path_type=Path),
                help="The matrix file (default: ./matrix.yaml, or else the one shipped with validator).",
            ),
            click.option(
                "--runner",
                type=click.Choice([AUTO, *NAMES]),
                default=AUTO,
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
        help="Facts of your own, laid over the shipped ones (docs/facts.md); in place of `facts:` of the matrix.",
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


def answer_format_option(formats: Iterable[str]) -> Callable[[_F], _F]:
    """``--format`` of the commands that answer a question: one of the ``FORMATS`` of its answer."""
    return click.option("--format", "format_name", type=click.Choice(list(formats)), default="text", show_default=True)


def report_format_option(function: _F) -> _F:
    """``--format`` of the commands that show a report: one of ``report.FORMATS``."""
    from validator.report import FILES, FORMATS

    written = " and ".join(FILES)
    return click.option(
        "--format",
        "format_name",
        type=click.Choice(list(FORMATS)),
        default="table",
        show_default=True,
        help=f"What is printed; `validator run` always writes {written} too.",
    )(function)
