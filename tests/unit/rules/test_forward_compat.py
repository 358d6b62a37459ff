"""Forward compatibility: which products, which branches, and where it harms."""

from __future__ import annotations

from typing import Any

import pytest
from rules_values import causes, finding, predict, status_of

from validator.facts import load
from validator.model import AssumptionKind, Missing, MissingKind, Outlook

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


TORCH_13 = {"torch": "2.9.1", "cuda": "13.0"}
LIBRARY = {"has_compat_libs": True}


# Branch 535 is one that a library of CUDA 13.0 may stand on, 545 is not.
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        # The line of a capability is the user's to give; what a workstation line may do is for the facts to say.
        ({**TORCH_13, "cc": "8.6", "driver": "535.183.01", "inside": LIBRARY}, MissingKind.INPUT),
        ({**TORCH_13, "gpu": "RTX A6000", "driver": "535.183.01", "inside": LIBRARY}, MissingKind.FACTS),
        ({"cuda": "13.0", "gpu": "RTX A6000", "driver": "535.183.01"}, MissingKind.FACTS),  # a library that is only assumed
        # Of CUDA 13.3 the facts have no branches: no line that could be given would tell.
        ({**TORCH_13, "cc": "8.6", "driver": "535.183.01", "inside": {**LIBRARY, "compat_driver": "610.1"}}, MissingKind.FACTS),
    ],
)
def test_whether_the_library_is_allowed_is_asked_of_who_can_tell(given: dict[str, Any], kind: MissingKind) -> None:
    prediction = predict(**given)
    assert (prediction.status, prediction.causes) == (Outlook.UNKNOWN, ("driver_end_of_life",))
    (open_question,) = prediction.missing
    assert open_question.kind is kind
    assert open_question.text.endswith("is allowed the image's compat library, without which driver 535.183.01 is too old")


@pytest.mark.parametrize(
    "given",
    [
        {"cc": "8.6", "driver": "545.23.08", "inside": LIBRARY},  # not on this branch, whatever the line is
        {"gpu": "RTX A6000", "driver": "545.23.08", "inside": LIBRARY},
        {"cc": "8.6", "driver": "535.183.01", "inside": LIBRARY, "is_container": False},  # nobody puts it in front
        {"gpu": "RTX A6000", "driver": "535.183.01", "inside": {"has_compat_libs": False}},
        {"cc": "8.6", "driver": "535.183.01"},
    ],
)
def test_where_no_library_can_help_there_is_no_question(given: dict[str, Any]) -> None:
    prediction = predict(**TORCH_13, **given)
    assert prediction.status is Outlook.FAIL
    assert prediction.causes[0] == "driver_too_old"
    assert prediction.missing == ()


def test_a_library_that_is_only_assumed_settles_nothing_for_a_gpu_of_unknown_line() -> None:
    row = finding("driver_too_old", cuda="13.0", cc="8.6", driver="535.183.01")
    assert "name the GPU: on branch 535 one of a data-centre line runs it (cuda-compat-13-0)" in (row.remedy or "")


@pytest.mark.parametrize(
    ("library", "driver", "branches"),
    [
        ("550.54.15", "470.57.02", "470, 525, 535"),  # 12.4
        ("560.28.03", "470.57.02", "470, 535, 550"),  # 12.6
        ("570.26", "470.57.02", "470, 525, 535, 550, 560, 565"),  # 12.8
    ],
)
def test_the_branches_are_those_of_the_library_and_not_of_the_build(library: str, driver: str, branches: str) -> None:
    inside = {**LIBRARY, "compat_driver": library}
    row = finding("driver_too_old", torch="2.7.1", cuda="12.6", gpu="NVIDIA A30", driver=driver, inside=inside)
    assert row.severity.value == "degraded"
    assert row.evidence[1] == f"branch 470 is one of {branches}, product line datacenter"


NOT_IN_FACTS = Missing(MissingKind.FACTS, "the lowest driver for CUDA 14.0 is not in the facts")


# A driver of CUDA 12.2 under a build for 14.0, of which the facts have no floor.
@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"gpu": "H100 PCIe", "inside": LIBRARY}, Outlook.UNKNOWN),
        ({"gpu": "RTX A6000", "inside": LIBRARY}, Outlook.UNKNOWN),
        ({"gpu": "RTX 3090", "inside": LIBRARY}, Outlook.FAIL),
        ({"gpu": "TITAN RTX", "inside": LIBRARY}, Outlook.FAIL),
        ({"inside": LIBRARY}, Outlook.UNKNOWN),
        ({"gpu": "H100 PCIe", "inside": LIBRARY, "is_container": False}, Outlook.FAIL),
        ({"gpu": "H100 PCIe", "inside": {"has_compat_libs": False}}, Outlook.FAIL),
        ({"gpu": "H100 PCIe"}, Outlook.FAIL),  # a library that is only assumed
    ],
)
def test_beyond_the_facts_a_library_that_may_help_leaves_it_open(given: dict[str, Any], status: Outlook) -> None:
    prediction = predict(cuda="14.0", driver="535.183.01", **given)
    assert prediction.status is status
    assert (NOT_IN_FACTS in prediction.missing) is (status is Outlook.UNKNOWN)
    assert ("driver_too_old" in prediction.causes) is (status is Outlook.FAIL)


