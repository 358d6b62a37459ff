"""Environments built through the product on a real engine, and measured or opened there."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from harness import Finished, Started, containers_of, run

from validator.catalogue import checks
from validator.model import Level

pytestmark = [pytest.mark.docker, pytest.mark.heavy]
BuildEntry = Callable[..., dict[str, Any]]


def plain_run(engine: docker.DockerClient, image: str, code: str) -> Any:
    """What Python code prints in an image, with the validator nowhere near it, as the literal it is."""
    output = engine.containers.run(image, ["python3", "-c", code], remove=True, network_mode="none")
    return ast.literal_eval(output.decode())


def test_a_cpu_build_passes_with_both_kinds_of_mixed_precision(cpu_run: Finished, engine: docker.DockerClient) -> None:
    cell = cpu_run.cell("torch2.13.0-cpu")
    assert cell["basis"] == "measured"
    # The image has no compiler, which torch.compile needs; and a CPU without bfloat16 units gains nothing from AMP.
    assert cell["status"] == "degraded"
    assert cell["reason"].startswith(("amp_benefit: ", "compile: ")), cell["reason"]
    assert cpu_run.code == 0
    assert cell["content"]["torch"].startswith("2.13.0")
    assert cell["content"]["cuda"] is None
    statuses = {check["name"]: check["status"] for check in cell["checks"]}
    assert {name for name, level in checks.levels({}).items() if level is Level.REQUIRED} - {"model"} <= {
        name for name, status in statuses.items() if status == "pass"
    }
    assert {name for name, status in statuses.items() if status == "fail"} == {"compile"}
    assert "needs a C++ compiler" in cpu_run.check("torch2.13.0-cpu", "compile")["message"]
    assert "float16" in cpu_run.check("torch2.13.0-cpu", "train_amp_fp16")["metrics"]["activation_dtypes"]
    assert "bfloat16" in cpu_run.check("torch2.13.0-cpu", "train_amp_bf16")["metrics"]["activation_dtypes"]
    assert "torch2.13.0-cpu" in cpu_run.stdout
    assert containers_of(engine, cpu_run) == []


def test_nothing_of_the_build_but_the_environment_stays_in_the_image(
    cpu_run: Finished, torch_image: str, engine: docker.DockerClient
) -> None:
    command = ["find", "/", "-xdev", "-name", "*.whl", "-not", "-path", "/usr/share/python-wheels/*", "-o", "-name", "pip.conf"]
    # Debian's own ensurepip wheels aside
    assert engine.containers.run(torch_image, command, remove=True, network_mode="none") == b""


def test_an_absent_image_is_an_error_in_the_engines_words_and_harms_no_other_cell(
    tmp_path: Path, cpu_run: Finished, build_entry: BuildEntry, registry: Any
) -> None:
    absent = registry.reference("no/such-image:1")
    matrix = {
        "environments": [{"image": absent, "name": "absent", "cuda": "cpu"}, build_entry("2.13.0", "cpu")],
        "build": {"network": "host"},
    }
    finished = run(tmp_path, matrix, "--runner", "docker")
    assert finished.code == 4
    cell = finished.cell("absent")
    assert (cell["status"], cell["basis"]) == ("error", None)
    assert absent in cell["reason"]
    assert "manifest unknown" in cell["reason"]
    built = finished.cell("torch2.13.0-cpu")
    assert built["status"] == cpu_run.cell("torch2.13.0-cpu")["status"]
    # The same image, not another build of it: what was built before is found by its content.
    assert built["environment"]["digest"] == cpu_run.cell("torch2.13.0-cpu")["environment"]["digest"]


def test_a_real_torch_that_lost_a_library_fails_and_the_library_is_named(
    tmp_path: Path, make_image: Callable[..., str], torch_image: str
) -> None:
    image = make_image("torch-missing-library", torch_image)
    matrix = {"environments": [{"image": image, "name": "broken", "cuda": "cpu"}], "pull": "never"}
    finished = run(tmp_path, matrix, "--runner", "docker")
    assert finished.code == 1
    cell = finished.cell("broken")
    assert (cell["status"], cell["basis"]) == ("fail", "measured")
    assert "libc10.so" in cell["reason"]
    assert "libc10.so" in finished.stdout.replace("\n", ""), "the reason belongs in what is printed, too"


def test_an_old_torch_is_measured_and_what_it_lacks_is_not_held_against_the_rest(old_started: Started) -> None:
    finished = old_started.finish()
    cell = finished.cell("torch1.13.1-cpu")
    assert (cell["status"], cell["basis"]) == ("degraded", "measured"), cell["reason"]
    assert finished.code == 0
    statuses = {check["name"]: check["status"] for check in cell["checks"]}
    # CPU autocast came with bfloat16 alone in torch 1.10; float16 on the CPU is younger than 1.13.
    assert statuses["train_fp32"] == "pass"
    assert statuses["train_amp_bf16"] == "pass"
    assert statuses["train_amp_fp16"] == "skip"
    if cell["content"]["cuda"]:  # PyTorch's cpu channel was out of reach and the index serves the CUDA build
        assert cell["reason"] == f"the matrix says cpu, inside is a build for CUDA {cell['content']['cuda']}"


def test_a_cuda_build_is_opened_without_a_gpu_and_read_as_it_is(
    cuda_started: Started, engine: docker.DockerClient
) -> None:
    finished = cuda_started.finish()
    cells = {cell["target"]["id"]: cell for cell in finished.results["cells"]}
    cell = cells["imaginary-gpu-580.95.05"]
    assert cell["basis"] == "inspected", cell["reason"]
    assert cell["status"] == "skip", "what is not known is never green"
    assert finished.code == 0, "what rules say of another machine is no failure of this run"
    image = cell["environment"]["digest"]
    version, cuda, flags = plain_run(
        engine,
        image,
        "import torch; print((str(torch.__version__), torch.version.cuda, torch._C._cuda_getArchFlags()))",
    )
    assert cell["content"]["torch"] == version
    assert cell["content"]["cuda"] == cuda == "13.0"
    assert cell["content"]["arch_list"] == flags.split()
    assert any(arch.startswith("sm_") for arch in cell["content"]["arch_list"])


@pytest.mark.parametrize(
    ("target", "status", "causes"),
    [
        ("l4-580.95.05", "pass", []),
        ("v100-sxm2-16gb-580.95.05", "fail", ["arch_not_supported"]),
        ("l4-535.183.01", "fail", ["driver_too_old"]),
    ],
)
def test_an_opened_image_is_judged_by_what_is_in_it(cuda_started: Started, target: str, status: str, causes: list[str]) -> None:
    cell = next(cell for cell in cuda_started.finish().results["cells"] if cell["target"]["id"] == target)
    assert (cell["status"], cell["basis"], cell["predicted"]["basis"]) == (status, "inspected", "inspected"), cell["reason"]
    assert [each["cause"] for each in cell["findings"] if each["severity"] == "fail"] == causes
    assert cell["agrees"] is None, "nothing was measured"
    assert "torch 2.14.1" in cell["reason"]
    if "arch_not_supported" in causes:  # the list that was read, not the facts'
        evidence = " ".join(text for each in cell["findings"] for text in each["evidence"])
        assert all(arch in evidence for arch in cell["content"]["arch_list"] if arch.startswith("sm_"))
