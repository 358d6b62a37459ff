"""What comes out of a container, in whatever pieces the connection brings it, and what goes in."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from validator.runners.collect import STDERR, STDOUT
from validator.runners.docker import streams
from validator.runners.docker.streams import Attached, Log


class Far:
    """The engine's end of an attached connection."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        ours, self.far = socket.socketpair()
        self._ours = SimpleNamespace(_sock=ours, close=ours.close)

    def attach_socket(self, name: str, params: dict[str, int]) -> Any:
        self.asked = params
        return self._ours


@pytest.fixture
def far() -> Iterator[Far]:
    far = Far()
    yield far
    far.far.close()


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def read(attached: Attached) -> list[tuple[int, bytes]]:
    [source] = attached.sources()
    return list(source)


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_pieces_are_told_apart_however_they_arrive(size: int, far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_READ_BYTES", size)
    attached = Attached(far, "c", stdout=1, stderr=1)  # type: ignore[arg-type]
    assert far.asked == {"stdout": 1, "stderr": 1, "stream": 1}
    far.far.sendall(frame(1, b"hello ") + frame(2, b"") + frame(2, b"oh") + frame(1, b"world"))
    far.far.close()
    found = read(attached)
    assert b"".join(data for stream, data in found if stream == STDOUT) == b"hello world"
    assert b"".join(data for stream, data in found if stream == STDERR) == b"oh"


@pytest.mark.parametrize("cut", [b"\x01", frame(1, b"hello")[:-1], frame(1, b"hello")[:8]])
def test_an_end_within_a_piece_is_a_broken_connection(cut: bytes, far: Far) -> None:
    attached = Attached(far, "c", stdout=1)  # type: ignore[arg-type]
    far.far.sendall(frame(1, b"whole") + cut)
    far.far.close()
    with pytest.raises(ConnectionError):
        read(attached)


def test_a_piece_of_gigabytes_is_handed_on_as_it_comes(far: Far) -> None:
    attached = Attached(far, "c", stdout=1)  # type: ignore[arg-type]
    far.far.sendall(struct.pack(">BxxxL", 1, 1 << 31) + b"x" * 100)
    [source] = attached.sources()
    assert next(iter(source)) == (STDOUT, b"x" * 100)


def test_what_is_said_arrives(far: Far) -> None:
    attached = Attached(far, "c", stdin=1)  # type: ignore[arg-type]
    attached.say(b"line\n")
    assert far.far.recv(100) == b"line\n"


def test_saying_to_nobody_is_given_up(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SAY_SECONDS", 0.05)
    attached = Attached(far, "c", stdin=1)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="timed out"):
        attached.say(b"x" * (1 << 24))


def test_closing_ends_the_reading_of_another_thread(far: Far) -> None:
    attached, reads = Attached(far, "c", stdout=1), threading.Event()  # type: ignore[arg-type]

    def follow() -> None:
        with suppress(OSError):
            for _ in attached.sources()[0]:
                reads.set()

    thread = threading.Thread(target=follow, daemon=True)
    far.far.sendall(frame(1, b"x"))
    thread.start()
    assert reads.wait(30)
    attached.close()
    thread.join(30)
    assert not thread.is_alive()
    attached.close()


class Clients:
    """Lends clients whose log is what is given."""

    def __init__(self, **logs: Any) -> None:
        self.logs_of = logs
        self.ended: list[str] = []

    def take(self) -> tuple[Any, int]:
        return SimpleNamespace(logs=self._logs, close=lambda: self.ended.append("closed"), streaming=None), 0

    def give(self, client: Any, turn: int) -> None:
        self.ended.append("given back")

    def _logs(self, name: str, *, stdout: bool, stderr: bool, stream: bool, follow: bool) -> Any:
        return iter(self.logs_of["out" if stdout else "err"])


def test_a_log_is_read_from_its_start_in_two_streams() -> None:
    clients = Clients(out=[b"a", b"b"], err=[b"c"])
    log = Log(clients, "c")  # type: ignore[arg-type]
    assert [list(source) for source in log.sources()] == [[(STDOUT, b"a"), (STDOUT, b"b")], [(STDERR, b"c")]]
    assert clients.ended == ["given back", "given back"]


def test_a_connection_with_half_an_answer_on_it_is_closed() -> None:
    clients = Clients(out=[b"a", b"b"], err=[])
    source = iter(Log(clients, "c").sources()[0])  # type: ignore[arg-type]
    next(source)
    source.close()  # type: ignore[attr-defined]
    assert clients.ended == ["closed"]


def test_a_log_that_is_closed_is_not_read_any_more() -> None:
    clients = Clients(out=[b"a"], err=[b"b"])
    log = Log(clients, "c")  # type: ignore[arg-type]
    log.close()
    assert [list(source) for source in log.sources()] == [[], []]


def test_closing_breaks_off_what_is_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    broken: list[Any] = []
    monkeypatch.setattr(streams, "break_off", broken.append)
    log = Log(Clients(out=[b"a", b"b"], err=[]), "c")  # type: ignore[arg-type]
    source = iter(log.sources()[0])
    next(source)
    log.close()
    assert len(broken) == 1
