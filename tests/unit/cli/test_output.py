"""Results on stdout, everything else on stderr, and how wide and how colourful."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from validator.base.errors import StoreError
from validator.cli.output import Output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable that says anything of the terminal."""
    for name in ("COLUMNS", "LINES", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("columns", "width"), [(None, 120), ("80", 80), ("20", 20), ("5", 20), ("wide", 120), ("", 120)])
def test_the_width_of_a_pipe_is_what_columns_says_or_120(
    columns: str | None, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    if columns is None:  # a pipe beside a terminal, whose width is of no importance
        monkeypatch.setattr("shutil.get_terminal_size", lambda fallback: os.terminal_size((33, 24)))
    assert Output().width == width


def test_the_width_of_a_terminal_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr("shutil.get_terminal_size", lambda fallback: os.terminal_size((93, 24)))
    assert Output().width == 93


@pytest.mark.parametrize(
    ("stream", "variables", "coloured"),
    [
        (Terminal, {}, True),
        (Terminal, {"NO_COLOR": ""}, True),  # https://no-color.org: when present and not an empty string
        (Terminal, {"NO_COLOR": "1"}, False),
        (Terminal, {"TERM": "dumb"}, False),
        (Terminal, {"TERM": "xterm"}, True),
        (io.StringIO, {}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    stream: type[io.StringIO], variables: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stream())
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Output().color is coloured
    Output().result("\x1b[31mred\x1b[0m\n\n")
    if coloured or stream is not Terminal:
        assert sys.stdout.getvalue() == ("\x1b[31mred\x1b[0m\n" if coloured else "red\n")  # type: ignore[attr-defined]


@pytest.mark.parametrize("quiet", [False, True])
def test_notes_are_left_out_where_it_is_to_be_quiet_and_warnings_are_not(
    quiet: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    Output(quiet=quiet).note("a note")
    Output(quiet=quiet).warn("a warning")
    Output(quiet=quiet).result("the result")
    out, err = capsys.readouterr()
    assert out == "the result\n"
    assert err == ("a warning\n" if quiet else "a note\na warning\n")


def test_a_reader_that_went_away_does_not_change_the_exit_code() -> None:
    code = "from validator.cli.output import Output; Output().result('x' * 1_000_000); Output().result('more')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_disk_that_is_full_is_said() -> None:
    code = "from validator.cli.output import Output; Output().result('x')"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert StoreError.__name__ in done.stderr
    assert os.strerror(errno.ENOSPC) in done.stderr


ACTING = "a\x1b[2J\x07\x9b\u202eb\n::error::c\r ##vso[d]\udce9"
SHOWN = "a\ufffd\ufffd\ufffdb\n\ufffd:error::c\n \ufffd#vso[d]\ufffd\n"


def test_nothing_that_acts_is_printed_wherever_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.note(ACTING)
    output.warn(ACTING)
    output.result(ACTING)
    output.result([f"{ACTING}\n", "##[error]\n"])
    out, err = capsys.readouterr()
    assert err == SHOWN * 2
    assert out == SHOWN * 2 + "\ufffd#[error]\n"


def test_with_colours_the_escapes_are_the_renderers_own_and_commands_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    Output().result("\x1b[31mred\x1b[0m\n::error::x")
    assert sys.stdout.getvalue() == "\x1b[31mred\x1b[0m\n\ufffd:error::x\n"  # type: ignore[attr-defined]


def test_a_result_in_parts_is_printed_as_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    seen = []

    def parts() -> Iterator[str]:
        for _ in range(4):
            seen.append(len(stream.getvalue()))
            yield "x" * 39_999 + "\n"

    Output().result(parts())
    assert seen == [0, 0, 80_000, 80_000]
    assert len(stream.getvalue()) == 160_000
    Output().result([])
    assert len(stream.getvalue()) == 160_000
