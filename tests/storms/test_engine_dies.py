"""The engine is killed with four cells going: it comes back without them, with them, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from named_gpus import named_gpus
from runs import Ended, Run, matrix_of
from storm_engine import StormEngine
from words import DOCKER, Seen

pytestmark = pytest.mark.storm

#: Seconds for which the engine is away.
AWAY_SECONDS = 5.0
#: A run whose engine is gone, those of its cells that were measured then, and when that was.
Gone = tuple[Run, set[str], float]
NAMES = tuple(f"going{n}" for n in range(4))


@pytest.fixture(scope="module")
def mortal(make_engine: Callable[..., StormEngine]) -> StormEngine:
    """An engine that is killed and comes back."""
    return make_engine(hook="idle")


def going(engine: StormEngine, folder: Path, seconds: float, *more: str) -> tuple[Run, set[str]]:
    """A run, and the four of its cells that are being measured."""
    names = engine.calm(*NAMES, *more, seconds=seconds)
    env = named_gpus(folder / "nvml", len(NAMES), engine)  # four lanes, on however few processors
    started = Run(folder, matrix_of(names, cuda="12.6"), *DOCKER, env=env)
    try:
        found = started.wait("four containers", lambda: (now := set(engine.running())) and len(now) == len(NAMES) and now)
    except BaseException:
        started.__exit__()
        raise
    time.sleep(1.0)  # their probes have begun
    return started, {cell.removesuffix("@host") for cell in found}


def assert_all_pass(ended: Ended) -> list[int]:
    """How many attempts of each cell came to nothing."""
    assert ended.statuses() == dict.fromkeys(NAMES, "pass"), ended.stderr
    return [len(cell["attempts"]) for cell in ended.cells.values()]


def test_the_engine_comes_back_without_its_containers(mortal: StormEngine, tmp_path: Path, seen: Seen) -> None:
    with going(mortal, tmp_path, 8.0)[0] as run:
        mortal.kill()
        killed = time.monotonic()
        time.sleep(AWAY_SECONDS)
        mortal.restart()
        ended = run.finish(120)
        took = time.monotonic() - killed
    attempts = assert_all_pass(ended)
    assert all(number == 1 for number in attempts), "every one was ended by the engine's restart"
    lost = "; ".join(sorted({attempt["problem"] for cell in ended.cells.values() for attempt in cell["attempts"][:1]}))
    assert mortal.there() == []
    seen("engine-back", f"4 pass, each at its second attempt, {took:.0f} s after the kill; the first: {lost}")


def test_the_engine_comes_back_with_its_containers(mortal: StormEngine, tmp_path: Path, seen: Seen) -> None:
    if "--live-restore" not in mortal.options:
        mortal.kill()
        mortal.restart("--live-restore")
    with going(mortal, tmp_path, 8.0)[0] as run:
        mortal.kill()
        killed = time.monotonic()
        time.sleep(AWAY_SECONDS)
        mortal.restart("--live-restore")
        ended = run.finish(120)
        took = time.monotonic() - killed
    attempts = assert_all_pass(ended)
    assert mortal.there() == []
    seen("engine-back-live", f"4 pass {took:.0f} s after the kill, after {', '.join(map(str, attempts))} lost attempts")


@pytest.fixture(scope="module")
def gone(make_engine: Callable[..., StormEngine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gone]:
    """A run whose engine was killed for good, and when that was; the others of this file take place beside it."""
    engine = make_engine(hook="idle")
    started, cells = going(engine, tmp_path_factory.mktemp("gone"), 20.0, "more1", "more2")
    with started as run:
        engine.kill()
        yield run, cells, time.monotonic()


@pytest.fixture(scope="module", autouse=True)
def _the_long_one_first(gone: Gone) -> None:
    """Nobody waits for it until the last test."""


def test_the_engine_is_gone_for_good(gone: Gone, seen: Seen) -> None:
    run, measured, killed = gone
    ended = run.finish(180)
    took = time.monotonic() - killed
    assert ended.code == 4, ended.stderr
    cells = ended.cells
    assert {name for name in cells if cells[name]["status"] == "error"} >= measured, ended.statuses()
    assert {cells[name]["status"] for name in cells} <= {"error", "skip"}, ended.statuses()
    assert all("engine" in cell["reason"] for cell in cells.values()), [cell["reason"] for cell in cells.values()]
    [first, *_], [other, *_] = sorted(measured), sorted(cells.keys() - measured)
    seen(
        "engine-gone",
        f"exit 4 within {took:.0f} s; of the 4: {cells[first]['reason']}; "
        f"of the others: {cells[other]['status']}, {cells[other]['reason']}",
    )
