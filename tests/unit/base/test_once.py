"""A value that threads share is one object, however many of them ask for it first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from validator.base.once import once


class Asked:
    def __init__(self, threads: int = 1) -> None:
        self.times = 0
        self.gate = Barrier(threads)

    @once
    def value(self) -> list[int]:
        """What it is."""
        self.gate.wait(timeout=30)
        self.times += 1
        return [self.times]


def test_it_is_computed_once_for_each_object() -> None:
    one, other = Asked(), Asked()
    assert one.value is one.value
    assert one.times == 1
    assert one.value is not other.value


def test_threads_that_ask_first_at_the_same_time_get_the_same_object() -> None:
    asked = Asked(threads=4)  # none goes on before all four are at it
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda _: asked.value, range(4)))
    assert asked.times == 4
    assert len({id(value) for value in values}) == 1
    assert asked.value is values[0]


def test_it_keeps_its_docstring() -> None:
    assert Asked.value.__doc__ == "What it is."
