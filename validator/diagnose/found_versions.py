"""Versions in what people state and logs print, which may be any text: the first thing that looks like one, or None."""

from __future__ import annotations

import re

from validator.base.versions import Dotted, cuda_of_channel

#: At most four numbers of at most six digits; a number with more digits is a date or a serial number.
_NUMBER = r"[0-9]{1,6}(?![0-9])"
_VERSION = re.compile(rf"(?<![0-9])(?<![0-9]\.){_NUMBER}(?:\.{_NUMBER}){{0,3}}")
_RELEASE = re.compile(rf"(?<![0-9])(?<![0-9]\.){_NUMBER}(?:\.{_NUMBER}){{1,3}}")
#: An entry of a list that no local tag (``+cu118``) ties to an index of its own.
_UNTAGGED = re.compile(rf"(?:^|(?<=[\s,]))({_NUMBER}(?:\.{_NUMBER}){{1,3}})(?=[\s,]|$|\.?post)")
_BUILD = re.compile(r"\+(cpu\b|cu[0-9]{2,4}(?![0-9]))")


def version_in(text: str | None) -> Dotted | None:
    """The first version, of one to four numbers."""
    found = _VERSION.search(text or "")
    return Dotted(found.group()) if found else None


def release_in(text: str | None) -> Dotted | None:
    """The first version with a dot in it: ``2.7.1`` or ``12.8``, but not the ``3`` of ``python 3``."""
    found = _RELEASE.search(text or "")
    return Dotted(found.group()) if found else None


def untagged_in(listed: str | None) -> list[Dotted]:
    """The versions of a list that have no local tag."""
    return [Dotted(text) for text in _UNTAGGED.findall(listed or "")]


def cuda_build(torch: str | None) -> str | None:
    """The CUDA version that the tag of a torch version names: ``2.1.0+cu121`` → ``12.1``, ``2.1.0+cpu`` → ``cpu``."""
    found = _BUILD.search(torch or "")
    if found is None:
        return None
    return "cpu" if found.group(1) == "cpu" else cuda_of_channel(found.group(1))
