"""What the rules and the facts say about an environment that people describe in their own words."""

from __future__ import annotations

import pytest

from validator.diagnose.predicted import NO_WHEEL, PUBLISHED, driver_cuda, finding_of, needed_driver, predict, wheel_clues
from validator.model import Content, Finding, Outlook, Prediction, Severity

OLD_DRIVER = {"torch": "2.9.1+cu130", "driver": "535.104.05"}


def causes(**values: str) -> tuple[str, ...]:
    return predict(values, in_container=None).causes


@pytest.mark.parametrize(
    ("driver", "too_old"),
    [
        ("535.104.05", True),
        ("535", True),
        ("v535 (open)", True),
        ("CUDA 12.2", True),
        ("12.2 (cuda)", True),
        ("580.95.05", False),
        ("CUDA 13.0", False),
        ("12.2", False),
        ("99", False),
        ("100", True),
        ("none", False),
    ],
)
def test_a_driver_as_people_give_it(driver: str, too_old: bool) -> None:
    assert ("driver_too_old" in causes(torch="2.9.1+cu130", driver=driver)) is too_old


@pytest.mark.parametrize("gpu", ["GTX 1080", "2x GTX 1080", "4 × GeForce GTX 1080", "GTX 1080 (8 GB)", "GTX 1080, 8192MiB"])
def test_a_gpu_as_people_give_it(gpu: str) -> None:
    assert "arch_not_supported" in causes(torch="2.9.1+cu130", gpu=gpu)


def test_a_gpu_that_the_facts_do_not_know_leaves_the_driver_to_be_judged() -> None:
    assert "driver_too_old" in causes(**OLD_DRIVER, gpu="Glorp 9000")
    assert predict({"torch": "2.9.1+cu130", "gpu": "Glorp 9000"}, in_container=None).status is Outlook.UNKNOWN


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"torch": "2.9.1+cu130"},
        {"cuda": "13.0"},
        {"driver": "535.104.05", "gpu": "GTX 1080"},
        {"torch": "2.9.1+cu130", "driver": "12"},
        {"torch": "nightly", "driver": "535.104.05"},
    ],
)
def test_one_side_alone_predicts_nothing(values: dict[str, str]) -> None:
    assert predict(values, in_container=None) == Prediction(Outlook.UNKNOWN)


def test_the_build_of_torch_stands_before_a_cuda_version_beside_it() -> None:
    assert "driver_too_old" in causes(**OLD_DRIVER, cuda="11.8")
    assert "driver_too_old" not in causes(torch="2.7.1+cu118", driver="535.104.05", cuda="13.0")
    assert "driver_too_old" in causes(cuda="13.0", driver="535.104.05")
    assert "cpu_only_torch" in causes(torch="2.9.1+cpu", gpu="RTX 3090", driver="580.95.05")


def test_windows_has_floors_of_its_own() -> None:
    assert needed_driver({"cuda": "12.6"}) == "525.60.13"
    assert needed_driver({"cuda": "12.6", "os": "Windows 11"}) == "528.33"
    assert needed_driver({"image_cuda": "12.4"}) == "550.54.14"
    assert needed_driver({"image_cuda": "12.4", "os": "Microsoft Windows"}) == "551.61"
    between = {"torch": "2.7.1+cu126", "driver": "525.105.17"}
    assert "driver_too_old" not in causes(**between)
    assert "driver_too_old" in causes(**between, os="Windows 10")


@pytest.mark.parametrize(
    "values", [{}, {"torch": "2.9.1+cpu"}, {"cuda": "cpu"}, {"cuda": "99.0"}, {"image_cuda": "99.0", "cuda": "12.6"}]
)
def test_no_driver_is_needed_for_what_is_not_known(values: dict[str, str]) -> None:
    assert needed_driver(values) is None


def test_what_was_read_inside_stands_before_the_facts() -> None:
    values = {"torch": "2.7.1+cu128", "gpu": "NVIDIA H100 80GB HBM3"}
    inside = Content(torch="2.7.1+cu128", cuda="12.8", arch_list=("sm_50", "sm_60"))
    assert "arch_not_supported" in predict(values, in_container=None, content=inside).causes
    assert "arch_not_supported" not in predict(values, in_container=None).causes


@pytest.mark.parametrize(
    ("number", "version"),
    [("11040", "11.4"), ("9010", "9.1"), ("12020", "12.2"), ("999", None), ("110400", None), ("11.4", None), ("", None)],
)
def test_the_number_of_a_cuda_version(number: str, version: str | None) -> None:
    assert driver_cuda({"cuda_found": number}) == version
    assert driver_cuda({}) is None


@pytest.mark.parametrize(
    ("values", "clues"),
    [
        ({"asked": "2.3.0", "python": "3.7"}, {PUBLISHED, NO_WHEEL}),
        ({"asked": "2.3.0", "python": "Python 3.11.4"}, {PUBLISHED}),
        ({"asked": "2.3.0"}, {PUBLISHED}),
        ({"torch": "2.3.0+cu121", "python": "3.7"}, {PUBLISHED, NO_WHEEL}),
        ({"asked": "2.3.0", "torch": "77.0.0"}, {PUBLISHED}),
        ({"asked": "77.0.0"}, set()),
        ({}, set()),
    ],
)
def test_what_is_known_of_the_wheel_that_was_asked_for(values: dict[str, str], clues: set[str]) -> None:
    assert wheel_clues(values) == clues


def test_wheels_for_windows_are_others() -> None:
    """torch 1.13.0 had a wheel for Python 3.11 on Linux only."""
    values = {"asked": "1.13.0", "python": "3.11"}
    assert wheel_clues(values) == {PUBLISHED}
    assert wheel_clues({**values, "os": "Windows 11"}) == {PUBLISHED, NO_WHEEL}


def test_the_finding_of_a_cause() -> None:
    first, second = (Finding(cause="hang", severity=Severity.FAIL, message=text) for text in ("a", "b"))
    other = Finding(cause="other", severity=Severity.INFO, message="c")
    prediction = Prediction(Outlook.FAIL, findings=(other, first, second))
    assert finding_of(prediction, "hang") is first
    assert finding_of(prediction, "disk_full") is None
