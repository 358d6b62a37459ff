"""What is said beside a verdict: the numbers compared, the source, and what was taken for granted."""

from __future__ import annotations

from typing import Any

import pytest
from rules_values import finding, predict

from validator.facts import load
from validator.model import AssumptionKind, Basis, Finding, MissingKind, Outlook, Severity

FACTS = load()
IMAGE = "nvidia/cuda:12.8.1-base-ubuntu22.04"
T4, ORIGIN = "Tesla T4", {name: str(FACTS.capabilities[name].origin) for name in ("6.1", "7.0", "8.9", "12.0")}
NUMPY = str(FACTS.boundaries["numpy2"].origin)


def inside(*arch: str, torch: str = "2.7.1", cuda: str = "12.8") -> dict[str, Any]:
    return {"torch": torch, "cuda": cuda, "arch_list": arch}


@pytest.mark.parametrize(
    ("cause", "given", "evidence", "source"),
    [
        (
            "arch_not_supported",
            {"torch": "2.7.1", "cuda": "12.8", "gpu": "RTX 5090", "inside": inside("sm_90")},
            ("needed: compute capability 12.0; there is: sm_90",),
            "read inside the environment",
        ),
        (
            "arch_not_supported",
            {"cuda": "13.0", "gpu": "Tesla V100-SXM2-16GB"},
            ("CUDA 13.0 > 12.9, the last for compute capability 7.0",),
            ORIGIN["7.0"],
        ),
        (
            "arch_not_supported",
            {"cuda": "11.7", "gpu": "RTX 5090"},
            ("CUDA 11.7 < 12.8, the first for compute capability 12.0",),
            ORIGIN["12.0"],
        ),
        (
            "arch_not_supported",
            {"cuda": "12.8", "gpu": "GTX 1080"},
            ("torch 2.7.0, 2.7.1, 2.8.0, 2.9.0, 2.9.1, 2.10.0: none for compute capability 6.1",),
            ORIGIN["6.1"],
        ),
        (
            "ptx_jit",
            {"gpu": "RTX 5090", "driver": "570.86.16", "inside": inside("compute_90", "sm_90")},
            ("needed: compute capability 12.0; there is: compute_90 sm_90",),
            "read inside the environment",
        ),
        (
            "ptx_too_new",
            {"gpu": "L4", "driver": "535.183.01", "inside": inside("compute_80", torch="2.4.0", cuda="12.4")},
            ("driver 535.183.01 < 550.54.14, the driver of the toolkit CUDA 12.4", "compute_80 is the code there is"),
            str(FACTS.toolkits["12.4.0"].origin),
        ),
        (
            "driver_too_old",
            {"gpu": "RTX 5090", "driver": "565.57.01"},
            ("branch 565 < 570, the first for compute capability 12.0",),
            str(FACTS.capabilities["12.0"].branch_origin),
        ),
        (
            "driver_drops_gpu",
            {"gpu": "Tesla K80", "driver": "535.183.01"},
            ("branch 535 > 470, the last for compute capability 3.7",),
            str(FACTS.capabilities["3.7"].branch_origin),
        ),
        (
            "driver_end_of_life",
            {"gpu": T4, "driver": "570.26"},
            (f"end of life 2026-02, facts of {FACTS.as_of}",),
            str(FACTS.branches[570].origin),
        ),
        (
            "open_kernel_module_unsupported",
            {"gpu": "GTX 1080", "driver": "535.183.01", "open_kernel_modules": True},
            ("compute capability 6.1 < 7.5, the first with a GSP",),
            str(FACTS.capabilities["6.1"].feature_origin),
        ),
        (
            "open_kernel_module_unsupported",
            {"gpu": "RTX 5090", "driver": "580.95.05", "open_kernel_modules": False},
            ("compute capability 12.0: Blackwell has no proprietary modules",),
            str(FACTS.capabilities["12.0"].feature_origin),
        ),
        (
            "driver_too_old",
            {"image": IMAGE, "gpu": "GH200", "driver": "535.183.01"},  # whose ARM images name no brands
            ("driver 535.183.01 knows CUDA 12.2; brand nvidia or tesla", "required: cuda>=12.8"),
            str(FACTS.gates["12.8"].origin),
        ),
        (
            "gpu_vendor_unsupported",
            {"torch": "2.7.1", "cuda": "12.6", "gpu": "Radeon VII"},
            ("vendor or product line: Radeon",),
            None,
        ),
        ("numpy_abi", {"torch": "2.2.2", "numpy": "2.0.0"}, ("torch 2.2.2 < 2.3.0, numpy 2.0.0 >= 2",), NUMPY),
    ],
)
def test_a_finding_has_the_numbers_compared_and_the_source(
    cause: str, given: dict[str, Any], evidence: tuple[str, ...], source: str | None
) -> None:
    row = finding(cause, **given)
    assert row.evidence == evidence
    assert source is None or row.source == source


