"""Real signals, sent to this very process."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator

import pytest

from validator.base.errors import ExitCode
from validator.base.interrupts import Terminated, as_keyboard_interrupt, exit_code, held_back, turned_into
from validator.base.stopping import Stop

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


@pytest.mark.parametrize("number", ALL)
def test_of_them_sigterm_alone_is_a_termination(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt) as raised, as_keyboard_interrupt():
        signal.raise_signal(number)
    assert (raised.type is Terminated) == (number is signal.SIGTERM)


def test_what_a_signal_has_ended_has_its_exit_code() -> None:
    assert [exit_code(number) for number in (*ALL, None)] == [130, ExitCode.TERMINATED, 130, ExitCode.INTERRUPTED]


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
            with held_back(), turned_into(Stop(), 1.0):
                pass
        except ValueError as error:  # what signal.signal() raises outside the main thread
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert not errors


# ---------------------------------------------------------------- turned into a stop


class Said:
    """What is said, and a wait for it: it is said in another thread."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._another = threading.Semaphore(0)

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self._another.release()

    def after(self, number: signal.Signals) -> str:
        """Send a signal, and see what is said."""
        signal.raise_signal(number)
        assert self._another.acquire(timeout=60), "nothing was said"
        return self.lines[-1]


def test_the_first_ctrl_c_leaves_a_time_of_grace_and_the_second_none() -> None:
    stop, said = Stop(), Said()
    with turned_into(stop, 90.0, said, lambda: ["a", "b"]):
        assert not stop.asked
        first = said.after(signal.SIGINT)
        assert (stop.asked, stop.now, stop.signal) == (True, False, signal.SIGINT)
        second = said.after(signal.SIGINT)
        assert stop.now
        third = said.after(signal.SIGINT)
    assert first == "interrupted: no new cells; what runs has 90 s to end; Ctrl-C again ends it at once"
    assert second == "interrupted again: what runs is ended at once; left: a, b"
    assert third == "interrupted again: what runs is being ended; left: a, b"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_sends_other_signals_does_not_wait_as_long(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(Stop, "ask", lambda self, seconds=0.0, *, signal=None: asked.append(seconds))
    said = Said()
    with turned_into(Stop(), 90.0, said):
        first = said.after(number)
        second = said.after(signal.SIGINT)
    assert first == f"{number.name} received: no new cells; what runs has 5 s to end; another signal ends it at once"
    assert second == "interrupted again: what runs is ended at once"
    with turned_into(Stop(), 2.0, said):
        said.after(number)
    assert asked == [5.0, 0.0, 2.0]


def test_the_first_signal_decides_the_exit_code() -> None:
    stop = Stop()
    with turned_into(stop, 90.0):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert (stop.signal, stop.now) == (signal.SIGTERM, True)


def test_without_a_time_of_grace_the_first_ends_it() -> None:
    stop, said = Stop(), Said()
    with turned_into(stop, 0.0, said):
        assert said.after(signal.SIGINT) == "interrupted: no new cells; what runs is ended"
        assert stop.now


def test_much_that_is_left_is_counted() -> None:
    said = Said()
    with turned_into(Stop(), 0.0, said, lambda: list("abcdefgh")):
        said.after(signal.SIGINT)
        assert said.after(signal.SIGINT).endswith("; left: a, b, c, d, e, f and 2 more")


def test_a_wait_of_the_main_thread_goes_on() -> None:
    stop = Stop()
    waiting: queue.Queue[str] = queue.Queue()

    def work() -> None:
        signal.pthread_kill(main, signal.SIGINT)
        if stop.wait(60):
            waiting.put("the next result")

    main = threading.get_ident()
    worker = threading.Thread(target=work)
    with turned_into(stop, 90.0):
        worker.start()
        assert waiting.get(timeout=60) == "the next result"
    worker.join(60)


def test_what_holds_signals_back_has_nothing_to_hold_where_they_raise_nothing() -> None:
    stop = Stop()
    with turned_into(stop, 90.0), held_back():
        signal.raise_signal(signal.SIGINT)
    assert (stop.asked, stop.now) == (True, False), "one signal counts once"


def test_a_terminal_that_is_gone_keeps_nothing_from_ending() -> None:
    def said(line: str) -> None:
        raise OSError(5, "Input/output error")

    stop = Stop()
    with turned_into(stop, 90.0, said):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
    assert stop.now


def test_under_nohup_the_end_of_the_terminal_asks_nothing() -> None:
    stop = Stop()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with turned_into(stop, 90.0):
            signal.raise_signal(signal.SIGHUP)
        assert not stop.asked
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_that_is_not_meant_asks_nothing() -> None:
    stop = Stop()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        with turned_into(stop, 90.0):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not stop.asked


def test_after_the_block_signals_are_what_they_were() -> None:
    before = {number: signal.getsignal(number) for number in ALL}
    threads = threading.active_count()
    with turned_into(Stop(), 90.0):
        assert [number for number in ALL if signal.getsignal(number) == before[number]] == []
    assert {number: signal.getsignal(number) for number in ALL} == before
    assert signal.set_wakeup_fd(-1) == -1
    assert threading.active_count() == threads
    with as_keyboard_interrupt(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
