"""What is recommended, in which order, from where, and what is said of the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import HOST_TARGET, T4, built, environment, host, report

from validator.advice import Predictor, recommend
from validator.advice.recommendation import Candidate, candidates, lines, measured_on
from validator.facts import load
from validator.model import (
    Basis,
    CellResult,
    Environment,
    Finding,
    Gpu,
    HostInfo,
    Missing,
    MissingKind,
    Outlook,
    Prediction,
    PulledImage,
    RanOn,
    Severity,
    Status,
    Target,
)

TARGET = Target("t4", gpu="Tesla T4", driver="580.95.05")


def env(torch: str, cuda: str = "12.6", **fields: object) -> Environment:
    return environment(f"torch{torch}-cu{cuda}", torch=torch, cuda=cuda, **fields)


def result(of: Environment, status: Status, target: Target = TARGET, basis: Basis = Basis.MEASURED) -> CellResult:
    return CellResult(f"{of.id}@{target.id}", of, target, status, basis, "trains: fp32")


OUTLOOKS = {
    "2.9.1": Outlook.PASS,
    "2.10.0": Outlook.DEGRADED,
    "2.8.0": Outlook.PASS,
    "2.7.1": Outlook.FAIL,
    "2.6.0": Outlook.UNKNOWN,
}


GRAVE = Finding("arch_not_supported", Severity.FAIL, "no code for it")
SLOW = Finding("fp16_no_speedup", Severity.DEGRADED, "slow")


def predict(of: Environment, target: Target) -> Prediction:
    status = OUTLOOKS[of.torch or ""]
    return Prediction(status, findings=(GRAVE,) if status is Outlook.FAIL else ())


def test_whole_before_degraded_then_the_newest_and_the_rest_apart() -> None:
    found = recommend([env(torch) for torch in OUTLOOKS], TARGET, predict)
    assert [each.environment.torch for each in found.good] == ["2.9.1", "2.8.0", "2.10.0"]
    assert [each.environment.torch for each in found.rejected] == ["2.7.1"]
    assert [each.environment.torch for each in found.unknown] == ["2.6.0"]
    assert found.rejected[0].reason == "no code for it"


def test_versions_are_compared_as_versions() -> None:
    environments = [env("2.9.1", "12.8"), env("2.9.1", "12.10"), env("2.10.0", "12.6")]
    found = recommend(environments, TARGET, lambda *_: Prediction(Outlook.PASS))
    assert [(each.environment.torch, each.environment.cuda) for each in found.good] == [
        ("2.10.0", "12.6"),
        ("2.9.1", "12.10"),
        ("2.9.1", "12.8"),
    ]


def test_what_was_measured_comes_first_and_a_measured_failure_is_rejected_whatever_rules_say() -> None:
    environments = [env(torch) for torch in OUTLOOKS]
    measured = {"2.8.0": Status.PASS, "2.9.1": Status.FAIL, "2.7.1": Status.DEGRADED}
    by_id = {of.id: result(of, measured[of.torch]) for of in environments if of.torch in measured}
    found = recommend(environments, TARGET, predict, lambda of: by_id.get(of.id))
    assert [each.environment.torch for each in found.good] == ["2.8.0", "2.7.1", "2.10.0"]
    assert [each.environment.torch for each in found.rejected] == ["2.9.1"]
    assert found.good[0].basis is Basis.MEASURED
    assert found.good[0].reason == "measured: trains: fp32"


@pytest.mark.parametrize(
    ("target", "machine", "counts"),
    [
        (TARGET, host(), True),
        (HOST_TARGET, host(T4), True),
        (HOST_TARGET, host(T4, driver="535.183.01"), False),
        (HOST_TARGET, host(), False),
        (Target("a", gpu="NVIDIA L4", driver="580.95.05"), host(), False),
        (Target("a", gpu="T4", driver="580.95.05"), host(), True),
        (Target("a", gpu="Tesla T4", driver="580.65.06"), host(), False),
    ],
)
def test_a_measurement_counts_on_the_same_gpu_and_driver_alone(target: Target, machine: HostInfo, counts: bool) -> None:
    of = env("2.8.0")
    look_up = measured_on(TARGET, report(result(of, Status.PASS, target), host=machine))
    assert (look_up(of) is not None) is counts


def test_what_was_only_predicted_or_ran_on_a_cpu_is_no_measurement() -> None:
    of, cpu = env("2.8.0"), environment("cpu", torch="2.8.0", cuda="cpu")
    results = (result(of, Status.PASS, basis=Basis.PREDICTED), result(of, Status.ERROR), result(cpu, Status.PASS, HOST_TARGET))
    look_up = measured_on(TARGET, report(*results, host=host(T4)))
    assert look_up(of) is None
    assert look_up(cpu) is None


LOST = Gpu(index=0, uuid=None, name="NVIDIA H100 80GB HBM3", compute_capability="9.0", problem="GPU is lost")
BY_CAPABILITY = Target("cc7.5", compute_capability="7.5", driver="580.95.05")


@pytest.mark.parametrize(
    ("asked", "measured", "machine", "counts"),
    [
        (BY_CAPABILITY, HOST_TARGET, host(T4), True),
        (BY_CAPABILITY, BY_CAPABILITY, host(), True),
        (Target("cc9.0", compute_capability="9.0", driver="580.95.05"), HOST_TARGET, host(T4), False),
        (Target("cc9.0", compute_capability="9.0", driver="580.95.05"), BY_CAPABILITY, host(), False),
        (BY_CAPABILITY, TARGET, host(), False),  # by name alone: its capability is not in the result
        # The GPU that a run measures on is the first that can be used, not the first that is listed.
        (TARGET, HOST_TARGET, host(LOST, T4), True),
        (Target("h100", gpu="NVIDIA H100 80GB HBM3", driver="580.95.05"), HOST_TARGET, host(LOST, T4), False),
        (TARGET, HOST_TARGET, host(LOST), False),
        # No driver asked about: any will do. A target of this machine may say another than it has.
        (Target("t4", gpu="Tesla T4"), HOST_TARGET, host(T4), True),
        (TARGET, replace(HOST_TARGET, driver="535.183.01"), host(T4), False),
        (TARGET, replace(HOST_TARGET, driver="580.95.05"), host(T4, driver="535.183.01"), True),
        (Target("anything", driver="580.95.05"), HOST_TARGET, host(T4), False),
    ],
)
def test_where_a_measurement_was_made(asked: Target, measured: Target, machine: HostInfo, counts: bool) -> None:
    of = env("2.8.0")
    look_up = measured_on(asked, report(result(of, Status.PASS, measured), host=machine))
    assert (look_up(of) is not None) is counts


def test_a_measurement_of_another_environment_says_nothing_of_this_one() -> None:
    assert measured_on(TARGET, report(result(env("2.8.0"), Status.PASS), host=host(T4)))(env("2.9.1")) is None


def test_one_failure_among_measurements_counts() -> None:
    of = env("2.8.0")
    look_up = measured_on(TARGET, report(result(of, Status.PASS), result(of, Status.FAIL, HOST_TARGET), host=host(T4)))
    found = look_up(of)
    assert found is not None
    assert found.status is Status.FAIL


def test_candidates_are_recent_releases_in_every_build_newest_first_and_bounded() -> None:
    found = candidates(load())
    versions = list(dict.fromkeys(of.torch for of in found))
    assert versions[0] == str(load().newest_torch)
    assert len(versions) == 10
    assert len(found) < 60
    assert len({of.id for of in found}) == len(found)


def test_older_candidates_are_all_before_the_recent_ones_back_to_amp() -> None:
    recent, older = candidates(load()), candidates(load(), older=True)
    assert older
    assert not {of.torch for of in recent} & {of.torch for of in older}
    minors = [tuple(map(int, (of.torch or "").split(".")[:2])) for of in (*recent, *older)]
    assert minors == sorted(minors, reverse=True)
    assert minors[-1] == (1, 6)


def test_candidates_are_the_last_patch_of_each_minor_and_newest_build_first() -> None:
    found = candidates(load())
    assert "2.7.0" not in {of.torch for of in found}
    assert [of.cuda for of in found if of.torch == "2.7.1"] == ["12.8", "12.6", "11.8"]


def test_candidates_for_a_platform_are_the_builds_there_are_for_it() -> None:
    on_arm = {(of.torch, of.cuda) for of in candidates(load(), platform="linux_aarch64")}
    assert ("2.7.1", "12.8") in on_arm
    assert ("2.7.1", "11.8") not in on_arm


@pytest.mark.parametrize(
    ("prediction", "reason"),
    [
        (Prediction(Outlook.PASS), "no rule speaks against it"),
        (Prediction(Outlook.UNKNOWN), "not known: the facts do not reach that far"),
        (Prediction(Outlook.UNKNOWN, missing=(Missing(MissingKind.FACTS, "no row"),)), "not known: no row"),
        (Prediction(Outlook.UNKNOWN, findings=(GRAVE,)), "not known: no code for it"),
        (Prediction(Outlook.FAIL, findings=(SLOW, GRAVE, replace(GRAVE, message="too old"))), "no code for it; too old"),
        (Prediction(Outlook.DEGRADED, findings=(SLOW,)), "slow"),
    ],
)
def test_the_reason_is_the_gravest_that_is_said(prediction: Prediction, reason: str) -> None:
    each = Candidate(env("2.8.0"), prediction)
    assert (each.reason, each.outlook, each.basis) == (reason, prediction.status, Basis.PREDICTED)


def test_what_was_opened_goes_before_what_was_not_and_the_newest_python_before_others() -> None:
    def judged(of: Environment, _: Target) -> Prediction:
        return Prediction(Outlook.PASS, basis=Basis.INSPECTED if of.torch == "2.8.0" else Basis.PREDICTED)

    pythons = [replace(env("2.9.1"), id=f"py{python}", python=python) for python in ("3.9", "3.12", "3.10")]
    found = recommend([*pythons, env("nightly"), env("2.8.0")], TARGET, judged)
    assert [each.environment.id for each in found.good] == [
        "torch2.8.0-cu12.6",
        "py3.12",
        "py3.10",
        "py3.9",
        "torchnightly-cu12.6",
    ]


def test_a_cpu_build_comes_after_every_cuda_build_of_its_torch() -> None:
    of = [environment("cpu", torch="2.9.1", cuda="cpu"), environment("none", torch="2.9.1"), env("2.9.1", "11.8"), env("2.8.0")]
    found = recommend(of, TARGET, lambda *_: Prediction(Outlook.PASS))
    assert [each.environment.id for each in found.good] == ["torch2.9.1-cu11.8", "cpu", "none", "torch2.8.0-cu12.6"]


def test_candidates_are_images_by_the_naming_of_the_family_and_wheels_for_a_python() -> None:
    image = next(of for of in candidates(load()) if (of.torch, of.cuda) == ("2.7.1", "12.8"))
    assert image.source == PulledImage("pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime")
    wheel = next(of for of in candidates(load(), "3.12") if (of.torch, of.cuda) == ("2.7.1", "12.8"))
    assert not isinstance(wheel.source, PulledImage)
    assert wheel.python == "3.12"


def test_lines_are_there_to_be_copied() -> None:
    of = env("2.7.1", "12.8", source=PulledImage("pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime"))
    copied = lines(of)
    assert copied["from"] == "FROM pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime"
    assert copied["pull"] == "docker pull pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime"
    assert copied["pip"].endswith("/cu128")
    assert "torch==2.7.1" in copied["pip"]
    assert lines(replace(of, source=built()), "https://mirror.example/{channel}")["pip"].endswith("https://mirror.example/cu128")


def test_on_a_v100_with_an_old_driver_no_build_without_its_code_is_recommended() -> None:
    predictor = Predictor(load(), None, in_containers=True)
    target = Target("v100", gpu="Tesla V100-SXM2-16GB", driver="535.183.01")
    found = recommend(candidates(load()), target, predictor)
    assert found.good
    for each in found.good:
        assert (
            "sm_70"
            in load()
            .releases[next(v for v in load().releases if str(v) == each.environment.torch)]
            .builds[each.environment.cuda or ""]
            .arch["linux_x86_64"]
        )


# ---------------------------------------------------------------- on a machine with two different GPUs

H100 = Gpu(index=1, uuid="GPU-9999", name="NVIDIA H100 80GB HBM3", compute_capability="9.0")
H100_TARGET = Target("h100", gpu="NVIDIA H100 80GB HBM3", driver="580.95.05")


@pytest.mark.parametrize(
    ("asked", "uuid", "counts"),
    [
        (TARGET, "GPU-1111", True),
        (TARGET, "GPU-9999", False),
        (H100_TARGET, "GPU-9999", True),
        (H100_TARGET, "GPU-1111", False),
        (BY_CAPABILITY, "GPU-1111", True),
        (BY_CAPABILITY, "GPU-9999", False),
        (Target("cc9.0", compute_capability="9.0"), "GPU-9999", True),
        (Target("cc9.0", compute_capability="9.0"), "GPU-1111", False),
        (TARGET, None, False),  # it ran on the CPU
    ],
)
def test_a_measurement_counts_for_the_gpu_it_had_and_for_no_other(asked: Target, uuid: str | None, counts: bool) -> None:
    of, mixed = env("2.8.0"), replace(host(T4, H100), id="gpu-a1")
    measured = replace(result(of, Status.PASS, HOST_TARGET), ran_on=RanOn("gpu-a1", uuid))
    assert (measured_on(asked, report(measured, host=mixed))(of) is not None) is counts


def test_a_measurement_of_another_machine_is_read_with_that_machines_gpus() -> None:
    of, here, there = env("2.8.0"), replace(host(T4), id="a"), replace(host(H100), id="b")
    measured = replace(result(of, Status.PASS, HOST_TARGET), ran_on=RanOn("b", "GPU-9999"))
    several = replace(report(measured, host=here), hosts={"a": here, "b": there})
    assert measured_on(H100_TARGET, several)(of) is measured
    assert measured_on(TARGET, several)(of) is None
