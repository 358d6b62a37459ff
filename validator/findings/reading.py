"""What diagnosis reads in text, and how far that is believed in a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from validator.model import CheckResult


@dataclass(frozen=True)
class Reading:
    """The likeliest cause of a text."""

    cause: str
    evidence: tuple[str, ...]
    remedy: str | None = None


def read(
    text: str, known: Mapping[str, str], *, check: CheckResult | None = None, outside: bool = False
) -> Reading | None:
    """The likeliest cause, or None where none is likely enough.

    ``outside`` says that the words come from an engine, a registry or a build; without it they were printed by what is judged,
    and causes that only an engine could know are not taken from there.
    """
    return None
