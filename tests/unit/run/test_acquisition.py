"""Environments made ready ahead, several at once, tried again where that may help, and not for ever."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from values import environment

from validator.base.errors import AcquireError, EngineUnavailableError, InterruptedRunError
from validator.base.stopping import Stop
from validator.model import Environment
from validator.run import acquisition
from validator.run.acquisition import Acquired, Acquisition, pause_before
from validator.runners.base import OnLine, Prepared

PASSING = AcquireError("a could not be pulled", why="429 too many requests", transient=True)


class Runner:
    """Prepares as it is told to: what ``of`` gives is returned, or raised."""

    def __init__(self, of: Callable[[str], object] = Prepared) -> None:
        self.of = of
        self.asked: list[str] = []

    def prepare(self, environment: Environment, on_line: OnLine) -> Prepared:
        self.asked.append(environment.id)
        on_line("a line")
        found = self.of(environment.id)
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, Prepared)
        return found


class Progress:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def acquiring(self, environment: Environment) -> None:
        self.lines.append(f"acquiring {environment.id}")

    def acquired(self, environment: Environment, problem: str | None) -> None:
        self.lines.append(f"acquired {environment.id}: {problem}")

    def note(self, about: Environment, text: str) -> None:
        self.lines.append(f"note {about.id}: {text}")


class Bench:
    """An acquisition, and what it hands out."""

    def __init__(self, runner: Runner, *, at_once: int = 1, tries: int = 3) -> None:
        self.runner, self.stop, self.progress = runner, Stop(), Progress()
        self.events: queue.Queue[Acquired] = queue.Queue()
        self.acquisition = Acquisition(
            runner,  # type: ignore[arg-type]
            self.progress,  # type: ignore[arg-type]
            self.stop,
            at_once=at_once,
            tries=tries,
            done=self.events.put,
        )

    def start(self, *names: str, ahead: int | None = None) -> Bench:
        self.acquisition.start([environment(name) for name in names], ahead)
        return self

    def next(self) -> Acquired:
        return self.events.get(timeout=30)

    def nothing_comes(self) -> bool:
        time.sleep(0.05)
        return self.events.empty()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisition, "_PAUSE_SECONDS", 0.0)


def failing(times: int, error: Exception) -> Callable[[str], object]:
    """Raises so often, then all is well."""
    left = [times]

    def of(name: str) -> object:
        left[0] -= 1
        return error if left[0] >= 0 else Prepared(name)

    return of


def test_each_is_made_ready_once_in_order_and_told_of() -> None:
    bench = Bench(Runner()).start("a", "b", "c")
    got = [bench.next() for _ in range(3)]
    assert [each.environment.id for each in got] == bench.runner.asked == ["a", "b", "c"]
    assert [each.prepared for each in got] == [Prepared("a"), Prepared("b"), Prepared("c")]
    assert bench.progress.lines[:3] == ["acquiring a", "note a: a line", "acquired a: None"]
    assert all(each.attempts == () and each.seconds >= 0 for each in got)


def test_so_many_are_made_ready_at_once_and_no_more() -> None:
    both, more = threading.Barrier(3, timeout=30), threading.Event()

    def of(name: str) -> object:
        if name in "ab":
            both.wait()
        else:
            more.set()
        return Prepared(name)

    bench = Bench(Runner(of), at_once=2).start("a", "b", "c", "d")
    assert not more.wait(0.05)
    both.wait()
    assert sorted(bench.next().environment.id for _ in range(4)) == list("abcd")


@pytest.mark.parametrize(("trouble", "again"), [(PASSING, True), (EngineUnavailableError("no engine"), True)])
def test_what_may_pass_is_tried_again_and_each_try_is_told(trouble: Exception, again: bool) -> None:
    bench = Bench(Runner(failing(2, trouble))).start("a")
    got = bench.next()
    assert got.prepared == Prepared("a")
    assert bench.runner.asked == ["a"] * 3
    assert [each.problem for each in got.attempts] == [" ".join(str(trouble).split())] * 2
    assert all(datetime.fromisoformat(each.at).tzinfo and each.seconds >= 0 for each in got.attempts)


@pytest.mark.parametrize("trouble", [PASSING, EngineUnavailableError("no engine")])
def test_it_is_tried_so_often_and_then_is_what_it_is(trouble: Exception) -> None:
    bench = Bench(Runner(failing(99, trouble)), tries=4).start("a")
    got = bench.next()
    assert got.prepared is trouble
    assert bench.runner.asked == ["a"] * 4
    assert len(got.attempts) == 3


@pytest.mark.parametrize("trouble", [AcquireError("no such image"), RuntimeError("a defect")])
def test_what_is_not_the_machines_trouble_is_tried_once(trouble: Exception) -> None:
    bench = Bench(Runner(failing(1, trouble))).start("a")
    assert bench.next().prepared is trouble
    assert bench.runner.asked == ["a"]


def test_pauses_grow_and_are_longer_where_no_engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisition, "_PAUSE_SECONDS", 2.0)
    assert pause_before(1) == 0.0
    for attempt, middle in ((2, 2.0), (3, 4.0), (4, 8.0)):
        assert all(0.75 * middle <= pause_before(attempt) <= 1.25 * middle for _ in range(100))
    assert len({pause_before(2) for _ in range(10)}) > 1, "several runs do not come back together"
    for trouble, least in ((PASSING, 1.5), (EngineUnavailableError("no engine"), 7.5)):
        bench = Bench(Runner(failing(1, trouble)))
        waits: list[float] = []

        def wait(seconds: float, waits: list[float] = waits) -> bool:
            waits.append(seconds)
            return False

        monkeypatch.setattr(bench.stop, "wait", wait)
        bench.start("a").next()
        assert least <= waits[0] <= least * 5 / 3


# ---------------------------------------------------------------- room


def test_no_more_is_there_than_there_is_room_for_until_some_is_used_up() -> None:
    bench = Bench(Runner(), at_once=2).start(*"abcdef", ahead=3)
    assert sorted(bench.next().environment.id for _ in range(3)) == list("abc")
    assert bench.nothing_comes()
    bench.acquisition.used()
    assert bench.next().environment.id == "d"
    assert bench.nothing_comes()
    bench.acquisition.used()
    bench.acquisition.used()
    assert sorted(bench.next().environment.id for _ in range(2)) == list("ef")


def test_without_a_bound_all_are_made_ready() -> None:
    bench = Bench(Runner(), at_once=4).start(*map(str, range(200)))
    assert len({bench.next().environment.id for _ in range(200)}) == 200


# ---------------------------------------------------------------- the end


def test_the_end_of_the_run_begins_none_and_is_no_trouble_of_what_was_under_way() -> None:
    going = threading.Event()

    def of(name: str) -> object:
        going.set()
        bench.stop.wait(30)
        return AcquireError("pull given up")

    bench = Bench(Runner(of))
    bench.start("a", "b")
    going.wait(30)
    bench.stop.ask()
    assert isinstance(bench.next().prepared, InterruptedRunError)
    assert bench.nothing_comes()
    assert bench.runner.asked == ["a"]


def test_what_is_ready_in_spite_of_the_end_is_ready() -> None:
    def of(name: str) -> object:
        bench.stop.ask()
        return Prepared(name)

    bench = Bench(Runner(of))
    assert bench.start("a").next().prepared == Prepared("a")


def test_the_end_of_the_run_ends_a_pause_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisition, "_PAUSE_SECONDS", 1000.0)
    bench = Bench(Runner(failing(9, PASSING))).start("a")
    while not any("tried again" in line for line in bench.progress.lines):
        time.sleep(0.001)
    bench.stop.ask()
    assert isinstance(bench.next().prepared, InterruptedRunError)
    assert bench.runner.asked == ["a"]


@pytest.mark.parametrize("ahead", [None, 1])
def test_given_up_it_begins_with_none_of_those_that_are_left(ahead: Any) -> None:
    going, go = threading.Event(), threading.Event()

    def of(name: str) -> object:
        going.set()
        go.wait(30)
        return Prepared(name)

    bench = Bench(Runner(of)).start("a", "b", ahead=ahead)
    going.wait(30)
    bench.acquisition.give_up()
    go.set()
    assert bench.next().prepared == Prepared("a")
    bench.acquisition.used()
    assert bench.nothing_comes()
    assert bench.runner.asked == ["a"]
