"""The containers of a dead run are removed until none appear any more, whatever the engine does meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from docker.errors import APIError

from validator.base.errors import EngineUnavailableError
from validator.runners import labels
from validator.runners.docker import leftovers


class Engine:
    """An engine in which something happens between two looks at it, each half a second by its own clock."""

    def __init__(self, *names: str) -> None:
        self.there = {name: {"Id": name, "State": "running", "Labels": {labels.RUN: "run-1"}} for name in names}
        self.looks = 0
        self.ended: list[str] = []
        self.events: dict[int, Callable[[Engine], object]] = {}
        self.refuses: Exception | None = None
        self.stuck: dict[str, threading.Event] = {}

    def containers(self, *, all: bool, filters: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        assert (all, filters) == (True, {"label": "validator.run=run-1"})
        self.looks += 1
        if event := self.events.pop(self.looks, None):
            event(self)
        return list(self.there.values())

    def remove_container(self, container: str, *, force: bool, v: bool) -> None:
        assert (force, v) == (True, True)
        self._end("removed", container)
        del self.there[container]

    def kill(self, container: str) -> None:
        self._end("killed", container)
        self.there[container]["State"] = "exited"

    def _end(self, how: str, container: str) -> None:
        if container in self.stuck:
            self.stuck[container].wait(60)
        if self.refuses:
            refused, self.refuses = self.refuses, None
            raise refused
        self.ended.append(f"{how} {container}")


class Clock:
    """Time that passes when someone sleeps; the threads that remove are waited for then, but for those that are stuck."""

    def __init__(self, engine: Engine) -> None:
        self.now = 1000.0
        self._engine = engine

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            self.now += seconds
            for thread in threading.enumerate():
                if thread.daemon and thread.name in self._engine.there and thread.name not in self._engine.stuck:
                    thread.join(60)


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Engine], list[str | None]]]:
    """Lets an engine answer; gives the addresses it was asked for at."""
    engines: list[Engine] = []

    def at(engine: Engine) -> list[str | None]:
        asked: list[str | None] = []

        def connect(address: str | None) -> tuple[Engine, None]:
            asked.append(address)
            return engine, None

        engines.append(engine)
        monkeypatch.setattr(leftovers, "connect", connect)
        monkeypatch.setattr(leftovers, "time", Clock(engine))
        return asked

    yield at
    for engine in engines:
        for event in engine.stuck.values():
            event.set()


def test_all_go_and_the_engine_is_the_runs_own(reached: Callable[[Engine], list[str | None]]) -> None:
    engine = Engine("a", "b")
    asked = reached(engine)
    assert leftovers.end("run-1", "unix:///engine.sock")
    assert sorted(engine.ended) == ["removed a", "removed b"]
    assert asked == ["unix:///engine.sock"]


def test_one_that_appears_later_goes_too(reached: Callable[[Engine], list[str | None]]) -> None:
    engine = Engine("a")
    reached(engine)
    engine.events[10] = lambda engine: engine.there.update(Engine("late").there)
    assert leftovers.end("run-1")
    assert engine.ended == ["removed a", "removed late"]
    assert engine.looks > 20, "it was quiet for five seconds after the late one"


def test_an_engine_that_is_away_is_waited_for(
    reached: Callable[[Engine], list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine("a")
    asked = reached(engine)
    away = [EngineUnavailableError("no engine answers"), ConnectionError("reset")]
    connect = leftovers.connect

    def broken(address: str | None) -> object:
        if away:
            raise away.pop()
        return connect(address)

    def restarts(engine: Engine) -> None:
        engine.events[4] = lambda engine: None
        raise ConnectionError("it restarts")

    monkeypatch.setattr(leftovers, "connect", broken)
    engine.events[3] = restarts
    assert leftovers.end("run-1")
    assert engine.ended == ["removed a"]
    assert len(asked) == 2, "connected anew after the restart"


def test_after_an_engine_was_away_it_must_be_quiet_as_long_again(reached: Callable[[Engine], list[str | None]]) -> None:
    engine = Engine()
    reached(engine)

    def restarts(engine: Engine) -> None:
        raise ConnectionError("it restarts")

    engine.events[9] = restarts
    assert leftovers.end("run-1")
    assert engine.looks == 9 + 11


def test_an_engine_that_never_answers_again_is_given_up(
    reached: Callable[[Engine], list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine("a")
    reached(engine)

    def gone(address: str | None) -> object:
        raise EngineUnavailableError("no engine answers")

    monkeypatch.setattr(leftovers, "connect", gone)
    assert not leftovers.end("run-1", seconds=600)
    assert leftovers.time.monotonic() == 1600


def test_one_that_the_kernel_holds_keeps_no_other_from_going(reached: Callable[[Engine], list[str | None]]) -> None:
    engine = Engine("stuck", "b")
    reached(engine)
    engine.stuck["stuck"] = threading.Event()
    before = threading.active_count()
    assert not leftovers.end("run-1", seconds=60)
    assert engine.ended == ["removed b"]
    assert threading.active_count() <= before + 1, "one try at a time"


def test_a_removal_that_is_refused_is_tried_again(reached: Callable[[Engine], list[str | None]]) -> None:
    engine = Engine("a")
    reached(engine)
    engine.refuses = APIError("device or resource busy")
    assert leftovers.end("run-1")
    assert engine.ended == ["removed a"]


def test_what_a_person_wants_to_look_at_is_only_stopped(reached: Callable[[Engine], list[str | None]]) -> None:
    engine = Engine("runs", "created", "ended")
    reached(engine)
    for row in engine.there.values():
        row["Labels"] |= {labels.KEEP: "yes"}
    engine.there["created"]["State"] = "created"
    engine.there["ended"]["State"] = "exited"
    assert leftovers.end("run-1")
    assert sorted(engine.ended) == ["killed runs", "removed created"]
    assert sorted(engine.there) == ["ended", "runs"]
