"""The circumstances of a failure, from what is stated, what was read inside, what NVML says and what the log says."""

from __future__ import annotations

from typing import Any

import pytest
from values import T4

from validator.diagnose import Evidence, diagnose
from validator.diagnose.circumstances import CUDA_BUILD, Circumstances, circumstances_of
from validator.diagnose.matching import Matcher
from validator.model import Content, Gpu, NvmlInfo

NO_DRIVER = "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU."
BANNER = "Ultralytics YOLOv8.0.20 Python-3.10.6 torch-1.13.1+cu117 CUDA:0 (NVIDIA GeForce GTX 1660 Ti, 5945MiB)"


def of(log: str = "", **fields: Any) -> Circumstances:
    matcher = Matcher()
    matcher.read(log)
    return circumstances_of(Evidence(log=log, **fields), matcher)


def test_what_a_person_states_is_taken_as_it_is() -> None:
    found = of(stated={" Torch ": " 2.7.1+cu126 ", "GPU": "RTX 3090", "driver": "  "})
    assert (found.values["torch"], found.values["gpu"]) == ("2.7.1+cu126", "RTX 3090")
    assert "driver" not in found.values


def test_what_was_read_inside_and_what_nvml_says_complete_it() -> None:
    content = Content(torch="2.7.1+cu126", cuda="12.6", python="3.12.4")
    nvml = NvmlInfo(driver_version="535.183.01", gpus=(Gpu(0, None, None), T4))
    found = of(content=content, nvml=nvml).values
    assert {name: found[name] for name in ("torch", "cuda", "python", "driver", "gpu", "cc")} == {
        "torch": "2.7.1+cu126",
        "cuda": "12.6",
        "python": "3.12.4",
        "driver": "535.183.01",
        "gpu": "Tesla T4",
        "cc": "7.5",
    }
    stated = {"torch": "2.1.0", "cuda": "11.8", "python": "3.9", "driver": "470", "gpu": "V100", "cc": "7.0"}
    assert stated.items() <= of(stated=stated, content=content, nvml=nvml).values.items()


def test_what_nvml_does_not_know_is_not_known() -> None:
    assert not {"driver", "gpu", "cc"} & set(of(nvml=NvmlInfo()).values)
    assert not of(nvml=NvmlInfo(gpus=(Gpu(0, None, "RTX 3090"),))).values["cc"]


def test_what_the_log_says_of_its_environment_comes_last() -> None:
    banner = of(BANNER).values
    assert (banner["torch"], banner["python"]) == ("1.13.1+cu117", "3.10.6")
    assert banner["gpu"].startswith("nvidia geforce gtx 1660 ti")
    assert of(BANNER, stated={"gpu": "RTX 3090"}).values["gpu"] == "RTX 3090"
    # of two that the log names, the first counts
    assert of("PyTorch version: 2.1.0\nPyTorch version: 2.2.0").values["torch"] == "2.1.0"


def test_a_version_in_a_message_is_not_that_of_the_environment() -> None:
    mismatch = "The detected CUDA version (12.4) mismatches the version that was used to compile PyTorch (11.8)."
    found = of(mismatch).values
    assert found["toolkit"] == "12.4"
    assert "cuda" not in found


@pytest.mark.parametrize(
    ("torch", "cuda", "is_cuda_build"),
    [("2.1.0+cu121", "12.1", True), ("2.1.0+cpu", None, False), ("2.1.0", None, False)],
)
def test_torch_tells_its_build(torch: str, cuda: str | None, is_cuda_build: bool) -> None:
    found = of(stated={"torch": torch})
    assert (found.values.get("cuda"), CUDA_BUILD in found.clues) == (cuda, is_cuda_build)
    assert of(stated={"torch": torch, "cuda": "11.8"}).values["cuda"] == "11.8"
    assert (CUDA_BUILD in of(f"torch=={torch}").clues) is is_cuda_build


