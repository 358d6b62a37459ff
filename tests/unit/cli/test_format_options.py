"""Every ``--format`` offers what its registry has, no more and no less, and the first of it unless told otherwise."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from validator.cli import cli
from validator.report import FORMATS, answers

#: Commands that show a report; all others that have a ``--format`` answer a question.
REPORTS = {"run", "plan", "report"}
#: The command → the module of its answer.
QUESTIONS = {
    "check": "prediction",
    "recommend": "recommendation",
    "upgrade": "upgrade",
    "facts": "facts",
    "probe": "probe",
    "host": "host",
    "diagnose": "diagnosis",
    "causes": "causes",
    "history": "history",
}
COMMANDS = cli.list_commands(click.Context(cli))


def option(name: str) -> click.Option | None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    found = [each for each in command.params if isinstance(each, click.Option) and "--format" in each.opts]
    return found[0] if found else None


def test_every_command_with_a_format_and_every_answer_is_known_here() -> None:
    assert {name for name in COMMANDS if option(name)} == REPORTS | set(QUESTIONS)
    modules = (import_module(f"{answers.__name__}.{found.name}") for found in pkgutil.iter_modules(answers.__path__))
    assert {module.__name__.rpartition(".")[2] for module in modules if hasattr(module, "FORMATS")} == set(QUESTIONS.values())


@pytest.mark.parametrize("name", [*sorted(REPORTS), *QUESTIONS])
def test_the_choice_is_the_registry(name: str) -> None:
    registry = FORMATS if name in REPORTS else import_module(f"{answers.__name__}.{QUESTIONS[name]}").FORMATS
    found = option(name)
    assert found is not None
    assert isinstance(found.type, click.Choice)
    assert list(found.type.choices) == list(registry)
    assert found.default == next(iter(registry))
    assert {"text", "json"} <= set(registry) or name in REPORTS


@pytest.mark.parametrize("name", [*sorted(REPORTS), *QUESTIONS])
def test_a_format_that_is_none_is_wrong_usage(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--format", "pdf"])
    assert done.exit_code == 2
    assert "'pdf' is not one of" in done.output
