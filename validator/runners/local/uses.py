"""Which virtual environments are in use: locks that a process holds until it ends, however it ends.

An environment has two lock files beside its folder. ``.lock`` is held while it is made (``venvs``), ``.used`` shared by every
process that runs in it. Neither is ever removed: a lock on a removed file keeps nobody out.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

_used: dict[Path, IO[bytes]] = {}


def use(folder: Path) -> None:
    """Say that this process uses an environment from now on, for as long as it lives. For whoever holds its ``.lock``.

    Raises OSError where its file cannot be made.
    """
    if folder not in _used:
        file = folder.with_suffix(".used").open("ab")
        fcntl.flock(file, fcntl.LOCK_SH)  # who removes it holds the other lock as well, and so is not there
        _used[folder] = file


@contextmanager
def unused(folder: Path) -> Iterator[None]:
    """Keep an environment from being made or used within the block. Raises BlockingIOError where it is just now."""
    with ExitStack() as held:
        for suffix in (".lock", ".used"):
            file = held.enter_context(folder.with_suffix(suffix).open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def environments(root: Path) -> list[Path]:
    """The environments under a folder, half-made ones among them."""
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
