"""The script that refreshes the facts: what it reads out of an index's answers (recorded), and what it does to the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch_rows
import yaml
from package_index import Metadata, Wheel, parse_item, parse_listing
from torch_rows import Seen, compare, merged, releases, seen

DATA = Path(__file__).parent / "data"
#: Answers of the package index, fetched with pip on 2026-11-24; only the host names in them were changed.
LISTING = (DATA / "torch_listing.txt").read_text(encoding="utf-8")
METADATA = {found.version: found for found in map(parse_item, json.loads((DATA / "torch_metadata.json").read_text()))}
LISTED = releases(parse_listing(LISTING))

FILE = """\
# A comment at the top.
sources:
  pypi: {what: the index, date: 2026-11-23}
releases:
  1.13.1:
    default: 11.7
    python: [3.7, 3.8, 3.9, 3.10, 3.11]
    glibc: 2.12   # by hand: the tag manylinux1 is not true
    source: pypi
    confidence: verified
    builds:
      "11.6": {arch: {linux_x86_64: sm_37 sm_86}, source: builder, confidence: verified}
      "11.7": {arch: {linux_x86_64: sm_37 sm_86}, cudnn: 8.5.0.96, source: wheel, confidence: verified}
  # A comment between two releases.
  2.7.1:
    default: 12.6
    python: [3.9, 3.10, 3.11, 3.12, 3.13, 3.13t]
    glibc: 2.28
    triton: 3.3.1
    source: pypi
    confidence: verified
    builds:
      "12.6": {arch: {linux_x86_64: sm_50 sm_90}, cudnn: 9.5.1.17, nccl: 2.26.2, source: test-infra, confidence: verified}
