"""What a training container is used for, in real containers: workers and their shared memory, collectives without a network,
compilers that are there or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import Finished, image, run

pytestmark = [pytest.mark.docker, pytest.mark.heavy]
NAME = "torch2.13.0-cpu"


@pytest.mark.parametrize("name", ["versions", "kernels", "sdpa", "fork", "dataloader", "gloo", "jit"])
def test_what_a_cpu_can_show_passes_in_a_container_without_network_or_capabilities(cpu_run: Finished, name: str) -> None:
    found = cpu_run.check(NAME, name)
    assert found["status"] == "pass", found["message"] + found["output"]


def test_an_image_without_a_compiler_is_degraded_and_says_what_torch_compile_lacks(cpu_run: Finished) -> None:
    found = cpu_run.check(NAME, "compile")
    assert (found["status"], found["metrics"]["cause"]) == ("fail", "gcc_or_triton_missing")
    assert "C++ compiler" in found["message"]
    assert cpu_run.cell(NAME)["status"] == "degraded"


def test_a_docker_defaults_shared_memory_is_too_small_for_workers_and_named(tmp_path: Path, torch_image: str) -> None:
    matrix = {"environments": [image("small", torch_image)], "limits": {"shm": "64m"}, "pull": "never"}
    finished = run(tmp_path, matrix, "--runner", "docker")
    found = finished.check("small", "dataloader")
    assert (found["status"], found["metrics"]["cause"]) == ("fail", "shm_too_small"), found["message"] + found["output"]
    assert found["metrics"]["shm_bytes"] == 64 << 20
    # It costs this check only.
    assert finished.check("small", "gloo")["status"] == "pass"
    assert finished.cell("small")["status"] == "degraded"
