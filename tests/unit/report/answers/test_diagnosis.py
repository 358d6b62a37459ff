"""A diagnosis as text and as JSON: the cause, why, what to do, and what else it could be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from validator.diagnose import Diagnosis, Line, Named
from validator.diagnose.evidence import Unnamed
from validator.model import Severity
from validator.report.answers.diagnosis import as_json, as_text

TOP = Named(
    "driver_too_old",
    "environment",
    "The driver is too old",
    Severity.FAIL,
    0.856,
    (*(Line(f"words {number}", number) for number in range(1, 6)), Line("exit 1", None, "exit")),
    "A build needs a driver of its time.",
    "Update it.",
    "nvidia-smi",
)
OTHER = replace(TOP, cause="ptx_too_new", title="PTX is newer", confidence=0.14, evidence=(), confirm="")


def test_a_named_cause() -> None:
    assert as_text(Diagnosis((TOP, OTHER), lines=9), 80).splitlines() == [
        "cause: driver_too_old (86% sure, environment)",
        "  The driver is too old",
        "",
        "why",
        "  line 1: words 1",
        "  line 2: words 2",
        "  line 3: words 3",
        "  line 4: words 4",
        "  A build needs a driver of its time.",
        "",
        "what to do",
        "  Update it.",
        "",
        "how to make sure",
        "  nvidia-smi",
        "",
        "what else it could be",
        "  ptx_too_new (14%): PTX is newer",
        "",
        "`validator causes driver_too_old` tells it from its neighbours.",
    ]


def test_what_there_is_not_has_no_heading() -> None:
    shown = as_text(Diagnosis((replace(TOP, confirm="", evidence=(Line("exit 1", None, "exit"),)),)), 80)
    assert "how to make sure" not in shown
    assert "what else it could be" not in shown
    assert "  exit: exit 1" in shown


@pytest.mark.parametrize(
    ("unnamed", "said", "heading"),
    [
        (Unnamed.HEALTHY, "nothing in this log says that anything went wrong", "Its last lines:"),
        (Unnamed.UNDECIDED, "nothing in this log names one", "The lines that say most:"),
        (None, "nothing in this log names one", "The lines that say most:"),
    ],
)
def test_where_none_can_be_named_the_lines_that_may_tell_a_person(unnamed: Unnamed | None, said: str, heading: str) -> None:
    assert as_text(Diagnosis(informative=(Line("odd", 3),), unnamed=unnamed), 80).splitlines() == [
        f"cause: unknown ({said})",
        "",
        heading,
        "  line 3: odd",
        "",
        "More of the log, or `--env torch=… --env gpu=… --env driver=…`, may decide it.",
    ]


def test_an_empty_log_has_no_lines() -> None:
    shown = as_text(Diagnosis(unnamed=Unnamed.EMPTY), 80).splitlines()
    assert (shown[0], len(shown)) == ("cause: unknown (the log is empty)", 3)


@pytest.mark.parametrize(("width", "widest"), [(20, 40), (40, 40), (60, 60)])
def test_long_evidence_takes_four_lines_at_most_and_none_is_too_narrow_to_read(width: int, widest: int) -> None:
    long = Line(" ".join(["seven77"] * 60), 1)
    shown = as_text(Diagnosis(informative=(long,)), width).splitlines()
    evidence = shown[3 : shown.index("", 3)]
    assert len(evidence) == 4
    assert widest - 9 < max(map(len, evidence)) <= widest
    assert evidence[0].startswith("  line 1: seven77")
    assert all(line.startswith("    seven77") for line in evidence[1:])
    assert evidence[-1].endswith(" …")


def test_the_json_of_a_named_cause() -> None:
    document = as_json(Diagnosis((TOP, OTHER), lines=9))
    assert document.pop("evidence")[-1] == {"line": None, "text": "exit 1", "source": "exit"}
    assert document == {
        "cause": "driver_too_old",
        "family": "environment",
        "title": "The driver is too old",
        "severity": "fail",
        "confidence": 0.856,
        "explanation": "A build needs a driver of its time.",
        "remedy": "Update it.",
        "confirm": "nvidia-smi",
        "alternatives": [
            {"cause": "ptx_too_new", "confidence": 0.14, "title": "PTX is newer", "evidence": [], "confirm": None},
        ],
        "lines_read": 9,
    }
    assert as_json(Diagnosis((OTHER, TOP)))["confirm"] is None


def test_the_json_where_none_can_be_named_has_the_same_names() -> None:
    document = as_json(Diagnosis(informative=(Line("odd", 3),), unnamed=Unnamed.UNDECIDED, lines=3))
    assert set(document) == set(as_json(Diagnosis((TOP,))))
    assert document == {
        "cause": "unknown",
        "family": None,
        "title": None,
        "severity": "unknown",
        "confidence": 0.0,
        "evidence": [{"line": 3, "text": "odd", "source": "log"}],
        "explanation": "nothing in this log names one",
        "remedy": None,
        "confirm": None,
        "alternatives": [],
        "lines_read": 3,
    }
    assert as_json(Diagnosis())["explanation"] is None
