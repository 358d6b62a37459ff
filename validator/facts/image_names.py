"""What an image's reference tells before anybody pulls it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from validator.base.versions import Dotted
from validator.facts.loader import Facts
from validator.facts.reader import Origin
from validator.facts.rows import TagPattern

_FIELDS = {
    "torch": r"(?P<torch>[0-9]+\.[0-9]+(?:\.[0-9]+)?)",
    "cuda": r"(?P<cuda>[0-9]+\.[0-9]+)(?:\.[0-9]+)?",
    "cudnn": r"(?P<cudnn>[0-9]+)",
    "variant": r"(?P<variant>[a-z0-9-]+?)",
    "os": r"(?P<os>[a-z]+[0-9.]+)",
    "ngc": r"(?P<ngc>[0-9]{2}\.[0-9]{2})",
}
#: Tags outside the known families often say as much in the same words: 2.1.0-cuda12.1, torch2.1-cu121-py310.
_LOOSE_CUDA = re.compile(r"(?:cuda|cu)[-_]?([0-9]{1,2})\.?([0-9])(?![0-9])", re.ASCII | re.IGNORECASE)
_LOOSE_TORCH = re.compile(r"(?:torch|pytorch|pt)[-_]?v?([0-9]+\.[0-9]+(?:\.[0-9]+)?)", re.ASCII | re.IGNORECASE)
#: 763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1.0-gpu-py310-cu121-ubuntu20.04-ec2
_LEADING_VERSION = re.compile(r"v?([0-9]+\.[0-9]+(?:\.[0-9]+)?)(?=-|$)", re.ASCII)
_LOOSE_CPU = re.compile(r"(?:^|[-_.])cpu(?:$|[-_.])", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image by its name."""

    torch: str | None = None
    cuda: str | None = None
    libc: Dotted | None = None
    requirement: str | None = None
    """NVIDIA_REQUIRE_CUDA as its family has it."""
    requirement_from: str = ""
    requirement_in_part: bool = False
    """Whether ``requirement`` is only what every image says: of a CUDA version this new the facts do not have the rest."""
    compat: bool | None = None
    """Whether it holds the cuda-compat libraries."""
    arch: tuple[str, ...] | None = None
    arch_from: str = ""
    assumptions: tuple[str, ...] = ()


class GateOf(NamedTuple):
    """What NVIDIA_REQUIRE_CUDA of the images of a CUDA version says."""

    requirement: str
    origin: Origin | None
    """None where it follows from the version alone."""
    in_part: bool
    """Whether there may be alternatives beside ``cuda>=X.Y`` that the facts do not have."""


def gate_of(cuda: str, facts: Facts) -> GateOf:
    """By the row of the facts; else the condition that every image has, which is taken for all of it unless the CUDA is newer."""
    gate = facts.gates.get(cuda)
    if gate is not None:
        return GateOf(gate.requirement, gate.origin, False)
    return GateOf(f"cuda>={cuda}", None, Dotted(cuda) > max(row.cuda for row in facts.toolkits.values()))


class Reference(NamedTuple):
    """The parts of an image reference."""

    repository: str
    """With the registry and its port, where they are named."""
    tag: str | None
    digest: str | None
    """``sha256:…``"""


def split_reference(reference: str) -> Reference:
    """The parts of a reference; a colon before the last slash is a registry's port."""
    name, _, digest = reference.partition("@")
    head, slash, last = name.rpartition("/")
    repository, _, tag = last.partition(":")
    return Reference(f"{head}{slash}{repository}", tag or None, digest or None)


def plain_reference(reference: str) -> tuple[str, str]:
    """Repository and tag as the facts have them: without a digest and without Docker Hub's own name, ``latest`` filled in."""
    parts = split_reference(reference)
    repository = parts.repository
    for hub in ("docker.io/", "index.docker.io/", "registry-1.docker.io/"):
        repository = repository.removeprefix(hub)
    return repository, parts.tag or "latest"


@cache
def read_image(reference: str, facts: Facts) -> ImageFacts:
    """What the reference tells."""
    repository, tag = plain_reference(reference)
    row = facts.tags.get(f"{repository}:{tag}")
    for pattern in facts.patterns:
        if pattern.repository == repository and (found := _regex(pattern.tag).fullmatch(tag)):
            given = found.groupdict()
            torch = (row.torch if row else "") or given.get("torch")
            cuda = (row.cuda if row else "") or given.get("cuda")
            held = [f"{what} {value}" for what, value in (("torch", torch), ("CUDA", cuda)) if value] or ["what its tag says"]
            said = f"{reference} is taken to hold {' and '.join(held)}"
            return _filled(pattern, given, torch or None, cuda or None, (said,), facts)
    torch, cuda = _loose(repository, tag)
    torch, cuda = (row.torch or torch, row.cuda or cuda) if row is not None else (torch, cuda)
    if torch or cuda:
        said = f"{reference}: torch {torch or 'unknown'} and CUDA {cuda or 'unknown'} are taken from the words of its name"
        return ImageFacts(torch=torch, cuda=cuda, assumptions=(said,))
    return ImageFacts(assumptions=(f"what is in {reference} is not known by its name",))


def _loose(repository: str, tag: str) -> tuple[str | None, str | None]:
    """torch and CUDA of an image outside the known patterns, by the words people use in names."""
    found = _LOOSE_TORCH.search(f"{repository}:{tag}")
    if found is None and "torch" in repository.rpartition("/")[2]:
        found = _LEADING_VERSION.match(tag)
    cuda = _LOOSE_CUDA.search(tag)
    if cuda is not None:
        return found[1] if found else None, f"{cuda[1]}.{cuda[2]}"
    return found[1] if found else None, "cpu" if _LOOSE_CPU.search(tag) else None


def _filled(
    pattern: TagPattern, given: dict[str, str], torch: str | None, cuda: str | None, said: tuple[str, ...], facts: Facts
) -> ImageFacts:
    gate = gate_of(cuda, facts) if cuda and pattern.gate else None
    arch, arch_from = None, ""
    if month := given.get("ngc"):
        rows = [row for row in facts.ngc_arch if row.month <= Dotted(month)]
        if rows:
            arch, arch_from = rows[-1].arch, str(rows[-1].origin)
    return ImageFacts(
        torch=torch,
        cuda=cuda,
        libc=facts.os_glibc.get(given.get("os", "")),
        requirement=gate.requirement if gate else None,
        requirement_from=str(gate.origin or pattern.origin) if gate else "",
        requirement_in_part=gate is not None and gate.in_part,
        compat=pattern.compat,
        arch=arch,
        arch_from=arch_from,
        assumptions=said,
    )


def _regex(tag: str) -> re.Pattern[str]:
    parts = re.split(r"\{([a-z]+)\}", tag)
    return re.compile("".join(_FIELDS[part] if number % 2 else re.escape(part) for number, part in enumerate(parts)), re.ASCII)
