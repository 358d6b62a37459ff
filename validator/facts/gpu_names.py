"""Finds a GPU in the facts by what people call it: NVML's name, with or without the vendor, or short (``A100``, ``4090``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from validator.base.text import similar
from validator.facts.loader import Facts
from validator.facts.rows import GpuRow

#: Words that say whose it is, not which it is.
_VENDOR = frozenset({"nvidia", "graphics", "gpu", "gpus", "card", "cards", "series", "architecture", "corporation"})
#: Words people leave out.
_BRAND = frozenset({"tesla", "geforce", "quadro", "rtx", "gtx", "gt", "titan", "jetson"})
_MEMORY = re.compile(r"[0-9]{1,3}gb?", re.ASCII)
_MIG = re.compile(r"\bmig\b.*$", re.IGNORECASE)
#: A chip that was made for a laptop has the capability of the desktop chip of the same name (GeForce 20 and newer, GTX 10).
_MOBILE = frozenset({"laptop", "mobile", "notebook", "with", "max", "q", "design", "lite", "hash", "rate", "lhr"})
#: A share of a GPU as a virtual machine sees it: GRID A100D-10C, NVIDIA T4-16Q.
_VIRTUAL = re.compile(
    r"(?:grid|nvidia)\s+((?:rtx\s*)?[a-z]*[0-9]+)[a-z]{0,3}-(?:[0-9]-)?[0-9]{1,2}[qcab](?:me)?", re.IGNORECASE | re.ASCII
)
#: "4x RTX 4090", "8 × H100"; "8 GB" as one word.
_COUNT = re.compile(r"^\s*[0-9]{1,3}\s*[x×*]\s+", re.IGNORECASE)
_GIGABYTES = re.compile(r"\b([0-9]{1,3})\s*(?:gb|gib)\b", re.IGNORECASE | re.ASCII)
#: "RTX 40 series", "GTX 900 series" and "RTX 4000 series" as "RTX 40xx". (4000 by itself is a workstation model.)
_SERIES = re.compile(r"\b([1-9][0-9]?)(?:00)?[\s-]*series\b", re.IGNORECASE | re.ASCII)
_WILDCARD = re.compile(r"[0-9]{1,2}xx", re.ASCII)
#: Models without a number in their name.
_UNNUMBERED = frozenset({"titan", "xavier", "orin", "thor"})
_SPLIT = re.compile(r"[\s_/,()]+|-(?=[a-z0-9])", re.ASCII)
_SUFFIX = re.compile(r"^(rtx|gtx|gt)?([0-9]{3,4}|[0-9]{1,2}xx)(ti|super|d)?(super)?$", re.ASCII)


@dataclass(frozen=True)
class GpuMatch:
    """What a name can mean."""

    asked: str
    rows: tuple[GpuRow, ...]
    """One where it is clear; several where the name leaves open which; none where it is unknown."""
    assumption: str = ""
    """What was taken for granted to get there; empty where the name is NVML's own."""


def closest(name: str, facts: Facts) -> list[str]:
    """Names of the facts that look like one that is not there."""
    known = {plain_name(row.name): row.name for row in facts.gpus.values()}
    return [known[hit] for hit in similar(plain_name(name), known, most=4)]


def plain_name(gpu: str) -> str:
    """A name as compared with another: without case, vendor (which NVML dropped and brought back) and brand."""
    return " ".join(word for word in _words(gpu) if word not in ("tesla", "geforce"))


