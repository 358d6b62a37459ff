"""Ctrl-C and SIGTERM while the engine is at work: nothing is left in it, and what finished is in the report."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from harness import SUITE_LABEL, Finished, Started, containers, image, wait_for

from validator.runners import labels

pytestmark = [
    pytest.mark.docker,
    pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name),
]


def assert_interrupted(finished: Finished, number: signal.Signals, during: str, after: str) -> None:
    assert finished.code == (143 if number is signal.SIGTERM else 130), finished.stderr
    assert finished.results["run"]["interrupted"] is True
    assert finished.cell("finished")["status"] == "fail", "what finished before is in the report"
    assert finished.cell(during)["status"] == "skip"
    assert "interrupted" in finished.cell(during)["reason"]
    assert finished.cell(after)["status"] == "skip"
    assert (finished.out / "latest" / "report.md").is_file()
    assert "finished" in finished.stdout, "the table is printed, too"


def test_during_a_probe(
    tmp_path: Path, make_image: Callable[..., str], engine: docker.DockerClient, number: signal.Signals
) -> None:
    no_python = make_image("no-python")
    matrix = {
        "environments": [
            image("finished", no_python),
            image("hangs", make_image("torch-hangs")),
            image("after", make_image("never-ends")),
        ],
        "pull": "never",
    }
    # One at a time, so that they run in this order.
    with Started(tmp_path, matrix, "--runner", "docker", "--jobs", "1") as started:
        wait_for("the probe's container", lambda: probing(engine, started))
        finished = started.send(number)
        assert containers(engine, f"{labels.OWNER}={started.owner}") == []
    assert_interrupted(finished, number, "hangs", "after")


def probing(engine: docker.DockerClient, started: Started) -> bool:
    """Whether the probe hangs in its container."""
    assert started.running
    found = containers(engine, f"{labels.OWNER}={started.owner}")
    return any(c.labels[labels.CELL] == "hangs@host" and c.status == "running" for c in found)


def test_a_second_signal_ends_at_once_what_the_first_left_some_time(
    tmp_path: Path, make_image: Callable[..., str], engine: docker.DockerClient, number: signal.Signals
) -> None:
    matrix = {"environments": [image("hangs", make_image("torch-hangs"))], "pull": "never"}
    with Started(tmp_path, matrix, "--runner", "docker") as started:
        wait_for("the probe's container", lambda: probing(engine, started))
        started.signal(number)
        wait_for("it to be said", lambda: "to end; " in started.stderr)
        [running] = containers(engine, f"{labels.OWNER}={started.owner}")
        assert running.status == "running", "it has some time"
        finished = started.send(number)
        assert containers(engine, f"{labels.OWNER}={started.owner}") == []
    assert "again: what runs is ended at once; left: " in finished.stderr
    assert finished.code == (143 if number is signal.SIGTERM else 130)
    assert finished.cell("hangs")["status"] == "skip"


def test_during_a_build(
    tmp_path: Path, make_image: Callable[..., str], base_image: str, engine: docker.DockerClient, number: signal.Signals
) -> None:
    slow: dict[str, Any] = {
        "build": str(Path(__file__).parents[1] / "images" / "slow-build"),
        "name": "slow-build",
        "torch": "2.13.0",
        "cuda": "cpu",
        "args": {"BASE_IMAGE": base_image},
    }
    matrix = {
        "environments": [image("finished", make_image("no-python")), slow, image("after", make_image("never-ends"))],
        "pull": "never",
    }

    def building() -> list[Container]:
        return [c for c in containers(engine, SUITE_LABEL) if "sleep 3601" in " ".join(c.attrs["Config"]["Cmd"] or ())]

    with Started(tmp_path, matrix, "--runner", "docker") as started:

        def build_runs() -> bool:
            assert started.running
            return any(container.status == "running" for container in building())

        wait_for("the build's container", build_runs)
        finished = started.send(number)
    # The engine cancels a build once nobody listens to it, a moment after the connection is gone.
    wait_for("the engine to cancel the build", lambda: not building(), 30)
    assert_interrupted(finished, number, "slow-build", "after")
