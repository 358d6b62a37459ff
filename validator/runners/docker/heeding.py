"""Reads an answer of the engine that comes bit by bit, and gives it up once the run is to end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from validator.base.errors import InterruptedRunError
from validator.base.stopping import Stop

_LOOK_SECONDS = 0.2
#: Messages waiting to be looked at; a full queue stops the reading.
_MESSAGES = 64

Messages = Iterable[Mapping[str, Any]]


def heeding(
    ask: Callable[[], Messages], give_up: Callable[[], None], stop: Stop, what: str
) -> Generator[Mapping[str, Any], None, None]:
    """The messages of an answer, as they come. ``give_up`` is called when they are no more wanted, from the caller's thread: it
    must end the asking thread's wait, which is what tells the engine to cancel.

    Raises what asking raises, and InterruptedRunError once the run is to end.
    """
    messages: queue.Queue[Mapping[str, Any] | Exception | None] = queue.Queue(_MESSAGES)
    unwanted = threading.Event()

    def put(item: Mapping[str, Any] | Exception | None) -> None:
        while not unwanted.is_set():
            try:
                messages.put(item, timeout=_LOOK_SECONDS)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            stream = ask()
            try:
                for message in stream:
                    put(message)
                    if unwanted.is_set():
                        break
            finally:
                if hasattr(stream, "close"):
                    stream.close()
            put(None)
        except Exception as error:  # noqa: BLE001 - raised again where the messages are awaited
            put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    whole = False
    try:
        while True:
            if stop.asked:
                raise InterruptedRunError(f"gave up {what}", why="the run is to end")
            try:
                message = messages.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if message is None:
                whole = True
                return
            if isinstance(message, Exception):
                whole = True
                raise message
            yield message
    finally:
        unwanted.set()
        if not whole:
            give_up()
        thread.join(1.0)
