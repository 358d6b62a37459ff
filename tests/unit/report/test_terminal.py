"""The table on a terminal: fits, hides nothing, reads without colour, and shows hostile text as text."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len
from values import HOSTILE, check_result, every_kind, report, result

from validator.model import Report, Status
from validator.report import render


def wide_report() -> Report:
    """Two environments on this machine and on four targets that nobody ran."""
    targets = ("t4-535.183.01", "a100-sxm4-80gb-580.95.05", "h100-580.95.05", "v100-470")
    return report(
        *(result(env=env) for env in ("torch2.6.0-cu124", "torch2.7.1-cu126")),
        *(
            result(Status.SKIP, env, on, reason=f"this machine is not {on}")
            for env in ("torch2.6.0-cu124", "torch2.7.1-cu126")
            for on in targets
        ),
    )


def folded(text: str) -> str:
    """Text with the line breaks taken out, to find in it what may have been wrapped anywhere."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("shown", [every_kind(), wide_report()], ids=["every_kind", "wide"])
def test_no_line_is_wider_than_the_terminal_and_no_cell_is_lost(shown: Report, width: int) -> None:
    text = render("table", shown, width=width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    for each in shown.cells:
        assert folded(each.environment.id) in folded(text)
        assert folded(each.target.id) in folded(text)
        assert folded(each.reason) in folded(text)


def test_every_target_is_a_column_where_there_is_room() -> None:
    text = render("table", wide_report(), width=200)
    header = next(line for line in text.splitlines() if line.lstrip().startswith("environment"))
    assert header.split() == ["environment", "host", "t4-535.183.01", "a100-sxm4-80gb-580.95.05", "h100-580.95.05", "v100-470"]
    assert "Left out" not in text


def test_targets_that_only_skip_are_left_out_by_name_where_there_is_none() -> None:
    text = render("table", wide_report(), width=80)
    header = next(line for line in text.splitlines() if line.lstrip().startswith("environment"))
    assert header.split() == ["environment", "host"]
    named = "Left out, since every cell is a skip (the reasons are below): t4-535.183.01, a100-sxm4-80gb-580.95.05"
    assert folded(named) in folded(text)
    assert "skip: this machine is not v100-470" in text


def test_a_narrow_terminal_gets_a_line_a_cell() -> None:
    text = render("table", every_kind(), width=40)
    assert "─" not in text
    assert folded("torch2.7.1-cu126@host  fail (measured)") in folded(text)


def test_statuses_are_words_and_there_is_no_escape_without_colour() -> None:
    text = render("table", every_kind())
    assert "\x1b" not in text
    for status in Status:
        assert re.search(rf"\b{status.value}\b", text)


def test_colour_adds_nothing_but_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")  # whether to colour is the caller's decision, made by now
    coloured = render("table", every_kind(), width=100, color=True)
    assert re.search(r"\x1b\[[0-9;]*31m", coloured)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == render("table", every_kind(), width=100).splitlines()


def test_hostile_text_is_shown_and_neither_obeyed_nor_dropped() -> None:
    shown = report(result(Status.FAIL, reason=HOSTILE, checks=(check_result(message=HOSTILE, output=HOSTILE),), log_tail=HOSTILE))
    text = render("table", shown, width=100)
    assert "[red]r[/red]" in text
    assert "<script>" in text
    assert not any(bad in text for bad in "\x1b\u202e\u200b\x9b\x00\r")


@pytest.mark.parametrize("width", [40, 100])
def test_markup_in_the_table_and_its_headings_is_text(width: int) -> None:
    text = render("table", report(result(env="[bold]e", on="[i]t", reason="[red]r[/red] :smile: [/]")), width=width)
    for part in ("[bold]e", "[i]t", "[red]r[/red] :smile: [/]"):
        assert folded(part) in folded(text)


def test_the_unexpected_stands_above_the_table() -> None:
    text = render("table", report(result(), result(env="surprise", expect=Status.FAIL)), width=100)
    assert text.splitlines()[0] == "! surprise@host: unexpected: the matrix expects fail, pass came out"


def test_an_interrupted_run_says_so_first() -> None:
    assert render("table", report(result(), interrupted=True)).startswith("INTERRUPTED")


def test_the_end_of_a_long_log_is_shown_and_what_is_left_out_is_counted() -> None:
    log = "\n".join(f"line {number}" for number in range(50))
    text = render("table", report(result(Status.ERROR, log_tail=log)))
    assert "| line 49" in text
    assert "| line 30" not in text
    assert "38 earlier lines" in text


def test_wide_characters_are_counted_as_the_terminal_shows_them() -> None:
    text = render("table", report(result(Status.FAIL, reason="漢字" * 100)), width=60)
    assert all(cell_len(line) <= 60 for line in text.splitlines())


@pytest.mark.parametrize("number", [6, 7])
def test_skips_for_one_reason_are_named_while_they_are_few_and_counted_when_they_are_many(number: int) -> None:
    cells = [result(Status.SKIP, env=f"env{index}", reason="no GPU here", basis=None) for index in range(number)]
    below = render("table", report(*cells), width=100).partition("Skipped")[2]
    assert ("env0@host" in below) == (number == 6)
    assert ("7 cells, each by its id in report.md" in below) == (number == 7)
