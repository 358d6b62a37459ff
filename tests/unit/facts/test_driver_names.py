"""A driver in every form that people state it in."""

from __future__ import annotations

import pytest

from validator.base.versions import Dotted
from validator.facts import load
from validator.facts.driver_names import parse, reaches

FACTS = load()


@pytest.mark.parametrize(
    ("text", "numbers", "cuda"),
    [
        ("580.95.05", (580, 95, 5), "13.0"),
        (" 535.183.01 ", (535, 183, 1), "12.2"),
        ("535", (535,), "12.2"),
        ("535.x", (535,), "12.2"),
        ("R535", (535,), "12.2"),
        ("nvidia-driver-535", (535,), "12.2"),
        ("NVIDIA driver version 550.54.15", (550, 54, 15), "12.4"),
        ("550.54.15-0ubuntu1", (550, 54, 15), "12.4"),
        ("31.0.15.3667", (536, 67), "12.2"),  # Windows' own number
        ("CUDA 12.2", (535,), "12.2"),
        ("12.2", (535,), "12.2"),
        ("12020", (535,), "12.2"),  # as cudaDriverGetVersion says it
        ("CUDA 13.4", (615,), "13.4"),  # the first of the branches that show it
        ("CUDA 99.0", (615,), "99.0"),
        ("300.10", (300, 10), None),
    ],
)
def test_forms(text: str, numbers: tuple[int, ...], cuda: str | None) -> None:
    driver = parse(text, FACTS)
    assert (driver.numbers, driver.branch) == (numbers, numbers[0])
    assert driver.cuda == (Dotted(cuda) if cuda else None)


@pytest.mark.parametrize("text", ["", "banana", "5", "53", "5355", "535.", "CUDA", "CUDA 7.0", "61020", "1.2.3", "Debian 1"])
def test_what_names_no_driver_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a driver: give a version such as|as old as"):
        parse(text, FACTS)


@pytest.mark.parametrize("name", list(FACTS.distributions))
def test_a_distribution_stands_for_the_branch_of_its_package(name: str) -> None:
    driver = parse(f"  {name.upper()} ", FACTS)
    assert driver.branch == FACTS.distributions[name].branch
    assert f"branch {driver.branch}" in driver.assumption


@pytest.mark.parametrize(
    ("text", "windows", "newer"),
    [
        ("551.78", True, False),  # a branch that Linux never had
        ("31.0.15.3667", True, False),
        ("551.78.01", False, False),  # three parts are Linux
        ("550.54", False, False),
        ("451.48", True, False),  # just above the oldest branch from which the facts have every one of Linux
        ("449.10", False, False),
        ("535.98", False, False),
        ("616.10", False, False),
        ("617", False, True),
        ("700.10", False, True),
    ],
)
def test_numbers_of_windows_and_of_the_future(text: str, windows: bool, newer: bool) -> None:
    driver = parse(text, FACTS)
    assert (driver.windows, driver.newer) == (windows, newer)
    assert driver.platform("linux_x86_64") == ("windows" if windows else "linux_x86_64")
    assert ("newer than the facts" in driver.assumption) is newer


def test_a_branch_alone_says_so_and_a_whole_version_takes_nothing_for_granted() -> None:
    assert parse("535", FACTS).assumption == "any release of driver branch 535 is meant"
    assert parse("535.183.01", FACTS).assumption == ""


@pytest.mark.parametrize(
    ("driver", "floor", "enough"),
    [
        ((535, 183, 1), "525.60.13", True),
        ((525, 60, 13), "525.60.13", True),
        ((525, 60, 11), "525.60.13", False),
        ((525, 59), "525.60.13", False),
        ((525, 60), "525.60.13", True),  # what was not given is as high as needed
        ((525,), "525.60.13", True),
        ((524,), "525.60.13", False),
        ((580, 65, 6), "580", True),
    ],
)
def test_reaching_a_version(driver: tuple[int, ...], floor: str, enough: bool) -> None:
    assert reaches(driver, Dotted(floor)) is enough
