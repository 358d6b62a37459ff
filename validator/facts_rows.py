"""The rows of the facts: one frozen type a table, each with where it comes from, and how a row of plain text becomes one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from packaging.version import InvalidVersion, Version

from validator.versions import Dotted

#: A row as it stands in a file: every value is text, a list of texts, or a mapping of the same.
Raw = Mapping[str, "str | list[object] | dict[str, object]"]
_T = TypeVar("_T")

CONFIDENCES = ("verified", "single-source", "inferred", "unverified", "own")
PLATFORMS = ("linux_x86_64", "linux_aarch64", "windows")
LINES = ("datacenter", "workstation", "geforce", "titan", "jetson")
FEATURES = ("tensor_cores", "bf16", "fp8", "fp4")
_ARCH = re.compile(r"(sm|compute)_([0-9]{1,2})([0-9])([af]?)", re.ASCII)


class RowError(ValueError):
    """A row that cannot be used: which field (``builds/13.2/arch``), and why."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True)
class Origin:
    """Where a row comes from."""

    source: str
    """Key of the source in its file."""
    what: str
    date: str
    confidence: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.date}, {self.confidence})"


@dataclass(frozen=True)
class Toolkit:
    """One release of the CUDA toolkit and the driver it was released with."""

    version: str
    cuda: Dotted
    linux: Dotted | None
    windows: Dotted | None
    origin: Origin


@dataclass(frozen=True)
class Floor:
    """The lowest driver that runs every minor of a CUDA major."""

    major: int
    linux: Dotted
    windows: Dotted
    exceptions: Mapping[str, Dotted]
    """CUDA versions that were released on an older driver still."""
    origin: Origin


@dataclass(frozen=True)
class Branch:
    """One branch of the driver."""

    number: int
    cuda: Dotted
    """What nvidia-smi shows: the newest CUDA the branch knows."""
    kind: str
    end_of_life: str
    """``2026-06``, or empty."""
    origin: Origin


@dataclass(frozen=True)
class Distribution:
    """The driver branch that a distribution's own package is of."""

    name: str
    branch: int
    origin: Origin


@dataclass(frozen=True)
class CompatBase:
    """Which driver branches the cuda-compat library of a CUDA version may stand on."""

    cuda: Dotted
    branches: frozenset[int]
    origin: Origin


@dataclass(frozen=True)
class Gate:
    """What NVIDIA_REQUIRE_CUDA of the images of a CUDA version says."""

    cuda: Dotted
    requirement: str
    origin: Origin


@dataclass(frozen=True)
class Capability:
    """One compute capability."""

    cc: Dotted
    architecture: str
    first_toolkit: Dotted
    last_toolkit: Dotted | None
    first_branch: int | None
    last_branch: int | None
    features: frozenset[str]
    open_modules: str
    jetson: bool
    origin: Origin
    """Of the toolkits."""
    branch_origin: Origin
    feature_origin: Origin
    """Of the features, and of the kernel modules."""


@dataclass(frozen=True)
class GpuRow:
    """One product, by the name NVML prints without the vendor."""

    name: str
    cc: Dotted
    memory_gb: int | None
    line: str
    first_driver: Dotted | None
    tensor_cores: bool | None
    """False where the product lacks what its capability has; None: as its capability."""
    defects: tuple[str, ...]
    host: str
    """The platform of the only machines it is in; empty where any."""
    origin: Origin


@dataclass(frozen=True)
class Build:
    """One CUDA build of a torch release."""

    cuda: Dotted
    arch: Mapping[str, tuple[str, ...]]
    """Platform → what it has code for (``sm_86``, ``compute_120``)."""
    cudnn: str
    nccl: str
    glibc: Dotted | None
    origin: Origin


