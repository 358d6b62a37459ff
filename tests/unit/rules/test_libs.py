"""Wheels, Python, the C library, numpy, CPU builds, other vendors, labels."""

from __future__ import annotations

import pytest
from rules_values import causes, finding, predict, status_of

from validator.model import MissingKind, Outlook


# From the package index's list of wheels.
@pytest.mark.parametrize(
    ("torch", "python", "there"),
    [
        ("2.15.0", "3.10", False),
        ("2.15.0", "3.15", True),
        ("2.14.1", "3.10", True),
        ("2.14.1", "3.15", False),
        ("2.9.0", "3.9", False),
        ("2.8.0", "3.9", True),
        ("2.8.0", "3.14", False),
        ("2.9.0", "3.14", True),
        ("2.12.0", "3.13t", True),
        ("2.12.1", "3.13t", False),
        ("2.4.1", "3.13", False),
        ("2.5.0", "3.13", True),
        ("2.5.0", "3.13.1", True),
        ("2.1.2", "cp312", False),
        ("2.2.0", "cp312", True),
        ("1.7.0", "3.9", False),
        ("1.7.1", "3.9", True),
    ],
)
def test_a_wheel_for_the_python(torch: str, python: str, there: bool) -> None:
    assert ("python_version_unsupported" not in causes(torch=torch, python=python)) is there


def test_the_remedy_names_the_nearest_python_and_torch() -> None:
    remedy = finding("python_version_unsupported", torch="2.4.1", python="3.13").remedy or ""
    assert "Python 3.12" in remedy
    assert "torch 2.5.0" in remedy


def test_platforms_have_wheels_of_their_own() -> None:
    assert "python_version_unsupported" not in causes(torch="1.13.0", cuda="11.7", python="3.11")
    assert "python_version_unsupported" in causes(torch="1.13.0", cuda="11.7", python="3.11", platform="windows")
    assert "python_version_unsupported" in causes(torch="1.10.2", python="3.10")
    assert "python_version_unsupported" not in causes(torch="1.10.2", python="3.10", platform="linux_aarch64")


def test_a_torch_that_was_found_inside_has_shown_that_it_is_there() -> None:
    assert causes(torch="2.4.1", python="3.13", inside={"torch": "2.4.1", "cuda": "12.1", "python": "3.13"}) == ()


@pytest.mark.parametrize("python", ["three", "3", "", "3.x"])
def test_what_is_no_python_is_refused(python: str) -> None:
    with pytest.raises(ValueError, match="Python"):
        predict(torch="2.7.1", python=python)


# 2.7 is the first with a manylinux_2_28 tag; so was cu126 of 2.6.
@pytest.mark.parametrize(
    ("torch", "cuda", "libc", "fits"),
    [
        ("2.6.0", "12.4", "2.27", True),
        ("2.6.0", "12.6", "2.27", False),
        ("2.6.0", "12.6", "2.28", True),
        ("2.7.0", "12.6", "glibc 2.27", False),
        ("2.7.0", "12.6", "glibc 2.28", True),
        ("2.6.0", "12.4", "2.16", False),
        ("2.6.0", "12.4", "2.17", True),
    ],
)
def test_glibc(torch: str, cuda: str, libc: str, fits: bool) -> None:
    assert ("glibc_too_old" not in causes(torch=torch, cuda=cuda, libc=libc)) is fits


def test_the_distribution_of_an_image_tells_its_glibc() -> None:
    old, new = "nvidia/cuda:12.0.1-runtime-ubuntu18.04", "nvidia/cuda:12.0.1-runtime-ubuntu22.04"
    assert "glibc_too_old" in causes(image=old, torch="2.7.1", cuda="12.6")
    assert "glibc_too_old" not in causes(image=new, torch="2.7.1", cuda="12.6")


@pytest.mark.parametrize(
    ("torch", "numpy", "works"),
    [("2.2.2", "2.0.0", False), ("2.2.2", "1.26.4", True), ("2.3.0", "2.0.0", True), ("2.2.2", "2.3.1", False)],
)
def test_numpy_2_needs_torch_2_3(torch: str, numpy: str, works: bool) -> None:
    assert ("numpy_abi" not in causes(torch=torch, numpy=numpy)) is works


