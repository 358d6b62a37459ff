"""NVIDIA_REQUIRE_CUDA as NVIDIA's runtime reads it, and the gate it is."""

from __future__ import annotations

import pytest
from rules_values import causes, finding, predict, status_of

from validator.facts import load
from validator.facts.gpu_names import find
from validator.model import Outlook
from validator.rules.container_gate import brands_of
from validator.rules.requirement import Machine, holds, parse

T4 = Machine(cuda=(12, 2), driver=(535, 183, 1), arch=(7, 5), brands=frozenset({"tesla"}))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", True),
        ("cuda>=12.2", True),
        ("cuda>=12.3", False),
        ("cuda>12.2", False),
        ("cuda=12.2", True),
        ("cuda!=12.2", False),
        ("cuda<=12.2", True),
        ("cuda<12.2", False),
        ("driver>=535,driver<536", True),
        ("driver>=470,driver<471", False),
        ("cuda>=12.8 brand=tesla,driver>=535,driver<536", True),
        ("cuda>=12.8 brand=geforce,driver>=535,driver<536", False),
        ("cuda>=12.8 brand=tesla,driver>=470,driver<471", False),
        ("brand!=geforce", True),
        ("arch=7.5", True),
        ("arch>=8.0", False),
        ("  cuda>=12.8   cuda>=11.0 ", True),
        ("cuda>=12.2,", True),
        ("weather=sunny", True),
        ("weather=sunny,cuda>=13.0", False),
        ("cuda>=12.2...", True),
    ],
)
def test_the_grammar(text: str, answer: bool) -> None:
    assert holds(parse(text), T4) is answer


def test_what_is_unknown_leaves_the_answer_open_only_where_it_matters() -> None:
    nothing = Machine(cuda=(12, 4))
    assert holds(parse("cuda>=12.4 brand=tesla,driver>=535,driver<536"), nothing) is True
    assert holds(parse("cuda>=12.8 brand=tesla,driver>=535,driver<536"), nothing) is None
    assert holds(parse("cuda>=12.8"), nothing) is False
    branch = Machine(driver=(535,))
    assert holds(parse("driver>=535,driver<536"), branch) is True
    assert holds(parse("driver>=535.104.05"), branch) is None


@pytest.mark.parametrize("text", ["cuda", "cuda>=", "cuda>=twelve", "=12"])
def test_what_the_runtime_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse(text)


IMAGE_128 = "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04"
IMAGE_124 = "nvidia/cuda:12.4.1-base-ubuntu22.04"


# The lists are those printed from published images: 12.4 names geforce, 12.8 does not; 12.8 names 535 and 550, not 545.
@pytest.mark.parametrize(
    ("image", "gpu", "driver", "opens"),
    [
        (IMAGE_128, "RTX 3090", "550.163.01", False),
        (IMAGE_128, "RTX 3090", "570.26", True),
        (IMAGE_128, "NVIDIA A100-SXM4-80GB", "550.163.01", True),
        (IMAGE_128, "NVIDIA A100-SXM4-80GB", "545.23.08", False),
        (IMAGE_128, "Tesla T4", "535.183.01", True),
        (IMAGE_124, "RTX 3090", "545.23.08", False),
        (IMAGE_124, "RTX 3090", "550.54.14", True),
        ("nvidia/cuda:10.2-base-ubuntu18.04", "Tesla T4", "418.67", True),
        ("nvidia/cuda:10.2-base-ubuntu18.04", "GTX 1080", "418.67", False),
    ],
)
def test_images_of_nvidia_cuda(image: str, gpu: str, driver: str, opens: bool) -> None:
    shut = [row for row in predict(image=image, gpu=gpu, driver=driver).findings if "does not start" in row.message]
    assert (not shut) is opens


def test_a_shut_gate_says_the_condition_and_the_ways_out() -> None:
    row = finding("driver_too_old", image=IMAGE_128, gpu="RTX 3090", driver="550.163.01")
    assert "unsatisfied condition: cuda>=12.8" in row.message
    assert "570.26" in (row.remedy or "")
    assert "NVIDIA_DISABLE_REQUIRE" in (row.remedy or "")


