"""A result that is used again: what was seen stands, what the matrix and the rules say of it is as of now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from values import cell, check_result, environment
from values import result as a_result

from validator.model import (
    Action,
    Attempt,
    Basis,
    Cell,
    CheckStatus,
    Content,
    Finding,
    Origin,
    Outlook,
    Prediction,
    RanOn,
    Seconds,
    Severity,
    Status,
    Target,
)
from validator.verdict import of_kept

NO = Prediction(Outlook.FAIL, ("old",), findings=(Finding("old", Severity.FAIL, "too old"),))
YES = Prediction(Outlook.PASS, ())
THEN = environment("then")
NOW = environment("now")
KEPT = a_result(
    Status.PASS,
    THEN,
    checks=(check_result(CheckStatus.PASS),),
    findings=(Finding("seen", Severity.INFO, "seen"),),
    content=Content("2.7.1"),
    ran_on=RanOn("gpu-a1", "GPU-1"),
    digest="sha256:1",
    notes=("a note",),
    seconds=Seconds(total=5.0),
    expect=Status.DEGRADED,
    predicted=NO,
    agrees=False,
    cached=True,
    origin=Origin("run-1", "2026-11-20T10:00:00+00:00"),
    attempts=(Attempt("2026-11-20T09:00:00+00:00", "away", 1.0),),
    log_tail="last words",
)
CELL = cell(NOW, Target("other"), expect=Status.PASS, predicted=YES)


def no_rules(*_: Any) -> Prediction:
    raise AssertionError("asked")


def test_what_was_seen_stands() -> None:
    again = of_kept(CELL, KEPT, lambda *_: YES)
    for name in ("status", "basis", "reason", "checks", "findings", "content", "ran_on", "digest", "notes", "seconds", "origin"):
        assert getattr(again, name) == getattr(KEPT, name), name
    assert again.log_tail == "last words"


def test_what_it_is_called_and_expected_to_be_is_as_of_now() -> None:
    again = of_kept(CELL, KEPT)
    assert (again.id, again.environment, again.target, again.expect) == (CELL.id, NOW, CELL.target, Status.PASS)


@pytest.mark.parametrize("cached", [False, True])
def test_it_says_that_it_was_used_again_and_that_this_run_tried_nothing(cached: bool) -> None:
    again = of_kept(CELL, replace(KEPT, cached=cached))
    assert (again.cached, again.attempts) == (True, ())


def test_rules_are_asked_of_what_was_found_inside_then() -> None:
    asked: list[tuple[Cell, Content]] = []

    def rules(of: Cell, content: Content) -> Prediction:
        asked.append((of, content))
        return NO

    again = of_kept(CELL, KEPT, rules)
    assert asked == [(CELL, KEPT.content)]
    assert (again.predicted, again.agrees) == (NO, False)
    assert of_kept(CELL, KEPT, lambda *_: YES).agrees is True


@pytest.mark.parametrize("content", [Content(), Content("2.7.1")])
def test_without_rules_or_content_the_facts_stand_and_agreement_is_with_them(content: Content) -> None:
    rules = None if content.torch else no_rules
    again = of_kept(CELL, replace(KEPT, content=content), rules)
    assert (again.predicted, again.agrees) == (YES, True)
    assert of_kept(replace(CELL, predicted=None), replace(KEPT, content=content), rules).agrees is None


def test_of_what_was_only_opened_the_rules_word_is_the_result_and_stands() -> None:
    said = replace(NO, basis=Basis.INSPECTED)
    opened = replace(KEPT, status=Status.FAIL, basis=Basis.INSPECTED, predicted=said, agrees=None)
    again = of_kept(replace(CELL, action=Action.INSPECT), opened, no_rules)
    assert (again.status, again.predicted, again.agrees) == (Status.FAIL, said, None)
    assert again.inferred is opened.inferred is True, "it does not begin to count as a failure that happened here"