@dataclass(frozen=True)
class Release:
    """One release of torch."""

    version: Version
    released: str
    default: str
    default_other: Mapping[str, str]
    python: tuple[str, ...]
    python_other: Mapping[str, tuple[str, ...]]
    glibc: Dotted
    triton: str
    unsure: tuple[str, ...]
    builds: Mapping[str, Build]
    origin: Origin

    def default_on(self, platform: str) -> str:
        """The CUDA build (or ``cpu``) that a plain ``pip install torch`` gives."""
        return self.default_other.get(platform, "cpu" if platform == "windows" else self.default)

    def python_on(self, platform: str) -> tuple[str, ...]:
        """The Python versions with a wheel."""
        return self.python_other.get(platform, self.python)


@dataclass(frozen=True)
class Boundary:
    """From which torch on something is there."""

    ident: str
    name: str
    since: Version
    cc: Dotted | None
    origin: Origin


@dataclass(frozen=True)
class Pattern:
    """How the tags of an image family are read."""

    repository: str
    tag: str
    gate: bool
    compat: bool
    origin: Origin


@dataclass(frozen=True)
class ImageTag:
    """One image by its whole reference."""

    reference: str
    torch: str
    cuda: str
    origin: Origin


@dataclass(frozen=True)
class NgcArch:
    """Code in NGC's own builds of torch from a month on."""

    month: Dotted
    arch: tuple[str, ...]
    origin: Origin


