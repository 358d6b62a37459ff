"""Time stamps and events of engines. How containers are ended is in test_runner.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from validator.runners.docker.ending import ended_from_outside, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T00:00:10.25Z", 10.25),
        ("1970-01-01T00:00:10.123456789Z", 10.123456789),
        ("1970-01-01T02:00:10+02:00", 10.0),  # Podman's way
        ("1969-12-31T22:30:10.5-01:30", 10.5),
        ("0001-01-01T00:00:00Z", None),  # never
        ("2026-13-01T00:00:00Z", None),
        ("yesterday", None),
        (None, None),
        ("", None),
    ],
)
def test_time_stamps_of_engines(text: object, seconds: float | None) -> None:
    assert seconds_of(text) == (None if seconds is None else pytest.approx(seconds))


class Engine:
    def __init__(self, events: list[Any]) -> None:
        self._events = events

    def events(self, **asked: Any) -> Any:
        return iter(self._events)


STATE = {"StartedAt": "2026-11-28T17:00:00Z", "FinishedAt": "2026-11-28T17:00:01Z"}


@pytest.mark.parametrize(
    ("events", "outside"),
    [
        ([{"Action": "start"}, {"Action": "die"}], False),
        ([{"status": "start"}, {"status": "kill"}], True),  # engines before 1.22
        (["nonsense", {"Action": "die"}], False),
        ([{}], True),
    ],
)
def test_events_are_read_in_old_words_too(events: list[Any], outside: bool) -> None:
    assert ended_from_outside(Engine(events), "c", STATE) is outside  # type: ignore[arg-type]


@pytest.mark.parametrize(("now", "until"), [(1.0, 1.3), (11.0, 11.3), (40.0, 1.3), (-100.0, 1.3)])
def test_events_are_asked_for_up_to_now_where_the_clocks_agree(now: float, until: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Podman answers for a time that is not over; a clock that jumped must not make anybody wait for years."""
    asked: dict[str, Any] = {}
    engine = Engine([{"Action": "die"}])
    monkeypatch.setattr(engine, "events", lambda **given: asked.update(given) or iter([]))
    base = seconds_of(STATE["StartedAt"]) or 0.0
    monkeypatch.setattr("validator.runners.docker.ending.time", SimpleNamespace(time=lambda: base + now))
    ended_from_outside(engine, "c", STATE)  # type: ignore[arg-type]
    assert float(asked["until"]) - base == pytest.approx(until)
    assert float(asked["since"]) - base == pytest.approx(-0.3)


def test_one_that_never_started_is_not_asked_about() -> None:
    assert ended_from_outside(None, "c", {**STATE, "StartedAt": "0001-01-01T00:00:00Z"})  # type: ignore[arg-type]
