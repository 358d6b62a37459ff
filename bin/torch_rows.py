"""Rows of data/facts/torch.yaml: what the package index says of a release, how the file differs, and both merged.

The file is edited line by line, so that its comments and everything written by hand stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import yaml
from package_index import Metadata, Wheel
from packaging.requirements import Requirement
from packaging.version import Version

#: What the index's own metadata decides. Everything else in a row is written by hand.
MECHANICAL = ("default", "python", "glibc", "triton")
#: The same, of the build that the index has (``builds.<default>``).
MECHANICAL_BUILD = ("cudnn", "nccl")
#: Sources by which a row or build says that its mechanical fields were taken from the index, and may be taken again.
FROM_INDEX = ("pypi", "wheel")
_LINUX = re.compile(r"manylinux\w*_x86_64")
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_")


@dataclass(frozen=True)
class Seen:
    """What the index says of one release; a field it says nothing of is None."""

    version: str
    python: tuple[str, ...]
    glibc: str | None = None
    default: str | None = None
    triton: str | None = None
    cudnn: str | None = None
    nccl: str | None = None
    toolkit: str | None = None
    """Full version of the CUDA toolkit pinned, such as 13.2.2."""
    arch: tuple[str, ...] = ()
    """Read from the wheel; empty where it was not opened."""

    def value(self, name: str) -> str | list[str] | None:
        """A field as the file has it."""
        found = getattr(self, name)
        return list(found) if isinstance(found, tuple) else found


@dataclass(frozen=True)
class Difference:
    """One field that the index and the file do not agree on."""

    version: str
    field: str
    ours: object
    theirs: object
    mechanical: bool
    """Whether the row says that it was taken from the index, so that ``--write`` may put the new value in."""

    def __str__(self) -> str:
        kind = "" if self.mechanical else "  CONFLICT with a row made by hand: not written"
        return f"  {self.version} {self.field}: {_flow(self.ours) if self.ours else '(nothing)'} -> {_flow(self.theirs)}{kind}"


@dataclass
class Comparison:
    """The file against the index."""

    new: list[Seen] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Releases of the file that the index no longer lists."""
    toolkits: list[str] = field(default_factory=list)
    """Toolkits that wheels pin and the table of toolkits lacks."""

    def __bool__(self) -> bool:
        return bool(self.new or self.differences or self.missing or self.toolkits)


def releases(wheels: Iterable[Wheel]) -> dict[str, list[Wheel]]:
    """The Linux x86_64 wheels of every final release, oldest first."""
    found: dict[str, list[Wheel]] = {}
    for wheel in wheels:
        version = Version(wheel.version)
        if _LINUX.search(wheel.platform) and not version.is_prerelease and not version.is_postrelease:
            found.setdefault(wheel.version, []).append(wheel)
    return dict(sorted(found.items(), key=lambda item: Version(item[0])))


def seen(version: str, wheels: Sequence[Wheel], metadata: Metadata | None, arch: tuple[str, ...] = ()) -> Seen:
    """What names of wheels and the metadata of one of them say of a release."""
    glibc = {f"{found[1]}.{found[2]}" for wheel in wheels if (found := _GLIBC.search(wheel.platform))}
    pins = _pins(metadata.requires if metadata else ())
    toolkit = pins.get("cuda-toolkit") or next((pins[name] for name in pins if name.startswith("nvidia-cuda-runtime")), None)
    return Seen(
        version=version,
        python=tuple(sorted({wheel.python for wheel in wheels}, key=_python_order)),
        glibc=glibc.pop() if len(glibc) == 1 else None,
        default=".".join(toolkit.split(".")[:2]) if toolkit else None,
        triton=pins.get("triton"),
        cudnn=next((pins[name] for name in pins if name.startswith("nvidia-cudnn-cu")), None),
        nccl=next((pins[name] for name in pins if name.startswith("nvidia-nccl-cu")), None),
        toolkit=toolkit,
        arch=arch,
    )


def _python_order(text: str) -> tuple[object, ...]:
    return (*(int(part) for part in text.rstrip("t").split(".")), text.endswith("t"))


def _pins(requires: Iterable[str]) -> dict[str, str]:
    """Package → version that is required exactly, or at least nearly (``~=``)."""
    found = {}
    for text in requires:
        requirement = Requirement(text)
        versions = [spec.version for spec in requirement.specifier if spec.operator in ("==", "~=")]
        if len(versions) == 1 and (requirement.marker is None or "extra" not in str(requirement.marker)):
            found[requirement.name] = versions[0]
    return found


