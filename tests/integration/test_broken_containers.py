"""Containers that cannot answer: what is said of them, and that nothing of them stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from harness import containers_of, image, run

pytestmark = pytest.mark.docker
MakeImage = Callable[..., str]


def test_an_image_without_python_fails_and_says_so(
    tmp_path: Path, make_image: MakeImage, engine: docker.DockerClient
) -> None:
    matrix = {"environments": [image("no-python", make_image("no-python"))], "pull": "never"}
    finished = run(tmp_path, matrix, "--runner", "docker")
    assert finished.code == 1
    cell = finished.cell("no-python")
    assert (cell["status"], cell["basis"]) == ("fail", "measured")
    assert "no python3 to run" in cell["reason"]
    assert containers_of(engine, finished) == []


def test_an_image_without_torch_fails_and_says_so(tmp_path: Path, base_image: str) -> None:
    finished = run(tmp_path, {"environments": [image("no-torch", base_image)], "pull": "never"}, "--runner", "docker")
    assert finished.code == 1
    assert finished.cell("no-torch")["status"] == "fail"
    assert "torch" in finished.cell("no-torch")["reason"]
    assert finished.check("no-torch", "train_fp32")["status"] == "skip"


def test_a_failure_that_the_matrix_expects_does_not_fail_the_run(tmp_path: Path, base_image: str) -> None:
    matrix = {"environments": [image("no-torch", base_image)], "pull": "never", "expect": {"no-torch@host": "fail"}}
    assert run(tmp_path, matrix, "--runner", "docker").code == 0


def test_an_entrypoint_that_swallows_the_command_is_an_error_with_the_way_round_it(
    tmp_path: Path, make_image: MakeImage
) -> None:
    reference = make_image("swallows-command")
    finished = run(
        tmp_path / "image", {"environments": [image("server", reference)], "pull": "never"}, "--runner", "docker"
    )
    assert finished.code == 4
    cell = finished.cell("server")
    assert (cell["status"], cell["basis"]) == ("error", None)
    assert "`entrypoint: none`" in cell["reason"]
    assert "ready to serve" in cell["log_tail"]

    environment = image("server", reference, entrypoint="none")
    finished = run(tmp_path / "none", {"environments": [environment], "pull": "never"}, "--runner", "docker")
    # The probe now answers, and finds that there is no torch.
    assert finished.cell("server")["status"] == "fail"
    assert finished.check("server", "import")["status"] == "fail"


def test_a_deadline_ends_a_probe_that_hangs_and_a_container_that_cannot_answer(
    tmp_path: Path, make_image: MakeImage, engine: docker.DockerClient
) -> None:
    matrix = {
        "environments": [
            image("hangs", make_image("torch-hangs")),
            image("never-ends", make_image("never-ends")),
        ],
        "pull": "never",
        "limits": {"timeout": "5s"},  # the check must have begun by then, on a busy machine, too
    }
    finished = run(tmp_path, matrix, "--runner", "docker")
    assert finished.code == 4
    for name in ("hangs", "never-ends"):
        assert finished.cell(name)["status"] == "error", "out of time is not a fact about the combination"
        assert "limits.timeout" in finished.cell(name)["reason"]
    assert "import" in finished.cell("hangs")["reason"], "the check that was running is named"
    assert containers_of(engine, finished) == []


def test_keep_leaves_the_container_and_clean_finds_it(
    tmp_path: Path, base_image: str, engine: docker.DockerClient
) -> None:
    finished = run(
        tmp_path, {"environments": [image("kept", base_image)], "pull": "never"}, "--runner", "docker", "--keep"
    )
    [container] = containers_of(engine, finished)
    try:
        assert container.status == "exited"
        assert container.attrs["HostConfig"]["NetworkMode"] == "none"
        assert container.attrs["HostConfig"]["ReadonlyRootfs"]
        listed = subprocess.run(
            [sys.executable, "-m", "validator", "clean", "--containers"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert str(container.name) in listed.stdout
        assert containers_of(engine, finished), "without --yes nothing is removed"
    finally:
        container.remove(force=True, v=True)
