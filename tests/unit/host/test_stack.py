"""Whether what starts containers has known weaknesses: versions as engines really say them, and what only looks old."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from packaging.version import Version

from validator.host import StackState, stack_findings
from validator.host.stack import StackFinding, advisories
from validator.model import EngineComponent, EngineInfo

OURS = {"docker": ("Engine", "29.9.0", "0123abc"), "containerd": ("containerd", "2.3.6", ""), "runc": ("runc", "1.5.2", "")}


def engine(toolkit: str | None = None, **parts: tuple[str, str]) -> EngineInfo:
    """A Docker of which everything is new but for the parts given as version and commit."""
    said = {name: (shown, *parts.get(name, (version, commit))) for name, (shown, version, commit) in OURS.items()}
    return EngineInfo(
        name="docker",
        version="29.9.0",
        address="unix:///run/docker.sock",
        runtimes=("runc",),
        default_runtime="runc",
        toolkit_version=toolkit,
        components=tuple(EngineComponent(*one) for one in said.values()),
    )


def of(component: str, info: EngineInfo) -> StackFinding:
    (found,) = [finding for finding in stack_findings(info) if finding.component == component]
    return found


UPSTREAM_COMMIT = "v1.1.12-0-g51d5e942"
BUILDKIT_2024 = ("CVE-2024-23651", "CVE-2024-23652", "CVE-2024-23653")
NEW_2025 = ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881")


@pytest.mark.parametrize(
    ("component", "version", "cves", "fixed_in"),
    [
        ("runc", "1.0.0-rc93", ("CVE-2024-21626", *NEW_2025), "1.2.8"),
        ("runc", "1.1.11", ("CVE-2024-21626", *NEW_2025), "1.2.8"),
        ("runc", "1.1.12", NEW_2025, "1.2.8"),
        ("runc", "1.2.7", NEW_2025, "1.2.8"),
        ("runc", "1.2.8", (), None),
        ("runc", "1.3.2", NEW_2025, "1.3.3"),
        ("runc", "1.3.3", (), None),
        ("runc", "1.4.0-rc.2", NEW_2025, "1.4.0-rc.3"),
        ("runc", "1.4.0-rc.3", (), None),
        ("runc", "v1.4.0", (), None),
        ("runc", "1.5.0", (), None),
        ("containerd", "1.6.38", ("CVE-2024-25621",), "1.7.29"),
        ("containerd", "v1.7.28", ("CVE-2024-25621",), "1.7.29"),
        ("containerd", "v1.7.29", (), None),
        ("containerd", "2.1.4", ("CVE-2024-25621",), "2.1.5"),
        ("containerd", "2.2.0-rc.1", ("CVE-2024-25621",), "2.2.0"),
        (
            "docker",
            "24.0.9",
            ("CVE-2024-23651", "CVE-2024-23652", "CVE-2024-23653", "CVE-2026-41567", "CVE-2026-17106"),
            "29.7.0",
        ),
        ("docker", "29.5.1", ("CVE-2026-17106",), "29.7.0"),
        ("docker", "29.10.0", (), None),
    ],
)
def test_an_upstream_version_is_compared_with_the_fix_of_its_series(
    component: str, version: str, cves: tuple[str, ...], fixed_in: str | None
) -> None:
    found = of(component, engine(**{component: (version, UPSTREAM_COMMIT)}))
    assert (found.cves, found.fixed_in) == (cves, fixed_in)
    assert found.state is (StackState.VULNERABLE if cves else StackState.PATCHED)
    assert found.version == version
    assert all(finding.state is StackState.PATCHED for finding in stack_findings(engine()))


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("1.16.1", 5),
        ("1.16.2", 4),
        ("1.17.0", 4),
        ("1.17.1", 3),
        ("1.17.4", 2),
        ("1.17.8", 1),
        ("1.18.2", 1),
        ("1.19.1", 0),
        ("1.20.0", 0),
    ],
)
def test_the_toolkit_of_this_machine_is_compared_too(version: str, missing: int) -> None:
    found = of("nvidia-container-toolkit", engine(toolkit=version))
    assert len(found.advisories) == missing
    assert found.state is (StackState.VULNERABLE if missing else StackState.PATCHED)
    assert found.fixed_in == ("1.19.1" if missing else None)


@pytest.mark.parametrize(
    ("component", "version", "commit", "build"),
    [
        ("runc", "1.1.5+ds1", "1.1.5+ds1-1+deb12u1", "1.1.5+ds1-1+deb12u1"),
        ("runc", "1.1.12", "1.1.12-0ubuntu2~22.04.1", "1.1.12-0ubuntu2~22.04.1"),
        ("containerd", "1.6.20~ds1", "1.6.20~ds1-1+deb12u3", "1.6.20~ds1-1+deb12u3"),
        ("docker", "20.10.24+dfsg1", "5d6db84", "20.10.24+dfsg1"),
        ("docker", "24.0.7-0ubuntu4", "", "24.0.7-0ubuntu4"),
        ("runc", "1.1.12-1.el9", "", "1.1.12-1.el9"),
    ],
)
def test_a_build_of_a_distribution_is_not_called_vulnerable_for_its_number(
    component: str, version: str, commit: str, build: str
) -> None:
    found = of(component, engine(**{component: (version, commit)}))
    assert found.state is StackState.UNKNOWN
    assert found.cves
    assert build in found.why_unknown
    assert f"older than {found.fixed_in}" in found.text


@pytest.mark.parametrize(("version", "commit"), [("1.2.8+ds1", "1.2.8+ds1-1"), ("1.3.3-0ubuntu1~24.04.2", "")])
def test_a_build_of_a_distribution_is_patched_where_its_number_says_so(version: str, commit: str) -> None:
    assert of("runc", engine(runc=(version, commit))).state is StackState.PATCHED


@pytest.mark.parametrize(
    "commit", ["", "51d5e94", "v1.1.12-0-g51d5e942", "51d5e94e3ac53ffa1861b03fb619dda8", "v1.1.0-3-g51d5e94-dirty"]
)
def test_what_upstreams_own_builds_say_they_are_made_of(commit: str) -> None:
    assert of("runc", engine(runc=("1.1.11", commit))).state is StackState.VULNERABLE


@pytest.mark.parametrize("version", ["", "unknown", "dev", "HEAD-5d6db84", "1", "\u0661.\u0662"])
def test_a_version_that_is_none_is_unknown(version: str) -> None:
    found = of("runc", engine(runc=(version, "")))
    assert (found.state, found.version, found.advisories) == (StackState.UNKNOWN, version or None, ())
    assert "cannot be read" in found.text


def test_what_the_engine_does_not_say_is_unknown() -> None:
    silent = replace(engine(), components=())
    assert [(found.component, found.state) for found in stack_findings(silent)] == [
        ("docker", StackState.UNKNOWN),
        ("containerd", StackState.UNKNOWN),
        ("runc", StackState.UNKNOWN),
    ]
    assert stack_findings(silent)[0].text.startswith("docker of unknown version: not known whether")
    other_runtime = replace(silent, default_runtime="crun")
    assert [found.component for found in stack_findings(other_runtime)] == ["docker", "containerd"]
    assert len(stack_findings(replace(silent, default_runtime="nvidia"))) == 3  # which starts runc


def test_without_an_engine_nothing_starts_containers() -> None:
    assert stack_findings(EngineInfo(problem="nothing listens", toolkit_version="1.16.1")) == ()


def test_of_podman_only_what_the_rows_are_about_is_judged() -> None:
    parts = (
        EngineComponent("Podman Engine", "4.3.1"),
        EngineComponent("Conmon", "2.1"),
        EngineComponent("OCI Runtime (crun)", "1.8"),
    )
    podman = EngineInfo("podman", "4.3.1", address="unix:///run/podman.sock", components=parts)
    assert stack_findings(podman) == ()
    assert [found.component for found in stack_findings(replace(podman, toolkit_version="1.17.0"))] == [
        "nvidia-container-toolkit"
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"runtimes": ("nvidia", "runc")}, "nvidia-ctk does not answer"),
        ({"cdi_devices": ("nvidia.com/gpu=0",)}, "nvidia-ctk does not answer"),
        ({"cdi_devices": ("vendor.com/nic=0",)}, None),
        ({"runtimes": ("nvidia",), "address": "tcp://far:2376", "toolkit_version": "1.16.1"}, "on another machine"),
        ({"address": "ssh://far", "toolkit_version": "1.16.1"}, None),
    ],
)
def test_a_toolkit_of_which_nothing_is_known(change: dict[str, object], why: str | None) -> None:
    found = [one for one in stack_findings(replace(engine(), **change)) if one.component == "nvidia-container-toolkit"]
    assert [(one.state, why in one.text) for one in found] == ([(StackState.UNKNOWN, True)] if why else [])


def test_what_is_said_names_the_weakness_its_remedy_and_the_day() -> None:
    old, new = of("runc", engine(runc=("1.2.7", ""))), of("runc", engine())
    assert old.text == (
        "runc 1.2.7 has known weaknesses (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881): a container writes to files of the "
        "host's kernel, and breaks out; mended in 1.2.8"
    )
    assert old.sources == ("https://github.com/opencontainers/runc/blob/main/CHANGELOG.md",)
    assert new.text == f"runc 1.5.2: no known weakness as of {new.as_of}"
    assert date.fromisoformat(new.as_of)


def test_every_row_is_whole() -> None:
    for row in advisories():
        assert row.component in ("docker", "containerd", "runc", "nvidia-container-toolkit")
        assert row.cves
        assert all(cve.startswith("CVE-20") for cve in row.cves)
        assert row.fixed == tuple(sorted(row.fixed, key=Version))
        assert row.severity in ("high", "critical")
        assert row.source.startswith("https://")
        assert row.what
    named = [cve for row in advisories() for cve in row.cves]
    assert len(named) == len(set(named))
