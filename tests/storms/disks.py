"""Disks of the storms: small enough to be filled, and such as can be frozen."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


@contextmanager
def disk(folder: Path, mebibytes: int = 20) -> Iterator[Path]:
    """An ext4 of that size on a loop device, mounted; gone at the end."""
    image, place = folder / "disk.img", folder / "disk"
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)
    place.mkdir()
    _do("mkfs.ext4", "-q", "-m", "0", str(image))
    _do("mount", "-o", "loop", str(image), str(place))
    try:
        yield place
    finally:
        thaw(place)
        _do("umount", "-l", str(place))
        image.unlink()


def freeze(place: Path) -> None:
    """Whoever writes there from now on sleeps, and cannot be woken by any signal."""
    _do("fsfreeze", "--freeze", str(place))


def thaw(place: Path) -> None:
    """Let it all go on."""
    subprocess.run(["fsfreeze", "--unfreeze", str(place)], capture_output=True, check=False)  # noqa: S607


def fill(place: Path) -> Path:
    """Leave not one block free on the disk of a folder; the file that takes it all."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return ballast
