"""Both sides of each grammar of the values in a matrix."""

from __future__ import annotations

import pytest

from validator.matrix import values

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600), ("1h30m", 5400), ("1h0m5s", 3605), ("168h", 604800), ("1", 1)],
)
def test_durations(text: str, seconds: float) -> None:
    assert values.duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-1", "10 m", "1.5h", "10M", "m", "30m1h", "1d", "169h", "٣", "9" * 50, "inf", "nan", "1e3"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        values.duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1),
        ("512m", 512 << 20),
        ("16g", 16 << 30),
        ("16G", 16 << 30),
        ("16GiB", 16 << 30),
        ("16gb", 16 << 30),
        ("1.5g", 3 << 29),
        ("64k", 64 << 10),
        ("1t", 1 << 40),
        ("100b", 100),
    ],
)
def test_sizes_are_powers_of_1024(text: str, count: int) -> None:
    assert values.size(text) == count


@pytest.mark.parametrize("text", ["", "0", "0g", "-1g", "g", "1 g", "1x", "1,5g", "1e3", "1.g", "0.1b", "2000t", "inf", "9" * 40])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        values.size(text)


@pytest.mark.parametrize("text", ["1", "1024", "4194304"])
def test_process_counts(text: str) -> None:
    assert values.process_count(text) == int(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "1k", "4194305", "٣", "²", "9" * 5000])
def test_no_process_counts(text: str) -> None:
    with pytest.raises(ValueError, match="number of processes"):
        values.process_count(text)


VALUES = {
    "torch": ["2.7.1", "1.13", "2.13.0+cpu", "2.16.0.dev20261101+cu130", "2.9.0rc1"],
    "cuda": ["cpu", "12.8", "12.10", "11.8", "12.4.1"],
    "python": ["3.10", "3.14", "3.6", "3.11.9"],
    "compute_capability": ["9.0", "12.0", "8.6"],
    "driver": ["535.183.01", "550.90", "580.65.06"],
    "gpu": ["Tesla T4", "NVIDIA A100-SXM4-80GB", "x" * 100],
    "anything": ["9", "no", "a b"],
}
NO_VALUES = {
    "torch": ["", "latest", " 2.7.1", "2.7.1 ", "2.7.1\n", "2.x", ">=2.7", "2!1.0", "2.0.poſt1"],
    "cuda": ["", "12", "CPU", "cu128", "12.8 ", "12.8.0.1", "12.x", "rocm6.0", "١٢.٨"],
    "python": ["", "3", "3.11-slim", "python3.11", "3.11.9.1"],
    "compute_capability": ["", "9", "sm_90", "9.0a", "9.0.0"],
    "driver": ["", "580", "R580", "580.95.05-1", "latest"],
    "gpu": ["", " ", "T4\nRUN", "T4\x1b[31m", "x" * 101, "T4\u202e"],
    "anything": ["", "a\nb", "\x00"],
}


@pytest.mark.parametrize(("axis", "text"), [(axis, text) for axis, texts in VALUES.items() for text in texts])
def test_axis_values(axis: str, text: str) -> None:
    assert values.axis_value(axis, text) == text


@pytest.mark.parametrize(("axis", "text"), [(axis, text) for axis, texts in NO_VALUES.items() for text in texts])
def test_no_axis_values(axis: str, text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        values.axis_value(axis, text)


@pytest.mark.parametrize(
    "text",
    [
        "debian",
        "debian:bookworm",
        "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime",
        "nvcr.io/nvidia/pytorch:25.01-py3",
        "localhost:5000/a/b_c/d__e/f-g.h:T_a.g-1",
        "Registry.Example.COM/team/image",
        "[::1]:5000/image",
        "127.0.0.1:5000/image:1",
        f"image@{DIGEST}",
        f"registry.example.com:443/team/image:tag@{DIGEST}",
        "image:" + "t" * 128,
        "a" * 255,
    ],
)
def test_image_references(text: str) -> None:
    assert values.image_reference(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "1 to 512 characters"),
        ("a" * 513, "1 to 512 characters"),
        ("a" * 256, "must look like"),
        ("debian:bookworm\nRUN curl evil", "without spaces and line breaks"),
        ("debian bookworm", "without spaces"),
        ("debian\x00", "without spaces"),
        ("debian\u202e", "without spaces"),
        ("-v/:/host", "begin with a dash"),
        ("--privileged", "begin with a dash"),
        ("PyTorch/PyTorch:2.6.0", "lower case"),
        ("docker.io/Team/Image", "lower case"),
        ("image:", "must look like"),
        ("image:-tag", "must look like"),
        ("image:" + "t" * 129, "must look like"),
        ("image@sha256:abc", "must look like"),
        ("image@md5:" + "0" * 32, "must look like"),
        ("a//b", "must look like"),
        ("/a", "must look like"),
        ("a/", "must look like"),
        ("a.-b", "must look like"),
        ("https://registry.example.com/image", "must look like"),
        ("$(id)", "must look like"),
        ("café", "must look like"),
    ],
)
def test_no_image_references(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="is not an image reference") as caught:
        values.image_reference(text)
    assert reason in str(caught.value)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["a-" * 256, "a" * 511 + "!", "a." * 250 + "!", "a/" * 250 + "!", "a__" * 170 + "!"])
