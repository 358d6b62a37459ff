"""What goes into a container and comes out of it: live, over a connection that is attached to it, or once more, from its log."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import docker

from validator.runners.collect import STDERR, STDOUT, Chunks
from validator.runners.docker.clients import Clients, Link
from validator.runners.docker.engine import break_off

#: Seconds to write a line to a container. A line fits into the engine's buffer unless nobody has read there for long.
_SAY_SECONDS = 5.0
_READ_BYTES = 1 << 16
_HEADER = struct.Struct(">BxxxL")


class Attached:
    """A raw connection to a container's streams, as ``docker run`` has it. Closing it from any thread ends its reading."""

    def __init__(self, client: docker.APIClient, name: str, **streams: int) -> None:
        """Attach to ``stdin=1``, or to ``stdout=1, stderr=1``; raises what the engine's calls raise."""
        self._kept: Any = client.attach_socket(name, params={**streams, "stream": 1})
        self._socket: Any = getattr(self._kept, "_sock", self._kept)

    def sources(self) -> list[Chunks]:
        """What the container writes, as one source."""
        return [self._chunks()]

    def _chunks(self) -> Iterator[tuple[int, bytes]]:
        """What the container writes, until it ends. Raises ConnectionError where it breaks off within a chunk."""
        self._socket.settimeout(None)
        left, stream, buffer = 0, STDOUT, bytearray()
        while data := self._socket.recv(_READ_BYTES):
            buffer += data
            while buffer:
                if not left:
                    if len(buffer) < _HEADER.size:
                        break
                    stream, left = _HEADER.unpack_from(buffer)
                    del buffer[: _HEADER.size]
                    continue
                part = bytes(buffer[:left])
                del buffer[:left]
                left -= len(part)
                yield (STDERR if stream == STDERR else STDOUT), part
        if left or buffer:
            raise ConnectionError("the engine ended the container's output within a piece of it")

    def say(self, line: bytes) -> None:
        """Write to the container. Raises OSError where that cannot be done in a few seconds."""
        self._socket.settimeout(_SAY_SECONDS)
        self._socket.sendall(line)

    def close(self) -> None:
        """End the connection, and whoever reads from it."""
        with suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for each in (self._socket, self._kept):
            with suppress(OSError, AttributeError):
                each.close()


class Log:
    """A container's log, read from its start and followed to its end, over connections of its own."""

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients = clients
        self._name = name
        self._lock = threading.Lock()
        self._reading: list[docker.APIClient] = []
        self._closed = False

    def sources(self) -> list[Chunks]:
        """Its two streams."""
        return [self._follow(STDOUT), self._follow(STDERR)]

    def _follow(self, number: int) -> Iterator[tuple[int, bytes]]:
        link = Link(self._clients)
        try:
            client = link.client
            with self._lock:
                if self._closed:
                    return
                self._reading.append(client)
            for chunk in client.logs(
                self._name, stdout=number == STDOUT, stderr=number == STDERR, stream=True, follow=True
            ):
                yield number, chunk
            with self._lock:
                if client in self._reading:  # read to its end, and not broken off
                    self._reading.remove(client)
                    link.give_back()
        finally:
            link.drop()  # who stopped reading half-way leaves an answer on it

    def close(self) -> None:
        """End the reading of it."""
        with self._lock:
            self._closed = True
            reading, self._reading = self._reading, []
        for client in reading:
            break_off(client)
