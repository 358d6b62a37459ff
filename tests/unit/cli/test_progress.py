"""How a run goes, on stderr: a live line on a terminal, plain lines elsewhere, nothing with -q."""

from __future__ import annotations

import io
import sys

import pytest
from values import cell, environment, result

from validator.cli import progress
from validator.cli.output import Output
from validator.cli.progress import make_progress
from validator.model import Basis, CellResult, Status

CELL = cell(environment("torch"))
PASSED = result(env="torch", reason="trains: fp32")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(output: Output, monkeypatch: pytest.MonkeyPatch, *results: CellResult, stream: io.StringIO | None = None) -> str:
    """What is said on stderr of a cell that starts, is noted on, and finishes."""
    stream = stream or io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with make_progress(output) as shown:
        shown.cell_started(CELL, 2, 7)
        shown.note(CELL, "check import")
        for each in results:
            shown.cell_finished(each)
    return stream.getvalue()


def test_nothing_is_said_when_it_is_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(Output(quiet=True), monkeypatch, PASSED) == ""
    assert told(Output(quiet=True, verbose=True), monkeypatch, PASSED, stream=Terminal()) == ""


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(Output(), monkeypatch, PASSED).splitlines() == [
        "[2/7] torch@host: measure: asked for",
        "      check import",
        "      pass: trains: fp32",
    ]


@pytest.mark.parametrize(
    ("finished", "is_told"),
    [
        (result(env="a", basis=Basis.PREDICTED), False),
        (result(Status.SKIP, "a"), False),
        (result(env="a", basis=Basis.INSPECTED), True),
        (result(Status.ERROR, "a", basis=None), True),
        (result(Status.FAIL, "a"), True),
    ],
)
def test_only_what_was_done_has_a_line(finished: CellResult, is_told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"      {finished.status.value}: trains: fp32"
    assert (line in told(Output(), monkeypatch, finished)) is is_told
    monkeypatch.setenv("TERM", "xterm")
    live = f"{finished.status.value:9}a@host: trains: fp32"
    assert (live in told(Output(), monkeypatch, finished, stream=Terminal())) is is_told


def test_a_terminal_that_is_dumb_or_wants_every_line_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert "[2/7] torch@host: measure" in told(Output(verbose=True), monkeypatch, stream=Terminal())
    assert "[2/7] torch@host: measure" not in told(Output(), monkeypatch, stream=Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert "[2/7] torch@host: measure" in told(Output(), monkeypatch, stream=Terminal())


def test_the_live_line_has_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for no_color, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", no_color)
        assert ("\x1b[32m" in told(Output(), monkeypatch, PASSED, stream=Terminal())) is coloured


def test_the_live_line_says_which_cell_and_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    long = result(Status.FAIL, "torch", reason="[red]x[/red] " + "y" * 400)
    text = told(Output(), monkeypatch, long, stream=Terminal())
    assert "[2/7] torch@host: check import" in text
    assert "fail     torch@host: [red]x[/red] \nyyyy" in text
    assert text.count("y") < 300


def test_lines_of_a_build_are_a_sign_of_life_now_and_then_and_all_there_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def noted(*, verbose: bool) -> list[str]:
        with make_progress(Output(verbose=verbose)) as shown:
            shown.cell_started(CELL, 1, 1)
            for seconds, text in ((1, "one"), (14.5, "two"), (15, "three"), (29, "four"), (29.5, "pulling x"), (31, "five")):
                now[0] = 100.0 + seconds
                shown.note(CELL, text)
        now[0] = 100.0
        return [line.strip() for line in capsys.readouterr().err.splitlines()[1:]]

    assert noted(verbose=False) == ["three", "pulling x"]
    assert noted(verbose=True) == ["one", "two", "three", "four", "pulling x", "five"]


@pytest.mark.parametrize("text", ["check import", "pulling layers", "building it"])
def test_what_a_person_waits_for_is_said_at_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with make_progress(Output()) as shown:
        shown.cell_started(CELL, 1, 1)
        shown.note(CELL, text)
        shown.note(CELL, "a line of it")
    assert sys.stderr.getvalue().splitlines()[1:] == [f"      {text}"]  # type: ignore[attr-defined]
