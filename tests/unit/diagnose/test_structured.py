"""Evidence that is not text: how a process ended, what checks know, what NVML and the rules say."""

from __future__ import annotations

from typing import Any

import pytest
from values import check_result

from validator.diagnose import Evidence, diagnose
from validator.diagnose.structured import predicted_signs
from validator.model import CheckStatus, Finding, NvmlInfo, Outlook, Prediction, Severity


@pytest.mark.parametrize(
    ("exit_code", "signal", "cause"),
    [
        (132, "SIGILL", "cpu_instructions_missing"),
        (134, "SIGABRT", "native_crash"),
        (135, "SIGBUS", "shm_too_small"),
        (137, "SIGKILL", "killed_by_oom_killer"),
        (139, "SIGSEGV", "native_crash"),
    ],
)
def test_a_signal_and_its_exit_status_mean_the_same(exit_code: int, signal: str, cause: str) -> None:
    for evidence in (Evidence(exit_code=exit_code), Evidence(signal=signal), Evidence(signal=signal, exit_code=1)):
        found = diagnose(evidence).causes[0]
        assert (found.cause, [str(line) for line in found.evidence]) == (cause, [f"exit: ended by {signal}"])
    died = diagnose(Evidence(checks=(check_result(died=f"signal 9 ({signal})", message=""),)))
    if signal != "SIGABRT":  # in a run an abort alone is too little
        assert (died.cause, died.causes[0].evidence[0].source) == (cause, "check train_amp_fp16")


@pytest.mark.parametrize("fields", [{}, {"exit_code": 0}, {"exit_code": 1}, {"signal": "SIGTERM"}, {"exit_code": 143}])
def test_any_other_end_says_nothing(fields: dict[str, Any]) -> None:
    assert diagnose(Evidence(**fields)).cause == "unknown"


def test_a_message_says_more_than_a_signal() -> None:
    assert diagnose(Evidence(log="torch.OutOfMemoryError: CUDA out of memory.", signal="SIGKILL")).cause == "out_of_memory"
    assert diagnose(Evidence(log="Illegal instruction (core dumped)", signal="SIGBUS")).cause == "cpu_instructions_missing"


def test_the_engine_knows_when_the_memory_limit_was_reached() -> None:
    found = diagnose(Evidence(log="torch.OutOfMemoryError: CUDA out of memory.", oom_killed=True)).causes[0]
    assert found.cause == "killed_by_oom_killer"
    assert [line.source for line in found.evidence] == ["engine"]


def test_what_is_killed_because_the_time_was_up_was_not_killed_for_its_memory() -> None:
    found = diagnose(Evidence(timed_out=True, signal="SIGKILL", exit_code=137))
    assert (found.cause, found.causes[0].evidence[0].source) == ("hang", "exit")
    assert all(named.cause != "killed_by_oom_killer" or not named.evidence for named in found.causes)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("version_mismatch", "driver_library_mismatch"),
        ("gpu_lost", "gpu_fallen_off_bus"),
        ("no_driver", "driver_not_loaded"),
        ("no_library", "unknown"),
        (None, "unknown"),
    ],
)
def test_what_nvml_says(kind: str | None, cause: str) -> None:
    found = diagnose(Evidence(nvml=NvmlInfo(problem="it is so", problem_kind=kind)))
    assert found.cause == cause
    if found.causes:
        assert [str(line) for line in found.causes[0].evidence] == ["nvml: it is so"]
        bare = diagnose(Evidence(nvml=NvmlInfo(problem_kind=kind)))
        assert [line.text for line in bare.causes[0].evidence] == [kind]


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (CheckStatus.FAIL, "fp16_no_speedup"),
        (CheckStatus.WARN, "fp16_no_speedup"),
        (CheckStatus.PASS, "unknown"),
        (CheckStatus.SKIP, "unknown"),
    ],
)
def test_what_a_check_knows_counts_unless_it_passed(status: CheckStatus, cause: str) -> None:
    metrics = {"cause": "fp16_no_speedup", "gpu": "Tesla P100", "ratio": 0.9}
    found = diagnose(Evidence(checks=(check_result(status, "slow", metrics=metrics),)))
    assert found.cause == cause
    if found.causes:
        assert [str(line) for line in found.causes[0].evidence] == ["check train_amp_fp16: slow"]
        assert "Train in float32 on Tesla P100" in found.causes[0].remedy


def test_what_a_check_knows_stands_before_how_its_process_ended() -> None:
    ended = check_result(metrics={"cause": "autocast_inactive"}, died="signal 4 (SIGILL)")
    assert diagnose(Evidence(checks=(ended,))).cause == "autocast_inactive"


def test_a_check_that_reached_its_deadline_hangs() -> None:
    found = diagnose(Evidence(checks=(check_result(message="no answer", died="deadline of 60 s"),)))
    assert found.cause == "hang"
    assert [line.text for line in found.causes[0].evidence] == ["ended by its deadline of 60 s"]


def test_a_passed_check_says_nothing_in_words_either() -> None:
    oom = "CUDA out of memory"
    for status, cause in ((CheckStatus.WARN, "out_of_memory"), (CheckStatus.PASS, "unknown"), (CheckStatus.SKIP, "unknown")):
        assert diagnose(Evidence(checks=(check_result(status, oom),))).cause == cause
        assert diagnose(Evidence(checks=(check_result(status, "", output=oom),))).cause == cause


def test_of_a_prediction_only_failures_of_the_catalogue_count() -> None:
    findings = (
        Finding(cause="driver_too_old", severity=Severity.FAIL, message="535 is older than 580"),
        Finding(cause="fp16_no_speedup", severity=Severity.DEGRADED, message="no tensor cores"),
        Finding(cause="not_in_the_catalogue", severity=Severity.FAIL, message="it fails"),
    )
    (sign,) = predicted_signs(Prediction(Outlook.FAIL, findings=findings))
    assert (sign.cause, [str(line) for line in sign.places]) == ("driver_too_old", ["rules: 535 is older than 580"])


def test_a_prediction_is_the_weakest_evidence() -> None:
    stated = {"torch": "2.9.1+cu130", "driver": "535.104.05", "gpu": "RTX 3090"}
    assert diagnose(Evidence(log="CUDA out of memory", stated=stated)).cause == "out_of_memory"
    alone = diagnose(Evidence(log="it does not work", stated=stated))
    assert (alone.cause, alone.causes[0].evidence[0].source) == ("driver_too_old", "rules")
    assert alone.confidence < 0.5
