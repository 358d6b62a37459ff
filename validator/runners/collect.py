"""Reads a probe's two output streams until they end or the deadline passes; shared by all runners."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable

from validator.base.text import clean
from validator.probe_host import EventStream, ProbePlan, ProbeReport
from validator.runners.base import OnEvent

_STDERR_TAIL_BYTES = 16_384
#: Chunks waiting between the reading thread and the parser. A full queue stops the reader, so a flood cannot fill memory.
_QUEUE_CHUNKS = 256

STDOUT, STDERR = 1, 2
Chunks = Iterable[tuple[int, bytes]]


class Collector:
    """Feeds stdout to the event parser and keeps the tail of stderr."""

    def __init__(self, plan: ProbePlan, on_event: OnEvent) -> None:
        self._events = EventStream(plan)
        self._on_event = on_event
        self._stderr = bytearray()
        self.failure: Exception | None = None
        """Why a source broke off; None while none has."""

    def pump(self, sources: Iterable[Chunks], deadline_seconds: float) -> bool:
        """Read every source to its end, each in a thread of its own; False when the deadline passed first.

        A source is an iterable of (STDOUT | STDERR, bytes). An exception it raises ends it and is kept in ``failure``.
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
        end = time.monotonic() + deadline_seconds
        open_sources = len(threads)
        try:
            while open_sources:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                try:
                    item = chunks.get(timeout=min(left, 0.5))
                except queue.Empty:
                    continue
                if item is None:
                    open_sources -= 1
                else:
                    self._take(*item)
            return True
        finally:
            stopped.set()

    def _take(self, stream: int, data: bytes) -> None:
        if stream == STDOUT:
            for event in self._events.feed(data):
                self._on_event(event)
        else:
            self._stderr += data
            del self._stderr[:-_STDERR_TAIL_BYTES]

    def report(self) -> ProbeReport:
        """What the probe said, parsed."""
        return self._events.close()

    @property
    def stderr(self) -> str:
        """Cleaned tail of stderr."""
        return clean(self._stderr.decode("utf-8", "replace"), _STDERR_TAIL_BYTES)
