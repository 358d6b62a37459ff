"""Which file system a folder lies on."""

from __future__ import annotations

import os
from pathlib import Path

#: File systems on which SQLite's WAL is sound. It has a file beside the history as memory that processes share. So the file
#: system must be of one machine; and once a byte of a block was written, the rest of the block must be there, also when the disk
#: is full: a process that writes to memory for which there is no room is killed by the kernel. (Those that write a block to a new
#: place each time do not hold this.) Elsewhere the history has the rollback journal, which needs no more than locks and syncs.
_SOUND = frozenset({"ext2", "ext3", "ext4", "tmpfs", "xfs"})
#: SQLite writes one byte of each stretch of so many bytes, to have them all; smaller blocks are not all there by that.
_STRETCH_BYTES = 4096
_MOUNTS = Path("/proc/self/mountinfo")


def carries_wal(folder: Path) -> bool:
    """Whether several processes may have an SQLite file in WAL mode open in the folder."""
    try:
        return os.statvfs(folder).f_frsize >= _STRETCH_BYTES and kind_of(folder) in _SOUND
    except OSError:
        return False


def kind_of(folder: Path) -> str | None:
    """The type of the file system that a folder lies on, as the kernel names it; None where that is not known."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    path = os.path.realpath(folder)
    best: tuple[int, str] | None = None
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        under = path == point or path.startswith(point.rstrip("/") + "/")
        if under and (best is None or len(point) >= best[0]):  # of two at one place, the later one is on top
            best = len(point), after.split(" ")[0]
    return best[1] if best else None
