"""Forward compatibility: which products, which branches, and where it harms."""

from __future__ import annotations

import pytest
from rules_values import causes, finding, predict, status_of

from validator.model import Outlook

INSIDE = {"torch": "2.13.0", "cuda": "13.2", "arch_list": ("sm_80", "sm_86", "sm_90"), "has_compat_libs": True}
COMPAT = {"inside": INSIDE}


# Base branches of cuda-compat-13-2: 535, 570, 580, 590 (NVIDIA_REQUIRE_CUDA of nvidia/cuda:13.2.1).
@pytest.mark.parametrize(
    ("gpu", "driver", "status"),
    [
        ("NVIDIA H100 80GB HBM3", "570.133.20", Outlook.DEGRADED),
        ("NVIDIA H100 80GB HBM3", "535.183.01", Outlook.DEGRADED),
        ("NVIDIA H100 80GB HBM3", "550.54.15", Outlook.FAIL),
        ("NVIDIA H100 80GB HBM3", "575.57.08", Outlook.FAIL),
        ("NVIDIA H100 80GB HBM3", "580.65.06", Outlook.PASS),
        ("NVIDIA GeForce RTX 3090", "570.133.20", Outlook.FAIL),
        ("NVIDIA RTX A6000", "570.133.20", Outlook.UNKNOWN),
    ],
)
def test_products_and_branches(gpu: str, driver: str, status: Outlook) -> None:
    assert status_of(**COMPAT, gpu=gpu, driver=driver) is status


def test_geforce_is_refused_with_error_804() -> None:
    row = finding("forward_compat_unsupported", **COMPAT, gpu="RTX 3090", driver="570.133.20")
    assert "804" in row.message
    assert "580.65.06" in (row.remedy or "")


def test_without_the_library_the_driver_is_too_old_and_the_remedy_names_it_where_it_would_do() -> None:
    place = {"torch": "2.13.0", "cuda": "13.2"}
    allowed = finding("driver_too_old", **place, gpu="H100 PCIe", driver="570.133.20")
    assert allowed.severity.value == "fail"
    assert "cuda-compat-13-2" in (allowed.remedy or "")
    assert "cuda-compat" not in (finding("driver_too_old", **place, gpu="RTX 3090", driver="570.133.20").remedy or "")
    assert "cuda-compat" not in (finding("driver_too_old", **place, gpu="H100 PCIe", driver="550.54.15").remedy or "")


def test_an_image_of_nvidia_brings_the_library() -> None:
    image = "nvcr.io/nvidia/pytorch:25.09-py3"  # CUDA 13.0; base branches 535, 550, 565, 570, 575
    assert status_of(image=image, gpu="NVIDIA A100-SXM4-80GB", driver="570.133.20") is Outlook.DEGRADED
    assert status_of(image=image, gpu="NVIDIA A100-SXM4-80GB", driver="560.35.03") is Outlook.FAIL
    assert status_of(image=image, gpu="RTX 4090", driver="570.133.20") is Outlook.FAIL


def test_on_a_sufficient_driver_the_library_harms_geforce_only_where_it_comes_in_front() -> None:
    image = "nvidia/cuda:12.4.1-base-ubuntu22.04"
    assert "forward_compat_unsupported" in causes(image=image, gpu="RTX 3090", driver="535.183.01")
    assert "forward_compat_unsupported" not in causes(image=image, gpu="RTX 3090", driver="550.54.14")
    assert "forward_compat_unsupported" not in causes(image=image, gpu="NVIDIA A30", driver="535.183.01")


def test_a_library_older_than_the_driver_is_error_803_when_the_path_forces_it() -> None:
    inside = {"torch": "2.5.1", "cuda": "12.4", "arch_list": ("sm_80",), "has_compat_libs": True}
    forced = {"inside": {**inside, "compat_on_path": True}, "gpu": "NVIDIA A30"}
    assert "803" in finding("forward_compat_unsupported", **forced, driver="580.95.05").message
    assert status_of(**forced, driver="550.54.15") is Outlook.PASS
    assert status_of(inside=inside, gpu="NVIDIA A30", driver="580.95.05") is Outlook.PASS


def test_without_a_gpu_one_that_may_use_the_library_is_meant_and_the_answer_says_so() -> None:
    through = predict(**COMPAT, driver="570.133.20")
    assert through.status is Outlook.DEGRADED
    assert any("data-centre" in each.text for each in through.assumptions)
    assert status_of(**COMPAT, driver="550.54.15") is Outlook.FAIL
    assert status_of(**COMPAT, driver="570.133.20", gpu="what is this") is Outlook.UNKNOWN


