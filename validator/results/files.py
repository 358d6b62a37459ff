"""Files of the results folder: each appears whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from validator.base.errors import StoreError, StoreFullError

#: What the ``.gitignore`` of a results folder holds.
IGNORE = "*\n"
_COPIED_BYTES = 1 << 20
#: What the system says where there is no more room: a full disk, a quota, a limit on the size of files.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
MAKE_ROOM = "free some space on that disk, or use another folder with --out"


def remove_empty(folder: Path) -> None:
    """Remove the results folder's own folders, and itself, where nothing is left in them."""
    for each in (folder / "runs", folder / "latest", folder):
        with suppress(OSError):
            each.rmdir()


def make_folder(folder: Path) -> None:
    """Make the folder; a new one is ignored by git as a whole, and nobody's existing folder is."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            (folder / ".gitignore").write_text(IGNORE, encoding="ascii")
    except OSError as error:
        raise cannot_write(folder, error) from error


def write_whole(path: Path, text: str | Iterable[str]) -> None:
    """Write a file beside its place and move it in, so that a reader sees the old one or the new one.

    A long text may come in parts, so that it is never in memory as a whole.
    """
    parts = [text] if isinstance(text, str) else text
    _put(path, (part.encode("utf-8") for part in parts))


def copy_whole(source: Path, path: Path) -> None:
    """Copy a file of ours, as ``write_whole`` writes one."""
    try:
        with source.open("rb") as file:
            _put(path, iter(lambda: file.read(_COPIED_BYTES), b""))
    except OSError as error:
        raise cannot_write(path, error) from error


def _put(path: Path, parts: Iterable[bytes]) -> None:
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> StoreError:
    """What is to be said of a file that the system does not let be written."""
    if error.errno in NO_ROOM:
        return StoreFullError(f"{path} cannot be written", why=error.strerror or str(error), hint=MAKE_ROOM)
    in_the_way = isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError))
    return StoreError(
        f"{path} cannot be written",
        why=error.strerror or str(error),
        hint="move away what is there" if in_the_way else "give access there, or use another folder with --out",
    )
