"""``validator``, with a death at a chosen moment: ``launcher.py TRANSITION before|after WORD ARGUMENTS…``.

It kills itself with SIGKILL around the first call that makes the transition and has the word in it. The product has no such
switch; what is broken open are the places that every transition goes through: the store, the client of the engine, the runner.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import docker

from validator.cli import main
from validator.model import CellResult, Status
from validator.results import Store
from validator.runners.base import OnEvent, RunRequest
from validator.runners.docker.runner import DockerRunner

#: Transition → (class, methods that are it).
TRANSITIONS: dict[str, tuple[type, tuple[str, ...]]] = {
    "begin": (Store, ("begin",)),
    "intent": (Store, ("intend",)),
    "create": (docker.APIClient, ("create_container_from_config",)),
    "start": (docker.APIClient, ("start",)),
    "read": (DockerRunner, ("run",)),
    "remove": (docker.APIClient, ("remove_container",)),
    "record": (Store, ("keep", "keep_all")),
}


class Death:
    """When to die."""

    def __init__(self, word: str) -> None:
        self._words = {word}

    def due(self, *arguments: Any) -> bool:
        """Whether a call is about what is looked for. A result that only says that there is none yet is not meant."""
        return any(self._meant(each) for each in arguments)

    def _meant(self, argument: Any) -> bool:
        if isinstance(argument, CellResult) and argument.status is Status.SKIP:
            return False
        if isinstance(argument, (list, tuple)):
            return any(self._meant(each) for each in argument)
        return any(word in str(argument) for word in self._words)

    def known_as(self, name: str) -> None:
        """The container that is meant has another name, too."""
        self._words.add(name)

    @staticmethod
    def come() -> None:
        """At once, as by the kernel's hand."""
        os.kill(os.getpid(), signal.SIGKILL)


def around(death: Death, owner: type, name: str, *, when: str | None) -> None:
    """Break a method open: death comes ``before`` or ``after`` it, or with None not at all."""
    method = getattr(owner, name)

    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        due = death.due(*args, *kwargs.values())
        if due and when == "before":
            death.come()
        given = method(self, *args, **kwargs)
        if due and when == "after":
            death.come()
        if due and isinstance(given, dict) and "Id" in given:
            death.known_as(given["Id"])
        return given

    setattr(owner, name, called)


def around_events(death: Death, owner: type, name: str, *, when: str) -> None:
    """Break the reading of a container open: death comes ``before`` or ``after`` its first event is taken in."""
    method = getattr(owner, name)

    def called(self: Any, request: RunRequest, on_event: OnEvent, *args: Any, **kwargs: Any) -> Any:
        def told(event: Any) -> None:
            if when == "before":
                death.come()
            on_event(event)
            death.come()

        return method(self, request, told if death.due(request.name) else on_event, *args, **kwargs)

    setattr(owner, name, called)


def set_up(transition: str, when: str, word: str) -> Callable[[], None]:
    """The product's entry point, with death in it."""
    death = Death(word)
    if transition != "create":
        around(death, docker.APIClient, "create_container_from_config", when=None)
    owner, names = TRANSITIONS[transition]
    for name in names:
        if transition == "read":
            around_events(death, owner, name, when=when)
        else:
            around(death, owner, name, when=when)
    return main


if __name__ == "__main__":
    start = set_up(*sys.argv[1:4])
    del sys.argv[1:4]
    start()
