"""Tries are counted, and come to an end."""

from __future__ import annotations

from datetime import datetime

from validator.run.attempts import Attempts, Streaks


def test_a_job_is_tried_so_often_and_each_try_but_the_last_is_written_down() -> None:
    attempts = Attempts(3)
    again = []
    for problem in ("first", "second", "third"):
        attempts.begin(7)
        again.append(attempts.failed(7, problem))
    assert again == [True, True, False]
    before = attempts.before(7)
    assert [each.problem for each in before] == ["first", "second"]
    assert all(datetime.fromisoformat(each.at).tzinfo for each in before)
    assert all(each.seconds >= 0 for each in before)
    assert attempts.before(8) == ()


def test_one_try_is_one() -> None:
    attempts = Attempts(1)
    attempts.begin(0)
    assert not attempts.failed(0, "no")
    assert attempts.before(0) == ()


def test_a_lane_rests_longer_and_longer_once_try_after_try_fails_there_and_is_given_up_in_the_end() -> None:
    streaks = Streaks()
    rests = [streaks.failed("A") for _ in range(9)]
    assert rests == [0.0, 0.0, 5.0, 10.0, 20.0, 30.0, 30.0, 30.0, None]
    assert streaks.failed("B") == 0.0, "each lane for itself"


def test_what_goes_well_between_begins_the_count_anew() -> None:
    streaks = Streaks()
    for _ in range(50):
        assert [streaks.failed("A"), streaks.failed("A")] == [0.0, 0.0]
        streaks.went("A")
    streaks.went("never failed")
