"""Reads a probe's two output streams and answers what it asks, until it ends or is to end; shared by all runners."""

from __future__ import annotations

import enum
import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from validator import probe_host
from validator.base.stopping import Stop
from validator.base.text import clean
from validator.probe_host import EventStream, ProbePlan, ProbeReport
from validator.runners.base import OPEN, Gate, OnEvent, Turn

_STDERR_TAIL_BYTES = 16_384
#: Chunks waiting between the reading thread and the parser. A full queue stops the reader, so a flood cannot fill memory.
_QUEUE_CHUNKS = 256
#: How often it is looked whether the run is to end, and whether the turn has come that the probe waits for.
_LOOK_SECONDS = 0.2
_TURN_LOOK_SECONDS = 0.05

STDOUT, STDERR = 1, 2
Chunks = Iterable[tuple[int, bytes]]
#: Writes a line to the probe's stdin. May raise OSError: a probe that cannot be told ends by itself, or goes on unasked.
Say = Callable[[bytes], None]


class Ended(enum.Enum):
    """Why reading ended."""

    BY_ITSELF = enum.auto()
    AT_DEADLINE = enum.auto()
    ON_STOP = enum.auto()


class Collector:
    """Feeds stdout to the event parser, keeps the tail of stderr, and tells the probe its nonce and its turns."""

    def __init__(
        self, plan: ProbePlan, on_event: OnEvent, *, gate: Gate = OPEN, say: Say | None = None, stop: Stop | None = None
    ) -> None:
        self._plan = plan
        self._events = EventStream(plan)
        self._on_event = on_event
        self._gate = gate
        self._say_line = say
        self._stop = stop or Stop()
        self._stderr = bytearray()
        self._nonce_said = False
        self._alone: str | None = None
        """The check that asked for a turn and has not ended."""
        self._turn: Turn | None = None
        self._begun = False
        """Whether that check has begun."""
        self._waiting = False
        """Whether the probe stands still until it is told that its turn has come."""
        self.waited_seconds = 0.0
        """How long it has stood so: no part of what the probe itself took."""
        self.failure: Exception | None = None
        """Why a source broke off; None while none has."""

    def pump(self, sources: Iterable[Chunks], deadline_seconds: float) -> Ended:
        """Read every source to its end, each in a thread of its own, unless the deadline or the run's end comes first.

        A source is an iterable of (STDOUT | STDERR, bytes). An exception it raises ends it and is kept in ``failure``. Time in
        which the probe waits for its turn does not count. May be called again, when a log broke off and is read anew: what
        was not told for certain is told again.
        """
        chunks: queue.Queue[tuple[int, bytes] | None] = queue.Queue(_QUEUE_CHUNKS)
        stopped = threading.Event()

        def put(item: tuple[int, bytes] | None) -> None:
            while not stopped.is_set():
                try:
                    chunks.put(item, timeout=0.2)
                    return
                except queue.Full:
                    continue

        def read(source: Chunks) -> None:
            try:
                for item in source:
                    put(item)
                    if stopped.is_set():
                        return
            except Exception as error:  # noqa: BLE001 - whatever ends a source is handed to the caller, never lost
                self.failure = error
            finally:
                put(None)

        threads = [threading.Thread(target=read, args=(source,), daemon=True) for source in sources]
        for thread in threads:
            thread.start()
        self._nonce_said = False
        self._events.again()
        if self._alone is not None:
            self._turn, self._waiting = self._gate.ask(), not self._begun
        last = time.monotonic()
        left, open_sources = deadline_seconds, len(threads)
        try:
            while open_sources:
                now = time.monotonic()
                if self._waiting:
                    self.waited_seconds += now - last
                else:
                    left -= now - last
                last = now
                if self._stop.now:
                    return Ended.ON_STOP
                if left <= 0:
                    return Ended.AT_DEADLINE
                self._look_for_turn()
                try:
                    item = chunks.get(timeout=_TURN_LOOK_SECONDS if self._waiting else min(left, _LOOK_SECONDS))
                except queue.Empty:
                    continue
                if item is None:
                    open_sources -= 1
                else:
                    self._take(*item)
            return Ended.BY_ITSELF
        finally:
            stopped.set()
            self._end_turn()

    def _take(self, stream: int, data: bytes) -> None:
        if stream != STDOUT:
            self._stderr += data
            del self._stderr[:-_STDERR_TAIL_BYTES]
            return
        for event in self._events.feed(data):
            match event:
                case {"event": "ready"}:
                    self._say_nonce()
                    continue
                case {"event": "turn", "check": str(check)} if self._say_line is not None:
                    self._alone, self._turn, self._begun, self._waiting = check, self._gate.ask(), False, True
                    self._look_for_turn()
                case {"event": "check-start"}:
                    # Also where it was told by someone else before: what is read may be an old log.
                    self._begun, self._waiting = True, False
                case {"event": "check-end", "check": check} if check == self._alone:
                    self._alone = None
                    self._end_turn()
            self._on_event(event)

    def _look_for_turn(self) -> None:
        if self._waiting and self._turn is not None and self._turn.granted:
            self._waiting = False
            self._say(probe_host.answer("turn", self._alone or ""))

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.end()
            self._turn = None

    def _say_nonce(self) -> None:
        if not self._nonce_said:  # whatever prints the line again gets no second answer
            self._nonce_said = True
            self._say(probe_host.answer("nonce", self._plan.nonce))

    def _say(self, line: bytes) -> None:
        if self._say_line is not None:
            with suppress(OSError, ValueError):  # ValueError: a file that is closed already
                self._say_line(line)

    def report(self) -> ProbeReport:
        """What the probe said, parsed."""
        return self._events.close()

    @property
    def stderr(self) -> str:
        """Cleaned tail of stderr."""
        return clean(self._stderr.decode("utf-8", "replace"), _STDERR_TAIL_BYTES)
