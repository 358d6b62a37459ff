"""Runs that are killed, and what is found and removed of them: by their reaper, by the next run, by ``validator clean``.

A run of somebody else goes on beside, and loses nothing.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from harness import SUITE_LABEL, Started, containers, image, wait_for
from second_engine import SecondEngine

from validator.run.claim import claimed
from validator.runners import labels

pytestmark = pytest.mark.docker

#: The promise of the reaper.
GONE_SECONDS = 30


def of(engine: docker.DockerClient, started: Started) -> list[Container]:
    return containers(engine, f"{labels.OWNER}={started.owner}")


def running(engine: docker.DockerClient, started: Started) -> list[Container]:
    assert started.running
    return [each for each in of(engine, started) if each.status == "running"]


def reaper_of(engine: docker.DockerClient, started: Started) -> int:
    """The process of a run's reaper."""
    run = of(engine, started)[0].labels[labels.RUN]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"waiting.py\0{started.pid}\0" in (text := (folder / "cmdline").read_text(encoding="utf-8")) and run in text:
                return int(folder.name)
        except OSError:
            continue
    raise AssertionError(f"run {run} has no reaper")


def lives(pid: int) -> bool:
    """Whether a process goes on; one that nobody has noticed the end of does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False


def kill_with_reaper(engine: docker.DockerClient, started: Started) -> list[str]:
    """SIGKILL of a run and its reaper; the names of the containers that are left."""
    os.kill(reaper_of(engine, started), signal.SIGKILL)
    started.kill()
    left = [str(each.name) for each in of(engine, started)]
    assert left
    return left


def clean(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "validator", "clean", *options]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a command said, which must have ended well."""
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return stdout, stderr


@pytest.fixture
def hangs(make_image: Callable[..., str], tmp_path: Path) -> Callable[..., Started]:
    """Starts a run of one cell that hangs."""
    reference = make_image("torch-hangs")

    def start(name: str, *options: str, on: str | None = None) -> Started:
        (tmp_path / name).mkdir()
        matrix = {"environments": [image("hangs", reference)], "pull": "never"}
        return Started(tmp_path / name, matrix, "--runner", "docker", *options, env={"DOCKER_HOST": on} if on else None)

    return start


@pytest.fixture
def beside(hangs: Callable[..., Started], engine: docker.DockerClient) -> Iterator[Started]:
    """A run of somebody else, which goes on and keeps its container."""
    with hangs("beside") as other:
        [before] = wait_for("the other run's container", lambda: running(engine, other))
        yield other
        assert [each.id for each in running(engine, other)] == [before.id]


def test_a_killed_run_leaves_nothing(
    hangs: Callable[..., Started], beside: Started, engine: docker.DockerClient
) -> None:
    with hangs("killed") as started:
        [left] = wait_for("its container", lambda: running(engine, started))
        reaper = reaper_of(engine, started)
        started.kill()
        wait_for("the reaper to remove it", lambda: not of(engine, started), GONE_SECONDS)
        wait_for("the reaper to end", lambda: not claimed(left.labels[labels.RUN]) and not lives(reaper), GONE_SECONDS)


def test_a_run_that_ends_leaves_no_reaper(hangs: Callable[..., Started], engine: docker.DockerClient) -> None:
    with hangs("interrupted") as started:
        wait_for("its container", lambda: running(engine, started))
        reaper = reaper_of(engine, started)
        assert started.send(signal.SIGTERM).code == 143
        assert of(engine, started) == []
        assert not lives(reaper)


def test_the_next_run_sweeps_up_what_a_run_left_that_was_killed_with_its_reaper(
    hangs: Callable[..., Started], beside: Started, engine: docker.DockerClient
) -> None:
    with hangs("killed") as started:
        wait_for("its container", lambda: running(engine, started))
        left = kill_with_reaper(engine, started)
        with hangs("next") as following:
            wait_for("the next run's container", lambda: running(engine, following))
            assert of(engine, started) == []
            said = following.send(signal.SIGTERM).stderr
        for name in left:
            assert re.search(f"removed what runs that died had left: .*{re.escape(name)}", said)


