"""An engine that is killed, stopped, started again or gone for good under the cells that it runs. It is one of the suite's own.

Whatever the engine does to a container, nothing is said of the image; whatever the image does itself, the engine is not blamed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from docker import DockerClient
from harness import wait_for
from second_engine import SecondEngine
from values import cell, cpu_environment, matrix

from validator.model import Cell, EngineInfo
from validator.runners import Prepared, RunContext, RunOutcome, RunRequest
from validator.runners.docker import runner as runners
from validator.runners.docker.runner import DockerRunner

pytestmark = pytest.mark.docker

#: In place of torch: takes its time to be imported, and then is not there.
SLOW = "import time\ntime.sleep({seconds})\nraise ImportError('no torch here')\n"


def ignored(event: Mapping[str, object]) -> None:
    pass


class Cells:
    """Cells of one engine, each in a thread of its own, through the docker runner."""

    def __init__(self, second: SecondEngine, folder: Path) -> None:
        self._second = second
        self._folder = folder
        self._threads = ThreadPoolExecutor(8)
        self.runner = DockerRunner(
            matrix(cpu_environment()), RunContext(f"r{time.time_ns()}", owner="host:1", engine=EngineInfo(address=second.address))
        )

    def image(self, name: str, torch: str) -> str:
        folder = self._folder / name
        (folder / "torch").mkdir(parents=True)
        (folder / "torch" / "__init__.py").write_text(torch, encoding="utf-8")
        (folder / "Dockerfile").write_text(
            "FROM validator-test/broken:labelled\nCOPY torch /opt/stub/torch\nENV PYTHONPATH=/opt/stub\n", encoding="utf-8"
        )
        with closing(self._second.client()) as client:
            return str(client.images.build(path=str(folder), rm=True)[0].id)

    def request(self, of: Cell, image: str, attempt: int = 1) -> RunRequest:
        return self.runner.request(of, Prepared(image), attempt=attempt)

    def begin(self, image: str, count: int) -> Callable[[], list[RunOutcome]]:
        """Run so many cells of an image at once; returned when all of their checks have begun."""
        begun = 0

        def on_event(event: Mapping[str, object]) -> None:
            nonlocal begun
            begun += event.get("event") == "check-start"

        requests = [self.request(cell(cpu_environment(f"e{number}")), image) for number in range(count)]
        futures = [self._threads.submit(self.runner.run, each, on_event) for each in requests]
        wait_for("the cells to begin", lambda: begun >= count or any(future.done() for future in futures))
        assert begun >= count, [future.result() for future in futures if future.done()]
        return lambda: [future.result(120) for future in futures]

    def left(self) -> list[str]:
        with closing(self._second.client()) as client:
            return [str(container.name) for container in client.containers.list(all=True)]

    def close(self) -> None:
        self._threads.shutdown()
        self.runner.close()


@pytest.fixture
def cells(second_engine: SecondEngine, engine: DockerClient, tmp_path: Path):  # type: ignore[no-untyped-def]
    cells = Cells(second_engine, tmp_path)
    yield cells
    cells.close()


def assert_the_engines_doing(outcome: RunOutcome) -> None:
    assert outcome.transient, outcome
    assert outcome.engine_problem, outcome
    assert not outcome.timed_out
    assert not outcome.stuck


def assert_whole(outcome: RunOutcome) -> None:
    assert (outcome.report.complete, outcome.exit_code, outcome.engine_problem) == (True, 0, None), outcome
    assert not outcome.transient


def test_cells_of_an_engine_that_is_killed_are_tried_again_and_then_whole(second_engine: SecondEngine, cells: Cells) -> None:
    image = cells.image("slow", SLOW.format(seconds=4))
    outcomes = cells.begin(image, 4)
    second_engine.kill()
    time.sleep(5)  # two of these seconds after the cells have ended, with nobody to hear them
    second_engine.start()
    for outcome in outcomes():
        assert_the_engines_doing(outcome)
        assert "the engine went away" in (outcome.engine_problem or "")
    assert cells.left() == []
    assert_whole(cells.runner.run(cells.request(cell(cpu_environment("e0")), image, attempt=2), ignored))


@pytest.mark.parametrize("second_engine", [True], indirect=True, ids=["live-restore"])
def test_cells_that_outlive_their_engine_are_whole(second_engine: SecondEngine, cells: Cells) -> None:
    outcomes = cells.begin(cells.image("slower", SLOW.format(seconds=12)), 4)
    second_engine.kill()
    time.sleep(5)
    second_engine.start()
    for outcome in outcomes():
        assert_whole(outcome)
    assert cells.left() == []


@pytest.mark.parametrize("second_engine", [True], indirect=True, ids=["live-restore"])
def test_cells_that_end_while_their_engine_is_away_are_tried_again(second_engine: SecondEngine, cells: Cells) -> None:
    outcomes = cells.begin(cells.image("slow", SLOW.format(seconds=2)), 2)
    second_engine.kill()
    time.sleep(4)
    second_engine.start()
    for outcome in outcomes():
        assert outcome.report.complete or outcome.transient, outcome
        assert not outcome.transient or outcome.engine_problem
    assert cells.left() == []


def test_cells_of_an_engine_that_is_shut_down_are_tried_again(second_engine: SecondEngine, cells: Cells) -> None:
    """It ends its containers first, and still answers for a moment then."""
    outcomes = cells.begin(cells.image("never", SLOW.format(seconds=60)), 2)
    second_engine.stop()
    second_engine.start()
    for outcome in outcomes():
        assert_the_engines_doing(outcome)
    assert cells.left() == []


def test_an_engine_that_is_gone_for_good_is_given_up(
    second_engine: SecondEngine, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "_RECONNECT_SECONDS", 2.0)
    outcomes = cells.begin(cells.image("never", SLOW.format(seconds=60)), 3)
    second_engine.kill()
    for outcome in outcomes():
        assert_the_engines_doing(outcome)
        assert "no longer answers" in (outcome.engine_problem or "")


def test_a_container_that_somebody_kills_is_no_verdict(second_engine: SecondEngine, cells: Cells) -> None:
    outcomes = cells.begin(cells.image("never", SLOW.format(seconds=60)), 1)
    with closing(second_engine.client()) as client:
        client.containers.get(cells.left()[0]).kill()
    [outcome] = outcomes()
    assert_the_engines_doing(outcome)
    assert "killed from outside" in (outcome.engine_problem or "")


def test_an_image_that_kills_itself_is_not_excused(cells: Cells) -> None:
    suicide = "import os, signal\nos.kill(os.getppid(), signal.SIGTERM)\nimport time\ntime.sleep(20)\n"
    outcome = cells.runner.run(cells.request(cell(), cells.image("suicide", suicide)), ignored)
    assert not outcome.report.complete
    assert (outcome.engine_problem, outcome.transient, outcome.timed_out) == (None, False, False)


def test_what_an_earlier_process_started_is_read_to_its_end(second_engine: SecondEngine, cells: Cells) -> None:
    """The container is found by its name; the first reader was killed, as by SIGKILL, and ended nothing."""
    request = cells.request(cell(), cells.image("slow", SLOW.format(seconds=3)))
    assert cells.runner.rejoin(request, ignored) is None
    with closing(second_engine.client()) as client:
        client.api.create_container_from_config(request.payload, request.name)
        client.api.start(request.name)
    events: list[object] = []
    outcome = cells.runner.rejoin(request, lambda event: events.append(event["event"]))
    assert outcome is not None
    assert_whole(outcome)
    assert events[0] == "start"
    assert events[-1] == "end"
    assert cells.left() == []
    assert cells.runner.rejoin(request, ignored) is None
