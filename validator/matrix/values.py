"""The grammars of the values in matrix.yaml: each function returns the value, or raises ValueError with a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from packaging.requirements import InvalidRequirement, Requirement

from validator.base.redact import redact
from validator.base.text import one_line, quoted, suggestion
from validator.base.versions import Dotted, torch_version

#: The axes that an environment has by name.
ENVIRONMENT_AXES = ("torch", "cuda", "python")
#: The axes that a target has.
TARGET_AXES = ("gpu", "compute_capability", "driver")

_DURATION = re.compile(r"(?:(?P<h>\d{1,6})h)?(?:(?P<m>\d{1,6})m)?(?:(?P<s>\d{1,6})s)?", re.ASCII)
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_MAX_SECONDS = 7 * 24 * 3600
_MAX_BYTES = 1 << 50
_MAX_PIDS = 1 << 22  # Linux's own limit of process ids

_AXIS_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}", re.ASCII)
_BUILD_ARG = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_COMMAND = re.compile(r"[A-Za-z0-9_./+][A-Za-z0-9_./+-]{0,254}", re.ASCII)
_URL = re.compile(r"(?:https?|file)://[!-~]{1,1000}", re.ASCII)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

# The reference grammar of the distribution project (the registry's own), anchored.
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_PATH_PART}(?:/{_PATH_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[a-f0-9]{64}))?",
    re.ASCII,
)


def duration(text: str) -> float:
    """Seconds: ``90``, ``90s``, ``10m``, ``1h30m``."""
    match = _DURATION.fullmatch(f"{text}s" if text.isdecimal() else text)
    if not match or not text:
        raise ValueError(f"{quoted(text)} is not a duration such as 90s, 10m or 1h30m")
    seconds = sum(int(match[unit] or 0) * size for unit, size in (("h", 3600), ("m", 60), ("s", 1)))
    if not 0 < seconds <= _MAX_SECONDS:
        raise ValueError(f"the duration {quoted(text)} is not between 1 second and 7 days")
    return float(seconds)


def size(text: str) -> int:
    """Bytes, units being powers of 1024: ``512m``, ``16g``, ``1.5g``, ``16GiB``."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"{quoted(text)} is not a size such as 512m, 16g or 1.5g (units are powers of 1024)")
    count = int(Decimal(match[1]) * (1 << _UNITS[match[2].lower()]))
    if not 0 < count <= _MAX_BYTES:
        raise ValueError(f"the size {quoted(text)} is not between 1 byte and 1024t")
    return count


