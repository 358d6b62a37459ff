"""The entry point: every error is a message on stderr and an exit code, and a traceback is shown only on request."""

from __future__ import annotations

import sys

import click
import pytest
from click.testing import CliRunner

import validator.cli as package
from validator import __version__
from validator.base.errors import AcquireError, EngineUnavailableError, InvalidInputError, NothingSelectedError, StoreError
from validator.base.interrupts import Terminated
from validator.cli import cli, main


def ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException | None) -> tuple[object, str]:
    """Exit code and stderr of the program when a command raises."""

    def command(**_: object) -> None:
        if raised:
            raise raised

    monkeypatch.setattr(package.cli, "main", command)
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert out == ""
    return ended.value.code, err


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (InvalidInputError("it is wrong", why="so", hint="do this"), 3, "error: it is wrong\n  why: so\n  try: do this\n"),
        (NothingSelectedError("nothing"), 5, "error: nothing\n"),
        (StoreError("no room"), 4, "error: no room\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.Abort(), 130, "interrupted\n"),
        (Terminated(), 143, "terminated\n"),
        (None, 0, ""),
    ],
)
def test_an_error_is_a_message_and_an_exit_code(
    raised: BaseException | None, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(monkeypatch, capsys, raised) == (code, said)


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_what_ended_a_command_is_told_apart_through_click(
    raised: type[BaseException], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        raise raised

    monkeypatch.setattr(package, "cli", command)
    monkeypatch.setattr(sys, "argv", ["validator"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code


def test_a_message_that_quotes_what_a_build_printed_acts_on_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "error: it failed\n  why: x\n\ufffd:error::y \ufffd#vso[z]\ufffd\n"
    assert ends(monkeypatch, capsys, AcquireError("it failed", why="x\r\n::error::y\x1b[2J ##vso[z]\x9b")) == (4, said)
    code, err = ends(monkeypatch, capsys, click.UsageError("no such thing '\x1b[2J##[error]x'"))
    assert (code, err) == (2, "Error: no such thing '\ufffd#[error]x'\n")
    _, err = ends(monkeypatch, capsys, RuntimeError("\n::error::y\x1b[2J ##vso[z]"))
    assert "\n\ufffd:error::y \ufffd#vso[z]\n  try: again with VALIDATOR_DEBUG=1" in err


def test_an_engine_that_does_not_answer_has_its_cause_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = EngineUnavailableError("no engine", why="nothing listens at /run/docker.sock")
    cause = "docker_daemon_unreachable (docs/causes.md#docker_daemon_unreachable)"
    assert ends(monkeypatch, capsys, error) == (4, f"error: {error}\n  cause: {cause}\n")
    said = ends(monkeypatch, capsys, AcquireError("pull failed", why="manifest unknown"))[1]
    assert said.endswith("\n  cause: image_pull_not_found (docs/causes.md#image_pull_not_found)\n")
    assert "cause:" not in ends(monkeypatch, capsys, AcquireError("words that nobody has seen"))[1]
    assert "cause:" not in ends(monkeypatch, capsys, InvalidInputError("/run/docker.sock: permission denied"))[1]


def test_wrong_usage_is_clicks_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ends(monkeypatch, capsys, click.UsageError("not so"))
    assert (code, said) == (2, "Error: not so\n")


def test_a_defect_is_called_one_and_shown_whole_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VALIDATOR_DEBUG", raising=False)
    code, said = ends(monkeypatch, capsys, KeyError("x"))
    assert code == 4
    assert said.startswith("error: a defect of the validator itself: KeyError: 'x'\n")
    assert "VALIDATOR_DEBUG=1" in said
    monkeypatch.setenv("VALIDATOR_DEBUG", "1")
    with pytest.raises(KeyError):
        ends(monkeypatch, capsys, KeyError("x"))


def test_what_a_command_gives_to_exit_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package.cli, "main", lambda **_: 4)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 4


def test_closed_streams_are_no_reason_to_stumble(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(**_: object) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.write("somebody prints")

    monkeypatch.setattr(package.cli, "main", command)
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


@pytest.mark.parametrize(("typed", "said"), [("plna", "did you mean 'plan'?"), ("xyzzy", "the commands are run, plan, check, ")])
def test_a_command_that_is_not_there_gets_a_suggestion(typed: str, said: str) -> None:
    done = CliRunner().invoke(cli, [typed])
    assert done.exit_code == 2
    assert f"No such command '{typed}'; {said}" in done.output


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_the_help_lists_the_commands_and_the_exit_codes(option: str) -> None:
    text = CliRunner(env={"COLUMNS": "100"}).invoke(cli, [option]).output
    assert "  recommend  Show which environments should train on a GPU and driver, best" in text
    assert "  130  interrupted" in text
    assert "  143  terminated" in text


def test_the_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).output == f"validator, version {__version__}\n"


@pytest.mark.parametrize(("options", "quiet", "verbose"), [([], False, False), (["-q"], True, False), (["-v"], False, True)])
def test_the_global_options_reach_every_command(options: list[str], quiet: bool, verbose: bool) -> None:
    seen = []

    @cli.command("seen")
    @click.pass_obj
    def command(output: package.Output) -> None:
        seen.append(output)

    group = click.Group("cli", callback=cli.callback, params=cli.params, commands={"seen": command})
    assert CliRunner().invoke(group, [*options, "seen"]).exit_code == 0
    assert [(each.quiet, each.verbose) for each in seen] == [(quiet, verbose)]
