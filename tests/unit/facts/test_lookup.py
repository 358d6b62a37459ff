"""Rows of the facts by what people call them, written out with where they come from."""

from __future__ import annotations

import pytest

from validator.facts import load
from validator.facts.loader import TABLES
from validator.facts.lookup import look_up, names, overview

FACTS = load()


def found(kind: str, name: str) -> list[tuple[str, str]]:
    rows, _ = look_up(kind, name, FACTS)
    return [(row.table, row.key) for row in rows]


@pytest.mark.parametrize(
    ("kind", "name", "rows"),
    [
        ("gpu", "T4", [("gpus", "Tesla T4"), ("capabilities", "7.5")]),  # with what its capability says
        ("driver", "535.183.01", [("branches", "535")]),
        ("driver", "CUDA 12.2", [("branches", "535")]),
        ("torch", "2.7.1", [("releases", "2.7.1")]),
        ("torch", "2.7.1+cu128", [("releases", "2.7.1")]),
        ("torch", "2.7", [("releases", "2.7.0"), ("releases", "2.7.1")]),
        ("torch", "9.9", []),
        ("cc", "8.6", [("capabilities", "8.6")]),
        ("cc", "8.60", []),  # which is not 8.6
        ("toolkit", "12.8", [("toolkits", "12.8.0"), ("toolkits", "12.8.1")]),
        ("toolkit", "12.8.1", [("toolkits", "12.8.1")]),
        ("toolkit", "1", []),
        ("image", "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime", [("tags", "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime")]),
        ("image", "index.docker.io/pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime@sha256:cafe", None),
        ("image", "team/thing:latest", []),
    ],
)
def test_what_a_name_stands_for(kind: str, name: str, rows: list[tuple[str, str]] | None) -> None:
    assert found(kind, name) == (found("image", "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime") if rows is None else rows)


def test_a_list_of_many_is_cut() -> None:
    assert len(found("toolkit", "12")) == 20


@pytest.mark.parametrize("kind", ["torch", "driver", "toolkit", "cc"])
def test_a_word_that_names_no_version_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="banana"):
        look_up(kind, "banana", FACTS)


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("gpu", "Tesla T40", "did you mean 'T400', 'Tesla T4'"),
        ("gpu", "Thing", "no GPU 'Thing' in the facts"),
        ("gpu", "T4", "taken for Tesla T4"),
        ("driver", "535.183.01", "at least what these need: CUDA 11 builds need 450.80.02; CUDA 12 builds need 525.60.13"),
        ("driver", "548", "branch 548 is not in the facts; the one below is 545"),
        ("driver", "300", "branch 300 is not in the facts. any release"),
    ],
)
def test_what_is_said_beside_the_rows(kind: str, name: str, says: str) -> None:
    assert says in look_up(kind, name, FACTS)[1]


def test_a_driver_below_every_floor_is_enough_for_none() -> None:
    assert "builds need" not in look_up("driver", "418.67", FACTS)[1]


def test_what_a_tag_tells_is_a_row_where_the_image_has_none() -> None:
    (row,), said = look_up("image", "nvidia/cuda:12.8.1-base-ubuntu22.04", FACTS)
    assert (row.table, row.key) == ("what its tag tells", "nvidia/cuda:12.8.1-base-ubuntu22.04")
    fields = dict(row.fields)
    assert (fields["cuda"], fields["glibc"], fields["cuda-compat inside"]) == ("12.8", "2.35", "yes")
    assert fields["NVIDIA_REQUIRE_CUDA"] == FACTS.gates["12.8"].requirement
    assert dict(row.origin) == {"source": str(FACTS.gates["12.8"].origin)}
    assert said == "nvidia/cuda:12.8.1-base-ubuntu22.04 is taken to hold CUDA 12.8"
    (plain,), _ = look_up("image", "team/torch:2.1.0-cu121", FACTS)
    assert dict(plain.fields) == plain.raw == {"torch": "2.1.0", "cuda": "12.1"}
    assert dict(plain.origin) == {"source": "the tag's pattern"}


def test_what_a_tag_tells_of_a_family_is_the_code_of_its_month_and_whether_it_brings_the_library() -> None:
    (ngc,), _ = look_up("image", "nvcr.io/nvidia/pytorch:27.01-py3", FACTS)  # newer than the tags of the facts
    assert dict(ngc.fields) == {"cuda-compat inside": "yes", "code": " ".join(FACTS.ngc_arch[-1].arch)}
    (wheel,), _ = look_up("image", "pytorch/pytorch:2.99.0-cuda12.8-cudnn9-runtime", FACTS)
    assert dict(wheel.fields) == {"torch": "2.99.0", "cuda": "12.8", "cuda-compat inside": "no"}


def test_a_row_is_written_out_with_every_field_and_its_origin() -> None:
    (row,), _ = look_up("torch", "2.7.1", FACTS)
    fields = dict(row.fields)
    assert fields["default"] == "12.6"
    assert fields["python"] == "3.9, 3.10, 3.11, 3.12, 3.13, 3.13t"
    assert fields["builds.12.8.arch.linux_aarch64"] == "sm_90 sm_100 sm_120"
    release = next(value for version, value in FACTS.releases.items() if str(version) == "2.7.1")
    assert fields["builds.12.8.source"] == release.builds["12.8"].origin.what  # in words, not by its key
    assert "source" not in fields
    assert row.origin == (
        ("source", release.origin.what),
        ("date", release.origin.date),
        ("confidence", release.origin.confidence),
    )
    document = row.document()
    assert (document["table"], document["key"], document["source"]) == ("releases", "2.7.1", release.origin.what)
    assert document["fields"] == FACTS.raw["releases"]["2.7.1"]


def test_a_note_is_part_of_the_origin() -> None:
    (row,), _ = look_up("driver", "580", FACTS)
    assert ("note", "another page says 2028-08") in row.origin


def test_what_there_is_to_ask_for() -> None:
    assert names("driver", FACTS)[-1] == str(FACTS.newest_branch)
    assert names("torch", FACTS)[-1] == str(FACTS.newest_torch)
    assert "Tesla T4" in names("gpu", FACTS)
    assert "12.8.1" in names("toolkit", FACTS)
    assert "8.6" in names("cc", FACTS)
    assert all(found(kind, names(kind, FACTS)[0]) for kind in ("driver", "torch", "gpu", "toolkit", "image", "cc"))


def test_the_overview_counts_every_table() -> None:
    counts = overview(FACTS)
    assert list(counts) == list(TABLES)
    assert counts["gpus"]["rows"] == len(FACTS.gpus)
    assert counts["brand_sets"]["confidence"] == ""  # its rows have no source of their own
    sure = [part.split() for part in str(counts["gates"]["confidence"]).split(", ")]
    assert sum(int(number) for number, _ in sure) == len(FACTS.gates)
    assert [int(number) for number, _ in sure] == sorted((int(number) for number, _ in sure), reverse=True)
