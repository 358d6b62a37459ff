"""What was found inside an environment, and where it is not what the matrix says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from validator.base.versions import same_cuda, same_torch
from validator.model import CheckResult, Content, Environment, Metric, Mismatch
from validator.runners.base import Prepared


def content_of(checks: Sequence[CheckResult], prepared: Prepared, facts: Mapping[str, Metric]) -> Content:
    """What the probe read inside, over what the engine says of the image."""
    metrics: Mapping[str, Metric] = next((check.metrics for check in checks if check.name == "import"), {})

    def text(name: str) -> str | None:
        value = metrics.get(name)
        return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None

    arch = metrics.get("arch_list")
    libc, platform = text("libc") or facts.get("libc"), facts.get("platform")
    return Content(
        torch=text("torch_version"),
        cuda=text("cuda_runtime"),
        python=text("python_version"),
        arch_list=tuple(str(item) for item in arch) if isinstance(arch, list) else (),
        libc=libc if isinstance(libc, str) else None,
        numpy=text("numpy_version"),
        cudnn=text("cudnn_version"),
        platform=platform if isinstance(platform, str) else prepared.image.platform,
        variables=prepared.image.variables,
        labels=prepared.image.labels,
        compat_driver=text("compat_driver"),
        from_image=prepared.image.from_image,
    )


def mismatches_of(environment: Environment, content: Content) -> tuple[Mismatch, ...]:
    """Where what is inside is not what the matrix says; nothing where no torch was found."""
    if content.torch is None:
        return ()
    found = []
    if environment.torch and not same_torch(environment.torch, content.torch):
        found.append(Mismatch("torch", environment.torch, content.torch))
    if environment.cuda and not same_cuda(environment.cuda, content.cuda):
        found.append(Mismatch("cuda", environment.cuda, content.cuda))
    if environment.python and content.python and not _same_python(environment.python, content.python):
        found.append(Mismatch("python", environment.python, content.python))
    return tuple(found)


def sentence(mismatch: Mismatch) -> str:
    """A mismatch in words."""
    said, found = mismatch.said, mismatch.found
    if mismatch.what == "torch":
        return f"the matrix says torch {said}, inside is {found}"
    if mismatch.what == "python":
        return f"the matrix says Python {said}, inside is {found}"
    if said == "cpu":
        return f"the matrix says cpu, inside is a build for CUDA {found}"
    return f"the matrix says CUDA {said}, inside is {found or 'a CPU build'}"


def _same_python(said: str, found: str) -> bool:
    """Whether 3.12.4 is 3.12."""
    return (found + ".").startswith(said + ".")
