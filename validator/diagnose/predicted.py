"""What the rules say of the place a log comes from, where enough of it is known: context, and the weakest of evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping

from validator.base.versions import Dotted
from validator.facts import load
from validator.model import Content, Finding, Outlook, Prediction
from validator.rules import Place, Subject, judge
from validator.rules.floors import floor_of, toolkit_driver
from validator.rules.subject import inspected_of

_RELEASE = re.compile(r"\d+(?:\.\d+){1,3}")
_TAG = re.compile(r"\+(cpu|cu(\d{1,2})(\d))\b")
_NUMBER = re.compile(r"\d+(?:\.\d+){0,3}")
#: Driver branches have three digits; a smaller number is something else.
_FIRST_BRANCH = 100
_COUNT = re.compile(r"^\s*\d{1,3} ?[x×] ?", re.IGNORECASE)
_MINOR = re.compile(r"\d+\.\d+t?")
#: Clues that no message gives: the torch that is asked for was published; it has no wheel for the Python that is known.
PUBLISHED, NO_WHEEL = "release_is_published", "no_wheel_for_python"
NOTHING = Prediction(Outlook.UNKNOWN)


def predict(values: Mapping[str, str], *, in_container: bool | None, content: Content | None = None) -> Prediction:
    """The rules' word on what was stated or read from the log; nothing where that is not enough, or is in no form they know.

    What was read inside the environment (its own list of architectures) stands before the facts. A torch or CUDA version alone
    says nothing of a driver or GPU, and the other way round: both sides must be known.
    """
    torch, cuda = _release(values.get("torch")), _cuda(values)
    gpu, driver = _gpu(values.get("gpu")), _driver(values.get("driver"))
    if not (torch or cuda) or not (gpu or driver):
        return NOTHING
    windows = "windows" in values.get("os", "").lower()
    inspected = inspected_of(content) if content is not None else None
    subject = Subject(torch=torch, cuda=cuda, platform="windows" if windows else "linux_x86_64", inspected=inspected)
    for named in (gpu, None) if gpu else (None,):
        try:
            return judge(subject, Place(gpu=named, driver=driver, is_container=in_container), load())
        except ValueError:  # a name or a version as people write them; without the GPU the driver can still be judged
            continue
    return NOTHING


def needed_driver(values: Mapping[str, str]) -> str | None:
    """The lowest driver for the CUDA version that is known, or None. An image's gate wants the driver that knows its CUDA."""
    platform = "windows" if "windows" in values.get("os", "").lower() else "linux_x86_64"
    if gate := _release(values.get("image_cuda")):
        need = toolkit_driver(Dotted(gate), platform, load())
        return need.driver.text if need else None
    cuda = _cuda(values)
    if cuda is None or cuda == "cpu":
        return None
    floor = floor_of(Dotted(cuda), platform, load())
    return floor.driver.text if floor else None


def driver_cuda(values: Mapping[str, str]) -> str | None:
    """The CUDA version a driver knows, where torch says it as one number: 11040 is 11.4."""
    number = values.get("cuda_found", "")
    return f"{int(number) // 1000}.{int(number) % 1000 // 10}" if number.isdigit() and 4 <= len(number) <= 5 else None


def wheel_clues(values: Mapping[str, str]) -> frozenset[str]:
    """What the facts know of the torch that was asked for: whether there is such a release, and none for this Python."""
    torch = _release(values.get("asked")) or _release(values.get("torch"))
    if torch is None:
        return frozenset()
    release = next((row for version, row in load().releases.items() if version.base_version == torch), None)
    if release is None:
        return frozenset()
    windows = "windows" in values.get("os", "").lower()
    tags = release.python_on("windows" if windows else "linux_x86_64")
    python = _MINOR.search(values.get("python", ""))
    return frozenset({PUBLISHED, NO_WHEEL} if python and python.group() not in tags else {PUBLISHED})


def finding_of(prediction: Prediction, cause: str) -> Finding | None:
    """The finding of a prediction that names this cause."""
    return next((finding for finding in prediction.findings if finding.cause == cause), None)


def _release(text: str | None) -> str | None:
    found = _RELEASE.search(text or "")
    return found.group() if found else None


def _cuda(values: Mapping[str, str]) -> str | None:
    if tag := _TAG.search(values.get("torch", "")):
        return "cpu" if tag.group(1) == "cpu" else f"{tag.group(2)}.{tag.group(3)}"
    return _release(values.get("cuda"))


def _driver(text: str | None) -> str | None:
    """A driver version or branch; people also give what nvidia-smi calls the CUDA version."""
    release = _NUMBER.search(text or "")
    if release is None:
        return None
    if "cuda" in (text or "").lower():
        return f"CUDA {release.group()}"
    return release.group() if float(release.group().split(".")[0]) >= _FIRST_BRANCH else None


def _gpu(text: str | None) -> str | None:
    """A GPU's name without the count before it and what stands in brackets behind it."""
    name = _COUNT.sub("", (text or "").split("(")[0].split(",")[0]).strip()
    return name or None
