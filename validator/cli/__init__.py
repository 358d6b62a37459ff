"""The command line: one command a file, thin; the only place that prints or exits."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import StringIO

import click

from validator import __version__
from validator.base.errors import AcquireError, EngineUnavailableError, ExitCode, ValidatorError
from validator.base.interrupts import Terminated
from validator.base.text import quoted, suggestion
from validator.cli.output import Output, printable

_COMMANDS = {
    "run": "Run the matrix and print the compatibility table.",
    "plan": "Show the whole table as predicted, and what a run would do; runs nothing.",
    "check": "Judge one environment on one target from facts; runs nothing.",
    "recommend": "Show which environments should train on a GPU and driver, best first.",
    "upgrade": "Show what a new driver, GPU, torch or CUDA would change for the matrix.",
    "facts": "Show what the rules go by, row by row, with source and date.",
    "probe": "Run the probe in one interpreter of this machine; no container.",
    "host": "Show this machine: driver, GPUs, container engine.",
    "diagnose": "Name the cause behind a log: what broke, why, and what to do.",
    "causes": "Show the causes the validator can name.",
    "report": "Show the report of an earlier run again, in any format.",
    "history": "Show what came of a cell in every run.",
    "schema": "Print the JSON Schema of matrix.yaml.",
    "init": "Write a matrix.yaml to start from, with the image it builds.",
    "clean": "Remove what the validator left: containers, images, environments, results.",
}


class _Commands(click.Group):
    """Imports a command's module when it is called, so that the command line stays light."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"validator.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            hint = suggestion(args[0], _COMMANDS) or f"; the commands are {', '.join(_COMMANDS)}"
            ctx.fail(f"No such command {quoted(args[0])}{hint}")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="validator")
@click.option("-q", "--quiet", is_flag=True, help="No progress; only the result and errors.")
@click.option("-v", "--verbose", is_flag=True, help="Every line of builds and pulls.")
@click.pass_context
def cli(ctx: click.Context, quiet: bool, verbose: bool) -> None:
    """Which PyTorch/CUDA images really train with AMP on which GPU and driver.

    Reads a matrix of environments and targets (matrix.yaml), makes each environment, trains a small net with automatic mixed
    precision inside it, and prints a compatibility table: what works, what does not, and why.

    \b
    Exit codes of every command:
      0    every selected cell passed, is degraded (without --strict), or failed as `expect` says
      1    at least one cell failed (or only predicted to, with --strict), or was expected to and did not;
           upgrade: something stops working; recommend: nothing fits; check: it does not work
      2    wrong usage
      3    matrix.yaml or another input is invalid
      4    could not find out: errors, no engine, nothing that could be measured, results that cannot be read or written
      5    nothing selected
      130  interrupted; the report of what finished is written
      143  terminated (SIGTERM); likewise
    """
    ctx.obj = Output(quiet=quiet, verbose=verbose)


def main() -> None:
    """Entry point: every error becomes a message and an exit code; a traceback is shown only on request."""
    # A closed stream is None in Python, and whoever prints would stumble over it.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    try:
        # Without its standalone mode click returns what a command gave to Exit.
        sys.exit(cli.main(standalone_mode=False) or ExitCode.OK)
    except ValidatorError as error:
        print(printable(f"error: {error}{_cause(error)}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        said = StringIO()
        error.show(said)
        print(printable(said.getvalue()), end="", file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        terminated = Terminated in (type(error), type(error.__cause__))  # click makes an Abort of what ended a command
        print("terminated" if terminated else "interrupted", file=sys.stderr)
        sys.exit(ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED)
    except Exception as error:
        if os.environ.get("VALIDATOR_DEBUG"):
            raise
        print(
            printable(f"error: a defect of the validator itself: {type(error).__name__}: {error}")
            + "\n  try: again with VALIDATOR_DEBUG=1 for the traceback, and report it with that",
            file=sys.stderr,
        )
        sys.exit(ExitCode.NOT_FOUND_OUT)


def _cause(error: ValidatorError) -> str:
    """A line with the cause of the catalogue, where an engine's absence or an environment's has one."""
    if not isinstance(error, (EngineUnavailableError, AcquireError)):
        return ""
    from validator.model import UNKNOWN_CAUSE
    from validator.verdict.findings import of_error

    [found] = of_error(error)
    return f"\n  cause: {found.cause} ({found.source})" if found.cause != UNKNOWN_CAUSE else ""
