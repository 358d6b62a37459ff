"""Real signals, sent to this very process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from validator.base.interrupts import as_keyboard_interrupt, held_back

ALL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _handlers_are_put_back() -> Iterator[None]:
    found = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    before = {number: signal.getsignal(number) for number in ALL}
    yield
    after = {number: signal.getsignal(number) for number in ALL}
    for number, handler in {**before, signal.SIGHUP: found}.items():
        signal.signal(number, handler)
    assert after == before


@pytest.mark.parametrize("number", ALL)
def test_every_way_to_end_a_run_ends_it_as_ctrl_c_does(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), as_keyboard_interrupt():
        signal.raise_signal(number)


def test_a_run_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_keyboard_interrupt():
            try:
                signal.raise_signal(signal.SIGHUP)
            except KeyboardInterrupt:
                pytest.fail("the end of the terminal ended the run")
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", ALL)
def test_a_signal_waits_for_the_end_of_what_must_not_be_cut(number: signal.Signals) -> None:
    done = []

    def work() -> None:
        with held_back():
            signal.raise_signal(number)
            done.append("the container has its name")

    with as_keyboard_interrupt(), pytest.raises(KeyboardInterrupt):
        work()
    assert done


def test_a_signal_that_arrived_twice_takes_effect_once() -> None:
    def work() -> None:
        with held_back():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)

    with as_keyboard_interrupt():
        with pytest.raises(KeyboardInterrupt):
            work()
        with held_back():  # nothing is left over
            pass


def test_an_error_in_the_block_does_not_lose_the_signal() -> None:
    def work() -> None:
        with held_back():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("and something went wrong as well")

    with as_keyboard_interrupt(), pytest.raises(KeyboardInterrupt):
        work()


def test_the_handlers_are_others_only_inside_the_block() -> None:
    before = {number: signal.getsignal(number) for number in ALL}
    for block in (held_back, as_keyboard_interrupt):
        with block():
            assert [number for number in ALL if signal.getsignal(number) == before[number]] == []
        assert {number: signal.getsignal(number) for number in ALL} == before


def test_other_threads_which_get_no_signals_may_use_it() -> None:
    errors: list[Exception] = []

    def work() -> None:
        try:
            with held_back():
                pass
        except ValueError as error:  # what signal.signal() raises outside the main thread
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert not errors
