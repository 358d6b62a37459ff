"""What a matrix, a tag or a label calls an environment, against what was found inside it."""

from __future__ import annotations

from validator.base.text import one_line
from validator.base.versions import same_cuda, same_torch
from validator.facts.image_names import ImageFacts
from validator.model import Finding
from validator.rules.answer import NOTHING, Answer, degraded, fail
from validator.rules.subject import Subject


def content(subject: Subject, image: ImageFacts) -> Answer:
    """Compares torch and CUDA; the inside is what counts for every other rule."""
    inside = subject.inspected
    if inside is None:
        return NOTHING
    findings: list[Finding] = []
    labels = dict(inside.labels)
    for what, said, found in (
        ("the matrix says", subject.torch, inside.torch),
        (f"the tag of {subject.image} says", image.torch, inside.torch),
        ("the image's label says", labels.get("torch"), inside.torch),
    ):
        if said and found and not same_torch(said, found):
            findings.append(_mismatch(what, f"torch {said}", f"torch {found}"))
            break
    for what, said, found in (
        ("the matrix says", subject.cuda, inside.cuda),
        (f"the tag of {subject.image} says", image.cuda, inside.cuda),
        ("the image's label says", labels.get("cuda"), inside.cuda),
    ):
        if said and found and not same_cuda(said, found):
            findings.append(_cuda_mismatch(what, said, found))
            break
    return Answer(findings=tuple(findings))


def _mismatch(what: str, said: str, found: str) -> Finding:
    return degraded(
        "label_mismatch",
        f"{one_line(what, 120)} {said}, inside is {found}",
        f"{said} is not {found}",
        remedy="correct the label, or pull the image that was meant",
    )


def _cuda_mismatch(what: str, said: str, found: str) -> Finding:
    if found == "cpu":
        return fail(
            "cpu_only_torch",
            f"{one_line(what, 120)} CUDA {said}, inside is a build of torch without CUDA",
            "torch.version.cuda is None",
            remedy="install torch from the channel of that CUDA version (--index-url https://download.pytorch.org/whl/cu…)",
        )
    return _mismatch(what, "a CPU build" if said == "cpu" else f"CUDA {said}", f"CUDA {found}")
