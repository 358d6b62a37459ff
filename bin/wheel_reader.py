"""Reads what a torch wheel is built for out of the wheel itself, without fetching it whole: about 10 MB of several hundred.

``torch/version.py`` names the CUDA version; ``libtorch_python.so`` holds the compiler flags that ``torch.cuda.get_arch_list()``
reports, as text.
"""

from __future__ import annotations

import io
import re
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

_LIBRARY = "torch/lib/libtorch_python.so"
_VERSION = "torch/version.py"
#: At least two entries, so that a message that mentions one architecture is not taken for the list.
_ARCH = re.compile(rb"(?:(?:sm|compute)_[0-9]{2,3}[af]?)(?: (?:sm|compute)_[0-9]{2,3}[af]?)+\0")
_LONGEST = 1024
_BLOCK = 1 << 20
_SECONDS = 120


@dataclass(frozen=True)
class WheelContent:
    """What a wheel is built for."""

    version: str
    cuda: str | None
    """``13.0``; None for a build without CUDA."""
    arch: tuple[str, ...]
    fetched_bytes: int
    """How much was read of it."""


def read(url: str) -> WheelContent:
    """Read a wheel by its URL (http, https or file). Raises OSError, or ValueError where it is not a torch wheel."""
    with _opened(url) as (file, fetched):
        try:
            with zipfile.ZipFile(file) as wheel:
                words = wheel.read(_VERSION).decode("utf-8")
                arch = _arch_list(wheel)
        except (zipfile.BadZipFile, KeyError) as error:
            raise ValueError(f"{url} is not a torch wheel: {error}") from None
        version = re.search(r"^__version__ = '([^']+)'", words, re.MULTILINE)
        cuda = re.search(r"^cuda(?:: [^=]+)? = '([^']+)'", words, re.MULTILINE)
        if version is None:
            raise ValueError(f"{url}: {_VERSION} names no version")
        return WheelContent(version[1], cuda[1] if cuda else None, arch, fetched())


def _arch_list(wheel: zipfile.ZipFile) -> tuple[str, ...]:
    """The architectures in the library; empty where it names none. Refuses two different lists."""
    found = set()
    rest = b""
    with wheel.open(_LIBRARY) as library:
        while block := library.read(_BLOCK):
            block = rest + block
            found |= {match[0].rstrip(b"\0").decode("ascii") for match in _ARCH.finditer(block)}
            rest = block[-_LONGEST:]
    if len(found) > 1:
        raise ValueError(f"{_LIBRARY} holds several lists of architectures: {sorted(found)}")
    return tuple(found.pop().split()) if found else ()


@contextmanager
def _opened(url: str) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    parts = urlsplit(url)
    if parts.scheme == "file":
        with open(url2pathname(parts.path), "rb") as file:
            yield file, lambda: 0
        return
    remote = _Remote(url)
    yield cast("IO[bytes]", io.BufferedReader(remote, _BLOCK)), lambda: remote.fetched


class _Remote(io.RawIOBase):
    """A file behind HTTP, read by ranges."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = 0
        self.fetched = 0
        # The first byte tells both whether parts are served and how long the whole is.
        with self._part(0, 0) as answer:
            self._size = int(answer.headers["Content-Range"].rpartition("/")[2])

    def _part(self, begin: int, end: int) -> Any:
        request = urllib.request.Request(self._url, headers={"Range": f"bytes={begin}-{end}"})
        answer = urllib.request.urlopen(request, timeout=_SECONDS)
        if answer.status != 206:
            answer.close()
            raise OSError(f"{self._url} cannot be read in parts (status {answer.status})")
        return answer

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        end = min(self._at + len(view), self._size)
        if end <= self._at:
            return 0
        with self._part(self._at, end - 1) as answer:
            data = answer.read(end - self._at)
        view[: len(data)] = data
        self._at += len(data)
        self.fetched += len(data)
        return len(data)
