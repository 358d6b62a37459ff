"""The way out that a finding names: which build, which driver, which package; and never one that would not do either."""

from __future__ import annotations

from typing import Any

import pytest
from rules_values import finding

NO_CODE, TOO_OLD, REFUSED = "arch_not_supported", "driver_too_old", "forward_compat_unsupported"
V100, T4, K80 = "Tesla V100-SXM2-16GB", "Tesla T4", "Tesla K80"
LIBRARY = {"has_compat_libs": True}


def pip(torch: str, channel: str) -> str:
    return f"pip install torch=={torch} --index-url https://download.pytorch.org/whl/{channel}"


def way(cause: str, given: dict[str, Any]) -> str:
    return finding(cause, **given).remedy or ""


@pytest.mark.parametrize(
    ("given", "build"),
    [
        # The same torch first: 2.11.0 for CUDA 12.6 has code for 7.0, those for 12.8 and 13.0 have not.
        ({"torch": "2.11.0", "cuda": "12.8", "gpu": V100}, ("2.11.0", "cu126")),
        ({"torch": "2.11.0", "cuda": "13.0", "gpu": V100}, ("2.11.0", "cu126")),
        # Else the nearest release, in either direction: cu128 of 2.7.0 is the first with code for 12.0.
        ({"torch": "2.6.0", "cuda": "12.4", "gpu": "RTX 5090"}, ("2.7.0", "cu128")),
        ({"torch": "1.13.1", "cuda": "11.7", "gpu": "RTX 5090"}, ("2.7.0", "cu128")),
        # torch has code for Kepler up to 2.7.1+cu118, but cuDNN only to 8: the last of those is 2.3.1.
        ({"torch": "2.11.0", "cuda": "12.8", "gpu": K80}, ("2.3.1", "cu118")),
        # No torch given: the newest that works.
        ({"cuda": "13.0", "gpu": V100}, ("2.14.1", "cu126")),
    ],
)
def test_the_build_that_works_and_is_nearest(given: dict[str, Any], build: tuple[str, str]) -> None:
    assert pip(*build) in way(NO_CODE, given)


def test_a_build_must_have_a_wheel_for_the_python_and_a_floor_the_driver_reaches() -> None:
    blackwell = {"torch": "2.6.0", "cuda": "12.4", "gpu": "RTX 5090"}
    assert pip("2.7.0", "cu128") in way(NO_CODE, blackwell | {"python": "3.9"})
    assert "no build of PyTorch in the facts would do here" in way(NO_CODE, blackwell | {"python": "3.8"})
    newest = {"torch": "2.9.1", "cuda": "13.0", "gpu": T4}
    assert pip("2.9.1", "cu128") in way(TOO_OLD, newest | {"driver": "535.183.01"})
    assert pip("2.7.1", "cu118") in way(TOO_OLD, newest | {"driver": "470.57.02"})  # the last for CUDA 11


def test_the_same_driver_number_of_windows_has_the_floors_of_windows() -> None:
    # Branch 528 is one of Windows alone; 12.x needs 528.33 there, and 525.60.13 on Linux.
    given = {"torch": "2.9.1", "cuda": "13.0", "gpu": T4}
    assert pip("2.9.1", "cu128") in way(TOO_OLD, given | {"driver": "528.33"})
    assert "cu128" not in way(TOO_OLD, given | {"driver": "528.24"})


def test_a_driver_that_would_no_longer_run_the_gpu_is_no_way_out() -> None:
    assert "install driver 580.65.06" in way(TOO_OLD, {"torch": "2.9.1", "cuda": "13.0", "gpu": V100, "driver": "535.183.01"})
    kepler = way(TOO_OLD, {"torch": "2.9.1", "cuda": "13.0", "gpu": K80, "driver": "470.57.02"})
    assert "install driver" not in kepler
    assert pip("2.3.1", "cu118") in kepler


@pytest.mark.parametrize(
    ("given", "says"),
    [
        # This GPU and branch may use the library, and it is not there, or too old, or outside a container.
        (
            {"gpu": T4, "driver": "535.183.01"},
            "put cuda-compat-13-0 of NVIDIA into the image (this GPU and branch 535 may use it)",
        ),
        ({"gpu": T4, "driver": "535.183.01", "inside": {**LIBRARY, "compat_driver": "570.26"}}, "put cuda-compat-13-0"),
        ({"gpu": T4, "driver": "535.183.01", "inside": LIBRARY, "is_container": False}, "put cuda-compat-13-0"),
    ],
)
def test_the_package_that_would_help_is_named(given: dict[str, Any], says: str) -> None:
    assert says in way(TOO_OLD, {"torch": "2.9.1", "cuda": "13.0", **given})


