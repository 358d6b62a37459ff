"""A GPU name that leaves the compute capability open: an answer where it works on each or fails on each, else a question."""

from __future__ import annotations

from typing import Any

import pytest
from rules_values import predict

from validator.model import AssumptionKind, MissingKind, Outlook

NEW = {"driver": "580.95.05"}
#: Code for 8.x, and PTX from which a driver can make that for 9.0.
AMPERE_AND_PTX = {"torch": "2.5.1", "cuda": "12.4", "arch_list": ("sm_80", "compute_80")}


@pytest.mark.parametrize(
    ("given", "status", "causes", "told"),
    [
        # The same for 8.0 and 8.6, for 6.0 and 6.1.
        ({"torch": "2.7.1", "cuda": "12.8", "gpu": "Ampere", **NEW}, Outlook.PASS, (), "(8.0, 8.6): the answer is the same"),
        (
            {"torch": "2.7.1", "cuda": "12.8", "gpu": "Pascal", **NEW},
            Outlook.FAIL,
            ("arch_not_supported", "fp16_no_speedup", "bf16_emulated"),
            "(6.0, 6.1): the answer is the same for each",
        ),
        (
            {"torch": "2.7.1", "cuda": "12.6", "gpu": "Pascal", **NEW},
            Outlook.DEGRADED,
            ("fp16_no_speedup", "bf16_emulated"),
            "(6.0, 6.1): the answer is the same for each",
        ),
        ({"gpu": "Pascal", "driver": "590.44.01"}, Outlook.FAIL, ("driver_drops_gpu", "fp16_no_speedup"), "(6.0, 6.1): "),
        # It works on each, and worse on the oldest (bf16 from 8.0 on) or on the newest (of which there is only PTX).
        (
            {"torch": "2.7.1", "cuda": "12.6", "gpu": "Turing/Ampere", **NEW},
            Outlook.DEGRADED,
            ("bf16_emulated",),
            "(7.5, 8.0, 8.6): degraded on some of them",
        ),
        (
            {"inside": AMPERE_AND_PTX, "gpu": "Ampere/Hopper", **NEW},
            Outlook.DEGRADED,
            ("ptx_jit",),
            "(8.0, 8.6, 9.0): degraded on some of them",
        ),
    ],
)
def test_where_it_works_on_each_or_fails_on_each_there_is_an_answer(
    given: dict[str, Any], status: Outlook, causes: tuple[str, ...], told: str
) -> None:
    prediction = predict(**given)
    assert (prediction.status, prediction.causes, prediction.missing) == (status, causes, ())
    first = prediction.assumptions[0]
    assert first.kind is AssumptionKind.GPU_NAME
    assert first.text.startswith(f"{given['gpu']!r} leaves the compute capability open {told}")


def test_the_answer_keeps_what_was_taken_for_granted_for_the_capability_that_it_is_of() -> None:
    one = predict(torch="2.7.1", cuda="12.6", gpu="Turing/Ampere", cc="7.5")
    each = predict(torch="2.7.1", cuda="12.6", gpu="Turing/Ampere")
    assert each.assumptions[1:] == one.assumptions
    assert any("no driver is given" in said.text for said in one.assumptions)
    assert each.findings == one.findings


@pytest.mark.parametrize(
    ("given", "names"),
    [
        # 7.0 fails, 8.0 passes.
        ({"torch": "2.7.1", "cuda": "12.8", "gpu": "Volta/Ampere", **NEW}, "TITAN V (7.0), "),
        # 3.5 fails, 7.5 works.
        ({"torch": "2.7.1", "cuda": "12.6", "gpu": "Titan", **NEW}, "TITAN RTX (7.5), GeForce GTX TITAN (3.5), "),
        # Those of 8.0 are of data-centre lines and may use the library; of 8.6 there are all lines.
        (
            {"torch": "2.9.1", "cuda": "13.0", "gpu": "Ampere", "driver": "535.183.01", "inside": {"has_compat_libs": True}},
            "A100-PCIE-40GB (8.0), ",
        ),
    ],
)
def test_where_the_capability_decides_it_is_asked_for(given: dict[str, Any], names: str) -> None:
    prediction = predict(**given)
    assert prediction.status is Outlook.UNKNOWN
    asked = prediction.missing[0]
    assert asked.kind is MissingKind.INPUT
    assert asked.text.startswith(f"GPU {given['gpu']!r} can be any of {names}")
    assert asked.text.endswith("which differ in compute capability; give the whole name or --cc")
    assert not any("leaves the compute capability open" in said.text for said in prediction.assumptions)


@pytest.mark.parametrize(("cc", "status"), [("7.0", Outlook.FAIL), ("8.0", Outlook.PASS), ("8.6", Outlook.PASS)])
def test_a_capability_given_answers_the_question(cc: str, status: Outlook) -> None:
    prediction = predict(torch="2.7.1", cuda="12.8", gpu="Volta/Ampere", cc=cc, **NEW)
    assert (prediction.status, prediction.missing) == (status, ())


def test_a_name_of_one_capability_is_no_question() -> None:
    prediction = predict(torch="2.7.1", cuda="12.8", gpu="Ada", **NEW)
    assert (prediction.status, prediction.missing) == (Outlook.PASS, ())
    assert [said.text for said in prediction.assumptions] == ["'Ada' is taken for a GPU of that architecture"]
