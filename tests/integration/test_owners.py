"""Owners of containers in real namespaces of processes, as a validator in a container with the engine's socket has one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from validator.runners import labels
from validator.runners.labels import Life

#: Says who it is, then what it knows of each owner that it is asked for.
ASKED = """
import sys
from validator.runners import labels
print(labels.owner(), flush=True)
for line in sys.stdin:
    print(labels.owner_life(line.strip()).name, flush=True)
"""


class Inside:
    """A process in a namespace of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.owner = self._said()

    def knows(self, owner: str) -> Life:
        assert self._process.stdin
        self._process.stdin.write(f"{owner}\n")
        self._process.stdin.flush()
        return Life[self._said()]

    def _said(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@pytest.fixture
def inside(unavailable: Callable[[str], NoReturn]) -> Callable[[], object]:
    """Starts a process in a new namespace, with a /proc that shows this alone."""
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    alone = ["unshare", *as_root, "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        unavailable("this machine lets nobody make a namespace of processes")

    @contextmanager
    def start() -> Iterator[Inside]:
        command = [*alone, sys.executable, "-c", ASKED]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield Inside(process)
            process.kill()

    return start


def test_a_run_in_a_container_is_known_to_live_and_to_be_dead(inside: Callable[[], Inside]) -> None:
    with inside() as there:
        assert there.owner.split(":")[1] == "1", "its number means the first of all processes out here"
        assert labels.owner_life(there.owner) is Life.ALIVE
        assert there.knows(there.owner) is Life.ALIVE
    assert labels.owner_life(there.owner) is Life.DEAD


def test_from_inside_a_container_nothing_is_known_of_others(inside: Callable[[], Inside]) -> None:
    with inside() as there, inside() as beside:
        assert there.knows(labels.owner()) is Life.UNKNOWN
        assert there.knows(beside.owner) is Life.UNKNOWN
