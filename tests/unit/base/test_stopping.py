"""One value that says whether work is to end: first with a time of grace, then at once."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from validator.base.stopping import Stop


@pytest.fixture(name="clock")
def clock_that_is_set(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_nobody_has_asked() -> None:
    stop = Stop()
    assert (stop.asked, stop.now, stop.signal) == (False, False, None)
    assert not stop.wait(0)


def test_asked_with_grace_what_runs_may_go_on_until_it_is_over(clock: list[float]) -> None:
    stop = Stop()
    stop.ask(20.0, signal=signal.SIGINT)
    assert (stop.asked, stop.now) == (True, False)
    clock[0] = 19.9
    assert not stop.now
    clock[0] = 20.0
    assert stop.now


def test_asked_without_grace_all_ends_at_once(clock: list[float]) -> None:
    stop = Stop()
    stop.ask()
    assert stop.now


def test_the_grace_only_ever_becomes_shorter(clock: list[float]) -> None:
    stop = Stop()
    stop.ask(20.0)
    clock[0] = 5.0
    stop.ask(100.0)
    clock[0] = 20.0
    assert stop.now, "asking again does not give more time"
    clock[0] = 6.0
    assert not stop.now
    stop.ask(0.0)
    assert stop.now


def test_the_first_signal_is_the_one_that_counts() -> None:
    stop = Stop()
    stop.ask(20.0)
    assert stop.signal is None
    stop.ask(signal=signal.SIGTERM)
    stop.ask(signal=signal.SIGINT)
    assert stop.signal == signal.SIGTERM


def test_a_wait_ends_when_it_is_asked() -> None:
    stop, ended = Stop(), []
    thread = threading.Thread(target=lambda: ended.append(stop.wait(60)), daemon=True)
    thread.start()
    stop.ask(60.0)
    thread.join(30)
    assert ended == [True]
