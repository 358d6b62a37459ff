"""Whether what starts containers on this machine has known weaknesses, from the dated rows of ``data/host_stack.yaml``.

Versions are those that the engine and the toolkit say of themselves. A distribution mends a version without changing its number
(Debian's runc 1.1.5+ds1-1+deb12u1): of its builds an old number proves nothing, which is said as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

from packaging.version import Version

from validator.base.data_files import read_rows
from validator.model import EngineInfo

#: The version that an upstream project writes; what follows it is a distribution's.
_UPSTREAM = re.compile(r"v?([0-9]+(?:\.[0-9]+){1,3}(?:-(?:alpha|beta|rc)\.?[0-9]+)?)", re.ASCII)
#: What a project's own build says of where it was built from: a commit, ``v1.1.12-0-g51d5e94``, or nothing.
_OWN_COMMIT = re.compile(r"(?:v?[0-9][0-9A-Za-z.-]*-[0-9]+-g)?[0-9a-f]{7,40}(?:-dirty)?|", re.ASCII)
_TOOLKIT = "nvidia-container-toolkit"
#: Components by the names that engines give them.
_NAMES = {"Engine": "docker", "containerd": "containerd", "runc": "runc"}


class StackState(str, Enum):
    """What is known of a component."""

    PATCHED = "patched"
    VULNERABLE = "vulnerable"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Advisory:
    """One row of the data file."""

    component: str
    cves: tuple[str, ...]
    fixed: tuple[str, ...]
    severity: str
    what: str
    source: str
    checked: str
    """The day, as ISO 8601."""


@dataclass(frozen=True)
class StackFinding:
    """What is known of one component of this machine."""

    component: str
    version: str | None
    """As the component says it; None where it does not."""
    state: StackState
    advisories: tuple[Advisory, ...] = ()
    """Those that concern it; where the state is unknown, those that would if nothing was mended."""
    fixed_in: str | None = None
    """The first version in which all of them are mended."""
    why_unknown: str = ""
    as_of: str = ""
    """The day up to which advisories are known."""

    @property
    def cves(self) -> tuple[str, ...]:
        """Every weakness that is named."""
        return tuple(cve for advisory in self.advisories for cve in advisory.cves)

    @property
    def sources(self) -> tuple[str, ...]:
        """Where it is said."""
        return tuple(dict.fromkeys(advisory.source for advisory in self.advisories))

    @property
    def text(self) -> str:
        """In one line."""
        what = f"{self.component} {self.version or 'of unknown version'}"
        cves = ", ".join(self.cves)
        if self.state is StackState.PATCHED:
            return f"{what}: no known weakness as of {self.as_of}"
        if self.state is StackState.VULNERABLE:
            return f"{what} has known weaknesses ({cves}): {self.advisories[-1].what}; mended in {self.fixed_in}"
        if self.advisories:
            doubt = f"whether this build does is not known: {self.why_unknown}"
            return f"{what} is older than {self.fixed_in}, which mends {cves}; {doubt}"
        return f"{what}: not known whether it has known weaknesses: {self.why_unknown}"


def stack_findings(engine: EngineInfo) -> tuple[StackFinding, ...]:
    """What is known of the engine, containerd, runc and NVIDIA's toolkit, as far as they start containers here.

    Nothing for a component that the data file has no row of (Podman, crun), and nothing at all without an engine.
    """
    if engine.name is None:
        return ()
    said = {_NAMES[part.name]: part for part in engine.components if part.name in _NAMES}
    found = [_finding(name, part.version, part.commit) for name, part in said.items()]
    if engine.name == "docker":
        expected = ["docker", "containerd"] + ["runc"] * (engine.default_runtime in (None, "runc", "nvidia"))
        found += [_silent(name, "the engine does not say its version") for name in expected if name not in said]
    return (*found, *_toolkit(engine))


def _toolkit(engine: EngineInfo) -> Iterable[StackFinding]:
    used = "nvidia" in engine.runtimes or any(device.startswith("nvidia.com/") for device in engine.cdi_devices)
    if not (engine.address or "").startswith("unix:"):
        # The toolkit's command answers for this machine, which is not the one that containers start on.
        return [_silent(_TOOLKIT, "the engine is on another machine")] if used else []
    if engine.toolkit_version is not None:
        return [_finding(_TOOLKIT, engine.toolkit_version, "")]
    return [_silent(_TOOLKIT, "nvidia-ctk does not answer on this machine")] if used else []


@cache
def advisories() -> tuple[Advisory, ...]:
    """Every row of the data file."""
    rows = read_rows("host_stack.yaml", ("component", "cves", "fixed", "severity", "what", "source", "checked"))
    return tuple(
        Advisory(**row | {"cves": tuple(row["cves"]), "fixed": tuple(row["fixed"]), "checked": row["checked"].isoformat()})
        for row in rows
    )


def _silent(component: str, why: str) -> StackFinding:
    return StackFinding(component, None, StackState.UNKNOWN, why_unknown=why)


def _finding(component: str, version: str, commit: str) -> StackFinding:
    rows = [row for row in advisories() if row.component == component]
    as_of = min(row.checked for row in rows)
    number = _UPSTREAM.match(version)
    if number is None:
        return StackFinding(component, version or None, StackState.UNKNOWN, why_unknown="its version cannot be read", as_of=as_of)
    fixes = [(row, _fix_for(Version(number[1]), row.fixed)) for row in rows]
    lacking = [(row, fix) for row, fix in fixes if fix is not None and Version(number[1]) < Version(fix)]
    if not lacking:
        return StackFinding(component, version, StackState.PATCHED, as_of=as_of)
    concerning = tuple(row for row, _ in lacking)
    fixed_in = max((fix for _, fix in lacking), key=Version)
    if number.end() == len(version) and _OWN_COMMIT.fullmatch(commit):
        return StackFinding(component, version, StackState.VULNERABLE, concerning, fixed_in, as_of=as_of)
    build = commit if not _OWN_COMMIT.fullmatch(commit) else version
    why = f"{build} is a distribution's build, which may be mended under an old number; the distribution's security tracker tells"
    return StackFinding(component, version, StackState.UNKNOWN, concerning, fixed_in, why, as_of)


def _fix_for(version: Version, fixed: Sequence[str]) -> str | None:
    """The fix that a version is to be compared with: its own series' or the next series'; None beyond all."""
    return min((text for text in fixed if _series(Version(text)) >= _series(version)), key=Version, default=None)


def _series(version: Version) -> tuple[int, int]:
    return version.major, version.minor
