"""Driver floors, branches and kernel modules, on both sides of every boundary."""

from __future__ import annotations

import pytest
from rules_values import causes, finding, predict, status_of

from validator.facts import load
from validator.facts.driver_names import parse
from validator.model import Outlook


# Floors of NVIDIA's release notes, table 2; below CUDA 11 the toolkit's own driver, table 3.
@pytest.mark.parametrize(
    ("torch", "cuda", "gpu", "below", "at"),
    [
        ("2.5.1", "12.4", "NVIDIA A100-SXM4-40GB", "520.61.05", "525.60.13"),
        ("2.5.1", "11.8", "NVIDIA A100-SXM4-40GB", "450.80.01", "450.80.02"),
        ("2.11.0", "13.0", "NVIDIA GeForce RTX 3090", "575.64.03", "580.65.06"),
        ("2.13.0", "13.2", "NVIDIA GeForce RTX 3090", "580.65.05", "580.65.06"),
        ("1.7.1", "10.2", "Tesla V100-SXM2-16GB", "440.32", "440.33"),
        ("1.7.1", "10.1", "Tesla V100-SXM2-16GB", "418.38", "418.39"),
        ("1.2.0", "9.2", "Tesla V100-SXM2-16GB", "396.25", "396.26"),
        ("1.7.1", "11.0", "NVIDIA A100-SXM4-40GB", "450.36.05", "450.36.06"),
    ],
)
def test_a_build_needs_the_floor_of_its_cuda(torch: str, cuda: str, gpu: str, below: str, at: str) -> None:
    assert "driver_too_old" in causes(torch=torch, cuda=cuda, gpu=gpu, driver=below)
    assert "driver_too_old" not in causes(torch=torch, cuda=cuda, gpu=gpu, driver=at)


def test_windows_has_its_own_floors() -> None:
    ada = {"torch": "2.5.1", "cuda": "12.4", "gpu": "RTX 4090", "platform": "windows"}
    assert status_of(**ada, driver="528.24") is Outlook.FAIL
    assert status_of(**ada, driver="528.33") is Outlook.PASS


# Last branches: NVRM's own message (580 for Maxwell, Pascal and Volta), 470 for Kepler.
@pytest.mark.parametrize(
    ("gpu", "last", "first_without"),
    [
        ("Tesla K80", "470.256.02", "495.29.05"),
        ("GTX 980 Ti", "580.95.05", "590.44.01"),
        ("GTX 1080", "580.178.04", "590.44.01"),
        ("Tesla V100-SXM2-16GB", "580.95.05", "595.58.03"),
    ],
)
def test_a_branch_drops_old_gpus(gpu: str, last: str, first_without: str) -> None:
    assert "driver_drops_gpu" not in causes(gpu=gpu, driver=last)
    row = finding("driver_drops_gpu", gpu=gpu, driver=first_without)
    assert last.split(".")[0] in (row.remedy or "")


def test_turing_is_still_run_by_the_newest_branch() -> None:
    assert status_of(gpu="Tesla T4", driver="616.00") is Outlook.PASS


@pytest.mark.parametrize(
    ("gpu", "before", "first"),
    [("RTX 5090", "565.57.01", "570.86.16"), ("NVIDIA A100-SXM4-40GB", "440.33.01", "450.80.02")],
)
def test_a_driver_does_not_know_gpus_of_later_architectures(gpu: str, before: str, first: str) -> None:
    assert "driver_too_old" in causes(gpu=gpu, driver=before)
    assert "driver_too_old" not in causes(gpu=gpu, driver=first)


def test_a_product_newer_than_its_branch_is_an_assumption_only() -> None:
    prediction = predict(gpu="RTX 5060 Ti", driver="570.86.16")
    assert prediction.status is Outlook.PASS
    assert any("575.51.02" in each.text for each in prediction.assumptions)