RELEASES = {str(version): row for version, row in FACTS.releases.items()}


@pytest.mark.parametrize(
    ("cause", "given", "source"),
    [
        ("build_not_published", {"torch": "2.7.1", "cuda": "12.4"}, RELEASES["2.7.1"].origin),
        ("python_version_unsupported", {"torch": "2.7.1", "cuda": "12.6", "python": "3.8"}, RELEASES["2.7.1"].origin),
        ("glibc_too_old", {"torch": "2.7.1", "cuda": "12.6", "libc": "2.27"}, RELEASES["2.7.1"].origin),
        (
            "arch_not_supported",  # of cuDNN, which comes with torch
            {"torch": "2.4.0", "cuda": "11.8", "gpu": "Tesla K80", "driver": "470.82.01"},
            FACTS.capabilities["3.7"].cudnn_origin,
        ),
        ("arch_not_supported", {"torch": "2.9.1", "cuda": "12.8", "gpu": "GTX 1080"}, RELEASES["2.9.1"].builds["12.8"].origin),
        (
            "arch_not_supported",  # of Triton, which is asked for
            {"torch": "2.5.1", "cuda": "12.4", "gpu": "GTX 1080", "needs": ("compile",)},
            FACTS.boundaries["compile"].origin,
        ),
        (
            "fp16_no_speedup",
            {"torch": "2.5.1", "cuda": "12.4", "gpu": "GTX 1080"},
            FACTS.capabilities["6.1"].feature_origin,
        ),
        (
            "fp8_unsupported",
            {"torch": "2.8.0", "cuda": "12.8", "gpu": "NVIDIA A30", "needs": ("fp8",)},
            FACTS.capabilities["8.0"].feature_origin,
        ),
        (
            "torch_too_old",
            {"torch": "2.3.1", "python": "3.12", "needs": ("compile",)},
            FACTS.boundaries["compile_python_3.12"].origin,
        ),
        ("driver_too_old", {"torch": "2.5.1", "cuda": "12.4", "gpu": T4, "driver": "520.61.05"}, FACTS.floors[12].origin),
        ("driver_too_old", {"torch": "9.9.0", "cuda": "14.1", "gpu": T4, "driver": "535.183.01"}, FACTS.branches[535].origin),
    ],
)
def test_a_finding_names_the_row_it_is_from(cause: str, given: dict[str, Any], source: object) -> None:
    assert finding(cause, **given).source == str(source)


def test_the_gravest_finding_comes_first_and_a_remark_last() -> None:
    prediction = predict(torch="2.9.1", cuda="12.8", gpu="GTX 1080", driver="535.183.01", needs=("torch.cuda.amp",))
    ranks = [row.severity for row in prediction.findings]
    assert ranks == sorted(ranks, key=lambda severity: severity.rank)
    assert (ranks[0], ranks[-1]) == (Severity.FAIL, Severity.INFO)
    assert list(prediction.causes) == list(dict.fromkeys(row.cause for row in prediction.findings))
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"gpu": "A100", "driver": "580"}, AssumptionKind.GPU_NAME, "'A100' is taken for one of A100-PCIE-40GB, "),
        ({"gpu": "RTX 4090", "cc": "8.6"}, AssumptionKind.GPU_NAME, "(8.6) is judged, though the facts have 8.9 for 'RTX 4090'"),
        ({"gpu": "RTX 5090", "driver": "570.26"}, AssumptionKind.NEAREST, "the first known to is 570.86.16"),
        (
            {"image": IMAGE, "gpu": "A100"},
            AssumptionKind.NOT_GIVEN,
            "no driver is given: the image starts without question from driver 570.26 on",
        ),
        (
            {"torch": "2.7.1", "cuda": "12.8", "gpu": T4},
            AssumptionKind.NOT_GIVEN,
            "this holds from driver 525.60.13 on (CUDA 12.x",
        ),
        ({"torch": "1.7.1", "cuda": "10.2", "gpu": T4}, AssumptionKind.NOT_GIVEN, "this holds from driver 440.33 on (CUDA 10.2)"),
        ({"torch": "1.7.1", "cuda": "11.0", "gpu": T4}, AssumptionKind.NOT_GIVEN, "this holds from driver 450.36.06 on"),
        (
            {"image": IMAGE, "driver": "535.183.01"},
            AssumptionKind.NOT_GIVEN,
            "the image starts on this driver for some brands only",
        ),
        (
            {"cuda": "12.8", "gpu": "A100"},
            AssumptionKind.NOT_GIVEN,
            "every build of PyTorch for CUDA 12.8 has code for A100 (compute capability 8.0)",
        ),
        ({"cuda": "13.3", "gpu": "L4", "driver": "615.10"}, AssumptionKind.NEAREST, "no published build says so"),
    ],
)
def test_what_was_taken_for_granted_is_said_with_its_values(given: dict[str, Any], kind: AssumptionKind, text: str) -> None:
    assert any(each.kind is kind and text in each.text for each in predict(**given).assumptions)


