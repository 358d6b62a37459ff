"""What a change does to a matrix: both directions, what it leaves alone, and where it cannot be applied."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import built, cpu_environment, environment

from validator.advice import upgrade
from validator.advice.upgrading import Change, Effect, gravest, in_environment, on_target
from validator.model import (
    Basis,
    CellResult,
    Environment,
    Finding,
    HostInterpreter,
    Missing,
    MissingKind,
    Outlook,
    Prediction,
    PulledImage,
    Severity,
    Status,
    Target,
)

OLD = Target("t4-470.57", gpu="Tesla T4", driver="470.57")
CUDA = environment(torch="2.7.1", cuda="12.6", source=PulledImage("pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime"))
FINDING = Finding("driver_too_old", Severity.FAIL, "driver 470.57 is older than 525.60.13")


def outlooks(by_driver: dict[str | None, Outlook]):  # type: ignore[no-untyped-def]
    def predict(of: Environment, target: Target) -> Prediction:
        status = by_driver[target.driver]
        missing = (Missing(MissingKind.FACTS, "no such driver in the facts"),) if status is Outlook.UNKNOWN else ()
        return Prediction(status, findings=(FINDING,) if status is Outlook.FAIL else (), missing=missing)

    return predict


def result(status: Status, basis: Basis | None = Basis.MEASURED) -> dict[str, CellResult]:
    cell_id = f"{CUDA.id}@{OLD.id}"
    return {cell_id: CellResult(cell_id, CUDA, OLD, status, basis, "measured")}


P, D, F, U = Outlook.PASS, Outlook.DEGRADED, Outlook.FAIL, Outlook.UNKNOWN


@pytest.mark.parametrize(
    ("now", "then", "measured", "effect"),
    [
        (F, P, None, Effect.STARTS),
        (F, D, None, Effect.STARTS),
        (P, F, None, Effect.STOPS),
        (D, F, None, Effect.STOPS),
        (P, D, None, Effect.NONE),
        (F, F, None, Effect.NONE),
        (P, U, None, Effect.UNKNOWN),
        (U, P, None, Effect.UNKNOWN),
        (U, F, Status.PASS, Effect.STOPS),  # the rules did not know, a run did
        (U, P, Status.FAIL, Effect.STARTS),
        (P, F, Status.PASS, Effect.STOPS),
        (P, F, Status.FAIL, Effect.NONE),  # it fails already
        (F, P, Status.PASS, Effect.NONE),  # it works already, whatever the rules say
        (F, F, Status.PASS, Effect.NONE),  # the rules are wrong here, and the change is not what makes them so
        (P, P, Status.FAIL, Effect.NONE),
        (P, F, Status.ERROR, Effect.STOPS),  # an error is no knowledge: the rules count
    ],
)
def test_effect(now: Outlook, then: Outlook, measured: Status | None, effect: Effect) -> None:
    predict = outlooks({"470.57": now, "580.95.05": then})
    known = result(measured) if measured else None
    (only,), remarks = upgrade((CUDA,), (OLD,), Change(driver="580.95.05"), before=predict, after=predict, results=known)
    assert (only.effect, only.target.driver, only.id) == (effect, "580.95.05", "torch2.7.1-cu126@t4-470.57")
    assert remarks == ()
    assert only.reason


def test_what_was_measured_is_said_to_be_measured() -> None:
    predict = outlooks({"470.57": F, "580.95.05": P})
    (only,), _ = upgrade((CUDA,), (OLD,), Change(driver="580.95.05"), before=predict, after=predict, results=result(Status.FAIL))
    assert (only.before, only.basis, only.effect) == (F, Basis.MEASURED, Effect.STARTS)


def test_a_cause_is_the_reason_of_what_stops() -> None:
    predict = outlooks({"580": P, "470.57": F})
    (only,), _ = upgrade((CUDA,), (Target("t4", gpu="T4", driver="580"),), Change(driver="470.57"), before=predict, after=predict)
    assert only.reason == FINDING.message
    assert only.after.findings == (FINDING,)


def test_a_gpu_takes_the_place_of_a_gpu_or_capability() -> None:
    assert on_target(Target("sm90", compute_capability="9.0"), Change(gpu="NVIDIA L4")).compute_capability is None
    assert on_target(OLD, Change(gpu="NVIDIA L4")).driver == "470.57"
    assert on_target(OLD, Change(torch="2.8.0")) == OLD


@pytest.mark.parametrize(
    ("reference", "change", "becomes"),
    [
        ("pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime", Change(torch="2.8.0"), "pytorch/pytorch:2.8.0-cuda12.6-cudnn9-runtime"),
        ("pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime", Change(cuda="13.0"), "pytorch/pytorch:2.7.1-cuda13.0-cudnn9-runtime"),
        (
            "pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime",
            Change(torch="2.9.1", cuda="13.0"),
            "pytorch/pytorch:2.9.1-cuda13.0-cudnn9-runtime",
        ),
        ("registry:5000/torch:2.7.1", Change(torch="2.8.0"), "registry:5000/torch:2.8.0"),
    ],
)
def test_a_reference_that_names_the_version_gets_the_new_one(reference: str, change: Change, becomes: str) -> None:
    made = in_environment(environment(torch="2.7.1", cuda="12.6", source=PulledImage(reference)), change)
    assert (made.environment.source, made.why_not) == (PulledImage(becomes), None)
    assert made.environment.torch == (change.torch or "2.7.1")
    assert made.environment.cuda == (change.cuda or "12.6")


@pytest.mark.parametrize(
    ("of", "change", "why"),
    [
        (environment(torch="2.7.1", source=PulledImage("mine/torch:12.7.1")), Change(torch="2.8.0"), "does not name torch 2.7.1"),
        (environment(torch="2.7.1", source=PulledImage("mine/torch:latest")), Change(torch="2.8.0"), "does not name"),
        (environment(torch="2.7.1", source=PulledImage("a/b@sha256:" + "2.7.1" * 9)), Change(torch="2.8.0"), "does not name"),
        (environment(), Change(torch="2.8.0"), "does not say its torch version"),
        (environment(torch="2.7.1"), Change(cuda="12.8"), "does not say its cuda version"),
        (cpu_environment(torch="2.7.1"), Change(cuda="12.8"), "a CPU build has no CUDA version"),
        (environment(source=HostInterpreter(Path("/usr/bin/python3"))), Change(torch="2.8.0"), "interpreter of this machine"),
    ],
)
def test_where_a_version_cannot_be_replaced_the_environment_stays_and_is_named(of: Environment, change: Change, why: str) -> None:
    made = in_environment(of, change)
    assert made.environment == of
    assert why in (made.why_not or "")
    predict = outlooks({"470.57": P})
    (only,), (remark,) = upgrade((of,), (OLD,), change, before=predict, after=predict)
    assert (only.effect, only.environment) == (Effect.NONE, of)
    assert of.id in remark


def test_a_built_environment_takes_any_version() -> None:
    made = in_environment(environment(torch="2.7.1", cuda="12.6", source=built()), Change(torch="2.9.1", cuda="13.0"))
    assert (made.environment.torch, made.environment.cuda, made.why_not) == ("2.9.1", "13.0", None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(), ""),
        (Change(driver="580.95.05"), "driver 580.95.05"),
        (Change(gpu="NVIDIA L4", torch="2.8.0", cuda="12.8", driver="580"), "driver 580, GPU NVIDIA L4, torch 2.8.0, CUDA 12.8"),
    ],
)
def test_a_change_in_words(change: Change, words: str) -> None:
    assert str(change) == words


@pytest.mark.parametrize(
    ("now", "then", "measured", "reason"),
    [
        (P, U, None, "no such driver in the facts"),
        (U, P, None, "whether it works today is not known"),
        (F, P, None, "no rule speaks against it"),
        (P, P, None, "pass before and after"),
        (P, D, Status.DEGRADED, "degraded before and after"),
        (P, F, None, FINDING.message),
    ],
)
def test_the_reason_of_an_effect(now: Outlook, then: Outlook, measured: Status | None, reason: str) -> None:
    predict = outlooks({"470.57": now, "580.95.05": then})
    known = result(measured) if measured else None
    (only,), _ = upgrade((CUDA,), (OLD,), Change(driver="580.95.05"), before=predict, after=predict, results=known)
    assert only.reason == reason


@pytest.mark.parametrize(
    ("basis", "counts"), [(Basis.MEASURED, True), (Basis.INSPECTED, True), (Basis.PREDICTED, False), (None, False)]
)
def test_only_what_was_seen_goes_before_the_rules(basis: Basis | None, counts: bool) -> None:
    predict = outlooks({"470.57": F, "580.95.05": F})
    known = result(Status.PASS, basis)
    (only,), _ = upgrade((CUDA,), (OLD,), Change(driver="580.95.05"), before=predict, after=predict, results=known)
    assert (only.before, only.basis) == ((P, basis) if counts else (F, Basis.PREDICTED))


def test_every_environment_is_judged_on_every_target() -> None:
    predict = outlooks({"470.57": P, "580.95.05": P})
    targets = (OLD, Target("l4", gpu="NVIDIA L4", driver="580.95.05"))
    affected, _ = upgrade((CUDA, cpu_environment()), targets, Change(driver="580.95.05"), before=predict, after=predict)
    assert [each.id for each in affected] == [f"{of.id}@{target.id}" for of in (CUDA, cpu_environment()) for target in targets]


def test_the_gravest_findings_are_all_failures_else_all_that_degrade() -> None:
    slow, other = Finding("ptx_jit", Severity.DEGRADED, "slow"), Finding("driver_end_of_life", Severity.INFO, "old")
    assert gravest((FINDING, slow, FINDING, other)) == (FINDING, FINDING)
    assert gravest((slow, other)) == (slow,)
    assert gravest((other,)) == ()


@pytest.mark.parametrize(
    ("reference", "old", "new", "becomes"),
    [
        ("a/b:2.7.1", "2.7.1", "2.8.0", "a/b:2.8.0"),
        ("a/b:2.7.10", "2.7.1", "2.8.0", None),  # a part of another version
        ("a/b:1.2.7.1", "2.7.1", "2.8.0", None),
        ("a/b:12.7.1-2.7.1", "2.7.1", "2.8.0", "a/b:12.7.1-2.8.0"),
        ("host:2.7.1/b", "2.7.1", "2.8.0", None),  # a port is no tag
    ],
)
def test_a_version_is_replaced_where_it_stands_as_a_whole(reference: str, old: str, new: str, becomes: str | None) -> None:
    made = in_environment(environment(torch=old, source=PulledImage(reference)), Change(torch=new))
    assert made.environment.source == PulledImage(becomes or reference)
    assert (made.why_not is None) is (becomes is not None)


def test_a_change_that_is_there_already_changes_nothing() -> None:
    of = environment(torch="2.7.1", source=PulledImage("mine/torch:latest"))
    assert in_environment(of, Change(torch="2.7.1")).why_not is None
    assert in_environment(of, Change(driver="580")).environment is of
