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
NAMES = tuple(f"going{n}" for n in range(4))


@pytest.fixture(scope="module")
def mortal(make_engine: Callable[..., StormEngine]) -> StormEngine:
    """An engine that is killed and comes back."""
    return make_engine(hook="idle")


def going(engine: StormEngine, folder: Path, seconds: float, **more: str) -> Run:
    """A run with four cells, all of which are being measured."""
    names = engine.calm(*NAMES, seconds=seconds) | more
    env = named_gpus(folder / "nvml", "5c000000", 4, engine)  # four lanes, on however few processors
    started = Run(folder, matrix_of(names, cuda="12.6"), *DOCKER, env=env)
    try:
        started.wait("four containers", lambda: {f"{name}@host" for name in NAMES} <= set(engine.running()))
    except BaseException:
        started.__exit__()
        raise
    time.sleep(1.0)  # their probes have begun
    return started


def assert_all_pass(ended: Ended) -> list[int]:
    """How many attempts of each cell came to nothing."""
    assert ended.statuses() == dict.fromkeys(NAMES, "pass"), ended.stderr
    return [len(cell["attempts"]) for cell in ended.cells.values()]


def test_the_engine_comes_back_without_its_containers(mortal: StormEngine, tmp_path: Path, seen: Seen) -> None:
    with going(mortal, tmp_path, 8.0) as run:
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
    with going(mortal, tmp_path, 8.0) as run:
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
def gone(make_engine: Callable[..., StormEngine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, float]]:
    """A run whose engine was killed for good, and when that was; the others of this file take place beside it."""
    engine = make_engine(hook="idle")
    later = engine.calm("later1", "later2")
    with going(engine, tmp_path_factory.mktemp("gone"), 20.0, **later) as run:
        engine.kill()
        yield run, time.monotonic()


@pytest.fixture(scope="module", autouse=True)
def _the_long_one_first(gone: tuple[Run, float]) -> None:
    """Nobody waits for it until the last test."""


def test_the_engine_is_gone_for_good(gone: tuple[Run, float], seen: Seen) -> None:
    run, killed = gone
    ended = run.finish(180)
    took = time.monotonic() - killed
    assert ended.code == 4, ended.stderr
    cells = ended.cells
    assert all(cells[name]["status"] == "error" for name in NAMES), ended.statuses()
    assert all("engine" in cells[name]["reason"] for name in NAMES)
    assert all(cells[name]["status"] in ("skip", "error") and "engine" in cells[name]["reason"] for name in ("later1", "later2"))
    seen(
        "engine-gone",
        f"exit 4 within {took:.0f} s; of the 4: {cells[NAMES[0]]['reason']}; "
        f"of the others: {cells['later1']['status']}, {cells['later1']['reason']}",
    )