def test_two_cleans_at_once_remove_what_is_dead_and_nothing_else(
    hangs: Callable[..., Started], beside: Started, engine: docker.DockerClient
) -> None:
    with hangs("killed") as first, hangs("killed too") as second:
        for started in (first, second):
            wait_for("its container", lambda started=started: running(engine, started))
        left = {name for started in (first, second) for name in kill_with_reaper(engine, started)}
        both = [ended(process) for process in [clean("--yes"), clean("--yes")]]
        assert of(engine, first) == of(engine, second) == []
        removed = [line.split()[2] for stdout, _ in both for line in stdout.splitlines() if line.startswith("removed")]
        assert left <= set(removed)
        [other] = of(engine, beside)
        for _, stderr in both:
            assert f"left alone, its run is still going: container {other.name} (Up" in stderr
            assert "not removed" not in stderr


def test_what_a_person_keeps_is_stopped_when_its_run_is_killed_and_stays_until_it_is_cleaned(
    hangs: Callable[..., Started], engine: docker.DockerClient
) -> None:
    with hangs("kept", "--keep") as started:
        [kept] = wait_for("its container", lambda: running(engine, started))
        started.kill()
        wait_for("the reaper to stop it", lambda: [each.status for each in of(engine, started)] == ["exited"], GONE_SECONDS)
        wait_for("the reaper to end", lambda: not claimed(kept.labels[labels.RUN]), GONE_SECONDS)
        with hangs("next") as following:
            wait_for("the next run's container", lambda: running(engine, following))
        assert [each.name for each in of(engine, started)] == [kept.name]
        stdout, _ = ended(clean("--yes"))
        assert f"removed container {kept.name} (Exited" in stdout
        assert of(engine, started) == []


@pytest.fixture
def make(engine: docker.DockerClient, base_image: str) -> Iterator[Callable[[str], Container]]:
    """Makes a container, not started, that belongs to an owner."""
    made: list[Container] = []

    def make(owner: str) -> Container:
        key, _, value = SUITE_LABEL.partition("=")
        marks = {labels.RUN: "run-of-nobody", labels.OWNER: owner, key: value}
        made.append(engine.containers.create(base_image, ["sleep", "3600"], labels=marks))
        return made[-1]

    yield make
    for each in made:
        with_id = engine.containers.list(all=True, filters={"id": each.id})
        for container in with_id:
            container.remove(force=True)


def test_what_a_living_run_has_made_and_not_started_yet_is_left_alone(
    make: Callable[[str], Container], engine: docker.DockerClient
) -> None:
    living = make(labels.owner())
    host, pid, start, *more = labels.owner().split(":")
    given_again = make(":".join([host, pid, str(int(start) - 1), *more]))
    listed, said = ended(clean())
    assert f"would remove container {given_again.name} (Created)" in listed
    assert f"left alone, its run is still going: container {living.name} (Created)" in said
    ended(clean("--yes"))
    there = {each.id for each in engine.containers.list(all=True)}
    assert living.id in there
    assert given_again.id not in there, "its owner's number is that of another process by now"


# ---------------------------------------------------------------- an engine in trouble


@pytest.fixture
def second(
    second_engine: SecondEngine, engine: docker.DockerClient, make_image: Callable[..., str]
) -> Iterator[docker.DockerClient]:
    """A client of an engine that may be killed and frozen, which has the image that hangs."""
    second_engine.load(engine, make_image("torch-hangs"))
    with closing(second_engine.client()) as client:
        yield client


def test_an_engine_that_is_killed_with_the_run_is_waited_for(
    hangs: Callable[..., Started], second_engine: SecondEngine, second: docker.DockerClient
) -> None:
    with hangs("killed", on=second_engine.address) as started:
        [left] = wait_for("its container", lambda: running(second, started))
        second_engine.kill()
        started.kill()
        time.sleep(5)
        assert claimed(left.labels[labels.RUN]), "its reaper waits"
        second_engine.start()
        wait_for("the reaper to remove it", lambda: not of(second, started), GONE_SECONDS)


def test_ctrl_c_twice_ends_a_run_whose_engine_removes_nothing_and_its_reaper_goes_on(
    hangs: Callable[..., Started], second_engine: SecondEngine, second: docker.DockerClient
) -> None:
    with hangs("frozen", on=second_engine.address) as started:
        [left] = wait_for("its container", lambda: running(second, started))
        second_engine.freeze()
        try:
            started.signal(signal.SIGINT)
            wait_for("it to be said", lambda: "to end; " in started.stderr)
            finished = started.send(signal.SIGINT)
        finally:
            second_engine.thaw()
        assert finished.code == 130
        assert f"still there: {left.name}; " in finished.stderr
        assert finished.cell("hangs")["status"] == "skip"
        wait_for("the reaper to remove it", lambda: not of(second, started), GONE_SECONDS)