# The driver is enough for CUDA 12.8 by itself, and older than, of, or newer than the branch of the image's library (570).
@pytest.mark.parametrize(
    ("given", "found", "aside"),
    [
        ({"gpu": "RTX 3090", "driver": "565.57.01"}, True, False),
        ({"gpu": "RTX 3090", "driver": "570.26"}, False, False),
        ({"gpu": "RTX 3090", "driver": "580.95.05"}, False, True),
        ({"gpu": "TITAN RTX", "driver": "565.57.01"}, True, False),
        ({"gpu": "RTX A6000", "driver": "565.57.01"}, False, False),
        ({"gpu": "NVIDIA A30", "driver": "565.57.01"}, False, False),
        ({"gpu": "RTX 3090", "driver": "565.57.01", "is_container": False}, False, False),
        ({"gpu": "RTX 3090", "driver": "580.95.05", "is_container": False}, False, False),
        ({"gpu": "RTX 3090"}, False, False),
    ],
)
def test_a_library_beside_a_driver_that_is_enough(given: dict[str, Any], found: bool, aside: bool) -> None:
    prediction = predict(torch="2.9.1", cuda="12.8", inside=LIBRARY, **given)
    assert ("forward_compat_unsupported" in prediction.causes) is found
    assert (prediction.status is Outlook.FAIL) is found
    text = "NVIDIA's container runtime leaves the image's compat library of CUDA 12.8 aside: driver 580.95.05 is newer"
    assert [said.text for said in prediction.assumptions if said.kind is AssumptionKind.CONTAINER] == ([text] if aside else [])


def test_a_library_that_is_only_assumed_is_not_said_to_be_left_aside() -> None:
    said = predict(cuda="12.8", gpu="NVIDIA A30", driver="580.95.05").assumptions
    assert AssumptionKind.CONTAINER not in {each.kind for each in said}


# On LD_LIBRARY_PATH the library is loaded whatever the driver: GeForce refuses a newer one, and every GPU an older one.
@pytest.mark.parametrize(
    ("gpu", "driver", "errors"),
    [
        ("RTX 3090", "570.86.15", ["804"]),
        ("RTX 3090", "570.124.06", []),  # the driver's own libcuda once more
        ("RTX 3090", "570.133.20", ["803"]),
        ("NVIDIA A30", "570.86.15", []),
        ("NVIDIA A30", "570.124.06", []),
        ("NVIDIA A30", "570.133.20", ["803"]),
    ],
)
def test_a_forced_library_of_the_drivers_own_branch(gpu: str, driver: str, errors: list[str]) -> None:
    inside = {**LIBRARY, "compat_driver": "570.124.06", "compat_on_path": True}
    prediction = predict(torch="2.9.1", cuda="12.8", gpu=gpu, driver=driver, inside=inside)
    messages = [row.message for row in prediction.findings if row.cause == "forward_compat_unsupported"]
    assert len(messages) == len(errors)
    assert [error for message in messages for error in ("803", "804") if f"error {error}" in message] == errors


PATH, NEWER, PACKAGE = "out of LD_LIBRARY_PATH", "install a driver of branch 570 or newer", "remove the cuda-compat package"


@pytest.mark.parametrize(
    ("driver", "library", "forced", "evidence", "ways"),
    [
        ("565.57.01", None, False, "driver 565.57.01 < 570", {NEWER, PACKAGE}),
        # A driver newer than a forced library would be error 803; without the path NVIDIA's runtime puts it in front here.
        ("565.57.01", None, True, "driver 565.57.01 < 570", {PACKAGE}),
        ("570.86.15", "570.124.06", True, "driver 570.86.15 < 570.124.06", {PATH, PACKAGE}),
        ("570", None, True, "LD_LIBRARY_PATH names the compat folder, of branch 570", {PATH, PACKAGE}),
        ("570.86.15", None, True, "LD_LIBRARY_PATH names the compat folder, of branch 570", {PATH, PACKAGE}),
    ],
)
def test_the_way_out_of_a_refused_library_does_not_end_in_the_next_error(
    driver: str, library: str | None, forced: bool, evidence: str, ways: set[str]
) -> None:
    inside = {**LIBRARY, "compat_driver": library, "compat_on_path": forced}
    row = finding("forward_compat_unsupported", torch="2.9.1", cuda="12.8", gpu="RTX 3090", driver=driver, inside=inside)
    assert row.evidence == (f"{evidence}; product line geforce",)
    assert {way for way in (PATH, NEWER, PACKAGE) if way in (row.remedy or "")} == ways


LINES, BRANCHES, FLOOR = load().compat_origin, load().compat_bases["13.0"].origin, load().floors[13].origin


@pytest.mark.parametrize(
    ("given", "severity", "source"),
    [
        ({"gpu": "NVIDIA A30", "driver": "535.183.01", "inside": LIBRARY}, "degraded", BRANCHES),
        ({"gpu": "NVIDIA A30", "driver": "545.23.08", "inside": LIBRARY}, "fail", FLOOR),
        ({"gpu": "RTX 3090", "driver": "535.183.01", "inside": LIBRARY}, "fail", LINES),  # needed, and refused
        ({"gpu": "RTX 3090", "driver": "580.95.05", "inside": {**LIBRARY, "compat_driver": "590.44"}}, "fail", LINES),
        (
            {
                "gpu": "NVIDIA A30",
                "driver": "595.58.03",
                "inside": {**LIBRARY, "compat_driver": "590.44", "compat_on_path": True},
            },
            "fail",
            LINES,
        ),
    ],
)
def test_each_answer_is_told_with_its_source(given: dict[str, Any], severity: str, source: object) -> None:
    row = predict(**TORCH_13, **given).findings[0]
    assert row.cause in ("driver_too_old", "forward_compat_unsupported")
    assert (row.severity.value, row.source) == (severity, str(source))