def test_an_images_own_variable_replaces_the_facts() -> None:
    place = {"gpu": "RTX 3090", "driver": "550.163.01"}
    assert status_of(image=IMAGE_128, inside={"require_cuda": "", "has_compat_libs": False}, **place) is not Outlook.FAIL
    assert status_of(image=IMAGE_128, inside={"disable_require": True, "has_compat_libs": False}, **place) is not Outlook.FAIL
    own = {"require_cuda": "cuda>=12.5", "has_compat_libs": False}
    assert "driver_too_old" in causes(torch="2.5.1", cuda="12.4", inside=own, **place)
    unreadable = predict(torch="2.5.1", cuda="12.4", inside={"require_cuda": "cuda>=x"}, **place)
    assert unreadable.status is Outlook.UNKNOWN


def test_no_gate_outside_a_container_and_none_for_a_wheel() -> None:
    place = {"gpu": "RTX 3090", "driver": "550.163.01"}
    assert status_of(torch="2.7.1", cuda="12.8", **place) is Outlook.PASS
    gated = {"require_cuda": "cuda>=12.8"}
    assert status_of(torch="2.7.1", cuda="12.8", is_container=False, inside=gated, **place) is Outlook.PASS
    assert status_of(image="pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime", **place) is Outlook.PASS
    assert status_of(image="pytorch/pytorch:2.7.1-cuda12.8-cudnn9-devel", **place) is Outlook.FAIL


def test_a_cuda_by_itself_is_an_image_of_nvidia_cuda() -> None:
    prediction = predict(cuda="12.8", gpu="RTX 3090", driver="550.163.01")
    assert prediction.status is Outlook.FAIL
    assert any("nvidia/cuda" in each.text for each in prediction.assumptions)


def test_the_rebuilt_images_of_11_8_name_tesla_on_fewer_branches() -> None:
    image = "nvidia/cuda:11.8.0-runtime-ubuntu22.04"  # NVIDIA/nvidia-container-toolkit#152
    assert "driver_too_old" in causes(image=image, gpu="Tesla T4", driver="510.108.03")
    assert "driver_too_old" not in causes(image=image, gpu="Tesla T4", driver="470.256.02")
    assert "driver_too_old" not in causes(image=image, gpu="NVIDIA RTX A6000", driver="510.108.03")


def test_without_a_gpu_the_brand_is_not_judged_and_the_answer_says_so() -> None:
    open_for_some = predict(cuda="11.7", driver="510.47.03")  # its images name branch 510 for every brand
    assert open_for_some.status is Outlook.PASS
    assert any("brand" in each.text for each in open_for_some.assumptions)
    assert status_of(cuda="11.7", driver="495.46") is Outlook.FAIL  # a branch that they do not name
    assert status_of(cuda="11.7", driver="510.47.03", cc="8.6") is Outlook.UNKNOWN  # GeForce or not, that is asked


# nvmlBrandType_t; which of two a driver gives depends on its age, so that either counts.
@pytest.mark.parametrize(
    ("gpu", "brands"),
    [
        ("Tesla T4", {"tesla"}),
        ("NVIDIA H100 80GB HBM3", {"nvidia", "tesla"}),
        ("GRID K520", {"grid"}),
        ("GeForce GTX 1080", {"geforce"}),
        ("GeForce RTX 4090", {"geforce", "geforcertx"}),
        ("TITAN V", {"titan"}),
        ("TITAN RTX", {"titan", "titanrtx", "geforce"}),
        ("Quadro P2000", {"quadro"}),
        ("Quadro RTX 4000", {"quadro", "quadrortx"}),
        ("RTX A6000", {"nvidiartx", "quadrortx"}),
        ("Jetson AGX Orin", {"nvidia"}),
    ],
)
def test_the_brands_of_a_product(gpu: str, brands: set[str]) -> None:
    (row,) = find(gpu, load()).rows
    assert brands_of(row) == brands


@pytest.mark.parametrize("brand", ["titan", "geforce"])
def test_a_gate_that_names_a_brand_opens_for_it_alone(brand: str) -> None:
    own = {"require_cuda": f"cuda>=12.8 brand={brand},driver>=535,driver<536", "has_compat_libs": False}
    given = {"torch": "2.7.1", "cuda": "12.8", "driver": "535.183.01", "inside": own}
    opens = {
        gpu: not any("does not start" in row.message for row in predict(gpu=gpu, **given).findings)
        for gpu in ("TITAN V", "RTX 3090")
    }
    assert opens == {"TITAN V": brand == "titan", "RTX 3090": brand == "geforce"}
