"""Versions compare by their numbers and keep their spelling."""

from __future__ import annotations

import pytest

from validator.base.versions import Dotted, channel_of, cuda_of, cuda_of_channel, same_cuda, same_torch, torch_version


@pytest.mark.parametrize(
    ("older", "newer"),
    [("12.9", "12.10"), ("550.9", "550.90"), ("535.183.01", "580.95.05"), ("7.5", "10.0"), ("12", "12.1")],
)
def test_order_is_by_number_and_not_by_text(older: str, newer: str) -> None:
    assert Dotted(older) < Dotted(newer)
    assert Dotted(newer) > Dotted(older)
    assert Dotted(older) != Dotted(newer)


@pytest.mark.parametrize(("one", "other"), [("12", "12.0"), ("12.0.0", "12"), ("580.95.5", "580.95.05"), ("0", "0.0")])
def test_missing_parts_and_leading_zeros_count_for_nothing(one: str, other: str) -> None:
    assert Dotted(one) == Dotted(other)
    assert hash(Dotted(one)) == hash(Dotted(other))
    assert Dotted(one) <= Dotted(other)
    assert not Dotted(one) < Dotted(other)


@pytest.mark.parametrize("text", ["12.10", "550.90", "535.183.01", "12.0"])
def test_the_spelling_is_kept(text: str) -> None:
    assert str(Dotted(text)) == text


def test_a_version_is_not_equal_to_its_text() -> None:
    assert Dotted("12.8") != "12.8"


@pytest.mark.parametrize("text", ["", "12.", ".8", "12.8a", "v12.8", "-1", "1.2.3.4.5", "12 8", "12.8\n", "1234567", "१२.८"])
def test_anything_but_dotted_numbers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a version of dotted numbers"):
        Dotted(text)


@pytest.mark.parametrize(
    ("cuda", "channel"), [("cpu", "cpu"), ("12.8", "cu128"), ("12.10", "cu1210"), ("11.8.0", "cu118"), ("10.2", "cu102")]
)
def test_channel_of_a_cuda_build(cuda: str, channel: str) -> None:
    assert channel_of(cuda) == channel


def test_a_channel_of_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="'rocm'"):
        channel_of("rocm")


def test_torch_versions_order_with_their_pre_releases_and_builds() -> None:
    nightly, release, build = map(torch_version, ("2.16.0.dev20261101+cu130", "2.16.0", "2.16.0+cpu"))
    assert nightly < release < build
    assert build.public == "2.16.0"


@pytest.mark.parametrize("text", ["", "two", "2.7.1-cuda12", "2.7.*"])
def test_a_bad_torch_version_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a torch version such as"):
        torch_version(text)


@pytest.mark.parametrize(
    ("said", "found", "same"),
    [
        ("2.7.1", "2.7.1", True),
        ("2.7.1", "2.7.1+cu126", True),
        ("2.7", "2.7.1", True),
        ("2.7.0", "2.7", True),
        ("2.7.1", "2.7", False),
        ("2.7.1", "2.7.0", False),
        ("2.7", "2.70", False),
        ("2.7.1+cu118", "2.7.1+cu126", False),
        ("2.7.1+cu126", "2.7.1+cu126", True),
        ("2.7.1+cu126", "2.7.1", False),
        ("2.8.0.dev20250601", "2.8.0.dev20250601+cu128", True),
        ("2.8", "2.8.0.dev20250601+cu128", False),
        ("2.7.0a0+git1234", "2.7.0a0+git1234", True),
        ("no version", "no version", True),
        ("no version", "2.7.1", False),
        ("2.7.1", "no version", False),
    ],
)
def test_whether_a_stated_torch_is_the_one_found(said: str, found: str, same: bool) -> None:
    assert same_torch(said, found) is same


@pytest.mark.parametrize(
    ("said", "found", "same"),
    [
        ("12.6", "12.6", True),
        ("12.6.3", "12.6", True),
        ("12.6", "12.6.85", True),
        ("12.1", "12.10", False),
        ("12", "12.0", True),
        ("12.6", "12.8", False),
        ("10.0", "10.0.130", True),
        ("cpu", "cpu", True),
        ("cpu", None, True),
        ("cpu", "12.6", False),
        ("12.6", "cpu", False),
        ("12.6", None, False),
        ("cuda", "cuda", True),
        ("cuda", "12.6", False),
    ],
)
def test_whether_a_stated_cuda_is_the_one_found(said: str, found: str | None, same: bool) -> None:
    assert same_cuda(said, found) is same


@pytest.mark.parametrize(
    ("channel", "cuda"),
    [
        ("cu128", "12.8"),
        ("cu92", "9.2"),
        ("cu1210", "12.10"),
        ("cu118.post1", "11.8"),
        ("cu1", None),
        ("cu12100", None),
        ("cpu", None),
    ],
)
def test_the_cuda_version_of_a_channel(channel: str, cuda: str | None) -> None:
    assert cuda_of_channel(channel) == cuda


@pytest.mark.parametrize("cuda", ["9.2", "10.0", "11.8", "12.8", "12.10", "13.0"])
def test_the_name_of_a_channel_and_back(cuda: str) -> None:
    assert cuda_of_channel(channel_of(cuda)) == cuda


@pytest.mark.parametrize(
    ("text", "cuda"),
    [
        ("12.8", "12.8"),
        ("12.8.1", "12.8"),
        ("12", "12.0"),
        ("CUDA 12.8", "12.8"),
        ("99.9", "99.9"),
        ("cuda-11.8", "11.8"),
        ("cu128", "12.8"),
    ],
)
def test_a_cuda_version_as_people_write_it(text: str, cuda: str) -> None:
    assert cuda_of(text).text == cuda


@pytest.mark.parametrize("text", ["", "cuda", "twelve", "100.1", "12.8-runtime"])
def test_what_is_no_cuda_version_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="not a CUDA version such as"):
        cuda_of(text)
