"""Whether what is being pulled fits on the engine's disk, as far as the engine has told yet.

An engine unpacks each layer from a file that it has fetched. It tells a layer's size, as sent, when it begins to fetch it.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from validator.base.errors import AcquireError

#: A layer unpacked over the layer as sent. Images with torch and CUDA measured on their registries' sizes come to 1.9 to 2.4
#: (shared libraries compress to about a half); one that is turned away must truly not fit, so the lower end stands.
UNPACKED = 1.9
#: What is left to the engine and everybody else on that disk.
_SPARE_BYTES = 256 << 20

_GONE_BY = ("Pull complete", "Already exists")


@dataclass
class _Layer:
    total: int = 0
    fetched: int = 0
    unpacking: bool = False
    done: bool = False

    @property
    def wanting(self) -> float:
        """Bytes that the disk must still take for it: never more than it truly will."""
        if self.done or not self.total:
            return 0.0
        if self.unpacking:
            return 0.0  # how far it is, is not told in a way that all engines share
        return UNPACKED * self.total - self.fetched


class Pull:
    """One pull under way: the sizes of its layers as the engine tells them."""

    def __init__(self) -> None:
        self._layers: dict[str, _Layer] = {}

    def take(self, message: Mapping[str, Any]) -> bool:
        """Take a message of the engine; whether a size became known by it."""
        name, status = message.get("id"), str(message.get("status", ""))
        if not isinstance(name, str):
            return False
        layer = self._layers.setdefault(name, _Layer())
        if status in _GONE_BY:
            layer.done = True
            return False
        detail = message.get("progressDetail")
        current, total = (_count(detail.get(key)) for key in ("current", "total")) if isinstance(detail, Mapping) else (0, 0)
        if status == "Extracting":
            layer.unpacking = True
        elif status == "Download complete":
            layer.fetched = layer.total
        elif status == "Downloading":
            new = total > layer.total
            layer.total, layer.fetched = max(total, layer.total), current
            return new
        return False

    @property
    def total(self) -> int:
        """Bytes as sent of the layers whose size is known."""
        return sum(layer.total for layer in self._layers.values())

    @property
    def fetched(self) -> int:
        """How many of them are here."""
        return sum(layer.total if layer.done or layer.unpacking else layer.fetched for layer in self._layers.values())

    @property
    def wanting(self) -> int:
        """Bytes that the disk must still take at least."""
        return int(sum(layer.wanting for layer in self._layers.values()))


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 50 else 0


class Room:
    """The free space on an engine's disk, shared by the pulls of this run that are under way."""

    def __init__(self, root: Path | None, free: Callable[[Path], int] | None = None) -> None:
        """``root`` is the engine's data folder; None where it is not on this machine, and nothing is refused then."""
        self._root = root
        self._free = free or (lambda path: shutil.disk_usage(path).free)
        self._lock = threading.Lock()
        self._pulls: list[Pull] = []

    def begin(self) -> Pull:
        """A pull begins."""
        pull = Pull()
        with self._lock:
            self._pulls.append(pull)
        return pull

    def end(self, pull: Pull) -> None:
        """It has ended."""
        with self._lock:
            self._pulls.remove(pull)

    def check(self, reference: str, pull: Pull) -> None:
        """Raise AcquireError where the sizes known so far, together with those of the pulls beside it, do not fit."""
        if self._root is None:
            return
        try:
            free = self._free(self._root)
        except OSError:
            return
        with self._lock:
            beside = sum(other.wanting for other in self._pulls if other is not pull)
        if pull.wanting + beside <= max(0, free - _SPARE_BYTES):
            return
        others = f"; other pulls of this run still need {_gib(beside)}" if beside else ""
        raise AcquireError(
            f"{reference} does not fit on the engine's disk",
            why=f"it needs at least {_gib(pull.wanting)} more ({_gib(pull.total)} of layers as sent, times {UNPACKED:g} "
            f"unpacked), and {self._root} has {_gib(free)} free{others}",
            hint="make room there (`docker system df`, `docker image prune`, `validator clean --images`), run with --prune, "
            "or move the engine's data folder",
        )


def data_root(info: Mapping[str, Any], address: str | None) -> Path | None:
    """The engine's data folder where it is on this machine and can be seen, else None."""
    if not (address or "").startswith("unix://"):
        return None
    root = info.get("DockerRootDir")
    if not isinstance(root, str) or not root.startswith("/"):
        return None
    try:
        return Path(root) if Path(root).is_dir() else None
    except OSError:
        return None


def _gib(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 1 << 30 else f"{count / 2**20:.0f} MiB"
