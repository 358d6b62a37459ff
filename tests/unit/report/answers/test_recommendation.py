"""A recommendation as text and as JSON: what to take and why, with lines to copy, and why not the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from values import assumed, built, environment
from values import result as made_result

from validator.advice.recommendation import Candidate, Recommendation
from validator.facts import load
from validator.model import (
    Assumption,
    AssumptionKind,
    Environment,
    Finding,
    Outlook,
    Prediction,
    PulledImage,
    Severity,
    Status,
    Target,
)
from validator.report.answers.recommendation import Recommended, as_json, as_text

FACTS = load()
SEEN = "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime"
TARGET = Target("Tesla T4, driver 580.95.05", gpu="Tesla T4", driver="580.95.05")
FAILS = Finding("arch_not_supported", Severity.FAIL, "no code for it")
EMULATED = Finding("bf16_emulated", Severity.DEGRADED, "bfloat16 is emulated")


def env(torch: str = "2.7.1", cuda: str = "12.8", image: str | None = SEEN, **fields: Any) -> Environment:
    return environment(f"torch{torch}-{cuda}", PulledImage(image) if image else built(), torch=torch, cuda=cuda, **fields)


def candidate(of: Environment | None = None, status: Outlook = Outlook.PASS, *findings: Finding, **fields: Any) -> Candidate:
    measured = fields.pop("measured", None)
    return Candidate(of or env(), Prediction(status, findings=findings, **fields), measured)


def answer(
    *good: Candidate, rejected: tuple[Candidate, ...] = (), unknown: tuple[Candidate, ...] = (), **asked: Any
) -> Recommended:
    return Recommended(Recommendation(good, rejected, unknown), TARGET, asked.pop("needs", ()), FACTS, **asked)


def lines(shown: Recommended) -> list[str]:
    return as_text(shown, 80).splitlines()


def test_the_first_line_says_for_what_and_by_which_facts() -> None:
    assert FACTS.as_of > "2025"
    assert lines(answer(candidate()))[0] == f"For Tesla T4, driver 580.95.05 (facts of {FACTS.as_of}):"
    wanted = lines(answer(candidate(), needs=("fp8", "compile")))[0]
    assert wanted.startswith("For Tesla T4, driver 580.95.05, able to do fp8, compile (facts of")


def test_where_nothing_fits_that_is_said() -> None:
    assert "Nothing is known to work." in lines(answer(rejected=(candidate(None, Outlook.FAIL, FAILS),)))
    assert "Nothing is known to work." not in lines(answer(candidate()))


def test_an_image_that_was_seen_has_two_lines_to_copy() -> None:
    assert lines(answer(candidate()))[2:] == [
        "1. torch2.7.1-12.8  pass (predicted): no rule speaks against it; the newest torch that fits",
        f"   FROM {SEEN}",
        f"   docker pull {SEEN}",
    ]


def test_an_image_that_nobody_has_seen_is_marked_and_has_a_wheel_beside_it() -> None:
    assert lines(answer(candidate(env(image="pytorch/pytorch:new"))))[3:] == [
        "   # named as its family is, not seen yet; look first: docker manifest inspect pytorch/pytorch:new",
        "   FROM pytorch/pytorch:new",
        "   docker pull pytorch/pytorch:new",
        "   pip install torch==2.7.1 --index-url https://download.pytorch.org/whl/cu128",
    ]
    nameless = environment("mine", PulledImage("mine:1"))
    assert lines(answer(candidate(nameless)))[3:][1:] == ["   FROM mine:1", "   docker pull mine:1"]


def test_a_wheel_has_one_line_to_copy_and_what_is_neither_has_none() -> None:
    assert lines(answer(candidate(env(image=None))))[3:] == [
        "   pip install torch==2.7.1 --index-url https://download.pytorch.org/whl/cu128"
    ]
    assert lines(answer(candidate(environment("mine", built()))))[3:] == []


def test_why_it_is_not_whole_is_said_and_a_whole_one_needs_no_reason() -> None:
    shown = lines(answer(candidate(None, Outlook.DEGRADED, EMULATED)))
    assert shown[2:4] == ["1. torch2.7.1-12.8  degraded (predicted): the newest torch that fits", "   bfloat16 is emulated"]


MEASURED = candidate(env(), measured=made_result(Status.PASS, reason="trains: fp32"))


@pytest.mark.parametrize(
    ("better", "each", "rank"),
    [
        (candidate(), MEASURED, "measured on this GPU and driver"),
        (MEASURED, candidate(env("2.8.0")), "no rule speaks against it; not measured"),
        (candidate(), candidate(env("2.6.0")), "no rule speaks against it; an older torch"),
        (candidate(), candidate(env(cuda="12.6")), "no rule speaks against it; the same torch in an older build"),
        (candidate(), candidate(env("2.6.0"), Outlook.DEGRADED, EMULATED), "degraded where the others above are pass"),
        (
            candidate(env("2.7.0"), Outlook.DEGRADED, EMULATED),
            candidate(env("2.6.0"), Outlook.DEGRADED, EMULATED),
            "an older torch",
        ),
    ],
)
def test_why_it_stands_here_and_not_above(better: Candidate, each: Candidate, rank: str) -> None:
    second = next(line for line in lines(answer(better, each)) if line.startswith("2. "))
    assert second.partition("): ")[2] == rank


def test_what_was_measured_says_with_what_result() -> None:
    assert "   measured: trains: fp32" in lines(answer(MEASURED))


def test_five_are_shown_unless_all_are_asked_for() -> None:
    good = [candidate(env(f"2.{minor}.0")) for minor in range(7, 0, -1)]
    few, every = lines(answer(*good)), lines(answer(*good, everything=True))
    assert [line[:2] for line in few if line[:1].isdigit()] == ["1.", "2.", "3.", "4.", "5."]
    assert "… and 2 more that should work (--all)" in few
    assert sum(line[:1].isdigit() for line in every) == 7
    assert not any("more that should work" in line for line in [*every, *lines(answer(*good[:5]))])


def test_what_was_assumed_of_all_is_said_once_and_what_of_one_is_said_with_it() -> None:
    no_driver, x86 = assumed("no driver is given", "it is x86")
    tag = Assumption(AssumptionKind.IMAGE_NAME, f"{SEEN}: taken from its tag")
    good = (candidate(assumptions=(no_driver, tag, x86)), candidate(env("2.6.0"), assumptions=(no_driver, tag)))
    shown = lines(answer(*good, rejected=(candidate(None, Outlook.FAIL, FAILS, assumptions=(no_driver,)),)))
    assert shown.count("assumed: no driver is given") == 1
    assert shown.count("   assumed: it is x86") == 1
    assert sum("assumed:" in line for line in shown) == 2  # that the image holds what its tag says is in the line to copy
    wheel = candidate(env(image=None), assumptions=assumed("it has a compiler"))
    assert "   assumed: it has a compiler" in lines(answer(wheel, candidate()))


def test_the_rest_is_grouped_by_cause_and_each_is_named() -> None:
    other = Finding("driver_too_old", Severity.FAIL, "the driver is old")
    rejected = (
        candidate(env("2.5.0"), Outlook.FAIL, FAILS, EMULATED),
        candidate(env("2.4.0"), Outlook.FAIL, other, FAILS, other),
        candidate(env("2.3.0"), Outlook.FAIL, replace(FAILS, message="in other words"), EMULATED),
        candidate(env("2.2.0"), measured=made_result(Status.FAIL, reason="died")),
    )
    unknown = (candidate(env("2.1.0"), Outlook.UNKNOWN, missing=("nobody knows this GPU",)),)
    shown = lines(answer(rejected=rejected, unknown=unknown))
    assert shown[shown.index("Not these:") :] == [
        "Not these:",
        "  arch_not_supported: no code for it",
        "    torch2.5.0-12.8, torch2.3.0-12.8",
        "  driver_too_old, arch_not_supported: the driver is old; no code for it; the driver is old",
        "    torch2.4.0-12.8",
        "  measured: measured: died",
        "    torch2.2.0-12.8",
        "",
        "Not known:",
        "  not known: nobody knows this GPU",
        "    torch2.1.0-12.8",
    ]


def test_the_json_has_every_candidate_with_all_that_is_known_of_it() -> None:
    shown = answer(
        candidate(env(python="3.12")),
        candidate(env(image="pytorch/pytorch:new")),
        candidate(env(image=None)),
        rejected=(candidate(env("2.5.0"), Outlook.FAIL, FAILS),),
        unknown=(candidate(env("2.1.0"), Outlook.UNKNOWN),),
        needs=("fp8",),
    )
    document = as_json(shown)
    assert document["target"] == {"gpu": "Tesla T4", "compute_capability": None, "driver": "580.95.05"}
    assert document["needs"] == ["fp8"]
    first, second, third = document["recommended"]
    assert first.pop("predicted")["verdict"] == "pass"
    assert first == {
        "id": "torch2.7.1-12.8",
        "torch": "2.7.1",
        "cuda": "12.8",
        "python": "3.12",
        "verdict": "pass",
        "basis": "predicted",
        "reason": "no rule speaks against it",
        "image": SEEN,
        "image_seen": True,
        "from": f"FROM {SEEN}",
        "pull": f"docker pull {SEEN}",
        "pip": "pip install torch==2.7.1 --index-url https://download.pytorch.org/whl/cu128",
    }
    assert (second["image"], second["image_seen"]) == ("pytorch/pytorch:new", False)
    assert (third["image"], third["image_seen"], "from" in third) == (None, False, False)
    assert [(row["id"], row["verdict"], row["reason"]) for row in document["rejected"]] == [
        ("torch2.5.0-12.8", "fail", "no code for it")
    ]
    assert [(row["id"], row["verdict"]) for row in document["unknown"]] == [("torch2.1.0-12.8", "unknown")]