@pytest.mark.parametrize(
    ("driver", "said"),
    [("570.26", True), ("570.86.15", True), ("570.86.16", False), ("570.124.06", False), ("570", False), ("565.57.01", False)],
)
def test_a_driver_older_than_the_first_known_to_know_a_product_is_taken_to_know_it(driver: str, said: bool) -> None:
    prediction = predict(gpu="GeForce RTX 5090", driver=driver)
    assert any("is taken to know" in each.text for each in prediction.assumptions) is said
    assert (prediction.status is Outlook.FAIL) is (driver == "565.57.01")  # before its architecture it is a fault


@pytest.mark.parametrize(
    ("text", "cc"),
    [("8.6", "8.6"), ("sm_86", "8.6"), ("86", "8.6"), ("compute_90", "9.0"), ("120", "12.0"), ("12", "12.0"), (" 9 ", "9")],
)
def test_a_compute_capability_as_people_write_it(text: str, cc: str) -> None:
    row = finding("cpu_only_torch", torch="2.7.1+cpu", cc=text)
    assert f"compute capability {cc}:" in row.message


@pytest.mark.parametrize("text", ["eight", "8.6.1", "", "sm_", "8,6"])
def test_what_is_no_compute_capability_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a compute capability such as"):
        predict(cc=text)


def test_a_capability_given_beside_a_name_chooses_among_what_the_name_can_mean() -> None:
    row = finding("fp8_unsupported", torch="2.9.1", cuda="12.8", gpu="Ampere/Ada", cc="8.6", needs=("fp8",))
    assert row.evidence == ("compute capability 8.6 < 8.9",)


@pytest.mark.parametrize("gpu", ["Radeon VII", "AMD Instinct MI300X", "Intel Arc A770", "gfx90a", "Apple M2"])
def test_other_vendors_are_no_gap_of_the_facts(gpu: str) -> None:
    prediction = predict(torch="2.7.1", cuda="12.6", gpu=gpu)
    assert "gpu_vendor_unsupported" in prediction.causes
    assert prediction.missing == ()
    assert predict(torch="2.7.1", cuda="cpu", gpu=gpu).status is Outlook.PASS


def test_a_name_that_only_looks_like_a_vendors_is_not_one() -> None:
    for gpu in ("Intelligent Thing 9000", "Xenon 5", "Arcade 1"):
        assert [each.kind for each in predict(torch="2.7.1", cuda="12.6", gpu=gpu).missing] == [MissingKind.FACTS]


def test_a_machine_without_a_gpu_is_not_judged_by_one() -> None:
    prediction = predict(torch="2.7.1", cuda="12.8", image=IMAGE, has_gpu=False)
    assert prediction.status is Outlook.PASS
    assert not any("no GPU is given" in each.text or "driver" in each.text for each in prediction.assumptions)
    assert predict(torch="2.7.1+cpu", has_gpu=False, driver="535.183.01").causes == ("driver_end_of_life",)


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ({"gpu": T4}, "Tesla T4 (compute capability 7.5)"),
        ({"cc": "7.5"}, "compute capability 7.5"),
        ({"gpu": "A100"}, "A100 (compute capability 8.0)"),  # one of several
        ({"driver": "535.183.01"}, "the GPU"),
    ],
)
def test_how_a_gpu_is_called(given: dict[str, Any], label: str) -> None:
    row: Finding = finding("cpu_only_torch", torch="2.7.1+cpu", **given)
    assert row.message == f"torch 2.7.1+cpu built without CUDA does not use {label}: it trains on the CPU"


def test_the_basis_is_inspected_only_where_something_was_read_inside() -> None:
    assert predict(torch="2.7.1", cuda="12.8", gpu=T4).basis is Basis.PREDICTED
    assert predict(gpu=T4, inside=inside("sm_75")).basis is Basis.INSPECTED
    assert predict(torch="2.7.1", inside={"python": "3.12"}).basis is Basis.INSPECTED