def test_without_a_gpu_and_a_library_that_is_only_assumed_the_driver_is_too_old() -> None:
    row = finding("driver_too_old", cuda="13.2", driver="570.133.20")
    assert row.severity.value == "fail"
    assert "data-centre" in (row.remedy or "")
    assert "data-centre" not in (finding("driver_too_old", cuda="13.2", driver="550.54.15").remedy or "")


# Release notes of NVIDIA's framework containers 18.09 (CUDA 10.0 on 384), 19.04 and 19.10 (CUDA 10.1 on 384, 410 and 396).
@pytest.mark.parametrize(
    ("cuda", "driver", "status"),
    [
        ("10.0", "384.183", Outlook.DEGRADED),
        ("10.1", "384.183", Outlook.DEGRADED),
        ("10.1", "396.82", Outlook.DEGRADED),
        ("10.1", "390.116", Outlook.FAIL),
    ],
)
def test_cuda_10_stands_on_the_branches_that_its_notes_name(cuda: str, driver: str, status: Outlook) -> None:
    inside = {"torch": "1.6.0", "cuda": cuda, "arch_list": ("sm_70",), "has_compat_libs": True}
    assert status_of(inside=inside, gpu="Tesla V100-SXM2-16GB", driver=driver) is status


def test_the_library_that_was_read_counts_and_not_the_one_its_cuda_would_have() -> None:
    inside = {"torch": "2.5.1", "cuda": "11.8", "arch_list": ("sm_86",), "has_compat_libs": True, "compat_driver": "550.54.15"}
    place = {"inside": inside, "gpu": "RTX 3090"}
    assert "forward_compat_unsupported" in causes(**place, driver="535.183.01")
    assert "forward_compat_unsupported" not in causes(**place, driver="550.90.07")
    aside = predict(**place, driver="580.95.05")
    assert aside.status is Outlook.PASS
    assert any("550.54.15 aside" in each.text for each in aside.assumptions)


def test_a_forced_library_older_than_the_driver_fails_within_a_branch_too() -> None:
    inside = {"torch": "2.5.1", "cuda": "12.4", "arch_list": ("sm_80",), "has_compat_libs": True, "compat_on_path": True}
    place = {"inside": {**inside, "compat_driver": "550.54.15"}, "gpu": "NVIDIA A30"}
    assert status_of(**place, driver="550.90.07") is Outlook.FAIL
    assert status_of(**place, driver="550.54.15") is Outlook.PASS
    assert status_of(**place, driver="550") is Outlook.PASS


# AIR-DISCOVER/ICRA2024-Sim2Real-AXS#5, oobabooga/textgen#4407: a GeForce on R525 with an image of CUDA 12.1 ends in error 804.
# A library that nobody has seen may do harm, and is not counted on to help.
def test_a_cuda_by_itself_is_an_image_whose_library_is_not_counted_on() -> None:
    assert "forward_compat_unsupported" in causes(cuda="12.1", gpu="RTX 3090", driver="525.147.05")
    assert "forward_compat_unsupported" not in causes(cuda="12.1", gpu="RTX 3090", driver="530.30.02")
    ampere = {"cuda": "13.0", "gpu": "NVIDIA A100-SXM4-80GB", "driver": "570.133.20"}
    assert status_of(**ampere) is Outlook.FAIL
    assert "cuda-compat-13-0" in (predict(**ampere).findings[0].remedy or "")
    assert status_of(**ampere, inside={"has_compat_libs": False}) is Outlook.FAIL
    named = {**ampere, "cuda": None, "image": "nvidia/cuda:13.0.1-runtime-ubuntu24.04"}
    assert status_of(**named) is Outlook.DEGRADED


def test_a_library_too_old_for_torch_is_no_help() -> None:
    inside = {"torch": "2.13.0", "cuda": "13.2", "arch_list": ("sm_80",), "has_compat_libs": True, "compat_driver": "550.54.15"}
    assert status_of(inside=inside, gpu="NVIDIA A30", driver="535.183.01") is Outlook.FAIL
    newer = {**inside, "compat_driver": "595.45.04"}
    assert status_of(inside=newer, gpu="NVIDIA A30", driver="535.183.01") is Outlook.DEGRADED