@pytest.mark.parametrize(
    ("gpu", "open_modules", "works"),
    [
        ("Tesla P4", True, False),
        ("Tesla P4", False, True),
        ("Tesla V100-SXM2-16GB", True, False),
        ("Tesla T4", True, True),
        ("Tesla T4", False, True),
        ("RTX 5090", False, False),
        ("RTX 5090", True, True),
        ("Tesla P4", None, True),
    ],
)
def test_open_kernel_modules(gpu: str, open_modules: bool | None, works: bool) -> None:
    found = causes(gpu=gpu, driver="580.95.05", open_kernel_modules=open_modules)
    assert ("open_kernel_module_unsupported" not in found) is works


def test_end_of_life_is_told_and_changes_nothing() -> None:
    prediction = predict(torch="2.5.1", cuda="12.4", gpu="NVIDIA A100-SXM4-40GB", driver="535.183.01")
    assert prediction.status is Outlook.PASS
    assert prediction.causes == ("driver_end_of_life",)
    assert predict(torch="2.5.1", cuda="12.4", gpu="NVIDIA A100-SXM4-40GB", driver="580.95.05").causes == ()


def test_a_cuda_beyond_the_facts() -> None:
    assert status_of(torch="2.15.0", cuda="14.0", gpu="RTX 4090", driver="580.95.05") is Outlook.FAIL  # its driver knows 13.0
    assert predict(cuda="13.9", gpu="RTX 4090", driver="700.10", is_container=False).status is Outlook.PASS
    assert "newer than the facts" in " ".join(map(str, predict(gpu="RTX 4090", driver="700.10").assumptions))
    assert predict(cuda="14.0", gpu="RTX 4090", driver="700.10").status is Outlook.UNKNOWN


@pytest.mark.parametrize(
    ("driver", "status"),
    [
        ("535", Outlook.PASS),
        ("R535", Outlook.PASS),
        ("CUDA 12.2", Outlook.PASS),
        ("12.2", Outlook.PASS),
        ("12020", Outlook.PASS),
        ("520", Outlook.FAIL),
        ("CUDA 11.8", Outlook.FAIL),
        ("11080", Outlook.FAIL),
        ("Debian 12", Outlook.PASS),
        ("Debian 11", Outlook.FAIL),
        ("525.60", Outlook.PASS),
        ("nvidia-driver-535", Outlook.PASS),
        ("550.54.15-0ubuntu1", Outlook.PASS),
        ("driver version 470.86", Outlook.FAIL),
        ("535.xx", Outlook.PASS),
    ],
)
def test_drivers_as_people_say_them(driver: str, status: Outlook) -> None:
    assert status_of(torch="2.5.1", cuda="12.4", gpu="NVIDIA A100-SXM4-40GB", driver=driver) is status


def test_windows_own_number_of_a_driver() -> None:
    assert parse("31.0.15.3667", load()).numbers == (536, 67)


@pytest.mark.parametrize("driver", ["", "12", "banana", "535.104.05.01.02", "5355.1", "CUDA 7.5"])
def test_what_is_no_driver_is_refused(driver: str) -> None:
    with pytest.raises(ValueError, match="driver"):
        predict(gpu="Tesla T4", driver=driver)


def test_the_remedy_does_not_name_a_driver_that_drops_the_gpu() -> None:
    row = finding("driver_too_old", torch="2.13.0", cuda="13.2", gpu="Tesla K80", driver="450.80.02")
    assert "install driver" not in (row.remedy or "")


def test_a_number_that_only_windows_has_is_compared_with_the_floors_of_windows() -> None:
    old = predict(torch="2.4.0", cuda="12.1", driver="527.41")  # above Linux's 525.60.13, below Windows' 528.33
    assert old.status is Outlook.FAIL
    assert any("Windows" in each.text for each in old.assumptions)
    assert "cu118" in (old.findings[0].remedy or "")
    for platform in ("linux_x86_64", "windows"):
        assert status_of(torch="2.4.0", cuda="12.4", driver="551.78", platform=platform) is Outlook.PASS
    assert not predict(torch="2.4.0", cuda="12.1", driver="530.41").assumptions[0].text.startswith("driver")
