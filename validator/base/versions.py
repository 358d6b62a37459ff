"""Version values: parsed for comparison, printed exactly as they were written.

``12.10`` must never become ``12.1``, and ``550.90`` is not ``550.9``: a value keeps its text and compares by its numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import total_ordering

from packaging.version import InvalidVersion, Version

from validator.base.text import quoted

#: Where PyTorch publishes the builds of each channel; https://pytorch.org/get-started/locally/
PYTORCH_CHANNELS = "https://download.pytorch.org/whl/{channel}"
#: ``cu`` and the digits of a version with one or two digits on each side; more digits than four are no channel.
_CHANNEL = re.compile(r"cu([0-9]{1,2})([0-9]{1,2})(?![0-9])", re.ASCII)
_DOTTED = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}", re.ASCII)


@total_ordering
@dataclass(frozen=True, eq=False)
class Dotted:
    """A version of plain dotted numbers: a driver (``580.95.05``), a CUDA version (``12.8``), a compute capability (``8.6``).

    Compares by its numbers, missing ones counting as zero (``12`` equals ``12.0``); prints as written.
    """

    text: str
    numbers: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not _DOTTED.fullmatch(self.text):
            raise ValueError(f"{quoted(self.text)} is not a version of dotted numbers such as 12.8 or 580.95.05")
        numbers = [int(part) for part in self.text.split(".")]
        while len(numbers) > 1 and numbers[-1] == 0:
            numbers.pop()
        object.__setattr__(self, "numbers", tuple(numbers))

    @property
    def major_minor(self) -> str:
        """The first two numbers as text: ``12.8`` of 12.8.1, ``12.0`` of 12."""
        return ".".join([*self.text.split("."), "0"][:2])

    def __str__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        return hash(self.numbers)

    def __eq__(self, other: object) -> bool:
        return self.numbers == other.numbers if isinstance(other, Dotted) else NotImplemented

    def __lt__(self, other: Dotted) -> bool:
        return self.numbers < other.numbers


def torch_version(text: str) -> Version:
    """Parse a torch version (``2.7.1``, ``2.13.0+cpu``, ``2.16.0.dev20261101+cu130``).

    Raises ValueError when it is not a PEP 440 version.
    """
    try:
        return Version(text)
    except InvalidVersion:
        raise ValueError(f"{quoted(text)} is not a torch version such as 2.7.1") from None


def channel_of(cuda: str) -> str:
    """The name of PyTorch's wheel channel for a CUDA build: ``12.8`` → ``cu128``, ``cpu`` → ``cpu``.

    >>> channel_of("12.10")
    'cu1210'
    """
    if cuda == "cpu":
        return "cpu"
    return "cu" + "".join(Dotted(cuda).text.split(".")[:2])


def cuda_of_channel(text: str) -> str | None:
    """The CUDA version that a channel's name or a torch's local version begins with, the inverse of ``channel_of``.

    >>> cuda_of_channel("cu1210"), cuda_of_channel("cu92"), cuda_of_channel("cpu")
    ('12.10', '9.2', None)
    """
    found = _CHANNEL.match(text)
    return f"{found[1]}.{found[2]}" if found else None


def cuda_of(text: str) -> Dotted:
    """A CUDA version of two numbers from ``12.8``, ``12.8.1``, ``cuda12.8`` or ``cu128``. Raises ValueError."""
    plain = text.strip().casefold()
    try:
        version = Dotted(cuda_of_channel(plain) or plain.removeprefix("cuda").strip(" -"))
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a CUDA version such as 12.8") from None
    if version.numbers[0] > 99:
        raise ValueError(f"{quoted(text)} is not a CUDA version such as 12.8")
    return Dotted(version.major_minor)


def same_torch(said: str, found: str) -> bool:
    """Whether a stated torch is the one found, as far as it is stated: ``2.7`` is 2.7.1; a local part counts only where given."""
    try:
        one, other = torch_version(said), torch_version(found)
    except ValueError:
        return said == found
    if one.local and one.local != other.local:
        return False
    if one.is_prerelease or other.is_prerelease:
        return one.public == other.public
    length = len(one.release)
    return one.release == (*other.release, 0, 0)[:length]


def same_cuda(said: str, found: str | None) -> bool:
    """Whether a stated CUDA version, or ``cpu``, is the one found: major and minor count, since old torches report more
    (``10.0.130``). None and ``cpu`` are a build without CUDA.
    """
    if "cpu" in (said, found) or found is None:
        return said == (found or "cpu")
    try:
        return cuda_of(said) == cuda_of(found)
    except ValueError:
        return said == found
