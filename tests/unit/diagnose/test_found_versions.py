"""Versions in untrusted text."""

from __future__ import annotations

import pytest

from validator.diagnose import Evidence, diagnose
from validator.diagnose.found_versions import cuda_build, release_in, untagged_in, version_in


@pytest.mark.parametrize(
    ("text", "version", "release"),
    [
        ("2.7.1+cu126", "2.7.1", "2.7.1"),
        ("CUDA 12", "12", None),
        ("python 3, torch 2.1", "3", "2.1"),
        ("libcudart.so.11.0", "11.0", "11.0"),
        ("1.2.3.4.5", "1.2.3.4", "1.2.3.4"),
        ("999999.1", "999999.1", "999999.1"),
        ("20250101.1", None, None),
        ("1.11.20250101", "1.11", "1.11"),
        ("٢.٣", None, None),
        ("none", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_the_first_version_of_a_text(text: str | None, version: str | None, release: str | None) -> None:
    found, dotted = version_in(text), release_in(text)
    assert (found.text if found else None, dotted.text if dotted else None) == (version, release)


@pytest.mark.parametrize(
    ("listed", "versions"),
    [
        ("1.8.0, 2.0.1+cu118, 2.2.0", ["1.8.0", "2.2.0"]),
        ("0.1.2.post1,1.0", ["0.1.2", "1.0"]),
        ("2.1.0rc1 1.0", ["1.0"]),
        ("1.20250101, 2", []),
        (None, []),
    ],
)
def test_the_versions_of_a_list_without_a_tag(listed: str | None, versions: list[str]) -> None:
    assert [version.text for version in untagged_in(listed)] == versions


@pytest.mark.parametrize(
    ("torch", "build"),
    [
        ("2.1.0+cu121", "12.1"),
        ("1.4.0+cu92", "9.2"),
        ("2.9.1+cu130.post1", "13.0"),
        ("3.0+cu1210", "12.10"),
        ("2.1.0+cpu", "cpu"),
        ("2.1.0+cpux", None),
        ("2.1.0+cu9", None),
        ("2.1.0+cu12100", None),
        ("2.1.0", None),
        (None, None),
    ],
)
def test_the_build_that_a_torch_version_names(torch: str | None, build: str | None) -> None:
    assert cuda_build(torch) == build


@pytest.mark.parametrize("number", ["12345678.9", "20250101.20250102", "٢.٣", "9" * 5000 + ".1"])
@pytest.mark.parametrize(
    "message",
    [
        "ERROR: Could not find a version that satisfies the requirement torch=={} (from versions: 1.11.0, 2.0.0)",
        "ERROR: Could not find a version that satisfies the requirement torch==2.1 (from versions: {}, 2.0.0)",
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>={}, please update your driver",
        "The NVIDIA driver on your system is too old (found version {})",
    ],
)
def test_no_number_in_a_log_is_too_much(message: str, number: str) -> None:
    assert diagnose(Evidence(log=message.format(number))).lines == 1


@pytest.mark.parametrize("name", ["torch", "cuda", "python", "gpu", "driver", "cuda_found", "image_cuda", "asked"])
@pytest.mark.parametrize("value", ["12345678.9", "2.1+cu99999999", "٢.٣", "²²²²", "-", "9" * 999])
def test_no_stated_value_is_too_much(name: str, value: str) -> None:
    stated = {"torch": "2.9.1+cu130", "gpu": "RTX 3090", "driver": "580.95.05", name: value}
    assert diagnose(Evidence(log="Killed", stated=stated)).cause == "killed_by_oom_killer"
