"""What the rules and the facts say about the environment a log comes from, where enough of it is known."""

from __future__ import annotations

import re
from collections.abc import Mapping

from validator.base.versions import Dotted
from validator.diagnose.found_versions import cuda_build, release_in, version_in
from validator.facts import load
from validator.model import Content, Finding, Outlook, Prediction
from validator.rules import Place, Subject, judge
from validator.rules.floors import floor_of, toolkit_driver
from validator.rules.subject import inspected_of

#: Driver branches have three digits; a smaller number is something else.
_FIRST_BRANCH = 100
#: ``2x`` in front of a GPU's name.
_COUNT = re.compile(r"^\s*\d{1,3} ?[x×] ?", re.IGNORECASE)
_PYTHON = re.compile(r"\d+\.\d+t?")
#: torch's number for a CUDA version: 11040 is 11.4.
_CUDA_NUMBER = re.compile(r"[0-9]{4,5}")
#: Clues that no message gives: the torch that is asked for was published; it has no wheel for the Python that is known.
PUBLISHED, NO_WHEEL = "release_is_published", "no_wheel_for_python"
_NOTHING = Prediction(Outlook.UNKNOWN)


def predict(values: Mapping[str, str], *, in_container: bool | None, content: Content | None = None) -> Prediction:
    """What the rules predict from what was stated or read from the log; unknown where that is too little or in no known form.

    What was read inside the environment (its own list of architectures) stands before the facts. A torch or CUDA version says
    nothing about a driver or GPU on its own, nor the other way round: something must be known of both.
    """
    torch, cuda = release_in(values.get("torch")), _cuda(values)
    gpu, driver = _gpu(values.get("gpu")), _driver(values.get("driver"))
    if not (torch or cuda) or not (gpu or driver):
        return _NOTHING
    subject = Subject(
        torch=torch.text if torch else None,
        cuda=cuda,
        platform=_platform(values),
        inspected=inspected_of(content) if content is not None else None,
    )
    for named in (gpu, None) if gpu else (None,):
        try:
            return judge(subject, Place(gpu=named, driver=driver, is_container=in_container), load())
        except ValueError:  # a name or a version as people write them; without the GPU the driver can still be judged
            continue
    return _NOTHING


def needed_driver(values: Mapping[str, str]) -> str | None:
    """The lowest driver for the CUDA version that is known, or None. An image's gate wants the driver that knows its CUDA."""
    platform = _platform(values)
    if gate := release_in(values.get("image_cuda")):
        need = toolkit_driver(gate, platform, load())
        return need.driver.text if need else None
    cuda = _cuda(values)
    if cuda is None or cuda == "cpu":
        return None
    floor = floor_of(Dotted(cuda), platform, load())
    return floor.driver.text if floor else None


def driver_cuda(values: Mapping[str, str]) -> str | None:
    """The CUDA version that a driver knows, where torch's message gives it as one number: ``11040`` → ``11.4``."""
    number = values.get("cuda_found", "")
    return f"{int(number) // 1000}.{int(number) % 1000 // 10}" if _CUDA_NUMBER.fullmatch(number) else None


def wheel_clues(values: Mapping[str, str]) -> frozenset[str]:
    """What the facts know of the torch that was asked for: that it was published, and that no wheel fits this Python."""
    torch = release_in(values.get("asked")) or release_in(values.get("torch"))
    if torch is None:
        return frozenset()
    release = next((row for version, row in load().releases.items() if version.base_version == torch.text), None)
    if release is None:
        return frozenset()
    python = _PYTHON.search(values.get("python", ""))
    no_wheel = python is not None and python.group() not in release.python_on(_platform(values))
    return frozenset({PUBLISHED, NO_WHEEL} if no_wheel else {PUBLISHED})


def finding_of(prediction: Prediction, cause: str) -> Finding | None:
    """The finding of a prediction that names this cause."""
    return next((finding for finding in prediction.findings if finding.cause == cause), None)


def _platform(values: Mapping[str, str]) -> str:
    return "windows" if "windows" in values.get("os", "").lower() else "linux_x86_64"


def _cuda(values: Mapping[str, str]) -> str | None:
    if build := cuda_build(values.get("torch")):
        return build
    release = release_in(values.get("cuda"))
    return release.text if release else None


def _driver(text: str | None) -> str | None:
    """A driver version or branch, or the CUDA version that nvidia-smi shows, which people give as well."""
    version = version_in(text)
    if version is None:
        return None
    if "cuda" in (text or "").lower():
        return f"CUDA {version}"
    return version.text if version.numbers[0] >= _FIRST_BRANCH else None


def _gpu(text: str | None) -> str | None:
    """A GPU's name without the count in front of it and whatever follows in brackets or behind a comma."""
    name = _COUNT.sub("", (text or "").split("(")[0].split(",")[0]).strip()
    return name or None