@pytest.mark.parametrize(
    ("torch", "cuda", "published"),
    [
        ("2.8.0", "13.0", False),
        ("2.9.0", "13.0", True),
        ("2.8.0", "12.4", False),
        ("2.7.1", "11.8", True),
        ("2.8.0", "11.8", False),
        ("2.7.1", "cu128", True),
        ("2.6.0", "12.8", False),
    ],
)
def test_builds_that_were_published(torch: str, cuda: str, published: bool) -> None:
    assert ("build_not_published" not in causes(torch=torch, cuda=cuda)) is published


def test_a_build_never_published_has_two_ways_out() -> None:
    remedy = finding("build_not_published", torch="2.8.0", cuda="13.0").remedy or ""
    assert "cu129" in remedy
    assert "torch 2.9.0" in remedy


def test_a_build_of_which_no_source_says_is_unknown() -> None:
    assert status_of(torch="2.15.0", cuda="13.0") is Outlook.UNKNOWN
    assert status_of(torch="2.15.0", cuda="12.6") is Outlook.FAIL


def test_torch_beyond_the_facts() -> None:
    newer = predict(torch="2.99.0", gpu="NVIDIA A100-SXM4-40GB", driver="580.95.05")
    assert newer.status is Outlook.UNKNOWN
    assert any("newer than the facts" in each.text and each.kind is MissingKind.FACTS for each in newer.missing)
    # What does not hang on the release still holds.
    assert "driver_too_old" in causes(torch="2.99.0", cuda="13.0", gpu="NVIDIA A100-SXM4-40GB", driver="535.183.01")
    assert "arch_not_supported" in causes(torch="2.99.0", cuda="13.0", gpu="Tesla V100-SXM2-16GB")


def test_a_torch_stated_in_part_is_judged_as_its_nearest_release() -> None:
    prediction = predict(torch="2.7", cuda="12.8", gpu="Tesla T4", driver="580.95.05")
    assert prediction.status is Outlook.DEGRADED
    assert any("2.7.1" in each.text for each in prediction.assumptions)


def test_the_local_part_tells_the_build() -> None:
    assert "arch_not_supported" in causes(torch="2.0.1+cu117", gpu="H100 PCIe")
    assert "arch_not_supported" not in causes(torch="2.0.1+cu118", gpu="H100 PCIe")


def test_without_a_build_the_default_of_the_index_is_judged() -> None:
    prediction = predict(torch="2.14.1", gpu="Tesla V100-SXM2-16GB")
    assert "arch_not_supported" in prediction.causes
    assert any("CUDA 13.0" in each.text for each in prediction.assumptions)


def test_a_cuda_major_by_itself_is_a_build_of_it() -> None:
    prediction = predict(torch="2.7.1", cuda="12", gpu="Tesla V100-SXM2-16GB")
    assert prediction.status is Outlook.DEGRADED  # cu126, pip's default; cu128 has no code for it
    assert any("12.6" in each.text for each in prediction.assumptions)
    assert "build_not_published" in causes(torch="2.7.1", cuda="13")


@pytest.mark.parametrize(("torch", "nearest"), [("2.7.3", "2.7.1"), ("2.6.1", "2.6.0"), ("2.7", "2.7.1")])
def test_a_patch_that_the_facts_do_not_have_is_judged_as_the_nearest_of_its_minor(torch: str, nearest: str) -> None:
    prediction = predict(torch=torch, gpu="NVIDIA A100-SXM4-40GB", driver="580.95.05")
    assert prediction.status is Outlook.PASS
    assert prediction.assumptions[0].text == f"torch {torch} is judged as {nearest}, the nearest release in the facts"


