"""What every test may rely on: tests marked ``docker`` run on a real engine, or say why they do not.

``VALIDATOR_REQUIRE_DOCKER=1`` turns every such skip into a failure, so that continuous integration cannot pass by skipping.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import cache
from typing import NoReturn

import pytest

#: The engine, its images and the long runs, shared by every suite that needs them.
pytest_plugins = ["engine_fixtures", "second_engine"]


def pytest_configure() -> None:
    """A shell without job control starts what runs in the background with SIGINT and SIGQUIT ignored; tests send these."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def unavailable(reason: str) -> NoReturn:
    """Skip for want of something real, or fail where it was required."""
    if os.environ.get("VALIDATOR_REQUIRE_DOCKER") == "1":
        pytest.fail(f"VALIDATOR_REQUIRE_DOCKER=1, and {reason}", pytrace=False)
    pytest.skip(reason)


@cache
def engine_problem() -> str | None:
    from validator.runners.docker.engine import probe_engine

    return probe_engine().problem


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("docker") and (problem := engine_problem()):
        unavailable(f"no container engine answers: {problem}")


@pytest.fixture(scope="session", name="unavailable")
def unavailable_fixture() -> Callable[[str], NoReturn]:
    """For fixtures that find something else missing."""
    return unavailable