@pytest.mark.parametrize(
    "given",
    [
        {"gpu": T4, "driver": "470.57.02"},  # not a branch for 13.0
        {"gpu": "RTX 3090", "driver": "535.183.01"},  # refuses it
        {"gpu": "RTX A6000", "driver": "535.183.01"},  # perhaps
        {"driver": "535.183.01"},
    ],
)
def test_the_package_is_not_named_where_it_would_not_or_might_not_help(given: dict[str, Any]) -> None:
    assert "cuda-compat" not in way(TOO_OLD, {"torch": "2.9.1", "cuda": "13.0", **given})


def test_where_only_the_line_of_the_gpu_is_missing_it_is_asked_for() -> None:
    assert "name the GPU: on branch 535 one of a data-centre line runs it (cuda-compat-13-0)" in way(
        TOO_OLD, {"cuda": "13.0", "driver": "535.183.01"}
    )


def test_a_branch_that_the_library_may_not_stand_on_is_evidence() -> None:
    row = finding(TOO_OLD, torch="2.9.1", cuda="13.0", gpu=T4, driver="545.23.08", inside=LIBRARY)
    assert row.evidence == (
        "driver 545.23.08 < 580.65.06, the floor of CUDA 13.x (minor-version compatibility)",
        "branch 545 is not one that its compat library may stand on (535, 550, 565, 570, 575)",
    )


def test_through_the_library_the_newer_driver_is_still_the_way_out() -> None:
    row = finding(TOO_OLD, torch="2.9.1", cuda="13.0", gpu=T4, driver="535.183.01", inside=LIBRARY)
    assert (row.severity.value, row.remedy) == ("degraded", "install driver 580.65.06 or newer")
    assert row.evidence[1] == "branch 535 is one of 535, 550, 565, 570, 575, product line datacenter"


@pytest.mark.parametrize(
    ("gpu", "inside", "says"),
    [
        (
            "RTX 3090",
            LIBRARY | {"compat_driver": "590.44"},
            "install a driver of branch 590 or newer (580.65.06 is enough without",
        ),
        # Branch 580 is the last for Pascal: 590 would leave the library in front no more, and the GPU unknown.
        ("GTX 1080", LIBRARY | {"compat_driver": "590.44"}, "install driver 580.65.06 and remove the cuda-compat package"),
    ],
)
def test_a_refused_library_that_is_newer_than_the_floor_must_go_or_be_reached(
    gpu: str, inside: dict[str, Any], says: str
) -> None:
    assert way(REFUSED, {"torch": "2.9.1", "cuda": "13.0", "gpu": gpu, "driver": "535.183.01", "inside": inside}).startswith(says)


@pytest.mark.parametrize(("gpu", "branch"), [("RTX 3090", True), ("GTX 1080", False)])
def test_a_library_in_front_of_a_driver_that_is_enough_is_removed_or_outdone(gpu: str, branch: bool) -> None:
    inside = LIBRARY | {"compat_driver": "590.44"}
    said = way(REFUSED, {"torch": "2.9.1", "cuda": "12.8", "gpu": gpu, "driver": "535.183.01", "inside": inside})
    assert ("install a driver of branch 590 or newer" in said) is branch
    assert "remove the cuda-compat package from the image" in said


@pytest.mark.parametrize(
    ("given", "cause", "says"),
    [
        ({"torch": "2.7.1", "cuda": "12.4"}, "build_not_published", "use cu118, cu126, cu128 with torch 2.7.1"),
        ({"torch": "2.7.1", "cuda": "12.4"}, "build_not_published", "use torch 2.6.0, which has cu124"),
        (
            {"torch": "2.7.1", "cuda": "12.4"},
            "build_not_published",
            "is what nvidia-smi shows, it is the driver's: give it as the driver",
        ),
        ({"torch": "2.7.1+cpu", "gpu": T4}, "cpu_only_torch", "install a CUDA build of torch 2.7.1 (cu118, cu126, cu128)"),
        ({"torch": "2.99.0", "cuda": "cpu", "gpu": T4}, "cpu_only_torch", "install the CUDA build"),
        ({"torch": "2.7.1", "cuda": "12.6", "python": "3.8"}, "python_version_unsupported", "use Python 3.9; or use torch 2.4.1"),
        (
            {"torch": "2.7.1", "cuda": "12.6", "python": "3.14"},
            "python_version_unsupported",
            "use Python 3.13; or use torch 2.9.0",
        ),
        ({"torch": "2.7.1", "cuda": "12.6", "libc": "2.27"}, "glibc_too_old", "use an image with glibc 2.28 or newer"),
        ({"gpu": T4, "driver": "570.26"}, "driver_end_of_life", "move to branch 580"),
    ],
)
def test_other_ways_out(given: dict[str, Any], cause: str, says: str) -> None:
    assert says in way(cause, given)


def test_a_branch_whose_updates_ended_says_when() -> None:
    row = finding("driver_end_of_life", gpu=V100, driver="570.26")
    assert row.evidence[0].startswith("end of life 2026-02, facts of 20")
