"""A ranked cause as it is told: how sure, with which lines, and with a remedy for these circumstances."""

from __future__ import annotations

import pytest

from validator.catalogue.causes import catalogue
from validator.diagnose import Evidence, diagnose
from validator.diagnose.circumstances import Circumstances
from validator.diagnose.evidence import Line
from validator.diagnose.naming import name
from validator.diagnose.ranking import Scored
from validator.diagnose.signatures import signatures
from validator.diagnose.signs import Sign
from validator.model import Finding, Outlook, Prediction, Severity

NOTHING = Prediction(Outlook.UNKNOWN)


def here(prediction: Prediction = NOTHING, **values: str) -> Circumstances:
    return Circumstances(values, frozenset(), frozenset(), prediction)


def scored(cause: str, score: float, *places: Line, **values: str) -> Scored:
    return Scored(cause, score, [Sign(cause, score, places, values=values)])


def test_the_first_is_told_with_its_lead_and_the_others_with_a_share_of_their_score() -> None:
    named = name([scored("hang", 80), scored("timeout", 64), scored("disk_full", 24)], here(), {})
    assert [(one.cause, one.confidence) for one in named] == [("hang", 0.62), ("timeout", 0.38), ("disk_full", 0.14)]
    assert name([scored("hang", 80)], here(), {})[0].confidence == 0.8
    assert name([], here(), {}) == ()


def test_at_most_five_causes_are_told() -> None:
    assert [one.cause for one in name([scored(cause, 50) for cause in catalogue()], here(), {})] == list(catalogue())[:5]


def test_all_that_the_catalogue_says_is_told() -> None:
    (named,) = name([scored("disk_full", 80)], here(), {})
    cause = catalogue()["disk_full"]
    assert (named.title, named.family, named.severity, named.explanation, named.confirm) == (
        cause.title, cause.family.value, cause.severity, cause.explanation, cause.confirm,
    )  # fmt: skip


def test_the_lines_of_the_weightiest_signs_are_told_once_and_in_their_order() -> None:
    strong = Sign("hang", 80, tuple(Line(f"strong {number}", number) for number in (9, 3)))
    same = Sign("hang", 70, (Line("another reading of line 3", 3), Line("said outside", source="engine")))
    weak = (Line("weak", 1), Line("weak", 2))
    again = Sign("hang", 60, (Line("said outside", source="exit"), Line("a check", 3, "check x"), *weak))
    last = Sign("hang", 50, (Line("too much", 4),))
    (named,) = name([Scored("hang", 80, [strong, same, again, last])], here(), {})
    assert [str(line) for line in named.evidence] == [
        "line 1: weak",
        "line 2: weak",
        "line 3: strong 3",
        "line 3: a check",
        "line 9: strong 9",
        "engine: said outside",
    ]


def test_the_values_of_a_message_stand_before_those_of_the_environment() -> None:
    first = Sign("torch_too_old", 80, (), values={"torch": "1.6"})
    second = Sign("torch_too_old", 70, (), values={"torch": "1.5", "needed": "2.0"})
    (named,) = name([Scored("torch_too_old", 80, [first, second])], here(torch="2.1", needed="1.9"), {})
    assert "The installed torch is 1.6." in named.remedy
    assert "at least torch 2.0." in named.remedy
    (bare,) = name([scored("torch_too_old", 80)], here(torch="2.1"), {})
    assert "The installed torch is 2.1." in bare.remedy
    assert "at least torch" not in bare.remedy


def test_values_are_spelled_as_in_the_log_and_a_gpu_is_its_name() -> None:
    circumstances = here(gpu="tesla t4 (uuid: gpu-1)", compute="7.5")
    (named,) = name([scored("bf16_unsupported", 80)], circumstances, {"tesla t4 (uuid: gpu-1)": "Tesla T4 (UUID: GPU-1)"})
    assert "The GPU is Tesla T4." in named.remedy
    (comma,) = name([scored("bf16_unsupported", 80)], here(gpu="T4, 15 GiB"), {})
    assert "The GPU is T4." in comma.remedy


@pytest.mark.parametrize(
    ("cause", "remedy", "begins"),
    [
        ("disk_full", "use another disk", "Use another disk. Make room"),
        ("disk_full", "use another disk.", "Use another disk. Make room"),
        ("disk_full", None, "Make room"),
        ("hang", "use another disk", "Make room"),
    ],
)
def test_the_way_out_that_the_rules_know_comes_first(cause: str, remedy: str | None, begins: str) -> None:
    finding = Finding(cause=cause, severity=Severity.FAIL, message="full", remedy=remedy)
    (named,) = name([scored("disk_full", 80)], here(Prediction(Outlook.FAIL, findings=(finding,))), {})
    assert named.remedy.startswith(begins)


def test_neighbours_fill_up_to_two_alternatives() -> None:
    oom = diagnose(Evidence(log="CUDA out of memory"))
    assert [one.cause for one in oom.causes][:2] == ["out_of_memory", "mig_config"]
    assert oom.causes[2].cause in (catalogue()["out_of_memory"].neighbours or {})
    assert (len(oom.causes), oom.causes[2].confidence, oom.causes[2].evidence) == (3, 0.05, ())
    for log in (log for one in signatures() if one.cause for log in one.examples):
        causes = diagnose(Evidence(log=log)).causes
        near = set(catalogue()[causes[0].cause].neighbours or {})
        filled = {one.cause for one in causes if not one.evidence}
        assert filled <= near
        assert len(causes) <= 3 or not filled
        assert len(causes) >= 3 or near <= {one.cause for one in causes}
