"""The circumstances of a failure: what was stated, what the log says of its environment, and what follows from both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from validator.diagnose.evidence import Evidence
from validator.diagnose.found_versions import cuda_build
from validator.diagnose.matching import Matcher
from validator.diagnose.predicted import driver_cuda, needed_driver, predict, wheel_clues
from validator.model import Prediction

#: Values that describe the environment. Only clues may take them from a log; in another message they are about that message.
_OF_THE_ENVIRONMENT = ("torch", "cuda", "python", "gpu", "driver", "os", "cc")
_WORD = re.compile(r"[a-z0-9]+")
#: Words that people use for a container, and for a machine.
_CONTAINERS = frozenset(
    {"docker", "dockerfile", "container", "pod", "podman", "image", "compose", "kubernetes", "k8s", "singularity"}
    | {"colab", "kaggle"}
)
_MACHINES = frozenset(
    {"conda", "venv", "wsl", "wsl2", "slurm", "hpc", "cluster", "ec2", "server", "node", "laptop", "workstation", "local", "host"}
    | {"windows", "ubuntu", "debian", "linux", "macos", "bare", "metal", "vm", "none"}
)
_IN_CONTAINER = "in_container"
#: A clue that no message gives: the version of torch says that it is a CUDA build.
CUDA_BUILD = "torch_is_cuda_build"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Circumstances:
    """Facts that conditions are checked against."""

    values: Mapping[str, str]
    """By name (``torch``, ``driver``, ``gpu`` …). What was stated comes before what the log says."""
    clues: frozenset[str]
    hits: frozenset[str]
    """Ids of the signatures that occur, clues among them."""
    predicted: Prediction
    """What the rules say of this environment."""


def circumstances_of(evidence: Evidence, matcher: Matcher) -> Circumstances:
    """From what was stated and what the matcher has found. Stated values are read as lines too, so that clues find them."""
    stated = _stated(evidence)
    matcher.read("\n".join(f"stated {name}: {value}" for name, value in stated.items()), "stated")
    values = dict(stated)
    if "cuda" not in values and (build := cuda_build(values.get("torch"))) not in (None, "cpu"):
        values["cuda"] = build
    clues = set()
    for hit in matcher.hits.values():
        is_clue = hit.signature.cause is None
        if is_clue:
            clues.add(hit.signature.id)
        for name, value in hit.values.items():
            if is_clue or name not in _OF_THE_ENVIRONMENT:
                values.setdefault(name, value)
    if cuda_build(values.get("torch")) not in (None, "cpu"):
        clues.add(CUDA_BUILD)
    clues |= wheel_clues(values)
    inside = _is_container(stated, clues)
    if inside:
        clues.add(_IN_CONTAINER)
    else:
        clues.discard(_IN_CONTAINER)
    predicted = predict(values, in_container=inside, content=evidence.content)
    if "needed_driver" not in values and (driver := needed_driver(values)):
        values["needed_driver"] = driver
    if known := driver_cuda(values):
        values["driver_cuda"] = known
    return Circumstances(values, frozenset(clues), frozenset(matcher.hits), predicted)


def _stated(evidence: Evidence) -> dict[str, str]:
    """What a person stated, completed by what was read inside the environment and by what the host's NVML says."""
    stated = {name.strip().lower(): value.strip() for name, value in evidence.stated.items() if value.strip()}
    if evidence.content is not None:
        for name in ("torch", "cuda", "python"):
            if value := getattr(evidence.content, name):
                stated.setdefault(name, value)
    if evidence.nvml is not None:
        if evidence.nvml.driver_version:
            stated.setdefault("driver", evidence.nvml.driver_version)
        for gpu in evidence.nvml.gpus:
            if gpu.name:
                stated.setdefault("gpu", gpu.name)
                stated.setdefault("cc", gpu.compute_capability or "")
    return stated


def _is_container(stated: Mapping[str, str], clues: set[str]) -> bool | None:
    """Whether it failed in a container; None where nothing says so or denies it. A stated yes or no stands before all else."""
    word = stated.get(_IN_CONTAINER, "").lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    return True if _IN_CONTAINER in clues or _names_a_container(stated.get("image", "")) else None


def _names_a_container(image: str) -> bool:
    """Whether what a person gives as the image is one; people also name a machine there."""
    words = set(_WORD.findall(image.lower()))
    if words & _CONTAINERS or (" " not in image.strip() and ("/" in image or ":" in image)):
        return True
    return bool(words) and not words & _MACHINES
