"""Which file system a folder lies on."""

from __future__ import annotations

import os
from pathlib import Path

#: File systems of one machine, on which SQLite's WAL (memory shared between processes) is sound. On any other, and where it is
#: not known, the history has the rollback journal, which needs no more than locks and syncs.
_LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "ubifs", "xfs", "zfs"})
_MOUNTS = Path("/proc/self/mountinfo")


def carries_wal(folder: Path) -> bool:
    """Whether several processes may have an SQLite file in WAL mode open in the folder."""
    return kind_of(folder) in _LOCAL


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