# pip's default is 12.6 for 2.7.1 and 13.0 for 2.11.0, which also comes for 12.6 and 12.8.
@pytest.mark.parametrize(
    ("torch", "major", "cuda"), [("2.7.1", "11", "11.8"), ("2.11.0", "12", "12.8"), ("2.11.0", "13", "13.0")]
)
def test_a_cuda_major_that_is_not_the_default_is_its_newest_build(torch: str, major: str, cuda: str) -> None:
    prediction = predict(torch=torch, cuda=major, gpu="NVIDIA A100-SXM4-40GB", driver="580.95.05")
    assert prediction.status is Outlook.PASS
    assert f"CUDA {major} is taken for {cuda}, of the builds of torch {torch}" in [said.text for said in prediction.assumptions]


def test_nightlies_and_source_builds() -> None:
    nightly = predict(torch="2.7.0.dev20250310+cu128", gpu="RTX 5090", driver="570.133.07")
    assert nightly.status is Outlook.PASS
    assert any("2.7.0" in each.text for each in nightly.assumptions)
    ngc = predict(torch="2.4.0a0+07cecf4168", gpu="NVIDIA A100-SXM4-40GB", driver="550.54.15")
    assert ngc.status is Outlook.PASS
    assert any("24.05" in each.text for each in ngc.assumptions)
    assert status_of(torch="2.1.0a0+41361538.nv23.06", gpu="Orin") is Outlook.UNKNOWN
    # Nightlies come for CUDA versions that the release was not published for.
    early = predict(torch="2.6.0.dev20241201+cu128", gpu="NVIDIA A100-SXM4-40GB", driver="580.95.05")
    assert early.status is Outlook.UNKNOWN
    assert early.causes == ()


# ---------------------------------------------------------------- CPU builds and other vendors


def test_a_cpu_build_that_was_asked_for_trains_on_the_cpu() -> None:
    place = {"gpu": "RTX 4090", "driver": "580.95.05"}
    for asked in ({"torch": "2.13.0+cpu"}, {"torch": "2.13.0", "cuda": "cpu"}):
        assert finding("cpu_only_torch", **asked, **place).severity.value == "degraded"
    assert causes(torch="2.13.0", cuda="cpu", has_gpu=False) == ()


def test_a_cpu_build_that_was_not_asked_for_is_a_fault() -> None:
    place = {"gpu": "RTX 4090", "driver": "580.95.05"}
    assert finding("cpu_only_torch", torch="2.13.0", cuda="13.0", inside={"torch": "2.13.0+cpu", "cuda": "cpu"}, **place)
    assert status_of(torch="2.13.0", cuda="13.0", inside={"torch": "2.13.0+cpu", "cuda": "cpu"}, **place) is Outlook.FAIL
    # pip gives the CPU build on Windows, and gave it on ARM up to 2.10.
    assert status_of(torch="2.7.1", platform="windows", **place) is Outlook.FAIL
    assert "cpu_only_torch" in causes(torch="2.10.0", gpu="NVIDIA GH200 480GB", driver="580.95.05")
    assert "cpu_only_torch" not in causes(torch="2.11.0", gpu="NVIDIA GH200 480GB", driver="580.95.05")


@pytest.mark.parametrize("gpu", ["AMD Instinct MI300X", "Radeon RX 7900 XTX", "Intel Arc A770", "Apple M2"])
def test_gpus_of_others(gpu: str) -> None:
    assert causes(torch="2.7.1", gpu=gpu) == ("gpu_vendor_unsupported",)
    assert status_of(torch="2.7.1", gpu=gpu) is Outlook.FAIL


@pytest.mark.parametrize("given", [{"torch": "2.3.0+rocm6.0"}, {"torch": "2.5.0+xpu"}, {"torch": "2.7.1", "cuda": "rocm6.3"}])
def test_builds_for_gpus_of_others(given: dict[str, str]) -> None:
    assert causes(**given, gpu="NVIDIA A100-SXM4-40GB") == ("gpu_vendor_unsupported",)
    assert causes(**given, driver="580.95.05") == ("gpu_vendor_unsupported",)
    for place in ({}, {"gpu": "AMD Instinct MI300X"}):
        unjudged = predict(**given, **place)
        assert unjudged.status is Outlook.UNKNOWN
        assert "not judged" in unjudged.missing[0].text