def compare(text: str, index: Iterable[Seen], listed: Iterable[str], toolkits: Iterable[str]) -> Comparison:
    """The text of torch.yaml against what was ``seen``; ``listed`` are all releases there, ``toolkits`` those with a row."""
    rows = yaml.load(text, Loader=yaml.BaseLoader)["releases"]  # noqa: S506 - makes nothing but text
    result = Comparison(missing=[version for version in rows if version not in set(listed)])
    known = set(toolkits)
    for release in index:
        if release.toolkit and release.toolkit.count(".") >= 2 and not _has_toolkit(release.toolkit, known):
            result.toolkits.append(f"{release.toolkit} (pinned by torch {release.version})")
        row = rows.get(release.version)
        if row is None:
            result.new.append(release)
            continue
        result.differences += _differences(release, row)
    return result


def _has_toolkit(pinned: str, known: set[str]) -> bool:
    """Whether the minor of a pinned toolkit has a row; wheels of old pin a component, whose last number is not the toolkit's."""
    minor = ".".join(pinned.split(".")[:2]) + "."
    return any(version.startswith(minor) for version in known)


def _differences(release: Seen, row: Mapping[str, object]) -> Iterable[Difference]:
    from_index = row.get("source") in FROM_INDEX
    for name in MECHANICAL:
        theirs = release.value(name)
        if theirs and theirs != row.get(name):
            yield Difference(release.version, name, row.get(name), theirs, from_index)
    builds = row.get("builds")
    build = builds.get(str(row.get("default"))) if isinstance(builds, dict) else None
    for name in MECHANICAL_BUILD if isinstance(build, dict) and release.default == row.get("default") else ():
        theirs = release.value(name)
        if theirs and theirs != build.get(name):
            mechanical = not build.get(name) or build.get("source") in FROM_INDEX
            yield Difference(release.version, f"builds.{row['default']}.{name}", build.get(name), theirs, mechanical)


# ---------------------------------------------------------------- the text


def merged(text: str, comparison: Comparison) -> str:
    """The file with new releases and mechanical differences in it; conflicts are left as they are."""
    lines = text.splitlines()
    for difference in comparison.differences:
        if difference.mechanical:
            lines = _with_value(lines, difference)
    for release in comparison.new:
        lines = _with_release(lines, release)
    return "\n".join(lines) + "\n"


def _with_value(lines: list[str], difference: Difference) -> list[str]:
    begin, end = _block(lines, difference.version)
    name = difference.field.rpartition(".")[2]
    if difference.field.startswith("builds."):
        cuda = difference.field.removeprefix("builds.").removesuffix(f".{name}")
        at = next(i for i in range(begin, end) if re.match(rf'\s+"?{re.escape(cuda)}"?: \{{', lines[i]))
        value = f"{name}: {_flow(difference.theirs)}"
        line, changed = re.subn(rf"\b{name}: [^,}}]+", value, lines[at])
        lines[at] = line if changed else re.sub(r", source:", f", {value}, source:", lines[at], count=1)
        return lines
    value = f"    {name}: {_flow(difference.theirs)}"
    at = next((i for i in range(begin, end) if lines[i].startswith(f"    {name}:")), None)
    if at is None:
        at = next(i for i in range(begin, end) if lines[i].startswith("    source:"))
        return [*lines[:at], value, *lines[at:]]
    return [*lines[:at], value, *lines[at + 1 :]]


def _block(lines: Sequence[str], version: str) -> tuple[int, int]:
    begin = next(i for i, line in enumerate(lines) if re.fullmatch(rf'  "?{re.escape(version)}"?:', line))
    end = next((i for i in range(begin + 1, len(lines)) if re.match(r"  \S|\S", lines[i])), len(lines))
    return begin, end


def _with_release(lines: list[str], release: Seen) -> list[str]:
    """A row of a new release, in its place in the order of versions."""
    row = [f"  {release.version}:"]
    row += [f"    {name}: {_flow(release.value(name))}" for name in ("default", "python", "glibc") if release.value(name)]
    row += [f"    triton: {release.triton}"] if release.triton else []
    row += ["    source: pypi", "    confidence: single-source"]
    if release.default:
        arch = f"linux_x86_64: {' '.join(release.arch)}" if release.arch else ""
        pins = "".join(f", {name}: {release.value(name)}" for name in MECHANICAL_BUILD if release.value(name))
        source = "wheel" if release.arch else "pypi"
        origin = f"source: {source}, confidence: single-source"
        row += ["    builds:", f'      "{release.default}": {{arch: {{{arch}}}{pins}, {origin}}}']
    versions = {}
    inside = False
    for number, line in enumerate(lines):
        inside = line.startswith("releases:") or (inside and not re.match(r"\S", line))
        if inside and (found := re.fullmatch(r'  "?([0-9][\w.]*)"?:', line)):
            versions[number] = Version(found[1])
    later = [number for number, version in versions.items() if version > Version(release.version)]
    at = min(later) if later else _block(lines, str(versions[max(versions)]))[1]
    return [*lines[:at], *row, *lines[at:]]


def _flow(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, (list, tuple)) else str(value)
