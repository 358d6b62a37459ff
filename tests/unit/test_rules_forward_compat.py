"""Forward compatibility: which products, which branches, and where it harms."""

from __future__ import annotations

import pytest
from rules_values import causes, finding, status_of

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


def test_without_a_gpu_the_driver_is_too_old_and_the_answer_says_what_a_gpu_could_change() -> None:
    row = finding("driver_too_old", **COMPAT, driver="570.133.20")
    assert row.severity.value == "fail"
    assert "data-centre" in (row.remedy or "")
    assert "data-centre" not in (finding("driver_too_old", **COMPAT, driver="550.54.15").remedy or "")


# AIR-DISCOVER/ICRA2024-Sim2Real-AXS#5, oobabooga/textgen#4407: a GeForce on R525 with an image of CUDA 12.1 ends in error 804.
def test_a_cuda_by_itself_is_an_image_with_the_library() -> None:
    assert "forward_compat_unsupported" in causes(cuda="12.1", gpu="RTX 3090", driver="525.147.05")
    assert "forward_compat_unsupported" not in causes(cuda="12.1", gpu="RTX 3090", driver="530.30.02")
    ampere = {"cuda": "13.0", "gpu": "NVIDIA A100-SXM4-80GB", "driver": "570.133.20"}
    assert status_of(**ampere) is Outlook.DEGRADED
    assert status_of(**ampere, inside={"has_compat_libs": False}) is Outlook.FAIL
