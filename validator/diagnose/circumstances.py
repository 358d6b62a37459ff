"""The place a failure happened in: what is stated, what the log says of itself, and the clues both give."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from validator.diagnose.conditions import Place, truth
from validator.diagnose.evidence import Evidence
from validator.diagnose.matching import Matcher
from validator.diagnose.predicted import driver_cuda, needed_driver, predict, wheel_clues
from validator.diagnose.ranking import Scored

#: Values that a signature may take from a log and that describe the place, not the one message.
PLACE_VALUES = ("torch", "cuda", "python", "gpu", "driver", "os", "cc")
_WORD = re.compile(r"[a-z0-9]+")
#: Words by which people say that it is a container, or that it is a machine.
_CONTAINERS = frozenset(
    {"docker", "dockerfile", "container", "pod", "podman", "image", "compose", "kubernetes", "k8s", "singularity"}
    | {"colab", "kaggle"}
)
_MACHINES = frozenset(
    {"conda", "venv", "wsl", "wsl2", "slurm", "hpc", "cluster", "ec2", "server", "node", "laptop", "workstation", "local", "host"}
    | {"windows", "ubuntu", "debian", "linux", "macos", "bare", "metal", "vm", "none"}
)
#: A clue that no message gives: torch is known to be a CUDA build by its version.
CUDA_BUILD = "torch_is_cuda_build"
#: The CUDA build in a torch version: ``2.1.0+cu121``.
_CUDA_TAG = re.compile(r"\+cu(\d{1,2})(\d)")


def place_of(evidence: Evidence, matcher: Matcher) -> Place:
    """Facts for the conditions. What is stated is matched as lines ``name: value`` too, so that one clue serves both."""
    stated = {name.strip().lower(): value.strip() for name, value in evidence.stated.items() if value.strip()}
    if evidence.content is not None:
        for name in ("torch", "cuda", "python"):
            if value := getattr(evidence.content, name):
                stated.setdefault(name, value)
    if evidence.nvml is not None:
        if evidence.nvml.driver_version:
            stated.setdefault("driver", evidence.nvml.driver_version)
        gpu = next((gpu for gpu in evidence.nvml.gpus if gpu.name), None)
        if gpu is not None and gpu.name:
            stated.setdefault("gpu", gpu.name)
            stated.setdefault("cc", gpu.compute_capability or "")
    matcher.read("\n".join(f"stated {name}: {value}" for name, value in stated.items()), "stated")
    values = dict(stated)
    clues = set()
    if "cuda" not in values and (tag := _CUDA_TAG.search(values.get("torch", ""))):
        values["cuda"] = f"{tag.group(1)}.{tag.group(2)}"
    for hit in sorted(matcher.hits.values(), key=lambda hit: hit.order):
        for name in PLACE_VALUES:
            if name in hit.values and hit.signature.cause is None:
                values.setdefault(name, hit.values[name])
        if hit.signature.cause is None:
            clues.add(hit.signature.id)
        for name, value in hit.values.items():
            if name not in PLACE_VALUES:
                values.setdefault(name, value)
    if _CUDA_TAG.search(values.get("torch", "")):
        clues.add(CUDA_BUILD)
    clues |= wheel_clues(values)
    inside = truth(stated.get("in_container"))
    if inside is not None:
        clues.discard("in_container")
        if inside:
            clues.add("in_container")
    elif _names_a_container(stated.get("image", "")):
        clues.add("in_container")
    predicted = predict(values, in_container=True if "in_container" in clues else inside, content=evidence.content)
    if "needed_driver" not in values and (driver := needed_driver(values)):
        values["needed_driver"] = driver
    if known := driver_cuda(values):
        values["driver_cuda"] = known
    return Place(values=values, clues=frozenset(clues), hits=frozenset(matcher.hits), predicted=predicted)


def _names_a_container(image: str) -> bool:
    """Whether what a person gives as the image is one; people also name the machine there."""
    words = set(_WORD.findall(image.lower()))
    if words & _CONTAINERS or (" " not in image.strip() and ("/" in image or ":" in image)):
        return True
    return bool(words) and not words & _MACHINES


def known_values(ranked: Sequence[Scored], place: Place) -> Mapping[str, Mapping[str, str]]:
    """For each cause the values its remedy may name: those of its own messages before those of the place."""
    found = {}
    for one in ranked:
        own: dict[str, str] = {}
        for sign in one.signs:
            for name, value in sign.values.items():
                own.setdefault(name, value)
        found[one.cause] = {**place.values, **own}
    return found
