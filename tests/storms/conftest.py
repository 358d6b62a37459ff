"""What the storms share: the engine they rage in, a stand-in for NVML, and the page that is written."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import docker
import pytest
from docker.errors import ImageNotFound
from storm_engine import StormEngine
from storm_page import Row, write
from storms import STORMS
from words import Seen


@pytest.fixture(scope="session")
def rows() -> Iterator[list[Row]]:
    """What was seen of each storm; written to docs/storms.md where that is asked for."""
    seen: list[Row] = []
    yield seen
    if os.environ.get("VALIDATOR_WRITE_STORMS") == "1":
        write(seen)


@pytest.fixture
def seen(rows: list[Row]) -> Seen:
    """Called with a storm's id and what was seen of it, once it ended as expected."""
    began = time.monotonic()
    known = {storm.id: storm for storm in STORMS}

    def say(storm: str, what: str) -> None:
        rows.append(Row(known[storm], what, time.monotonic() - began))

    return say


@pytest.fixture(scope="session")
def tools(unavailable: Callable[[str], NoReturn]) -> None:
    """Root, and what makes disks and engines."""
    missing = [name for name in ("dockerd", "mkfs.ext4", "fsfreeze", "mount") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        unavailable(f"a storm needs root{' and ' if missing else ''}{', '.join(missing)}")


@pytest.fixture(scope="session")
def make_engine(
    tools: None, engine: docker.DockerClient, unavailable: Callable[[str], NoReturn]
) -> Iterator[Callable[..., StormEngine]]:
    """Starts engines for storms; they are gone at the end."""
    # The base as it is: nothing that is made of it is made in the engine that other suites tidy up.
    base = os.environ.get("VALIDATOR_TEST_BASE", "validator-test/bookworm:latest")
    try:
        engine.images.get(base)
    except ImageNotFound:
        unavailable(f"the engine has no base image {base}; tests/images/make_base.sh makes it")
    made: list[StormEngine] = []

    def make(*options: str, **more: Any) -> StormEngine:
        made.append(StormEngine(engine, base, *options, **more))
        return made[-1]

    try:
        yield make
    finally:
        for each in made:
            each.stop()


@pytest.fixture(scope="session")
def sea(make_engine: Callable[..., StormEngine]) -> StormEngine:
    """The engine of all storms that leave it alive. It takes requests for GPUs, and puts none in."""
    return make_engine(hook="idle")
