"""What a message means: its cases, what else it can come from, and that a logged warning counts less."""

from __future__ import annotations

import pytest

from validator.diagnose.circumstances import Circumstances
from validator.diagnose.evidence import Line
from validator.diagnose.matching import Hit
from validator.diagnose.signatures import Case, Signature
from validator.diagnose.signs import signs_of
from validator.model import Outlook, Prediction

HERE = Circumstances({}, frozenset({"in_container"}), frozenset(), Prediction(Outlook.UNKNOWN))
IN_CONTAINER = Case(("in_container",), "no_gpu_in_container", 74)
ON_WSL = Case(("wsl",), "wsl_config", 70)


def signature(
    weight: int = 80,
    *,
    id: str = "one",
    cause: str | None = "driver_not_loaded",
    cases: tuple[Case, ...] = (),
    also: tuple[str, ...] = (),
) -> Signature:
    return Signature(id, (), (), cause, weight, cases, also, (), ())


def hit(of: Signature, *places: Line) -> Hit:
    found = Hit(of, order=3)
    for place in places or (Line("it failed", 1),):
        found.add(place, {"driver": "535"})
    return found


def weights(*hits: Hit) -> dict[str, float]:
    return {sign.cause: sign.weight for sign in signs_of(hits, HERE)}


def test_a_message_stands_for_its_cause_with_its_places_and_values() -> None:
    (sign,) = signs_of([hit(signature(), Line("a", 1), Line("b", 9))], HERE)
    assert (sign.cause, sign.weight, sign.order, sign.values) == ("driver_not_loaded", 80, 3, {"driver": "535"})
    assert [place.line for place in sign.places] == [1, 9]


def test_the_first_case_that_holds_decides_and_the_usual_cause_stays_possible() -> None:
    assert weights(hit(signature(cases=(ON_WSL,)))) == {"driver_not_loaded": 80}
    other = Case(("in_container",), "docker_context_wrong", 90)
    found = weights(hit(signature(cases=(ON_WSL, IN_CONTAINER, other))))
    assert found == {"no_gpu_in_container": 74, "driver_not_loaded": 24}


def test_a_case_can_say_that_a_message_means_nothing_here() -> None:
    assert weights(hit(signature(cases=(Case(("in_container",), None, 0),)))) == {}


def test_a_clue_is_no_sign() -> None:
    assert weights(hit(signature(cause=None))) == {}


def test_what_else_a_message_comes_from_counts_less_and_less() -> None:
    also = ("wsl_config", "mig_config", "hang")
    assert weights(hit(signature(also=also))) == {"driver_not_loaded": 80, "wsl_config": 24, "mig_config": 23, "hang": 22}
    # the cause it means here is not its own alternative, and no alternative outweighs the message
    assert weights(hit(signature(20, also=("driver_not_loaded", "hang")))) == {"driver_not_loaded": 20, "hang": 19}
    case = Case(("in_container",), "hang", 10)
    assert weights(hit(signature(cases=(case,)))) == {"hang": 10, "driver_not_loaded": 9}


@pytest.mark.parametrize(
    ("line", "weight"),
    [
        ("it failed", 80),
        ("WARNING: it failed", 68),
        ("[WARN] it failed", 68),
        ("[W CUDAFunctions.cpp:109] it failed", 68),
        ("W0102 03:04:05 it failed", 68),
        ("2026-01-02 03:04:05,678 trainer WARNING it failed", 68),
        ("FORWARDING it failed", 80),
        ("Weights: it failed", 80),
        ("x" * 55 + " WARN it failed", 68),
        ("x" * 56 + " WARN it failed", 80),
        ("it failed" + " " * 60 + "WARNING", 80),
    ],
)
def test_a_logged_warning_counts_less(line: str, weight: float) -> None:
    assert weights(hit(signature(), Line(line, 1))) == {"driver_not_loaded": weight}


def test_a_warning_that_also_came_as_an_error_counts_in_full() -> None:
    assert weights(hit(signature(), Line("WARNING: it failed", 1), Line("it failed", 2))) == {"driver_not_loaded": 80}


@pytest.mark.parametrize(
    ("other", "cause"),
    [
        (Line("it", 40), "shm_too_small"),
        (Line("it", 70), "shm_too_small"),
        (Line("it", 71), "disk_full"),
        (Line("it", 10), "shm_too_small"),
        (Line("it", 9), "disk_full"),
        (Line("it", 40, "engine"), "disk_full"),
    ],
)
def test_near_is_within_thirty_lines_of_the_same_text(other: Line, cause: str) -> None:
    full = signature(cause="disk_full", cases=(Case(("near:sem-lock",), "shm_too_small", 90),))
    first, *_ = signs_of([hit(full, Line("full", 40)), hit(signature(id="sem-lock", cause=None), other)], HERE)
    assert first.cause == cause


def test_near_counts_from_any_place_to_any_other() -> None:
    full = signature(cause="disk_full", cases=(Case(("near:sem-lock",), "shm_too_small", 90),))
    lock = hit(signature(id="sem-lock", cause=None), Line("it", 1), Line("it", 500))
    first, *_ = signs_of([hit(full, Line("full", 200), Line("full", 510)), lock], HERE)
    assert first.cause == "shm_too_small"
