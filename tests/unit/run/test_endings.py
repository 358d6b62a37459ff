"""Why a cell did not get to a verdict: each says what is wrong, why, and what to do."""

from __future__ import annotations

import pytest
from values import probe_plan

from validator.base.errors import ValidatorError
from validator.run import endings
from validator.runners.base import RunRequest

REQUEST = RunRequest("a@host", "validator-run-a-1", {}, probe_plan(), deadline_seconds=630.0)


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (endings.no_lane(("L4 #1",), endings.STUCK), ["L4 #1 was put aside"]),
        (endings.no_lane(("CPU 1", "CPU 2"), f"{endings.IN_TROUBLE}: the engine went away"), ["CPU 1, CPU 2 were put aside"]),
        (endings.held("L4 #1", "process 4711 of ann", 3600.0), ["L4 #1 is held by process 4711 of ann after 3600 s"]),
        (endings.held("L4 #1", "another process", None), ["L4 #1 is held by another process"]),
        (endings.overdue(REQUEST), ["validator-run-a-1 has not come back", "630 s"]),
        (endings.unasked(), ["though the run was not"]),
    ],
)
def test_an_error_says_what_why_and_what_to_do(error: ValidatorError, named: list[str]) -> None:
    assert error.what
    assert error.hint
    assert all(text in str(error) for text in named)


@pytest.mark.parametrize(("failures", "words"), [(1, "1 cell had failed"), (3, "3 cells had failed")])
def test_how_many_had_failed(failures: int, words: str) -> None:
    assert words in endings.enough_failures(failures)
