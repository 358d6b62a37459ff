"""Two GPUs that are only named: two runs want them, and a container on one of them cannot be ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disks import disk, freeze, thaw
from harness import wait_for
from named_gpus import named_gpus
from runs import Run, matrix_of
from storm_engine import Happening, StormEngine
from words import DOCKER, Seen

pytestmark = pytest.mark.storm



def most_at_once(happened: list[Happening], cells: set[str]) -> int:
    """How many containers of these cells ran at the same time, at most."""
    most = running = 0
    for each in sorted((each for each in happened if each.cell in cells), key=lambda each: each.when):
        running += {"start": 1, "die": -1}.get(each.action, 0)
        most = max(most, running)
    return most


def test_two_runs_and_the_holder_is_killed(sea: StormEngine, tmp_path: Path, seen: Seen) -> None:
    env = named_gpus(tmp_path / "nvml", "5a000000", 2, sea)
    first = sea.calm("first0", "first1", seconds=60)
    second = sea.calm("second0", "second1", seconds=0.5)
    with Run(tmp_path / "first", matrix_of(first, cuda="12.6"), *DOCKER, "--jobs", "4", env=env) as holder:
        holder.wait("the first run to have both GPUs", lambda: {"first0@host", "first1@host"} <= set(sea.running()))
        with Run(tmp_path / "second", matrix_of(second, cuda="12.6"), *DOCKER, "--jobs", "4", env=env) as waiting:
            time.sleep(6)
            assert waiting.going
            assert not [each for each in sea.there() if each.cell.startswith("second")], "it does not start while they are held"
            said = [line.strip() for line in waiting.said.splitlines() if "wait" in line]
            assert said, "it says what it waits for"
            holder.kill()
            killed = time.monotonic()
            ended = waiting.finish(90)
            took = time.monotonic() - killed
    assert ended.statuses() == dict.fromkeys(second, "pass"), ended.stderr
    gpus = {cell["ran_on"]["gpu_uuid"] for cell in ended.cells.values()}
    assert all(gpu.startswith("GPU-5a000000-") for gpu in gpus)
    most = most_at_once(sea.happened, {f"{name}@host" for name in (*first, *second)})
    assert most == 2, "never two containers at once for one GPU"
    seen(
        "two-runs",
        f"the second said: {said[0]}; {took:.0f} s after the kill it had 2 of 2 pass on {len(gpus)} GPUs; at most {most} "
        f"containers at once for the 2 GPUs",
    )


@pytest.fixture(scope="module")
def frozen(
    make_engine: Callable[..., StormEngine], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[StormEngine, Run, float]]:
    """A run with a container in uninterruptible sleep, and when it began."""
    folder = tmp_path_factory.mktemp("frozen")
    with disk(folder) as place:
        engine = make_engine(hook="idle", frozen=place)
        names = {"stuck": engine.image("stuck"), **engine.calm("behind0", "behind1", "behind2", seconds=0.5)}
        matrix = matrix_of(names, cuda="12.6", limits={"timeout": "5s"})
        freeze(place)
        try:
            with Run(folder, matrix, *DOCKER, "--jobs", "2", env=named_gpus(folder / "nvml", "5b000000", 2, engine)) as run:
                yield engine, run, time.monotonic()
        finally:
            thaw(place)
            wait_for("the stuck container's end", lambda: not engine.running())


@pytest.fixture(scope="module", autouse=True)
def _the_long_one_first(frozen: tuple[StormEngine, Run, float]) -> None:
    """Nobody waits for it until the last test."""


def test_a_container_that_cannot_be_ended(frozen: tuple[StormEngine, Run, float], seen: Seen) -> None:
    _, run, began = frozen
    ended = run.finish(180)
    took = time.monotonic() - began
    cells = ended.cells
    assert cells["stuck"]["status"] == "error", ended.statuses()
    assert "could not be ended" in cells["stuck"]["reason"]
    assert {cells[f"behind{n}"]["status"] for n in range(3)} == {"pass"}, ended.statuses()
    aside = cells["stuck"]["ran_on"]["gpu_uuid"]
    assert aside
    assert ended.code == 4, ended.stderr
    later = [name for name in cells if name != "stuck" and cells[name]["ran_on"]["gpu_uuid"] == aside]
    assert later == [], "its GPU is put aside"
    seen("stuck", f"exit 4 after {took:.0f} s; {cells['stuck']['reason']}; 3 of 3 behind it pass on the other GPU")