def test_a_reference_cannot_make_the_grammar_backtrack_for_ever(text: str) -> None:
    with pytest.raises(ValueError, match="is not an image reference"):
        values.image_reference(text)


@pytest.mark.parametrize(
    ("reference", "slug"),
    [
        ("nvcr.io/nvidia/pytorch:25.01-py3", "pytorch-25.01-py3"),
        ("localhost:5000/image", "image"),
        (f"team/image@{DIGEST}", "image-0123456789ab"),
        (f"team/image:tag@{DIGEST}", "image-tag"),
    ],
)
def test_image_slugs(reference: str, slug: str) -> None:
    assert values.image_slug(reference) == slug


@pytest.mark.parametrize("text", ["python3", "/opt/conda/bin/python", "python3.11", "./bin/python"])
def test_commands(text: str) -> None:
    assert values.command(text) == text


@pytest.mark.parametrize("text", ["", "-c", "python3 -B", "python3\n", "python;id", "$(id)", "p" * 300])
def test_no_commands(text: str) -> None:
    with pytest.raises(ValueError, match="is not a command"):
        values.command(text)


@pytest.mark.parametrize("text", ["numpy", "numpy<2", "torchvision==0.21.0", "pillow; python_version < '3.12'", "x[y]>=1"])
def test_requirements(text: str) -> None:
    assert values.requirement(text) == text


@pytest.mark.parametrize("text", ["", "numpy 2", "-r requirements.txt", "--index-url=https://x", "numpy<2\nevil", "<2"])
def test_no_requirements(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not (a requirement|one line)"):
        values.requirement(text)


def test_the_reason_against_a_requirement_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^'numpy 2' is not a requirement such as numpy<2: Expected [^\n^]*$"):
        values.requirement("numpy 2")


@pytest.mark.parametrize(
    "text", ["https://pypi.org/simple", "http://127.0.0.1:8080/", "file:///srv/wheels", "https://u:p@host/x"]
)
def test_urls(text: str) -> None:
    assert values.url(text) == text


@pytest.mark.parametrize("text", ["", "pypi.org", "ftp://x", "https://", "https://a b", "https://a\n", "-i https://x"])
def test_no_urls(text: str) -> None:
    with pytest.raises(ValueError, match="is not a URL"):
        values.url(text)


@pytest.mark.parametrize("text", ["", "https://mirror.example.com/{channel}", "file:///srv/{channel}/simple"])
def test_channel_urls(text: str) -> None:
    assert values.channel_url(text) == text


@pytest.mark.parametrize("text", ["https://mirror.example.com/cu128", "{channel}"])
def test_no_channel_urls(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a URL|has no \{channel\}"):
        values.channel_url(text)


@pytest.mark.parametrize("text", ["BASE_IMAGE", "_x", "a1"])
def test_build_arg_names(text: str) -> None:
    assert values.build_arg_name(text) == text


@pytest.mark.parametrize("text", ["", "1a", "A-B", "A=B", "A B", "É"])
def test_no_build_arg_names(text: str) -> None:
    with pytest.raises(ValueError, match="build argument"):
        values.build_arg_name(text)


def test_placeholders_are_filled() -> None:
    assert values.fill("{torch}-cuda{cuda}-{torch}", {"torch": "2.6.0", "cuda": "12.4"}) == "2.6.0-cuda12.4-2.6.0"


def test_a_filled_value_is_not_filled_again() -> None:
    assert values.fill("{a}", {"a": "{b}", "b": "x"}) == "{b}"


@pytest.mark.parametrize(
    ("template", "fragments"),
    [
        ("{tourch}", ["'{tourch}' names no axis", "did you mean 'torch'?", "torch, cuda"]),
        ("{}", ["names no axis"]),
        ("{torch.__class__}", ["names no axis"]),
        ("{torch[0]}", ["names no axis"]),
        ("{torch!r}", ["names no axis"]),
        ("{torch:>900000000}", ["names no axis"]),
        ("{torch", ["a brace that is not closed"]),
        ("torch}", ["a brace that is not closed or not opened"]),
        ("{{torch}}", ["a brace"]),
    ],
)
def test_a_placeholder_is_the_name_of_an_axis_and_nothing_else(template: str, fragments: list[str]) -> None:
    with pytest.raises(ValueError, match="axis") as caught:
        values.fill(template, {"torch": "2.6.0", "cuda": "12.4"})
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_a_placeholder_where_there_are_no_axes_is_said_so() -> None:
    with pytest.raises(ValueError, match="there are no axes here"):
        values.fill("{torch}", {})
