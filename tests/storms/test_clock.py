"""The wall clock jumps while cells run, and is another at the next run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from runs import Run, matrix_of, run
from storm_engine import StormEngine
from words import DOCKER, Seen

pytestmark = pytest.mark.storm


@pytest.fixture(scope="module")
def faketime(unavailable: Callable[[str], NoReturn]) -> str:
    """Debian's libfaketime, for programs with threads."""
    for found in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"):
        return str(found)
    unavailable("there is no libfaketime on this machine (Debian's package of that name)")


def test_the_clock_jumps(sea: StormEngine, faketime: str, tmp_path: Path, seen: Seen) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0\n", encoding="ascii")
    names = sea.calm(*(f"clock{n}" for n in range(6)), seconds=2.0)
    matrix = matrix_of(names, limits={"timeout": "60s"})
    env = {
        "DOCKER_HOST": sea.address,
        "LD_PRELOAD": faketime,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a clock that is set anew leaves that one alone
        "FAKETIME_DONT_RESET": "1",
    }
    began = time.monotonic()
    with Run(tmp_path, matrix, *DOCKER, "--jobs", "2", env=env) as going:
        for n, jump in enumerate(("+1d", "-1d", "+0")):
            going.wait("cells to be going", lambda n=n: f"clock{2 * n}@host" in sea.running())  # type: ignore[misc]
            clock.write_text(f"{jump}\n", encoding="ascii")
        ended = going.finish(90)
    took = time.monotonic() - began
    assert ended.statuses() == dict.fromkeys(names, "pass"), ended.stderr
    totals = [cell["seconds"]["total"] for cell in ended.cells.values()]
    assert all(0 < total <= took for total in totals), totals
    assert not [each for each in sea.there() if each.cell.startswith("clock")]
    clock.write_text("+365d\n", encoding="ascii")
    since = time.time()
    ahead = run(tmp_path, matrix, *DOCKER, env=env)
    assert ahead.statuses() == dict.fromkeys(names, "pass"), ahead.stderr
    reused = sum(bool(cell["cached"]) for cell in ahead.cells.values())
    assert reused == len(names)
    clock.write_text("-365d\n", encoding="ascii")
    behind = run(tmp_path, matrix, *DOCKER, env=env)
    assert behind.statuses() == dict.fromkeys(names, "pass"), behind.stderr
    measured = len([cell for cell in sea.started(since) if cell.startswith("clock")])
    seen(
        "clock",
        f"6 pass with seconds between {min(totals):.1f} and {max(totals):.1f}; a year ahead {reused} of 6 are reused; "
        f"a year behind 6 pass; {measured} measured again in both",
    )
