"""Connections to one engine for many threads: each is lent to one user at a time, and a broken one is never lent again.

docker-py's client is a ``requests.Session``, which is not made to be shared; and whoever reconnects must not close what another
thread still reads from.
"""

from __future__ import annotations

import threading
from types import TracebackType

import docker

from validator.model import EngineInfo
from validator.runners.docker import engine as engines


class Clients:
    """The connections of one run to its engine; ``address`` None is the first engine that answers."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._idle: list[docker.APIClient] = []
        self._round = 0
        """Counts how often all were closed: what was lent before that is not kept when it comes back."""

    @property
    def address(self) -> str | None:
        """The engine's address, once it is known."""
        return self._address

    def lend(self) -> Link:
        """A connection for one thread, made when it is first used."""
        return Link(self)

    def close(self) -> None:
        """Close what is not in use; what is, when it comes back."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._round += 1
        for client in idle:
            client.close()

    def take(self) -> tuple[docker.APIClient, int]:
        """One that is idle, or a new one. Raises EngineUnavailableError."""
        with self._lock:
            if self._idle:
                return self._idle.pop(), self._round
            turn = self._round
        client, info = engines.connect(self._address)
        self._found(info)
        return client, turn

    def give(self, client: docker.APIClient, turn: int) -> None:
        """Have one back that is whole."""
        with self._lock:
            if turn == self._round:
                self._idle.append(client)
                return
        client.close()

    def _found(self, info: EngineInfo) -> None:
        # Every later connection goes to the same engine: another one would know neither the images nor the containers.
        with self._lock:
            self._address = self._address or info.address


class Link:
    """One thread's connection to the engine, over all reconnects."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._held: tuple[docker.APIClient, int] | None = None

    def __enter__(self) -> Link:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.give_back()
        else:
            self.drop()  # who knows what is still under way on it

    @property
    def client(self) -> docker.APIClient:
        """The connection. Raises EngineUnavailableError when there is none and none can be made."""
        if self._held is None:
            self._held = self._clients.take()
        return self._held[0]

    @property
    def connected(self) -> bool:
        """Whether there is one now."""
        return self._held is not None

    def drop(self) -> None:
        """Close it: it is broken, or somebody waits on it for what will not come. The next use makes a new one."""
        if self._held is not None:
            client, _ = self._held
            self._held = None
            client.close()

    def give_back(self) -> None:
        """End the use of it."""
        if self._held is not None:
            client, turn = self._held
            self._held = None
            self._clients.give(client, turn)
