"""How signs add up to an order of causes; expected scores are worked out by hand from the rules in docs/diagnose.md."""

from __future__ import annotations

import pytest

from validator.diagnose.evidence import Line
from validator.diagnose.ranking import confidence, rank
from validator.diagnose.signs import Sign


def sign(cause: str, weight: float, order: int = 1) -> Sign:
    return Sign(cause, weight, (Line(f"{cause} {weight}", order),), order)


def scores(*found: Sign) -> list[tuple[str, float]]:
    return [(one.cause, pytest.approx(one.score)) for one in rank(found, 0)]


def test_the_weightiest_sign_is_the_score_and_comes_first() -> None:
    assert scores(sign("hang", 40), sign("fp16_nan", 50)) == [("fp16_nan", 50), ("hang", 40)]


def test_a_second_sign_makes_up_for_a_share_of_what_is_missing() -> None:
    # 50 + 0.2 * (100 - 50) * 0.3; a third sign adds nothing
    assert scores(sign("hang", 30), sign("hang", 50), sign("hang", 20)) == [("hang", 53)]


def test_the_signs_of_a_cause_are_ordered_by_weight_and_then_by_place() -> None:
    (one,) = rank([sign("hang", 30, 1), sign("hang", 50, 4), sign("hang", 50, 2)])
    assert [(each.weight, each.order) for each in one.signs] == [(50, 2), (50, 4), (30, 1)]


def test_what_comes_early_counts_a_little_more() -> None:
    # the last of four gains nothing, the first three quarters of 4
    assert scores(sign("hang", 50, 4), sign("fp16_nan", 50, 1)) == [("fp16_nan", 53), ("hang", 50)]
    # it is the earliest sign that counts, not the weightiest: 50 + 0.2 * 50 * 0.3 + 3
    assert scores(sign("hang", 50, 4), sign("hang", 30, 1)) == [("hang", 56)]


def test_a_mere_possibility_grows_neither_by_repetition_nor_by_being_early() -> None:
    assert scores(sign("hang", 24, 1), sign("hang", 24, 1), sign("fp16_nan", 10, 4)) == [("hang", 24), ("fp16_nan", 10)]
    assert scores(sign("hang", 25, 1), sign("fp16_nan", 10, 4)) == [("hang", 28), ("fp16_nan", 10)]


def test_equal_causes_are_told_in_the_order_they_were_seen() -> None:
    assert [one.cause for one in rank([sign("b", 24, 2), sign("c", 24, 3), sign("a", 24, 3)], 0)] == ["b", "a", "c"]


def test_nothing_weak_is_named() -> None:
    assert [one.cause for one in rank([sign("hang", 30)])] == ["hang"]
    assert rank([sign("hang", 29.9)]) == []
    assert rank([sign("hang", 39)], 39.0) != []
    assert rank([sign("hang", 38.9)], 39.0) == []
    assert rank([]) == []


@pytest.mark.parametrize(
    ("root", "aftermath", "left"),
    [
        (60, 60, 30),
        (59.9, 60, 60),  # not firm enough to explain anything
        (60, 85, 42.5),
        (60, 85.1, 85.1),  # too loud for it
    ],
)
def test_a_firm_root_explains_its_aftermath(root: float, aftermath: float, left: float) -> None:
    found = dict(scores(sign("out_of_memory", root), sign("nccl_error", aftermath)))
    assert found == {"out_of_memory": root, "nccl_error": left}


def test_each_root_explains_once() -> None:
    found = dict(scores(sign("out_of_memory", 80), sign("index_out_of_bounds", 80), sign("nccl_error", 60)))
    assert found["nccl_error"] == 15


def test_aftermath_explains_no_root() -> None:
    assert dict(scores(sign("nccl_error", 80), sign("out_of_memory", 60)))["out_of_memory"] == 60


@pytest.mark.parametrize(
    ("root", "left"),
    [("fp16_nan", 35), ("nccl_error", 70), ("network_proxy_tls", 70), ("native_crash", 70)],
)
def test_whatever_is_firm_explains_a_timeout_but_not_what_goes_with_one(root: str, left: float) -> None:
    assert dict(scores(sign(root, 80), sign("timeout", 70)))["timeout"] == left


def test_a_timeout_does_not_explain_itself() -> None:
    assert scores(sign("timeout", 70)) == [("timeout", 70)]


@pytest.mark.parametrize(
    ("score", "rival", "expected"),
    [
        (90, 0, 0.9),
        (99, 0, 0.99),
        (120, 0, 0.99),
        (80, 48, 0.8),  # a lead of 40 % is all that is wanted
        (80, 64, 0.62),  # half of that
        (80, 80, 0.44),
        (80, 90, 0.44),
        (0, 0, 0.0),
    ],
)
def test_confidence_is_less_where_another_cause_is_nearly_as_likely(score: float, rival: float, expected: float) -> None:
    assert confidence(score, rival) == pytest.approx(expected)
