"""What a signal does: it asks a run to end, or ends a command as Ctrl-C does, but not in the middle of what must not be cut."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from validator.base.errors import ExitCode
from validator.base.stopping import Stop

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: The longest time of grace after SIGTERM or SIGHUP: who sends these kills soon after (`docker stop` after 10 s), and by then
#: what was ended must be removed and the report written.
_HURRIED_SECONDS = 5.0
#: How long a terminal that takes no more output may keep a run from ending.
_SAID_SECONDS = 2.0


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a command as Ctrl-C does, with an exit code of its own."""


def exit_code(number: int | None) -> ExitCode:
    """The exit code of what a signal has ended; without a signal, that of an interrupt."""
    return ExitCode.TERMINATED if number == signal.SIGTERM else ExitCode.INTERRUPTED


@contextmanager
def turned_into(
    stop: Stop,
    grace_seconds: float,
    said: Callable[[str], None] | None = None,
    left: Callable[[], Sequence[str]] | None = None,
) -> Iterator[None]:
    """In the block signals ask ``stop``, and nothing is raised.

    The first leaves what runs a time of grace: ``grace_seconds`` after Ctrl-C, at most five seconds after SIGTERM and SIGHUP.
    Every further one, of any kind, ends it at once. ``said`` is told in a line what happens, ``left`` gives the names of what
    still runs, quickly. Both are called from a thread of this block, as is ``stop``: a handler itself does nothing that could
    wait for a lock. A SIGHUP that is ignored stays so: that is how ``nohup`` asks a run to outlive its terminal. For the main
    thread; in any other, which gets no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asking = _Asking(stop, grace_seconds, said or (lambda line: None), left or tuple)
    arrivals, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    thread = threading.Thread(target=asking.answer, args=(arrivals,), name="signals", daemon=True)
    thread.start()
    # The number is written by C code the moment a signal comes, whatever the main thread waits for; Python's handler would run
    # only once that is done. There must be one all the same, or Python's own raises KeyboardInterrupt.
    before = signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    try:
        with _handling(_asked_already):
            yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(wakeup)
        thread.join(_SAID_SECONDS)  # what arrived in the block has asked when it ends


class _Asking:
    """Asks a stop for signals as they arrive."""

    def __init__(
        self, stop: Stop, grace_seconds: float, said: Callable[[str], None], left: Callable[[], Sequence[str]]
    ) -> None:
        self._stop = stop
        self._grace_seconds = grace_seconds
        self._said = said
        self._left = left

    def answer(self, arrivals: int) -> None:
        """Read numbers of signals from a file descriptor until its end, and close it."""
        answered = 0
        while numbers := os.read(arrivals, 64):
            for number in numbers:
                if number in _SIGNALS:  # other signals with a handler are written there, too
                    grace = 0.0 if answered else self._grace(number)
                    self._stop.ask(grace, signal=number)
                    with suppress(Exception):  # a terminal that is gone must not keep a run from ending
                        self._said(self._line(number, grace, answered))
                    answered += 1
        os.close(arrivals)

    def _grace(self, number: int) -> float:
        return self._grace_seconds if number == signal.SIGINT else min(self._grace_seconds, _HURRIED_SECONDS)

    def _line(self, number: int, grace: float, answered: int) -> str:
        name = "interrupted" if number == signal.SIGINT else f"{signal.Signals(number).name} received"
        if grace > 0:
            again = "Ctrl-C again" if number == signal.SIGINT else "another signal"
            return f"{name}: no new cells; what runs has {grace:g} s to end; {again} ends it at once"
        if not answered:
            return f"{name}: no new cells; what runs is ended"
        return f"{name} again: what runs is {'ended at once' if answered == 1 else 'being ended'}{_named(self._left())}"


def _named(left: Sequence[str], most: int = 6) -> str:
    """``; left: a, b and 3 more``, or nothing."""
    if not left:
        return ""
    more = f" and {len(left) - most} more" if len(left) > most else ""
    return f"; left: {', '.join(left[:most])}{more}"


@contextmanager
def as_keyboard_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that they too clean up; SIGTERM as Terminated.

    A SIGHUP that is ignored stays so, as under ``nohup``.
    """

    def raise_interrupt(number: int, frame: FrameType | None) -> None:
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    with _handling(raise_interrupt):
        yield


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Signals are handled so in the block, but for a SIGHUP that is ignored."""
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = [number for number in _SIGNALS if not (nohup and number is signal.SIGHUP)]
    with ExitStack() as put_back:
        for number in numbers:
            put_back.callback(signal.signal, number, signal.signal(number, handler))
        yield


def _asked_already(number: int, frame: FrameType | None) -> None:
    """The handler where signals are turned into a stop."""


@contextmanager
def held_back() -> Iterator[None]:
    """Signals that arrive in the block take effect after it.

    Does nothing outside the main thread, which alone gets signals, nor where they raise nothing: see ``turned_into``.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is _asked_already:
        yield
        return
    arrived: list[int] = []
    previous = {
        number: signal.signal(number, lambda received, frame: arrived.append(received)) for number in _SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])