def test_an_unknown_gpu_is_unknown_and_its_capability_is_the_way_out() -> None:
    prediction = predict(torch="2.7.1", cuda="12.8", gpu="NVIDIA Thing 9000")
    assert prediction.status is Outlook.UNKNOWN
    assert "--cc" in prediction.missing[0].text
    assert status_of(torch="2.7.1", cuda="12.8", gpu="NVIDIA Thing 9000", cc="12.0") is Outlook.PASS
    assert status_of(torch="2.7.1", cuda="12.8", cc="99.0") is Outlook.UNKNOWN


# ---------------------------------------------------------------- labels against content


def test_what_is_inside_against_what_is_said() -> None:
    inside = {"torch": "2.13.0", "cuda": "13.0", "arch_list": ("sm_80",)}
    assert causes(torch="2.13.0", cuda="12.8", inside=inside) == ("label_mismatch",)
    assert causes(torch="2.12.0", cuda="13.0", inside=inside) == ("label_mismatch",)
    assert causes(torch="2.13", cuda="13.0", inside=inside) == ()
    assert causes(image="pytorch/pytorch:2.13.0-cuda12.6-cudnn9-runtime", inside=inside) == ("label_mismatch",)
    assert causes(torch="2.13.0", cuda="13.0", inside={**inside, "labels": (("cuda", "12.8"),)}) == ("label_mismatch",)
    assert causes(torch="2.13.0+cu130", inside={**inside, "torch": "2.13.0+cu130"}) == ()
    assert causes(torch="2.13.0", cuda="cpu", inside=inside) == ("label_mismatch",)


# ---------------------------------------------------------------- images by name


@pytest.mark.parametrize(
    ("image", "torch", "cuda"),
    [
        ("pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime", "2.1.0", "12.1"),
        ("docker.io/pytorch/pytorch:2.1.0-cuda12.1-cudnn8-devel", "2.1.0", "12.1"),
        ("nvidia/cuda:12.2.0-base-ubuntu22.04", None, "12.2"),
        ("nvidia/cuda:12.4.1-cudnn-runtime-rockylinux8", None, "12.4"),
        ("nvcr.io/nvidia/pytorch:24.05-py3", "2.4.0a0+07cecf4168", "12.4"),
        ("registry.example/team/train:torch2.7.1-cu128", "2.7.1", "12.8"),
        ("registry.example:5000/pytorch-training:2.1.0-gpu-py310-cu121-ubuntu20.04-ec2", "2.1.0", "12.1"),
        ("pytorch/pytorch:2.0.0-cuda11.8-cudnn8", "2.0.0", "11.8"),
        ("pytorch/pytorch:2.1.0-cpu", "2.1.0", "cpu"),
    ],
)
def test_what_a_tag_tells(image: str, torch: str | None, cuda: str) -> None:
    from validator.facts import load
    from validator.facts.image_names import read_image

    found = read_image(image, load())
    assert (found.torch, found.cuda) == (torch, cuda)


def test_an_image_of_which_nothing_is_known_is_unknown() -> None:
    prediction = predict(image="team/app:latest", gpu="Tesla T4", driver="580.95.05")
    assert prediction.status is Outlook.UNKNOWN
    assert "--torch" in prediction.missing[0].text
    assert prediction.missing[0].kind is MissingKind.IMAGE
    assert status_of(image="team/app:latest", torch="2.7.1", cuda="12.8", gpu="RTX 4090", driver="580.95.05") is Outlook.PASS


def test_ngc_images_have_code_of_their_own() -> None:
    assert "arch_not_supported" not in causes(image="nvcr.io/nvidia/pytorch:24.05-py3", gpu="GTX 1080", driver="580.95.05")
    assert "arch_not_supported" in causes(image="nvcr.io/nvidia/pytorch:25.03-py3", gpu="TITAN V", driver="580.95.05")
    assert "arch_not_supported" in causes(image="nvcr.io/nvidia/pytorch:24.05-py3", gpu="RTX 5090", driver="580.95.05")
