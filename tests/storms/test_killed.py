"""Runs that are killed: at random moments, at every transition, together with their reaper, and by signals they may answer."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import wait_for
from runs import Ended, Run, matrix_of, recorded, run
from storm_engine import StormEngine
from storms import GONE_SECONDS, MOMENTS, SEED, TRANSITIONS
from words import DOCKER, Seen

pytestmark = pytest.mark.storm

#: What a cell has once it was found out.
FINISHED = ("pass", "degraded", "fail")


def env(engine: StormEngine) -> dict[str, str]:
    return {"DOCKER_HOST": engine.address}


@dataclass(frozen=True)
class TakenUp:
    """What came of taking a killed run up again."""

    before: Mapping[str, str]
    """What the history had before: environment → status."""
    ended: Ended
    again: int
    """How many cells were measured again though they were finished."""
    gone_seconds: float
    """How long after the kill the last container was there, at most."""

    @property
    def finished(self) -> int:
        return sum(status in FINISHED for status in self.before.values())


def take_up(engine: StormEngine, folder: Path, names: Mapping[str, str], *, killed: float, at_once: bool) -> TakenUp:
    """Resume a killed run: at once, or after its reaper has done its work."""
    cells = {f"{name}@host" for name in names}

    def gone() -> bool:
        return not any(each.cell in cells for each in engine.there())

    if not at_once:
        wait_for("the reaper to remove what the run has left", gone, GONE_SECONDS)
    reaped = time.time() - killed
    before = recorded(folder / "out")
    began = time.time()
    options = ("--resume",) if before else ()  # killed before it had written down that it exists: there is nothing to take up
    ended = run(folder, matrix_of(names), *DOCKER, "--jobs", "2", *options, env=env(engine))
    if ended.code == 5 and set(before.values()) == {"pass"}:  # it had been through, but for showing it
        ended = run(folder, matrix_of(names), *DOCKER, "--jobs", "2", env=env(engine))
    again = [cell for cell in engine.started(began) if before.get(cell.removesuffix("@host")) in FINISHED]
    assert ended.code == 0, ended.stderr
    assert ended.statuses() == dict.fromkeys(names, "pass")
    wait_for("every container to be gone", gone, GONE_SECONDS)
    return TakenUp(before, ended, len(again), time.time() - killed if at_once else reaped)


def test_killed_at_random_moments(sea: StormEngine, tmp_path: Path, seen: Seen) -> None:
    number = random.Random(SEED)  # noqa: S311 - the same moments every time
    began = time.monotonic()
    names = sea.calm(*(f"whole{n}" for n in range(4)), seconds=1.0)
    whole = run(tmp_path / "whole", matrix_of(names), *DOCKER, "--jobs", "2", env=env(sea))
    length = time.monotonic() - began
    assert set(whole.statuses().values()) == {"pass"}, whole.stderr
    moments = [number.uniform(0.1, length) for _ in range(MOMENTS)]

    def storm(at: int) -> TakenUp:
        folder, names = tmp_path / f"moment{at}", sea.calm(*(f"m{at}n{n}" for n in range(4)), seconds=1.0)
        with Run(folder, matrix_of(names), *DOCKER, "--jobs", "2", env=env(sea)) as going:
            time.sleep(moments[at])
            going.kill()
            return take_up(sea, folder, names, killed=time.time(), at_once=at % 2 == 0)

    with Run(tmp_path / "other", matrix_of({"other": sea.image("calm", 600)}), *DOCKER, env=env(sea)) as other:
        bystanders = other.wait(
            "the other run's container", lambda: [each.id for each in sea.there() if each.cell == "other@host"]
        )
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(storm, range(MOMENTS)))
        assert other.going, "a run that nobody touched goes on"
        running = [each.id for each in sea.there() if each.cell == "other@host" and each.state == "running"]
        assert running == bystanders, "and so does its container"
        other.signal(signal.SIGTERM)
        other.signal(signal.SIGTERM)
        other.finish(60)
    assert sum(each.again for each in found) == 0
    cells, finished = 4 * MOMENTS, sum(each.finished for each in found)
    seen(
        "moments",
        f"killed after {min(moments):.1f} to {max(moments):.1f} s of {length:.1f}; of {cells} cells {finished} were finished "
        f"by then, 0 of them were measured again, {cells} have one result (pass); the last container was gone "
        f"after {max(each.gone_seconds for each in found):.1f} s at most; the other run's container is the same and runs",
    )


@dataclass(frozen=True)
class AtTransition:
    """A run of two cells, one after the other, that died around a transition of the second and was taken up at once."""

    died: Ended
    came: TakenUp


def at_transition(engine: StormEngine, folder: Path, transition: str, when: str) -> AtTransition:
    names = engine.calm(*(f"{transition}-{when}-{n}" for n in range(2)), seconds=0.2)
    die = (transition, when, f"{transition}-{when}-1")
    with Run(folder, matrix_of(names), *DOCKER, "--jobs", "1", env=env(engine), die=die) as going:
        died = going.finish(60)
        assert died.code == -signal.SIGKILL, f"it never came to that:\n{died.stderr}"
        return AtTransition(died, take_up(engine, folder, names, killed=time.time(), at_once=True))


#: By transition and when.
Deaths = dict[tuple[str, str], Future[AtTransition]]


@pytest.fixture(scope="module")
def transitions(sea: StormEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deaths]:
    """All of them, two at a time: what takes time in them is waiting."""
    sea.calm("one", "other", seconds=0.2)  # made now, not by two threads
    folder = tmp_path_factory.mktemp("transitions")
    with ThreadPoolExecutor(2) as pool:
        yield {
            (name, when): pool.submit(at_transition, sea, folder / f"{name}-{when}", name, when)
            for name in TRANSITIONS
            for when in ("before", "after")
        }


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("transition", list(TRANSITIONS))
def test_killed_at_a_transition(transition: str, when: str, transitions: Deaths, seen: Seen) -> None:
    found = transitions[transition, when].result()
    came = found.came
    assert came.again == 0
    assert came.finished >= 1
    attempts = [len(cell.get("attempts") or ()) for cell in came.ended.cells.values()]
    seen(
        f"{when}-{transition}",
        f"{came.finished} of 2 cells were finished; 2 of 2 pass after `--resume`, {came.again} measured again "
        f"(attempts noted: {', '.join(map(str, attempts))}); no container {came.gone_seconds:.1f} s after the kill",
    )


def test_killed_with_its_reaper(sea: StormEngine, tmp_path: Path, seen: Seen) -> None:
    names = sea.calm("reaper1", "reaper2", seconds=60)
    cells = {f"{name}@host" for name in names}
    with Run(tmp_path / "killed", matrix_of(names), *DOCKER, "--jobs", "2", env=env(sea)) as going:
        going.wait("both containers", lambda: cells <= set(sea.running()))
        beside = len(going.processes()) - 1
        going.kill(reaper=True)
        assert going.processes() == []
    time.sleep(3)
    left = [each for each in sea.there() if each.cell in cells]
    assert len(left) == 2, "who should have removed them?"
    quick = sea.calm("after1", "after2")
    ended = run(tmp_path / "next", matrix_of(quick), *DOCKER, env=env(sea))
    assert ended.statuses() == dict.fromkeys(quick, "pass"), ended.stderr
    wait_for("the next run to have removed them", lambda: not [each for each in sea.there() if each in left], GONE_SECONDS)
    seen("run-and-reaper", f"{beside} helping processes killed too; 2 containers stayed, the next run removed both and passed")


def test_told_to_end_twice(sea: StormEngine, tmp_path: Path, seen: Seen) -> None:
    names = {"quick": sea.image(), **sea.calm("slow1", "slow2", seconds=60)}
    with Run(tmp_path, matrix_of(names), *DOCKER, "--jobs", "2", env=env(sea)) as going:
        going.wait("both slow ones", lambda: {"slow1@host", "slow2@host"} <= set(sea.running()))
        began = time.monotonic()
        going.signal(signal.SIGTERM)
        time.sleep(0.3)
        going.signal(signal.SIGTERM)
        ended = going.finish(60)
        took = time.monotonic() - began
    assert ended.code == 143, ended.stderr
    assert not [each for each in sea.there() if each.cell.removesuffix("@host") in names]
    statuses = ended.statuses()
    assert statuses["quick"] == "pass"
    assert {statuses["slow1"], statuses["slow2"]} == {"skip"}
    assert took < 15, "at once, but for the time that an engine takes to remove two containers"
    seen("signal-twice", f"exit 143 after {took:.1f} s, no container left; {statuses}")
