"""Connections that are lent: one user at a time, a broken one never again."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from validator.base.errors import EngineUnavailableError
from validator.model import EngineInfo
from validator.runners.docker import engine as engines
from validator.runners.docker.clients import Clients


class Client:
    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The addresses that were asked for, in order."""
    asked: list[str | None] = []

    def connect(only: str | None = None) -> tuple[Any, EngineInfo]:
        asked.append(only)
        return Client(), EngineInfo(address="unix:///found.sock")

    monkeypatch.setattr(engines, "connect", connect)
    return asked


def test_a_connection_is_made_when_it_is_used_and_lent_again_after(asked: list[str | None]) -> None:
    clients = Clients(None)
    assert (asked, clients.address) == ([], None)
    with clients.lend() as link:
        assert not link.connected
        first = link.client
        assert link.client is first
        assert link.connected
    with clients.lend() as link:
        assert link.client is first
    assert (asked, clients.address) == ([None], "unix:///found.sock")


def test_two_at_once_have_one_each_of_the_same_engine(asked: list[str | None]) -> None:
    clients = Clients(None)
    with clients.lend() as one, clients.lend() as other:
        assert one.client is not other.client
    assert asked == [None, "unix:///found.sock"]


def test_an_address_that_is_given_is_the_only_one(asked: list[str | None]) -> None:
    clients = Clients("unix:///given.sock")
    assert clients.lend().client
    assert clients.lend().client
    assert asked == ["unix:///given.sock"] * 2
    assert clients.address == "unix:///given.sock"


def test_a_broken_one_is_closed_and_never_lent_again(asked: list[str | None]) -> None:
    clients = Clients(None)
    with clients.lend() as link:
        first = link.client
        link.drop()
        link.drop()
        assert first.closed  # type: ignore[attr-defined]
        assert link.client is not first
    with clients.lend() as link:
        assert link.client is not first


def test_one_whose_user_failed_is_closed(asked: list[str | None]) -> None:
    clients = Clients(None)
    used: list[Any] = []

    def fail() -> None:
        with clients.lend() as link:
            used.append(link.client)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert used[0].closed
    with clients.lend() as link:
        assert link.client is not used[0]


def test_closing_takes_none_from_under_its_user(asked: list[str | None]) -> None:
    clients = Clients(None)
    with clients.lend() as used:
        client = used.client
        with clients.lend() as other:
            idle = other.client
        clients.close()
        assert idle.closed  # type: ignore[attr-defined]
        assert not client.closed  # type: ignore[attr-defined]
    assert client.closed, "it is when it comes back"  # type: ignore[attr-defined]
    with clients.lend() as link:
        assert link.client not in (client, idle)


def test_an_engine_that_is_away_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(only: str | None = None) -> tuple[Any, EngineInfo]:
        raise EngineUnavailableError("no container engine answers")

    monkeypatch.setattr(engines, "connect", connect)
    with pytest.raises(EngineUnavailableError), Clients(None).lend() as link:
        assert link.client


def test_many_threads_never_share_one(asked: list[str | None]) -> None:
    clients, used, clash = Clients(None), set[int](), []  # type: ignore[var-annotated]
    guard = threading.Lock()

    def use() -> None:
        for _ in range(200):
            with clients.lend() as link:
                number = id(link.client)
                with guard:
                    clash.extend([number] if number in used else [])
                    used.add(number)
                with guard:
                    used.discard(number)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clash == []
    assert len(asked) <= 8