@cache
def find(name: str, facts: Facts) -> GpuMatch:
    """The products a name can mean."""
    index = _index(facts)
    plain = _SERIES.sub(r"\1xx", _GIGABYTES.sub(r"\1gb", _COUNT.sub("", _MIG.sub("", name))))
    words = _words(plain)
    exact = index.get(words)
    if exact:
        said = f"{name!r} is taken for {exact[0].name}"
        if _MIG.search(name):
            said = f"a MIG device computes as the whole GPU does: {exact[0].name}"
        return GpuMatch(name, exact, "" if plain.casefold() == name.casefold() else said)
    if not words:
        return GpuMatch(name, ())
    if (virtual := _VIRTUAL.fullmatch(plain.strip())) and (match := find(virtual[1], facts)).rows:
        return GpuMatch(name, match.rows, f"a virtual GPU computes as the GPU it is a share of: {match.rows[0].name}")
    hits = [rows for known, rows in index.items() if _means(words, known)]
    if hits:
        rows = _dedupe(row for group in hits for row in group)
        # "3060" is meant for the desktop card, which has neither a suffix nor a laptop's name.
        plainest = [row for row in rows if _without_brand(_words(row.name)) == _without_brand(words)]
        chosen = tuple(plainest) or rows
        meant = chosen[0].name if len(chosen) == 1 else f"one of {', '.join(row.name for row in chosen[:6])}"
        return GpuMatch(name, chosen, f"{name!r} is taken for {meant}")
    for soft in (_MOBILE, (_FORM | {"tesla"}) - {"ada", "blackwell"}):
        stripped = tuple(word for word in words if word not in soft and not _MEMORY.fullmatch(word))
        if stripped != words and stripped and (match := find(" ".join(stripped), facts)).rows:
            return GpuMatch(name, match.rows, f"{name!r} is taken to have the capability of {match.rows[0].name}")
    known = {row.architecture.casefold() for row in facts.capabilities.values()}
    family: tuple[GpuRow, ...] = ()
    if known.issuperset(words):  # "Pascal", "Maxwell/Pascal/Volta card"
        family = tuple(row for row in facts.gpus.values() if _architecture(row, facts) in words and row.line != "jetson")
    return GpuMatch(name, family, f"{name!r} is taken for a GPU of that architecture" if family else "")


def _architecture(row: GpuRow, facts: Facts) -> str:
    return facts.capabilities[row.cc.text].architecture.casefold() if row.cc.text in facts.capabilities else ""


def _means(asked: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Whether every word asked for is in a known name, and the words left out are brand, form or memory, never the model."""
    rest = list(known)
    for word in asked:
        found = next((part for part in rest if part == word or _is_of_series(part, word)), None)
        if found is None:
            return False
        rest.remove(found)
    if not any(any(letter.isdigit() for letter in word) for word in asked) and not _UNNUMBERED & set(asked):
        return False  # "RTX" alone is every one of them
    return all(word in _BRAND or word in _FORM or _MEMORY.fullmatch(word) for word in rest)


def _is_of_series(word: str, series: str) -> bool:
    """``4090`` is of ``40xx``; ``4000`` (a workstation card) is not."""
    if not _WILDCARD.fullmatch(series):
        return False
    return len(word) == len(series) and word.isdigit() and word.startswith(series[:-2]) and not word.endswith("00")


#: Words of form and memory that tell variants of one product apart.
_FORM = frozenset(
    "pcie pci sxm sxm2 sxm3 sxm4 sxm5 sxm6 ac hbm2 hbm2e hbm3 hbm3e nvl fhhl dgxs server workstation edition max q "  # noqa: SIM905
    "144g ada generation blackwell active sff g1 e nvl16 agx nx nano ls".split()
)


def _without_brand(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in _BRAND)


def _words(name: str) -> tuple[str, ...]:
    """The words of a name as compared: no case, no vendor, ``RTX3060Ti`` and ``RTX 3060 Ti`` alike."""
    found: list[str] = []
    for word in _SPLIT.split(name.casefold().replace("®", " ").replace("™", " ")):
        if not word or word in _VENDOR:
            continue
        parts = _SUFFIX.match(word)
        found += [part for part in parts.groups() if part] if parts else [word]
    return tuple(found)


@cache
def _index(facts: Facts) -> Mapping[tuple[str, ...], tuple[GpuRow, ...]]:
    """The products by the words of their names."""
    groups: dict[tuple[str, ...], list[GpuRow]] = {}
    for row in facts.gpus.values():
        groups.setdefault(_words(row.name), []).append(row)
    return MappingProxyType({words: tuple(group) for words, group in groups.items()})


def _dedupe(rows: Iterable[GpuRow]) -> tuple[GpuRow, ...]:
    return tuple({row.name: row for row in rows}.values())
