"""A driver as people state it: a full version, a branch, a Windows build number, or the CUDA version of nvidia-smi's banner."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from validator.base.text import quoted
from validator.base.versions import Dotted
from validator.facts.loader import Facts

#: With the words and the package revision that go with it: nvidia-driver-535, R535, 550.54.15-0ubuntu1.
_DRIVER = re.compile(
    r"(?:(?:nvidia|driver|version|branch|r|v)[\s:-]*)*([0-9]{3}(?:\.[0-9x]{1,3}){0,2})(?:-[0-9a-z.~+-]+)?",
    re.IGNORECASE | re.ASCII,
)
_CUDA = re.compile(r"(?:cuda)?[\s:>=-]*([0-9]{1,2}\.[0-9]{1,2})", re.IGNORECASE | re.ASCII)
_CUDA_NUMBER = re.compile(r"(?:cuda)?[\s:-]*([0-9]{1,2})0([0-9]{1,2})0", re.IGNORECASE | re.ASCII)
#: Windows' own number of a driver ends in NVIDIA's: 31.0.15.3667 is 536.67.
_WINDOWS = re.compile(r"[0-9]{2}\.[0-9]{1,2}\.1([0-9])\.([0-9]{2})([0-9]{2})", re.ASCII)

_EVERY_LINUX_BRANCH_FROM = 450


@dataclass(frozen=True)
class Driver:
    """A driver version as far as it is known."""

    text: str
    numbers: tuple[int, ...]
    """The parts that were given; a branch alone has one."""
    cuda: Dotted | None
    """The newest CUDA it knows; None where the branch is older than the facts."""
    assumption: str = ""
    windows: bool = False
    """Whether it is a number that only drivers for Windows have."""
    newer: bool = False
    """Whether it is of a branch newer than the facts: it may know more CUDA than ``cuda``."""

    @property
    def branch(self) -> int:
        """580 of 580.95.05."""
        return self.numbers[0]

    def platform(self, stated: str) -> str:
        """Whose floors it is compared with."""
        return "windows" if self.windows else stated

    def reaches(self, floor: Dotted) -> bool:
        """Whether it is at least a version."""
        return reaches(self.numbers, floor)


def reaches(driver: tuple[int, ...], floor: Dotted) -> bool:
    """Whether a driver is at least a version. Parts that were not given are taken to be as high as needed."""
    return driver >= floor.numbers[: len(driver)]


def parse(text: str, facts: Facts) -> Driver:
    """Raises ValueError with a sentence that says what would be a driver."""
    plain = text.strip()
    if found := _DRIVER.fullmatch(plain):
        numbers = tuple(int(part) for part in found[1].split(".") if part.strip("x"))
        return _driver(plain, numbers, facts)
    if found := _WINDOWS.fullmatch(plain):
        return replace(_driver(plain, (int(found[1] + found[2]), int(found[3])), facts), windows=True)
    if (number := _CUDA_NUMBER.fullmatch(plain)) and int(number[1]) < 60:
        return _from_cuda(plain, Dotted(f"{number[1]}.{number[2]}"), facts)
    if found := _CUDA.fullmatch(plain):
        return _from_cuda(plain, Dotted(found[1]), facts)
    if row := facts.distributions.get(" ".join(plain.casefold().split())):
        driver = _driver(plain, (row.branch,), facts)
        return replace(driver, assumption=f"the driver package of {plain} is of branch {row.branch} ({row.origin})")
    raise ValueError(
        f"{quoted(text)} is not a driver: give a version such as 580.95.05, a branch such as 535, "
        "or what nvidia-smi shows as CUDA 12.2"
    )


def _driver(text: str, numbers: tuple[int, ...], facts: Facts) -> Driver:
    branch = numbers[0]
    known = max((number for number in facts.branches if number <= branch), default=None)
    assumptions = []
    if len(numbers) == 1:
        assumptions.append(f"any release of driver branch {branch} is meant")
    windows = _windows_only(numbers, facts)
    if windows:
        assumptions.append(f"driver {text} is taken for one of Windows, whose numbers are other than those of Linux")
    newer = branch > facts.newest_branch
    if newer:
        assumptions.append(f"driver {text} is newer than the facts and taken to run what branch {facts.newest_branch} runs")
    cuda = facts.branches[known].cuda if known is not None else None
    return Driver(text, numbers, cuda, "; ".join(assumptions), windows, newer)


def _windows_only(numbers: tuple[int, ...], facts: Facts) -> bool:
    """551.78: two parts, of a branch that the facts, which have every one of Linux from some point on, do not have."""
    branch = numbers[0]
    return len(numbers) <= 2 and _EVERY_LINUX_BRANCH_FROM < branch < facts.newest_branch and branch not in facts.branches


def _from_cuda(text: str, cuda: Dotted, facts: Facts) -> Driver:
    """The branch that shows a CUDA version; the one below where none does."""
    branches = [row for row in facts.branches.values() if row.cuda <= cuda]
    if not branches:
        raise ValueError(f"{quoted(text)}: no driver in the facts shows a CUDA version as old as {cuda}")
    newest = max(row.cuda for row in branches)
    row = min((row for row in branches if row.cuda == newest), key=lambda row: row.number)
    return Driver(text, (row.number,), cuda, f"CUDA {cuda} as nvidia-smi shows it means driver branch {row.number}")
