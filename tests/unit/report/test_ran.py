"""How a result came about: reused, of an earlier run, beside others, not alone on its GPU, at a later try."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import HOSTILE, report, result

from validator.model import Attempt, CellResult, Origin, RanOn, Status
from validator.report import render
from validator.report.view import view
from validator.report.view.ran import beside_line, earlier_lines, marks_of, ran_lines

STARTED = "2026-11-24T12:00:00+00:00"
ORIGIN = Origin("20261121T080000Z-0a0a0a", "2026-11-21T08:00:00+00:00")
ON = RanOn("gpu-a1", "GPU-1", "docker", alone=False, beside=3, exclusive=True)
CACHED = result(env="reused", cached=True, origin=ORIGIN, ran_on=ON)
CARRIED = result(env="carried", origin=ORIGIN, ran_on=ON)
SHARED = result(env="shared", ran_on=replace(ON, exclusive=False))
TRIED = result(env="tried", attempts=(Attempt("2026-11-24T12:01:00+00:00", "the engine restarted", 31.6),))


@pytest.mark.parametrize(
    ("cell", "marks"),
    [
        (result(), ()),
        (result(ran_on=ON), ()),
        (CACHED, ("cached",)),
        (CARRIED, ("3 days old",)),
        (SHARED, ("not exclusive",)),
        (replace(CACHED, ran_on=SHARED.ran_on), ("cached", "not exclusive")),
        (result(cached=True), ("cached",)),
        (result(origin=Origin("r", "some day")), ("of an earlier run",)),
        (result(origin=Origin("r", "2026-11-21T08:00:00")), ("of an earlier run",)),  # it does not say in which zone
        (result(origin=Origin("r", "2026-11-25T08:00:00+00:00")), ("of an earlier run",)),  # a clock that was set back
        (result(origin=Origin("r", "2026-11-24T11:59:50+00:00")), ("less than a minute old",)),
        (result(origin=Origin("r", "2026-11-24T11:59:00+00:00")), ("1 minute old",)),
        (result(origin=Origin("r", "2026-11-24T08:30:00+01:00")), ("4 hours old",)),
    ],
)
def test_the_table_says_in_a_word_what_is_not_measured_now_and_alone(cell: CellResult, marks: tuple[str, ...]) -> None:
    assert marks_of(cell, STARTED) == marks


def test_below_the_table_it_is_told_in_full() -> None:
    assert ran_lines(CACHED, STARTED) == (
        ("cached", f"measured by run {ORIGIN.run} on gpu-a1 at {ORIGIN.at}, 3 days before this run"),
        ("beside", "up to 3 other cells of the run ran at the same time"),
    )
    assert ran_lines(CARRIED, STARTED)[0][0] == "of an earlier run"
    assert ran_lines(result(cached=True), STARTED) == (("cached", "measured by an earlier run"),)
    assert ran_lines(result(ran_on=replace(ON, beside=1)), STARTED)[0][1].startswith("up to 1 other cell of")
    assert ran_lines(SHARED, STARTED)[0] == ("not exclusive", "something else on the machine used the GPU as the cell began")
    assert ran_lines(TRIED, STARTED) == (("attempt 1", "the engine restarted (began 2026-11-24T12:01:00+00:00, lasted 32 s)"),)
    assert ran_lines(result(ran_on=replace(ON, beside=0)), STARTED) == ()


def test_the_runs_that_results_are_taken_from_are_named_with_their_age() -> None:
    later = Origin("later", "2026-11-23T12:00:00+00:00")
    cells = (CACHED, CACHED, CARRIED, result(cached=True, origin=later), result(cached=True))
    assert earlier_lines(cells, STARTED) == (
        "1 cell cached: measured by run later at 2026-11-23T12:00:00+00:00, 1 day before this run",
        f"2 cells cached: measured by run {ORIGIN.run} on gpu-a1 at {ORIGIN.at}, 3 days before this run",
        f"1 cell not in this run: measured by run {ORIGIN.run} on gpu-a1 at {ORIGIN.at}, 3 days before this run",
        "1 cell cached: measured by an earlier run",
    )


def test_how_many_ran_beside_others_counts_those_of_this_run() -> None:
    assert beside_line([SHARED, SHARED, CACHED, TRIED, result(ran_on=replace(ON, beside=0))]) == (
        "2 cells ran beside other cells, up to 3 at a time"
    )
    assert beside_line([CACHED, TRIED]) == ""


def test_a_reused_pass_is_a_plain_pass_and_a_disturbed_one_is_told() -> None:
    details = view(report(CACHED, CARRIED, SHARED, TRIED, result())).details
    assert [detail.id for detail in details] == ["shared@host", "tried@host"]


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_every_format_says_it(name: str) -> None:
    text = " ".join(render(name, report(CACHED, CARRIED, SHARED, TRIED), width=300).replace("*", "").split())
    for told in (
        "pass (measured, cached)",
        "pass (measured, 3 days old)",
        "pass (measured, not exclusive)",
        "earlier: 1 cell cached: measured by run 20261121T080000Z-0a0a0a on gpu-a1",
        "earlier: 1 cell not in this run: measured by run",
        "beside: 1 cell ran beside other cells, up to 3 at a time",
        "not exclusive: something else",
        "beside: up to 3 other cells",
        "attempt 1: the engine restarted",
    ):
        assert told in text


def test_where_many_runs_were_drawn_from_the_newest_are_named() -> None:
    cells = [result(env=f"e{n}", cached=True, origin=Origin(f"run{n}", f"2026-11-1{n}T00:00:00+00:00")) for n in range(5)]
    text = render("table", report(*cells), width=200)
    assert [f"run{n}" in text for n in range(5)] == [False, False, True, True, True]
    assert "… and from 2 more runs: --format markdown or json has them all" in text
    assert all(f"run{n}" in render("markdown", report(*cells)) for n in range(5))


def test_the_narrow_table_has_the_marks_too() -> None:
    cells = [replace(each, target=replace(each.target, id=on)) for on in ("t4", "l4") for each in (CACHED, SHARED)]
    for width in (40, 60):
        text = "".join(render("table", report(*cells), width=width).split())
        assert "measured,cached" in text


def test_texts_of_an_earlier_run_are_cleaned() -> None:
    bad = result(Status.FAIL, origin=Origin(HOSTILE, HOSTILE), attempts=(Attempt(HOSTILE, HOSTILE, 1.0),), ran_on=RanOn(HOSTILE))
    shown = view(report(bad))
    texts = [*shown.earlier, *(text for _, text in shown.details[0].ran)]
    assert len(texts) == 3
    assert all(text.isprintable() for text in texts)
