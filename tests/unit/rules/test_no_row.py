"""What the facts have no row for is not known, or has an answer that is stated; it is never a defect and never a wrong fault."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from rules_values import causes, predict, status_of

from validator.catalogue.causes import catalogue
from validator.facts import load
from validator.facts.rows import FEATURES, LINES
from validator.model import MissingKind, Outlook
from validator.rules import Place, Subject, judge
from validator.rules.container_gate import brands_of

RULES = Path(__file__).parents[3] / "validator" / "rules"
H100 = {"gpu": "NVIDIA H100 80GB HBM3", "driver": "580.95.05"}
BEYOND = "nvidia/cuda:13.7.0-base-ubuntu24.04"


@pytest.mark.parametrize(
    "given",
    [
        # A CUDA newer than every toolkit of the facts: which older drivers its images name besides is not known.
        {"image": BEYOND},
        {"image": BEYOND, **H100},
        {"image": BEYOND, "gpu": "RTX 4090", "driver": "616"},
        {"cuda": "13.7", **H100},
        # A major without a floor, where a compat library may make up for the driver.
        {"image": "nvidia/cuda:14.1.0-base-ubuntu24.04", **H100},
        {"torch": "9.9.0", "cuda": "14.1", "inside": {"has_compat_libs": True, "require_cuda": ""}, **H100},
        # A compat library of a CUDA version of which no row says on which branches it may stand.
        {
            "torch": "2.9.1",
            "cuda": "13.0",
            "inside": {"has_compat_libs": True, "compat_driver": "610.1"},
            "gpu": "H100",
            "driver": "550",
        },
        {"torch": "2.7.1", "cuda": "12.8", "cc": "13.1"},
        {"torch": "2.7.1", "cuda": "12.8", "gpu": "Thing 9000"},
        {"torch": "2.15.0", "cuda": "13.0", **H100},  # of which no source says whether it was published
        {"torch": "9.9.0", "cuda": "13.2", **H100},
        {"image": "nvcr.io/nvidia/pytorch:18.01-py3", **H100},
    ],
)
def test_what_the_facts_do_not_have_is_not_known(given: dict[str, Any]) -> None:
    prediction = predict(**given)
    assert prediction.status is Outlook.UNKNOWN
    assert {each.kind for each in prediction.missing} <= {MissingKind.FACTS, MissingKind.IMAGE}


def test_a_driver_older_than_the_facts_leaves_a_gate_open() -> None:
    prediction = predict(
        torch="2.5.1", cuda="9.0", inside={"require_cuda": "cuda>=9.0"}, driver="300.10", gpu="Tesla P100-PCIE-16GB"
    )
    assert "older than the facts" in " ".join(each.text for each in prediction.missing)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        # What does not depend on the missing row still counts.
        ({"image": BEYOND, "gpu": "Tesla T4", "driver": "470.57.02"}, None),
        ({"image": BEYOND, "gpu": "RTX 4090", "driver": "535.183.01"}, "forward_compat_unsupported"),
        ({"image": "nvidia/cuda:14.1.0-base-ubuntu24.04", "gpu": "RTX 4090", "driver": "580.95.05"}, "driver_too_old"),
        ({"torch": "9.9.0", "cuda": "14.1", **H100}, "driver_too_old"),
        ({"image": "nvidia/cuda:8.0-base-ubuntu16.04", "gpu": "GTX 1080", "driver": "367.48"}, None),
    ],
)
def test_what_is_known_beside_it_is_still_said(given: dict[str, Any], cause: str | None) -> None:
    assert cause is None or cause in causes(**given)
    assert (status_of(**given) is Outlook.FAIL) is (cause is not None)


def test_a_cuda_of_the_facts_without_a_gate_of_its_own_has_the_plain_condition() -> None:
    assert "13.3" not in load().gates
    assert causes(cuda="13.3", gpu="NVIDIA H100 80GB HBM3", driver="595.58.03") == ("driver_too_old",)


def test_a_driver_that_knows_the_cuda_itself_needs_no_further_alternative() -> None:
    assert status_of(cuda="13.4", gpu="NVIDIA H100 80GB HBM3", driver="615.10") is Outlook.PASS


def test_an_image_whose_name_says_cpu_may_hold_a_cuda_build_and_a_compat_library() -> None:
    inside = {"torch": "2.7.1", "cuda": "12.8", "has_compat_libs": True}
    assert predict(image="team/torch:2.7.1-cpu", inside=inside, gpu="T4", driver="570.26").status in (
        Outlook.DEGRADED,
        Outlook.FAIL,
    )


def test_a_release_without_a_wheel_for_any_python_says_so(tmp_path: Path) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text("releases:\n  2.7.1: {python: []}\n", encoding="utf-8")
    prediction = judge(Subject(torch="2.7.1", cuda="12.8", python="3.12"), Place(gpu="T4"), load(path))
    row = next(row for row in prediction.findings if row.cause == "python_version_unsupported")
    assert row.evidence == ("asked for: Python 3.12; wheels: none",)
    assert row.remedy is not None
    assert row.remedy.startswith("use torch 2.7.0")


def test_a_gpu_of_ones_own_without_a_capability_in_the_facts_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text("gpus:\n  Thing 9000: {cc: 13.1, line: workstation}\n", encoding="utf-8")
    prediction = judge(Subject(torch="2.15.0", cuda="13.2"), Place(gpu="Thing 9000", driver="616"), load(path))
    assert (prediction.status, [each.kind for each in prediction.missing]) == (Outlook.UNKNOWN, [MissingKind.FACTS])


def _words(function: str) -> set[str]:
    """The texts that the rules give a function as its first argument."""
    found = set()
    for path in RULES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == function and node.args:
                found |= {each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)}
    return found


def test_every_cause_that_a_rule_names_is_in_the_catalogue() -> None:
    named = set().union(*(_words(function) for function in ("fail", "degraded", "finding", "make", "_mismatch")))
    assert {"driver_too_old", "fp16_nan", "cpu_only_torch", "ptx_jit"} <= named
    causes_named = {word for word in named if "_" in word and " " not in word}
    assert causes_named <= set(catalogue())


def test_every_boundary_that_a_rule_names_is_in_the_facts() -> None:
    named = _words("since")
    assert {"cuda_amp", "cpu_autocast_fp16"} <= named
    assert named | {"numpy2", "compile", "bf16_autocast", "bf16_emulation", "cpu_autocast", "cuda_amp_deprecated"} <= set(
        load().boundaries
    )


def test_every_product_line_has_a_brand_and_a_word_on_forward_compatibility() -> None:
    lines = load().compat_lines
    assert set().union(*lines.values()) >= set(LINES) - {"jetson"}
    assert {row.line for row in load().gpus.values()} <= set(LINES)
    assert all(brands_of(row) for row in load().gpus.values())


def test_every_feature_that_can_be_needed_is_one_that_some_gpu_has() -> None:
    assert all(any(feature in row.features for row in load().capabilities.values()) for feature in FEATURES)
