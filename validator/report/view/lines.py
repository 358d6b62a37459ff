"""Texts of a view: cleaned, bounded, on one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from validator.base.text import one_line

_T = TypeVar("_T")
_TEXT_CHARACTERS = 1000


def line(text: str) -> str:
    """A text cleaned, bounded, and on one line."""
    return one_line(text, _TEXT_CHARACTERS)


def unique(items: Iterable[_T]) -> tuple[_T, ...]:
    """The items without repetition, in the order of their first appearance."""
    return tuple(dict.fromkeys(items))