"""
TOOLKITS = ("11.7.0", "12.6.3", "13.2.0")


def seen_of(version: str, **fields: object) -> Seen:
    return seen(version, LISTED[version], METADATA[version], **fields)  # type: ignore[arg-type]


INDEX = [seen_of("1.13.1"), seen_of("2.7.1")]


def test_wheels_are_read_from_the_listing_also_those_of_other_pythons_and_platforms() -> None:
    found = list(parse_listing(LISTING))
    assert Wheel("2.15.0", "3.14t", "manylinux_2_28_x86_64") in found
    assert Wheel("2.7.1", "3.9", "win_amd64") in found
    assert list(LISTED) == ["1.13.1", "2.7.1", "2.15.0"]


@pytest.mark.parametrize(
    ("version", "python", "others"),
    [
        ("1.13.1", "3.7 3.8 3.9 3.10 3.11", {"default": "11.7", "cudnn": "8.5.0.96", "triton": None, "glibc": None}),
        (
            "2.7.1",
            "3.9 3.10 3.11 3.12 3.13 3.13t",
            {"default": "12.6", "cudnn": "9.5.1.17", "nccl": "2.26.2", "triton": "3.3.1", "glibc": "2.28"},
        ),
        (
            "2.15.0",
            "3.11 3.12 3.13 3.14 3.14t 3.15 3.15t",
            {"default": "13.2", "cudnn": "9.26.0.51", "nccl": "2.30.7", "triton": "3.9.0", "glibc": "2.28", "toolkit": "13.2.2"},
        ),
    ],
)
def test_what_the_index_says_of_a_release(version: str, python: str, others: dict[str, str | None]) -> None:
    found = seen_of(version)
    assert found.python == tuple(python.split())
    for name, value in others.items():
        assert getattr(found, name) == value, name


def test_prereleases_and_repackaged_wheels_are_no_releases() -> None:
    wheels = [Wheel(version, "3.11", "manylinux_2_28_x86_64") for version in ("2.16.0rc1", "1.0.1.post2", "2.16.0")]
    assert list(releases([*wheels, Wheel("2.17.0", "3.11", "win_amd64")])) == ["2.16.0"]


def test_a_file_that_is_as_the_index_has_no_difference() -> None:
    comparison = compare(FILE, INDEX, ["1.13.1", "2.7.1"], TOOLKITS)
    assert not comparison
    assert merged(FILE, comparison) == FILE


def test_what_came_from_the_index_is_renewed_and_all_else_stays() -> None:
    old = FILE.replace("triton: 3.3.1", "triton: 3.3.0").replace(", 3.13t]", "]").replace("cudnn: 8.5.0.96, ", "")
    comparison = compare(old, INDEX, ["1.13.1", "2.7.1"], TOOLKITS)
    assert {(each.version, each.field, each.mechanical) for each in comparison.differences} == {
        ("1.13.1", "builds.11.7.cudnn", True),
        ("2.7.1", "python", True),
        ("2.7.1", "triton", True),
    }
    assert merged(old, comparison) == FILE


def test_a_field_that_was_absent_is_put_into_its_row() -> None:
    old = FILE.replace("    triton: 3.3.1\n", "")
    comparison = compare(old, INDEX, ["1.13.1", "2.7.1"], TOOLKITS)
    (only,) = comparison.differences
    assert (only.field, only.ours, only.theirs) == ("triton", None, "3.3.1")
    assert yaml.safe_load(merged(old, comparison))["releases"]["2.7.1"]["triton"] == "3.3.1"


@pytest.mark.parametrize(
    ("ours", "field"),
    [
        (FILE.replace("triton: 3.3.1\n    source: pypi", "triton: 3.3.0\n    source: builder"), "triton"),
        (FILE.replace("nccl: 2.26.2", "nccl: 2.26.1"), "builds.12.6.nccl"),  # its build is of another source
    ],
)
def test_what_a_person_wrote_is_a_conflict_and_is_never_overwritten(ours: str, field: str) -> None:
    comparison = compare(ours, INDEX, ["1.13.1", "2.7.1"], TOOLKITS)
    (only,) = comparison.differences
    assert (only.field, only.mechanical) == (field, False)
    assert "CONFLICT" in str(only)
    assert merged(ours, comparison) == ours


def test_a_new_release_gets_a_row_in_its_place_with_the_arch_list_of_its_wheel() -> None:
    newest = seen_of("2.15.0", arch=("sm_75", "sm_120"))
    comparison = compare(FILE, [*INDEX, newest], LISTED, TOOLKITS)
    assert comparison.new == [newest]
    text = merged(FILE, comparison)
    assert text.startswith(FILE)
    row = yaml.load(text, Loader=yaml.BaseLoader)["releases"]["2.15.0"]  # noqa: S506 - makes nothing but text
    assert row == {
        "default": "13.2",
        "python": ["3.11", "3.12", "3.13", "3.14", "3.14t", "3.15", "3.15t"],
        "glibc": "2.28",
        "triton": "3.9.0",
        "source": "pypi",
        "confidence": "single-source",
        "builds": {
            "13.2": {
                "arch": {"linux_x86_64": "sm_75 sm_120"},
                "cudnn": "9.26.0.51",
                "nccl": "2.30.7",
                "source": "wheel",
                "confidence": "single-source",
            }
        },
    }


def test_a_release_between_two_is_put_between_them() -> None:
    between = Seen("2.0.0", ("3.8",))
    text = merged(FILE, compare(FILE, [between], ["1.13.1", "2.0.0", "2.7.1"], TOOLKITS))
    assert list(yaml.safe_load(text)["releases"]) == ["1.13.1", "2.0.0", "2.7.1"]
    assert text.replace("  2.0.0:\n    python: [3.8]\n    source: pypi\n    confidence: single-source\n", "") == FILE


def test_what_is_withdrawn_and_toolkits_without_a_row_are_told() -> None:
    comparison = compare(FILE, [seen_of("2.15.0")], ["2.15.0"], ("12.6.3",))
    assert comparison.missing == ["1.13.1", "2.7.1"]
    assert comparison.toolkits == ["13.2.2 (pinned by torch 2.15.0)"]


def test_requirements_of_extras_and_ranges_are_no_pins() -> None:
    metadata = Metadata("u", "1", ("triton>=3.0", "nvidia-nccl-cu12==2.0; extra == 'x'", "nvidia-cudnn-cu12==9.1"))
    found = seen("1.0.0", [], metadata)
    assert (found.triton, found.nccl, found.cudnn) == (None, None, "9.1")


def test_every_mechanical_field_is_one_that_is_seen() -> None:
    for name in (*torch_rows.MECHANICAL, *torch_rows.MECHANICAL_BUILD):
        assert hasattr(Seen("1", ()), name)