def test_a_clue_may_be_stated_and_a_cause_is_a_hit() -> None:
    found = of("CUDA out of memory", stated={"gpu": "Tesla T4", "os": "Windows 11"})
    assert {"pre_ampere", "windows"} <= found.clues
    assert "oom" in found.hits
    assert "oom" not in found.clues
    assert "pre_ampere" in found.hits


@pytest.mark.parametrize("yes", ["1", "true", "Yes", " ON "])
@pytest.mark.parametrize("no", ["0", "false", "No", " OFF "])
def test_a_stated_yes_or_no_stands_before_what_the_log_says(yes: str, no: str) -> None:
    log = f"$ docker run img\n{NO_DRIVER}"
    assert "in_container" in of(stated={"in_container": yes}).clues
    assert "in_container" not in of(log, stated={"in_container": no, "image": "ubuntu:22.04"}).clues
    assert "in_container" in of(log, stated={"in_container": "perhaps"}).clues
    assert "in_container" not in of(NO_DRIVER, stated={"in_container": "perhaps"}).clues


@pytest.mark.parametrize(
    ("image", "is_container"),
    [
        *((f"{word} 3", True) for word in ("docker", "a Dockerfile", "container", "pod", "podman", "an image", "compose")),
        *((f"our {word} server", True) for word in ("kubernetes", "k8s", "singularity", "colab", "kaggle")),
        *((f"my {word}", False) for word in ("conda", "venv", "wsl", "wsl2", "slurm", "hpc", "cluster", "ec2", "server", "node")),
        *((f"my {word}", False) for word in ("laptop", "workstation", "local", "host", "windows", "ubuntu", "debian", "linux")),
        *((f"my {word}", False) for word in ("macos", "bare", "metal", "vm", "none")),
        ("ubuntu:22.04", True),
        ("linux/amd64", True),
        ("ubuntu 22.04: local", False),
        ("my-train", True),
        ("train env", True),
        ("…", False),
        ("", False),
    ],
)
def test_what_is_given_as_the_image_may_be_a_machine(image: str, is_container: bool) -> None:
    assert ("in_container" in of(stated={"image": image}).clues) is is_container


@pytest.mark.parametrize(
    ("where", "refused"),
    [({"in_container": "true"}, True), ({"in_container": "false"}, False), ({"image": "a/b:1"}, True), ({}, True)],
)
def test_the_rules_are_told_whether_it_is_a_container(where: dict[str, str], refused: bool) -> None:
    """The driver is new enough for torch, but not for the image's gate, which is only known not to matter outside of one."""
    content = Content(torch="2.7.1+cu126", cuda="12.6", variables={"NVIDIA_REQUIRE_CUDA": "cuda>=12.6"}, from_image=True)
    found = of(stated={"driver": "535.183.01", "gpu": "RTX 3090", **where}, content=content)
    assert ("driver_too_old" in found.predicted.causes) is refused


def test_the_driver_that_is_needed_is_worked_out_where_no_message_says_it() -> None:
    assert of(stated={"torch": "2.9.1+cu130"}).values["needed_driver"] == "580.65.06"
    assert of(stated={"torch": "2.9.1+cu130", "needed_driver": "600"}).values["needed_driver"] == "600"
    assert "needed_driver" not in of(stated={"torch": "2.9.1+cpu"}).values
    assert "needed_driver" not in of().values


def test_the_number_of_a_driver_becomes_a_version() -> None:
    old = "RuntimeError: The NVIDIA driver on your system is too old (found version 11040)."
    assert of(old).values["driver_cuda"] == "11.4"
    assert "driver_cuda" not in of().values


def test_facts_about_the_wheel_decide_too() -> None:
    asked = "ERROR: Could not find a version that satisfies the requirement torch==2.3.0 (from versions: 2.2.0, 2.3.1)"
    assert diagnose(Evidence(log=asked, stated={"python": "3.7"})).cause == "python_version_unsupported"
    assert diagnose(Evidence(log=asked, stated={"python": "3.11"})).cause == "package_resolution_conflict"
