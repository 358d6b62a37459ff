"""An answer that comes bit by bit, given up when the run is to end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from validator.base.errors import InterruptedRunError
from validator.base.stopping import Stop
from validator.runners.docker.heeding import heeding


class Answer:
    """A stream of messages that may hang, and records how it ended."""

    def __init__(self, *messages: dict[str, Any], error: Exception | None = None, hangs: bool = False) -> None:
        self._messages = messages
        self._error = error
        self._hangs = hangs
        self.released = threading.Event()
        self.closed = threading.Event()
        self.given_up = 0

    def ask(self) -> Iterator[dict[str, Any]]:
        try:
            yield from self._messages
            if self._hangs:
                assert self.released.wait(30)
                raise ConnectionError("broken off")
            if self._error:
                raise self._error
        finally:
            self.closed.set()

    def give_up(self) -> None:
        self.given_up += 1
        self.released.set()


def test_messages_come_in_their_order_and_nothing_is_given_up() -> None:
    answer = Answer(*({"n": number} for number in range(500)))
    got = [message["n"] for message in heeding(answer.ask, answer.give_up, Stop(), "it")]
    assert got == list(range(500))
    assert (answer.given_up, answer.closed.is_set()) == (0, True)


def test_what_asking_raises_is_raised() -> None:
    answer = Answer({"n": 1}, error=KeyError("x"))
    with pytest.raises(KeyError):
        list(heeding(answer.ask, answer.give_up, Stop(), "it"))
    assert answer.given_up == 0

    def refused() -> Iterator[dict[str, Any]]:
        raise LookupError

    with pytest.raises(LookupError):
        list(heeding(refused, answer.give_up, Stop(), "it"))


def test_an_answer_that_hangs_is_given_up_when_the_run_is_to_end() -> None:
    answer, stop = Answer({"n": 1}, hangs=True), Stop()
    messages = heeding(answer.ask, answer.give_up, stop, "the pull of x")
    assert next(messages) == {"n": 1}
    stop.ask(3600.0)  # grace is for what measures
    with pytest.raises(InterruptedRunError, match="gave up the pull of x"):
        next(messages)
    assert answer.given_up == 1
    assert answer.closed.wait(30)


def test_one_that_is_not_wanted_any_more_is_given_up_too() -> None:
    answer = Answer(*({"n": number} for number in range(100_000)))
    with closing(heeding(answer.ask, answer.give_up, Stop(), "it")) as messages:
        next(messages)
    assert answer.given_up == 1
    assert answer.closed.wait(30)
