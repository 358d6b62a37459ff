"""One at a time for each key, among all threads and processes of a user: what one fetches or builds, the others wait for.

The kernel drops a lock when its holder dies, however that happens. No file is ever removed: a lock on a removed file keeps
nobody out.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from validator.base.errors import InterruptedRunError
from validator.base.stopping import Stop
from validator.runners.base import OnLine

_LOOK_SECONDS = 0.2
_guard = threading.Lock()
_keys: dict[str, threading.Lock] = {}


def lock_folder() -> Path:
    """Where the lock files lie: ``torch-matrix-validator/locks`` in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "torch-matrix-validator" / "locks"


@contextmanager
def only_one(key: str, what: str, on_line: OnLine, stop: Stop) -> Iterator[None]:
    """Hold the lock of a key, and wait for it first; ``what`` is told while waiting.

    Where no lock file can be made, only the threads of this process keep each other out.
    Raises InterruptedRunError once the run is to end.
    """
    with _guard:
        mine = _keys.setdefault(key, threading.Lock())
    told = False
    while not mine.acquire(timeout=_LOOK_SECONDS):
        told = _wait(told, what, "another cell of this run", on_line, stop)
    try:
        file = _opened(key)
        try:
            while file is not None and not locked(file, fcntl.LOCK_EX):
                told = _wait(told, what, "another run", on_line, stop)
                time.sleep(_LOOK_SECONDS)
            yield
        finally:
            if file is not None:
                file.close()  # which unlocks it
    finally:
        mine.release()


def in_use(key: str) -> IO[bytes] | None:
    """Say that something is used: a shared lock, held while the file is open. None where none can be had."""
    file = _opened(key)
    if file is not None and not locked(file, fcntl.LOCK_SH):
        file.close()
        return None
    return file


def unused(key: str) -> IO[bytes] | None:
    """An exclusive lock, held while the file is open, where nobody uses it; None where somebody does, or nobody can tell."""
    file = _opened(key)
    if file is not None and not locked(file, fcntl.LOCK_EX):
        file.close()
        return None
    return file


def locked(file: IO[bytes], how: int) -> bool:
    """Whether the lock could be had at once. A file system without locks lets everybody in."""
    try:
        fcntl.flock(file.fileno(), how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _opened(key: str) -> IO[bytes] | None:
    try:
        folder = lock_folder()
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / hashlib.sha256(key.encode()).hexdigest()[:32]).open("ab")
    except OSError:
        return None


def _wait(told: bool, what: str, who: str, on_line: OnLine, stop: Stop) -> bool:
    if stop.asked:
        raise InterruptedRunError(f"gave up waiting for {what}", why="the run is to end")
    if not told:
        on_line(f"waiting: {who} is at {what}")
    return True
