"""Who uses a results folder: locks that a process holds on files in it, and that end with the process, however it ends.

Every run shares the lock of its folder, and whoever removes the folder needs that lock for itself. A run has a lock of its own as
well, so that another process can tell a run that is still going from one that died. Where a file system knows no locks (some that
are reached over a network), nothing is locked, and every folder counts as free.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from validator.base.errors import StoreError
from validator.results.files import cannot_write

#: The folder of the locks, within the results folder.
LOCKS = "locks"
_FOLDER, _LATEST = "folder", "latest"
#: How long a run waits for whoever removes the folder or writes to ``latest/``: both take a moment.
_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.02
#: How long it may take until a lock is free that another process only looks at.
_GLANCE_SECONDS = 1.0
#: What a file system says that knows no locks.
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL})


class Lock:
    """A lock that is held until it is released, or until its process ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    def release(self, *, remove: bool = False) -> None:
        """Give it up, once or again; with ``remove`` its file goes too, which only the sole holder may ask for."""
        if self._descriptor is not None:
            if remove:
                with suppress(OSError):
                    self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.release()


def share_folder(folder: Path) -> Lock:
    """The lock that a run holds on its folder. Raises StoreError where the folder is being removed, or cannot be written."""
    lock = _waited_for(folder, _FOLDER, shared=True)
    if lock is None:
        raise StoreError(
            f"{folder} is being removed",
            why="another process holds it for itself, `validator clean` for instance",
            hint="try again when that has ended, or use another folder with --out",
        )
    return lock


def whole_folder(folder: Path) -> Lock | None:
    """The lock for removing a folder; None while a run uses it. Whoever has it removes ``locks`` last."""
    return _lock(folder, _FOLDER, shared=False)


def in_use(folder: Path) -> bool:
    """Whether a living run of any process uses the folder; makes nothing in it."""
    return _is_held(folder, _FOLDER)


def run_lock(folder: Path, number: int) -> Lock | None:
    """The lock of one run, by its number in the history; None where the run is still going."""
    return _waited_for(folder, str(number), shared=False, seconds=_GLANCE_SECONDS)


def is_going(folder: Path, number: int) -> bool:
    """Whether the run with this number is still going; makes nothing in the folder."""
    return _is_held(folder, str(number))


def forget_dead_runs(folder: Path) -> None:
    """Remove what runs that died left of their locks."""
    for path in (folder / LOCKS).glob("[0-9]*"):
        with suppress(StoreError):
            if lock := _lock(folder, path.name, shared=False):
                lock.release(remove=True)


@contextmanager
def alone_at_latest(folder: Path) -> Iterator[None]:
    """Within the block no other run reads the history for ``latest/`` or writes there. Raises StoreError if one never ends."""
    lock = _waited_for(folder, _LATEST, shared=False)
    if lock is None:
        raise StoreError(f"{folder / 'latest'} is being written by another run, which does not end", hint="end that run")
    try:
        yield
    finally:
        lock.release()


def _waited_for(folder: Path, name: str, *, shared: bool, seconds: float | None = None) -> Lock | None:
    until = time.monotonic() + (_WAIT_SECONDS if seconds is None else seconds)
    while (lock := _lock(folder, name, shared=shared)) is None and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    return lock


def _lock(folder: Path, name: str, *, shared: bool) -> Lock | None:
    """The lock, its file made if it is absent; None where another has it."""
    path = folder / LOCKS / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error
    lock = Lock(path, descriptor)
    if _locked(descriptor, shared=shared) and _is_at(path, descriptor):
        return lock
    lock.release()  # another has it, or removed it while this one waited: a lock on what nobody finds any more is none
    return None


def _is_held(folder: Path, name: str) -> bool:
    try:
        descriptor = os.open(folder / LOCKS / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(descriptor, shared=False)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False