def process_count(text: str) -> int:
    """A number of processes."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 0 < int(text) <= _MAX_PIDS):
        raise ValueError(f"{quoted(text)} is not a number of processes between 1 and {_MAX_PIDS}")
    return int(text)


def axis_name(text: str) -> str:
    """The name of an axis."""
    return _full(_AXIS_NAME, text, "the name of an axis: lower-case letters, digits and _, a letter first")


def free_axis_name(text: str) -> str:
    """The name of an axis that is not one of torch, cuda and python."""
    if text in ENVIRONMENT_AXES:
        raise ValueError(f"{quoted(text)} is an axis of its own: write it beside `axes`, not in it")
    return axis_name(text)


def build_arg_name(text: str) -> str:
    """The name of a build argument, as ``ARG`` takes it."""
    return _full(_BUILD_ARG, text, "the name of a build argument: letters, digits and _, no digit first")


def build_arg_value(text: str) -> str:
    """The value of a build argument: one line, which may be empty."""
    return printable(text) if text else text


def network_mode(text: str) -> str:
    """A network mode or the name of a network of the engine."""
    return _full(_NETWORK, text, "a network mode (host, none) or the name of a network")


def command(text: str) -> str:
    """An interpreter inside an image: a name or a path, without arguments."""
    return _full(_COMMAND, text, "a command: a name or a path, without spaces, arguments or a dash in front")


def url(text: str) -> str:
    """A URL of a package source."""
    return _full(_URL, text, "a URL: it begins with https://, http:// or file:// and has no spaces")


def channel_url(text: str) -> str:
    """A URL with ``{channel}`` in it, or the empty text, with which no channel is asked at all."""
    if text and "{channel}" not in url(text):
        raise ValueError(f"{quoted(text)} has no {{channel}} in it, where the name of the build (cu128, cpu) is put")
    return text


def requirement(text: str) -> str:
    """A PEP 508 requirement."""
    try:
        Requirement(printable(text))
    except InvalidRequirement as error:
        reason = one_line(redact(str(error).splitlines()[0]))
        raise ValueError(f"{quoted(text)} is not a requirement such as numpy<2: {reason}") from None
    return text


def printable(text: str, limit: int = 1000) -> str:
    """One line of text without control or other invisible characters."""
    if not text.isprintable() or not text.strip() or len(text) > limit:
        raise ValueError(f"{quoted(text)} is not one line of printable text of 1 to {limit} characters")
    return text


def image_reference(text: str) -> str:
    """``host:port/path:tag@sha256:…``, every part but the path optional."""
    match = _REFERENCE.fullmatch(text) if len(text) <= 512 else None
    if match and len(match["name"]) <= 255:
        return text
    repository = re.split(r"[@]|:(?![0-9]+/)", text, maxsplit=1)[0].rpartition("/")[2]
    if not text or len(text) > 512:
        reason = "it must have 1 to 512 characters"
    elif any(char.isspace() or not char.isprintable() for char in text):
        reason = "it must be one word, without spaces and line breaks"
    elif text.startswith("-"):
        reason = "it must not begin with a dash, which would make it an option"
    elif repository != repository.lower():
        reason = "the repository must be lower case"
    else:
        reason = "it must look like registry.example.com/team/image:tag"
    raise ValueError(f"{quoted(text)} is not an image reference: {reason}")


def image_slug(reference: str) -> str:
    """The last part of the path and the tag of a valid reference; the head of the digest where there is no tag."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ValueError(f"{quoted(reference)} is not an image reference")
    label = match["tag"] or (match["digest"] or "").removeprefix("sha256:")[:12]
    name = match["name"].rpartition("/")[2]
    return f"{name}-{label}" if label else name


def _torch(text: str) -> str:
    torch_version(text)
    # packaging also takes spaces around it, an epoch and some non-ASCII letters, which no wheel or tag has.
    return _full(re.compile(r"[0-9A-Za-z.+_-]{1,100}"), text, "a torch version such as 2.7.1")


def _cuda(text: str) -> str:
    if text == "cpu":
        return text
    return _dotted(text, (2, 3), "a CUDA version such as 12.8, or cpu")


def _python(text: str) -> str:
    return _dotted(text, (2, 3), "a Python version such as 3.11")


def _driver(text: str) -> str:
    return _dotted(text, (2, 3, 4), "a driver version such as 580.95.05 (a branch alone is not enough)")


def _compute_capability(text: str) -> str:
    return _dotted(text, (2,), "a compute capability such as 8.6")


def _short(text: str) -> str:
    return printable(text, 100)


_AXES: Mapping[str, Callable[[str], str]] = {
    "torch": _torch,
    "cuda": _cuda,
    "python": _python,
    "gpu": _short,
    "compute_capability": _compute_capability,
    "driver": _driver,
}


def axis_value(axis: str, text: str) -> str:
    """A value of an axis, checked by the axis's own grammar; free axes take one line of printable text."""
    return _AXES.get(axis, _short)(text)


def placeholders(template: str) -> set[str]:
    """The names in braces."""
    return set(_PLACEHOLDER.findall(template))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with ``{axis}`` replaced. Plain text replacement: no attribute, index or format of ``str.format``."""
    if re.search(r"[{}]", _PLACEHOLDER.sub("", template)):
        raise ValueError(f"{quoted(template)} has a brace that is not closed or not opened; {{axis}} stands for a value")

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            known = f"the axes here are {', '.join(values)}" if values else "there are no axes here"
            raise ValueError(f"the placeholder {quoted(match[0])} names no axis{suggestion(name, values)} ({known})")
        return values[name]

    return _PLACEHOLDER.sub(value, template)


def _full(pattern: re.Pattern[str], text: str, meant: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not {meant}")
    return text


def _dotted(text: str, counts: tuple[int, ...], meant: str) -> str:
    try:
        Dotted(text)
    except ValueError:
        pass
    else:
        if text.count(".") + 1 in counts:
            return text
    raise ValueError(f"{quoted(text)} is not {meant}")