class Reader:
    """Takes the fields of one row, each in its type, and refuses what is left over or missing."""

    def __init__(self, raw: object, sources: Mapping[str, tuple[str, str]]) -> None:
        if not isinstance(raw, dict):
            raise RowError("", "a row is a mapping of fields")
        self._raw: dict[str, object] = dict(raw)
        self._sources = sources

    def text(self, field: str, default: str | None = None) -> str:
        """A text; required unless there is a default."""
        value = self._raw.pop(field, default)
        if value is None:
            raise RowError(field, "is missing")
        if not isinstance(value, str):
            raise RowError(field, "is one value, not a list or mapping")
        return value

    def parsed(self, field: str, parse: Callable[[str], _T]) -> _T:
        """A text in its type."""
        text = self.text(field)
        try:
            return parse(text)
        except ValueError as error:
            raise RowError(field, str(error)) from None

    def optional(self, field: str, parse: Callable[[str], _T]) -> _T | None:
        """A text in its type, or None where the field is left out."""
        return self.parsed(field, parse) if field in self._raw else None

    def choice(self, field: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of a few words."""
        value = self.text(field, default)
        if value not in choices:
            raise RowError(field, f"{value!r} is none of {', '.join(choices)}")
        return value

    def words(self, field: str) -> tuple[str, ...]:
        """A list, or one text with spaces; empty where left out."""
        return words(self._raw.pop(field, []), field)

    def mapping(self, field: str) -> dict[str, object]:
        """A mapping; empty where left out."""
        value = self._raw.pop(field, {})
        if not isinstance(value, dict):
            raise RowError(field, "is a mapping")
        return value

    def many(self, field: str) -> list[object]:
        """A list of anything; empty where left out."""
        value = self._raw.pop(field, [])
        if not isinstance(value, list):
            raise RowError(field, "is a list")
        return value

    def origins(self, *parts: str) -> dict[str, Origin]:
        """The row's own origin and those of parts that come from another source (``branch_source``), by field name."""
        others = {part: self.text(f"{part}_source", "") for part in parts}
        own = self.origin()
        found = {"origin": own}
        for part, source in others.items():
            if source and source not in self._sources:
                raise RowError(f"{part}_source", f"{source!r} is not among the sources ({', '.join(self._sources)})")
            what, date = self._sources[source] if source else (own.what, own.date)
            found[f"{part}_origin"] = Origin(source or own.source, what, date, own.confidence)
        return found

    def origin(self) -> Origin:
        """Source, date and confidence; must be read last: a field that nobody took is then refused."""
        source = self.text("source")
        if source not in self._sources:
            raise RowError("source", f"{source!r} is not among the sources ({', '.join(self._sources)})")
        what, date = self._sources[source]
        origin = Origin(source, what, date, self.choice("confidence", CONFIDENCES), self.text("note", ""))
        if self._raw:
            raise RowError(next(iter(self._raw)), "is not a field of this table")
        return origin


def words(value: object, field: str) -> tuple[str, ...]:
    """The texts of a list, or of one text with spaces."""
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise RowError(field, "is a list of values")


def arch_entries(value: object, field: str) -> tuple[str, ...]:
    """``sm_86 compute_120`` as entries; refuses what is neither SASS nor PTX."""
    entries = words(value, field)
    for entry in entries:
        if not _ARCH.fullmatch(entry):
            raise RowError(field, f"{entry!r} is not an architecture such as sm_86 or compute_120")
    return entries


def cuda_version(text: str) -> Dotted:
    """A CUDA version of two numbers. Raises ValueError."""
    version = Dotted(text)
    if text.count(".") != 1:
        raise ValueError(f"{text!r} is not a CUDA version such as 12.8")
    return version


def build(cuda: str, reader: Reader) -> Build:
    """One build of a release."""
    arch = {}
    for platform, entries in reader.mapping("arch").items():
        if platform not in PLATFORMS:
            raise RowError("arch", f"{platform!r} is none of {', '.join(PLATFORMS)}")
        arch[platform] = arch_entries(entries, "arch")
    return Build(
        cuda=cuda_version(cuda),
        arch=arch,
        cudnn=reader.text("cudnn", ""),
        nccl=reader.text("nccl", ""),
        glibc=reader.optional("glibc", Dotted),
        origin=reader.origin(),
    )


def release(version: str, reader: Reader, sources: Mapping[str, tuple[str, str]]) -> Release:
    """One release with its builds."""
    try:
        parsed = Version(version)
    except InvalidVersion:
        raise RowError("", f"{version!r} is not a torch version") from None
    builds = {}
    for cuda, row in reader.mapping("builds").items():
        try:
            builds[cuda] = build(cuda, Reader(row, sources))
        except RowError as error:
            raise RowError(f"builds/{cuda}/{error.field}", error.problem) from None
        except ValueError as error:
            raise RowError(f"builds/{cuda}", str(error)) from None
    return Release(
        version=parsed,
        released=reader.text("released", ""),
        default=reader.text("default"),
        default_other={platform: str(cuda) for platform, cuda in reader.mapping("default_other").items()},
        python=reader.words("python"),
        python_other={name: words(tags, "python_other") for name, tags in reader.mapping("python_other").items()},
        glibc=reader.parsed("glibc", Dotted),
        triton=reader.text("triton", ""),
        unsure=reader.words("unsure"),
        builds=builds,
        origin=reader.origin(),
    )


def gpu(name: str, reader: Reader) -> GpuRow:
    """One product."""
    return GpuRow(
        name=name,
        cc=reader.parsed("cc", Dotted),
        memory_gb=reader.optional("memory_gb", int),
        line=reader.choice("line", LINES),
        first_driver=reader.optional("first_driver", Dotted),
        tensor_cores=reader.optional("tensor_cores", truth),
        defects=reader.words("defects"),
        host=reader.choice("host", ("", *PLATFORMS), ""),
        origin=reader.origin(),
    )


def capability(cc: str, reader: Reader) -> Capability:
    """One compute capability."""
    return Capability(
        cc=Dotted(cc),
        architecture=reader.text("architecture"),
        first_toolkit=reader.parsed("first_toolkit", cuda_version),
        last_toolkit=reader.optional("last_toolkit", cuda_version),
        first_branch=reader.optional("first_branch", int),
        last_branch=reader.optional("last_branch", int),
        features=frozenset(reader.words("features")),
        open_modules=reader.choice("open_modules", ("no", "optional", "required")),
        jetson=reader.choice("jetson", ("true", "false"), "false") == "true",
        **reader.origins("branch", "feature"),
    )


def truth(text: str) -> bool:
    """``true`` or ``false``. Raises ValueError."""
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"
