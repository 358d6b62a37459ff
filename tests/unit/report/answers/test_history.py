"""The answer of ``validator history``: a line a run, and more where they do not fit."""

from __future__ import annotations

import json
from dataclasses import replace

from validator.model import Basis, Origin, Status
from validator.report.answers.history import FORMATS
from validator.results import Entry
from validator.results.rows import State

RUN = "20261124T120000Z-a1b2c3"
PASS = Entry(
    cell="torch2.7.1-cu126@host",
    run=RUN,
    at="2026-11-24T12:01:59.123+00:00",
    state=State.DONE,
    status=Status.PASS,
    basis=Basis.MEASURED,
    causes=(),
    seconds=12.53,
    cached=False,
    origin=None,
    matrix="matrix.yaml",
)
FAIL = replace(PASS, status=Status.FAIL, causes=("driver-too-old", "sm-missing"), seconds=112.0)
AGAIN = replace(PASS, cached=True, origin=Origin(RUN, "2026-11-20T01:02:03+00:00"))
ERROR = replace(PASS, status=Status.ERROR, basis=None, seconds=None)
DIED = replace(PASS, state=State.BEGUN, status=None, basis=None, seconds=None)
HEAD = "  when (UTC)        run                      result                    time"


def text(*entries: Entry, width: int = 80) -> list[str]:
    return FORMATS["text"]({PASS.cell: entries}, width).splitlines()


def test_a_run_is_a_line_of_eighty_columns() -> None:
    assert text(PASS, ERROR, DIED) == [
        "torch2.7.1-cu126@host",
        HEAD,
        "  2026-11-24 12:01  20261124T120000Z-a1b2c3  pass (measured)         12.5 s",
        "  2026-11-24 12:01  20261124T120000Z-a1b2c3  error",
        "  2026-11-24 12:01  20261124T120000Z-a1b2c3  no result (begun)",
    ]


def test_causes_and_where_it_was_measured_have_a_line_of_their_own_where_there_is_no_room() -> None:
    assert text(FAIL, AGAIN)[2:] == [
        "  2026-11-24 12:01  20261124T120000Z-a1b2c3  fail (measured)        112.0 s",
        "                    driver-too-old, sm-missing",
        "  2026-11-24 12:01  20261124T120000Z-a1b2c3  pass (measured)         12.5 s",
        "                    cached: measured 2026-11-20 01:02 by 20261124T120000Z-a1b2c3",
    ]
    assert text(FAIL, replace(AGAIN, origin=None), width=120)[2:] == [
        "  2026-11-24 12:01  20261124T120000Z-a1b2c3  fail (measured)        112.0 s  driver-too-old, sm-missing",
        "  2026-11-24 12:01  20261124T120000Z-a1b2c3  pass (measured)         12.5 s  cached",
    ]
    many = replace(FAIL, causes=tuple(f"cause-number-{number}" for number in range(9)))
    assert all(len(line) <= 80 for line in text(many))
    assert max(len(line) for line in text(many, width=20)) <= 80


def test_cells_stand_apart() -> None:
    shown = FORMATS["text"]({"a@host": (PASS,), "b@host": (replace(PASS, run="short"),)}, 80).splitlines()
    assert [line for line in shown if not line.startswith("  ")] == ["a@host", "", "b@host"]
    assert shown[6] == "  2026-11-24 12:01  short                    pass (measured)         12.5 s"


def test_text_of_a_damaged_history_cannot_reach_the_terminal() -> None:
    hostile = "\x1b[31m::error::\n\u202e"
    entry = replace(FAIL, run=hostile, at=hostile, causes=(hostile,), cached=True, origin=Origin(hostile, hostile))
    shown = FORMATS["text"]({hostile: (entry,)}, 80)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert len(shown.splitlines()) == 4


def test_the_same_as_json() -> None:
    [cell] = json.loads(FORMATS["json"]({PASS.cell: (AGAIN, FAIL, DIED)}, 80))
    again, fail, died = cell["runs"]
    assert cell["cell"] == PASS.cell
    assert again == {
        "run": RUN,
        "at": PASS.at,
        "state": "done",
        "status": "pass",
        "basis": "measured",
        "causes": [],
        "seconds": 12.53,
        "cached": True,
        "origin": {"run": RUN, "at": "2026-11-20T01:02:03+00:00"},
        "matrix": "matrix.yaml",
    }
    assert (fail["causes"], fail["origin"]) == (["driver-too-old", "sm-missing"], None)
    assert (died["state"], died["status"], died["basis"], died["seconds"]) == ("begun", None, None, None)
