"""Which cause a cell gets from what was seen of it, and how far each kind of evidence is believed."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from values import HOST_TARGET, L4, T4, answers, cell, cpu_environment, environment, event, host, probe_report, silence

from validator.base.errors import AcquireError, EngineUnavailableError
from validator.catalogue import checks
from validator.catalogue.causes import catalogue
from validator.model import (
    UNKNOWN_CAUSE,
    Basis,
    Cell,
    CellResult,
    Finding,
    Level,
    Limits,
    PulledImage,
    RanOn,
    Severity,
    Status,
    Target,
    not_run,
)
from validator.probe_host import ProbeReport
from validator.runners.base import Prepared, RunOutcome
from validator.verdict import of_outcome
from validator.verdict.findings import engine_words, of_error, with_alternatives

LEVELS = checks.levels({})
MEMORY_64M = Limits(memory_bytes=64 << 20)
IN_CONTAINER = Prepared("sha256:1", digest="sha256:1")


def judged(
    outcome: RunOutcome,
    prepared: Prepared | None = None,
    of: Cell | None = None,
    limits: Limits = MEMORY_64M,
    levels: Mapping[str, Level] = LEVELS,
) -> tuple[CellResult, tuple[Finding, ...]]:
    prepared = prepared or Prepared("sha256:1")
    result = of_outcome(of or cell(), prepared, outcome, levels, host=host(T4), limits=limits)
    return result, result.findings


def first(outcome: RunOutcome, **fields: Any) -> Finding:
    return judged(outcome, **fields)[1][0]


def died(name: str, number: signal.Signals | str, **fields: Any) -> RunOutcome:
    how = number if isinstance(number, str) else f"signal {int(number)} ({number.name})"
    events = answers(event(name, "fail", f"the process that ran {name} did not survive: {how}", died=how))
    return RunOutcome(probe_report(events), exit_code=0, **fields)


# ---------------------------------------------------------------- the engine's words


@pytest.mark.parametrize("row", engine_words.table(), ids=lambda row: row.cause)
def test_every_example_of_the_engines_words_finds_its_own_row(row: engine_words.EngineWords) -> None:
    assert row.cause in catalogue()
    assert row.examples
    assert [engine_words.cause_of(words) for words in row.examples] == [row.cause] * len(row.examples)
    assert row.source.startswith("https://")


@pytest.mark.parametrize("row", engine_words.table(), ids=lambda row: row.cause)
def test_what_the_engine_says_is_the_cause_whatever_such_a_log_would_be_read_as(row: engine_words.EngineWords) -> None:
    for words in row.examples:
        result, [found] = judged(RunOutcome(silence(), engine_problem=words))
        assert (result.status, found.cause) == (Status.ERROR, row.cause)


def test_words_that_no_row_knows_name_nothing() -> None:
    assert engine_words.cause_of("the container was refused: something nobody has seen") is None


def test_a_refused_container_is_an_error_with_the_engines_cause() -> None:
    words = 'could not select device driver "nvidia" with capabilities: [[gpu compute utility]]'
    result, [found] = judged(RunOutcome(silence(), start_problem=words))
    assert result.status is Status.ERROR
    assert (found.cause, found.severity) == ("no_gpu_in_container", Severity.ERROR)
    assert any(words in line for line in found.evidence)


def test_a_shut_container_gate_is_a_failure_of_image_and_driver_together() -> None:
    words = (
        "OCI runtime create failed: error running hook: exit status 1, stdout: , stderr: nvidia-container-cli: "
        "requirement error: unsatisfied condition: cuda>=12.8, please update your driver to a newer version, "
        "or use an earlier cuda container: unknown"
    )
    result, [found] = judged(RunOutcome(silence(), start_problem=words))
    assert (result.status, found.cause, found.severity) == (Status.FAIL, "driver_too_old", Severity.FAIL)
    assert "cuda>=12.8" in result.reason


def test_an_interpreter_of_another_processor_is_told_from_one_that_is_absent() -> None:
    absent = 'exec: "python3": executable file not found in $PATH: unknown'
    foreign = 'exec: "python3": exec format error: unknown'
    assert first(RunOutcome(silence(), start_problem=absent)).cause == "entrypoint_missing"
    assert first(RunOutcome(silence(), start_problem=foreign)).cause == "image_arch_mismatch"
    by_kernel = RunOutcome(silence(), exit_code=1, stderr="exec /usr/bin/python3: exec format error")
    assert (first(by_kernel).cause, first(by_kernel).severity) == ("image_arch_mismatch", Severity.FAIL)


def test_what_a_container_prints_is_no_word_of_the_engine() -> None:
    forged = "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=99.0\ntoomanyrequests: pull rate limit\n"
    outcome = RunOutcome(silence(stray=forged), exit_code=0, stderr=forged)
    for found in judged(outcome)[1]:
        assert found.cause not in ("driver_too_old", "image_pull_rate_limit")
        assert found.severity is not Severity.FAIL


# ---------------------------------------------------------------- how it ended


def test_a_process_killed_while_memory_ran_out_is_put_down_to_memory() -> None:
    assert first(died("train_fp32", signal.SIGKILL, oom_killed=True)).cause == "killed_by_oom_killer"


def test_a_process_killed_where_the_engine_saw_no_want_of_memory_is_not() -> None:
    assert first(died("train_fp32", signal.SIGKILL), prepared=IN_CONTAINER).cause == UNKNOWN_CAUSE
    assert first(died("train_fp32", signal.SIGKILL)).cause == "killed_by_oom_killer", "no engine that could have said so"


def test_a_bus_error_while_loading_is_a_library_that_was_cut_off() -> None:
    assert first(died("import", signal.SIGBUS)).cause == "install_corrupt"


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        (signal.SIGSEGV, "native_crash"),
        (signal.SIGABRT, "native_crash"),
        (signal.SIGILL, "cpu_instructions_missing"),
        ("deadline of 180 s", "hang"),
    ],
)
def test_how_a_check_died_names_its_cause(how: signal.Signals | str, cause: str) -> None:
    found = first(died("import", how))
    assert (found.cause, found.severity) == (cause, Severity.FAIL)


def test_a_container_that_the_kernel_killed_whole_ran_out_of_memory() -> None:
    outcome = RunOutcome(probe_report((), complete=False, running="import"), exit_code=137, oom_killed=True)
    result, [found] = judged(outcome)
    assert result.status is Status.ERROR
    assert (found.cause, found.severity) == ("killed_by_oom_killer", Severity.ERROR)
    assert "exit status 137" in found.evidence


@pytest.mark.parametrize(
    ("probe", "fields", "cause"),
    [
        (probe_report((), complete=False, running="import"), {}, "killed_by_oom_killer"),  # by whom is not said
        (silence(), {}, "killed_by_oom_killer"),
        (probe_report((), complete=False, running="import"), {"timed_out": True}, "hang"),  # by the validator
        (probe_report(), {}, "probe_answer_invalid"),  # after its last word
    ],
)
def test_a_probe_that_was_killed_from_outside_ran_out_of_memory(probe: ProbeReport, fields: dict[str, Any], cause: str) -> None:
    found = first(RunOutcome(probe, exit_code=137, **fields))
    assert (found.cause, found.severity) == (cause, Severity.ERROR)


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (RunOutcome(probe_report(), exit_code=3), "exit status 3"),
        (RunOutcome(probe_report(complete=False), exit_code=0), "exit status 0, no final event"),
        (RunOutcome(silence(), timed_out=True), "no end within the time limit, and the probe never answered"),
        (
            RunOutcome(probe_report(complete=False, running="train_fp32"), timed_out=True),
            "no end within the time limit, while train_fp32 was running",
        ),
        (RunOutcome(silence(), engine_problem="it went away"), "the engine says: it went away"),
        (RunOutcome(silence(), exit_code=137), "exit status 137: killed from outside the container, and not by the validator"),
        (died("import", signal.SIGSEGV), "the process of check import ended by signal 11 (SIGSEGV)"),
        (died("train_fp32", signal.SIGKILL, oom_killed=True), "the engine says: OOMKilled"),
    ],
)
def test_how_it_ended_is_the_evidence(outcome: RunOutcome, line: str) -> None:
    assert line in first(outcome).evidence


@pytest.mark.parametrize(
    ("number", "cause"), [(signal.SIGFPE, "native_crash"), (signal.SIGBUS, UNKNOWN_CAUSE), (signal.SIGTERM, UNKNOWN_CAUSE)]
)
def test_other_signals_while_training(number: signal.Signals, cause: str) -> None:
    assert first(died("train_fp32", number)).cause == cause


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("signal 6 (SIGABRT)", "missing_shared_library"),
        ("signal 9 (SIGKILL)", "missing_shared_library"),  # nobody says that it was for want of memory
        ("deadline of 180 s", "missing_shared_library"),
        ("signal 4 (SIGILL)", "cpu_instructions_missing"),  # the signal itself says it all
    ],
)
def test_words_tell_why_a_check_died_where_its_end_does_not(how: str, cause: str) -> None:
    output = "libcudart.so.12: cannot open shared object file: No such file or directory"
    events = answers(event("import", "fail", "x", died=how, output=output))
    found = first(RunOutcome(probe_report(events), exit_code=0))
    assert found.cause == cause
    assert found.evidence[0] == f"the process of check import ended by {how}"


def test_evidence_is_bounded() -> None:
    violations = tuple(f"violation {number}" for number in range(10))
    assert first(RunOutcome(probe_report(violations=violations), exit_code=0)).evidence == violations[:6]


def test_a_killed_deadline_is_a_hang_that_proves_nothing() -> None:
    found = first(RunOutcome(silence(), timed_out=True, exit_code=137))
    assert (found.cause, found.severity) == ("hang", Severity.ERROR)


def test_an_answer_that_breaks_the_protocol_is_named_so() -> None:
    found = first(RunOutcome(probe_report(violations=("a duplicate key",)), exit_code=0))
    assert (found.cause, found.severity) == ("probe_answer_invalid", Severity.ERROR)
    assert "a duplicate key" in found.evidence


def test_a_whole_answer_with_another_exit_status_is_not_believed() -> None:
    assert first(RunOutcome(probe_report(), exit_code=3)).cause == "probe_answer_invalid"


def test_silence_behind_an_entrypoint_is_put_down_to_it() -> None:
    outcome = RunOutcome(silence(stray="ready to serve"), exit_code=0)
    found = first(outcome, prepared=Prepared("sha256:1", entrypoint=("sh", "-c", "echo ready to serve")))
    assert found.cause == "entrypoint_swallows_command"
    assert any("ready to serve" in line for line in found.evidence)
    assert "the image's entrypoint is sh -c echo ready to serve" in found.evidence
    assert "exit status 0" in found.evidence


def test_of_what_a_silent_container_said_the_end_is_evidence() -> None:
    outcome = RunOutcome(silence(stray="one\ntwo\nthree\nfour"), exit_code=0)
    behind = first(outcome, prepared=Prepared("sha256:1", entrypoint=("serve", "x" * 200)))
    shown, status, *said = behind.evidence
    assert shown.startswith("the image's entrypoint is serve xxx")
    assert shown.endswith("…")
    assert (status, said) == ("exit status 0", ["three", "four"])
    alone = first(outcome)
    assert (alone.cause, alone.evidence) == (UNKNOWN_CAUSE, ("two", "three", "four"))


def test_an_entrypoint_that_was_left_out_swallowed_nothing() -> None:
    prepared = Prepared("sha256:1", entrypoint=("serve",))
    bare = cell(environment(keep_entrypoint=False))
    assert first(RunOutcome(silence(), exit_code=0), prepared=prepared, of=bare).cause == UNKNOWN_CAUSE


# ---------------------------------------------------------------- what checks name


def test_a_check_that_knows_its_cause_is_believed() -> None:
    events = answers(event("train_fp32", "fail", "shapes differ", metrics={"cause": "input_shape_mismatch"}))
    found = first(RunOutcome(probe_report(events), exit_code=0))
    assert (found.cause, found.severity, found.family) == ("input_shape_mismatch", Severity.FAIL, "data")


@pytest.mark.parametrize("named", ["no_such_cause", "docker_daemon_unreachable", 7, "unknown", None])
def test_a_check_cannot_name_what_is_no_cause_or_an_engines_affair(named: Any) -> None:
    events = answers(event("train_fp32", "fail", "forged", metrics={"cause": named}))
    found = first(RunOutcome(probe_report(events), exit_code=0))
    assert (found.cause, found.severity) == (UNKNOWN_CAUSE, Severity.UNKNOWN)


def test_findings_of_several_checks_stand_in_the_order_in_which_they_count() -> None:
    events = answers(
        event("import", "warn", "numpy", metrics={"cause": "numpy_abi"}),
        event("train_fp32", "fail", "loss", metrics={"cause": "training_broken"}),
    )
    found = judged(RunOutcome(probe_report(events), exit_code=0))[1]
    assert [(one.cause, one.severity) for one in found] == [
        ("training_broken", Severity.FAIL),
        ("numpy_abi", Severity.DEGRADED),
    ]


@pytest.mark.parametrize(
    ("status", "level", "severity"),
    [
        ("fail", Level.REQUIRED, Severity.FAIL),
        ("fail", Level.ADVISORY, Severity.DEGRADED),
        ("warn", Level.REQUIRED, Severity.DEGRADED),
    ],
)
def test_in_a_failed_cell_only_what_decides_is_a_failure(status: str, level: Level, severity: Severity) -> None:
    events = answers(
        event("train_amp_fp16", status, "nan", metrics={"cause": "fp16_nan"}),
        event("train_fp32", "fail", "loss", metrics={"cause": "training_broken"}),
    )
    result, found = judged(RunOutcome(probe_report(events), exit_code=0), levels={**LEVELS, "train_amp_fp16": level})
    assert result.status is Status.FAIL
    assert {one.cause: one.severity for one in found} == {"training_broken": Severity.FAIL, "fp16_nan": severity}


def test_a_failed_required_check_stands_before_a_failed_advisory_one_that_ran_earlier() -> None:
    early, late = "train_fp32", "train_amp_fp16"
    events = answers(
        event(early, "fail", "loss", metrics={"cause": "training_broken"}),
        event(late, "fail", "nan", metrics={"cause": "fp16_nan"}),
    )
    assert [one.name for one in events].index(early) < [one.name for one in events].index(late)
    found = judged(RunOutcome(probe_report(events), exit_code=0), levels={**LEVELS, early: Level.ADVISORY})[1]
    assert [one.cause for one in found] == ["fp16_nan", "training_broken"]


def test_a_skipped_required_check_is_a_finding_only_where_it_decides() -> None:
    skipped = event("train_amp_fp16", "skip", "not run", metrics={"cause": "fp16_nan"})
    failed = event("train_fp32", "fail", "loss", metrics={"cause": "training_broken"})
    result, [found] = judged(RunOutcome(probe_report(answers(skipped)), exit_code=0))
    assert (result.status, found.cause, found.severity) == (Status.DEGRADED, "fp16_nan", Severity.DEGRADED)
    [decides] = judged(RunOutcome(probe_report(answers(skipped, failed)), exit_code=0))[1]
    assert decides.cause == "training_broken"
    warned = event("train_fp32", "warn", "loss", metrics={"cause": "training_broken"})
    advisory = judged(
        RunOutcome(probe_report(answers(skipped, warned)), exit_code=0), levels={**LEVELS, "train_amp_fp16": Level.ADVISORY}
    )[1]
    assert [one.cause for one in advisory] == ["training_broken"]


def test_no_gpu_is_seen_where_a_container_was_given_one() -> None:
    unseen = failing("no such words", of="device", cuda_available=False)
    found = first(unseen, prepared=IN_CONTAINER)
    assert (found.cause, found.severity) == ("no_gpu_in_container", Severity.FAIL)
    assert "a GPU was asked for and check device sees none in the container" in found.evidence
    assert first(unseen).cause == UNKNOWN_CAUSE, "a process of this machine has no container"
    assert first(failing("no such words", of="device", cuda_available=True), prepared=IN_CONTAINER).cause == UNKNOWN_CAUSE


def test_words_tell_why_no_gpu_is_seen() -> None:
    said = "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver"
    found = first(failing(said, of="device", cuda_available=False), prepared=IN_CONTAINER)
    assert found.cause == "driver_too_old"
    assert "a GPU was asked for and check device sees none in the container" in found.evidence


def test_one_cause_of_two_checks_is_one_finding_with_both_ones_evidence() -> None:
    events = answers(
        event("train_fp32", "fail", "loss is nan", metrics={"cause": "fp16_nan"}),
        event("train_amp_fp16", "fail", "output is nan", metrics={"cause": "fp16_nan"}),
    )
    [found] = judged(RunOutcome(probe_report(events), exit_code=0))[1]
    assert any("output is nan" in line for line in found.evidence)


def test_what_is_named_stands_before_what_is_not_and_one_unknown_is_enough() -> None:
    events = answers(
        event("import", "fail", "first unknown", output="one\ntwo\n\nthree\nfour\n"),
        event("device", "fail", "second unknown"),
        event("train_fp32", "fail", "loss", metrics={"cause": "training_broken"}),
    )
    named, unknown = judged(RunOutcome(probe_report(events), exit_code=0))[1]
    assert named.cause == "training_broken"
    assert (unknown.cause, unknown.message) == (UNKNOWN_CAUSE, "import: first unknown")
    assert unknown.evidence == ("two", "three", "four")


def test_what_a_check_compared_is_evidence() -> None:
    metrics = {"cause": "input_shape_mismatch", "layer": "conv1", "expected": "3", "got": "1"}
    events = answers(event("train_fp32", "fail", "shapes differ", metrics=metrics))
    found = first(RunOutcome(probe_report(events), exit_code=0))
    assert "check train_fp32: layer conv1, expected 3, got 1" in found.evidence
    bare = answers(event("train_fp32", "fail", "shapes differ", metrics={"cause": "input_shape_mismatch", "layer": 3}))
    assert first(RunOutcome(probe_report(bare), exit_code=0)).evidence == ()


def test_content_that_is_not_what_the_matrix_says_is_a_label_mismatch() -> None:
    wrong = cell(environment(torch="2.6.0"))
    result, [found] = judged(RunOutcome(probe_report(), exit_code=0), of=wrong)
    assert result.status is Status.DEGRADED
    assert (found.cause, found.severity) == ("label_mismatch", Severity.DEGRADED)


# ---------------------------------------------------------------- every cell that is not green


def test_a_green_cell_has_none() -> None:
    assert judged(RunOutcome(probe_report(), exit_code=0))[1] == ()


@pytest.mark.parametrize(
    "outcome",
    [
        RunOutcome(silence(), exit_code=3),
        RunOutcome(silence(), engine_problem="something nobody has seen"),
        RunOutcome(probe_report(answers(event("train_fp32", "fail", "no such words"))), exit_code=0),
        RunOutcome(probe_report(answers(event("train_fp32", "warn", "no such words"))), exit_code=0),
        RunOutcome(probe_report(answers(event("train_amp_fp16", "skip", "no such words"))), exit_code=0),
    ],
)
def test_what_cannot_be_named_is_said_to_be_unknown(outcome: RunOutcome) -> None:
    result, found = judged(outcome)
    assert result.status in (Status.FAIL, Status.DEGRADED, Status.ERROR)
    assert [(one.cause, one.severity) for one in found] == [(UNKNOWN_CAUSE, Severity.UNKNOWN)]
    assert found[0].message


def test_an_error_cell_never_holds_a_finding_that_calls_it_a_failure() -> None:
    events = answers(event("train_fp32", "fail", "x", metrics={"cause": "fp16_nan"}, died="total deadline of 5 s"))
    result, found = judged(RunOutcome(probe_report(events), exit_code=0))
    assert result.status is Status.ERROR
    assert {one.severity for one in found} <= {Severity.ERROR, Severity.UNKNOWN}


# ---------------------------------------------------------------- environments that could not be had


def test_a_refused_pull_names_its_cause_and_what_helps_against_it() -> None:
    error = AcquireError("x could not be pulled", why="the engine says: toomanyrequests: slow down", hint="check the name")
    [found] = of_error(error, not_run(cell(), Status.ERROR, "no"))
    assert (found.cause, found.severity) == ("image_pull_rate_limit", Severity.ERROR)
    assert found.remedy == catalogue()["image_pull_rate_limit"].remedy
    [unknown] = of_error(AcquireError("no such words", hint="check the name"), not_run(cell(), Status.ERROR, "no"))
    assert (unknown.cause, unknown.remedy) == (UNKNOWN_CAUSE, "check the name")


def test_a_remedy_names_the_image_that_was_asked_for() -> None:
    error = AcquireError("x could not be pulled", why="the engine says: manifest unknown")
    pulled = not_run(cell(environment(source=PulledImage("example/torch:9.9"))), Status.ERROR, "no")
    [found] = of_error(error, pulled)
    assert found.cause == "image_pull_not_found"
    assert "The requested image is example/torch:9.9." in (found.remedy or "")


@pytest.mark.parametrize(
    ("ran_on", "target", "named"),
    [
        (None, HOST_TARGET, "Tesla T4"),  # the one that it would have had
        (RanOn("host", "GPU-1"), HOST_TARGET, "NVIDIA L4"),
        (None, Target("a100", gpu="A100"), "A100"),  # what the matrix says of another machine
    ],
)
def test_a_remedy_names_the_gpu_of_the_cell(ran_on: RanOn | None, target: Target, named: str) -> None:
    events = answers(event("amp_benefit", "fail", "no words", metrics={"cause": "fp16_no_speedup"}))
    outcome = RunOutcome(probe_report(events), exit_code=0)
    of = cell(environment(cuda="12.6"), target)
    result = of_outcome(of, IN_CONTAINER, outcome, LEVELS, ran_on=ran_on, host=host(T4, L4))
    assert f"on {named}" in (result.findings[0].remedy or "")


def test_the_limit_that_a_cause_is_about_is_evidence() -> None:
    outcome = died("import", signal.SIGKILL, oom_killed=True)
    assert "limits.memory is 64m" in first(outcome, prepared=Prepared("sha256:1", digest="sha256:1")).evidence
    assert not any("limits" in line for line in first(outcome).evidence), "the local runner has none"


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        (64 << 20, "64m"),
        (2 << 30, "2g"),
        (1 << 30, "1g"),
        (1536 << 20, "1536m"),  # 1.5 GiB is no whole number of them
        (1 << 20, "1m"),
        (1 << 10, "1k"),
        (1023, "1023"),
        (1025, "1025"),
    ],
)
def test_a_limit_is_spelled_as_the_matrix_spells_it(memory: int, said: str) -> None:
    outcome = died("import", signal.SIGKILL, oom_killed=True)
    found = first(outcome, prepared=IN_CONTAINER, limits=Limits(memory_bytes=memory))
    assert f"limits.memory is {said}" in found.evidence


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        ("shm_too_small", "limits.shm is 1g"),
        ("pids_limit", "limits.pids is 77"),
        ("disk_full", "limits.scratch is 3g"),
        ("hang", "limits.timeout is 90 s"),
        ("fp16_nan", None),
    ],
)
def test_each_limit_is_evidence_of_the_cause_it_bears_on(cause: str, line: str | None) -> None:
    limits = Limits(shm_bytes=1 << 30, pids=77, scratch_bytes=3 << 30, timeout_seconds=90)
    found = first(failing("no such words", of="train_fp32", cause=cause), prepared=IN_CONTAINER, limits=limits)
    assert found.cause == cause
    assert [each for each in found.evidence if each.startswith("limits.")] == ([line] if line else [])


def test_a_crash_says_where_it_was() -> None:
    output = (
        "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n"
        '  File "/opt/torch/__init__.py", line 7 in <module>\n  File "<frozen importlib>", line 9 in _call\n'
        "  File x\n  File y\n"
    )
    events = answers(event("import", "fail", "x", died="signal 11 (SIGSEGV)", output=output))
    found = first(RunOutcome(probe_report(events), exit_code=0))
    assert found.cause == "native_crash"
    assert 'File "/opt/torch/__init__.py", line 7 in <module>' in found.evidence
    assert "Fatal Python error: Segmentation fault" in found.evidence
    assert not any("frozen" in line for line in found.evidence)
    assert "File y" not in found.evidence, "the innermost calls are enough"


def test_a_crash_that_python_could_not_report_has_its_last_words() -> None:
    events = answers(event("import", "fail", "x", died="signal 11 (SIGSEGV)", output="one\ntwo\nthree\nfour\n"))
    found = first(RunOutcome(probe_report(events), exit_code=0))
    assert found.evidence[1:] == ("two", "three", "four")


def test_an_engine_that_is_not_there_is_told_from_one_that_may_not_be_used() -> None:
    gone = EngineUnavailableError("no engine", why="unix:///x.sock: there is no such socket")
    refused = EngineUnavailableError(
        "no engine", why="unix:///x.sock: permission denied; add yourself to the group that owns the socket (usually `docker`)"
    )
    assert of_error(gone)[0].cause == "docker_daemon_unreachable"
    assert of_error(refused)[0].cause == "docker_permission_denied"


def test_of_an_error_that_nobody_knows_the_last_lines_are_evidence() -> None:
    why = "\n".join(f"line {number}" for number in range(9))
    [found] = of_error(AcquireError("no such words", why=why), not_run(cell(), Status.ERROR, "no"))
    assert (found.cause, found.evidence) == (UNKNOWN_CAUSE, ("line 5", "line 6", "line 7", "line 8"))
    assert found.message.startswith("no such words: line 0 line 1")
    [silent] = of_error(AcquireError("no such words"))
    assert (silent.message, silent.evidence, silent.remedy) == ("no such words", (), None)


def test_a_defect_of_the_validator_is_no_cause_of_the_cell() -> None:
    [found] = of_error(RuntimeError("oops"), not_run(cell(), Status.ERROR, "no"))
    assert (found.cause, found.severity) == (UNKNOWN_CAUSE, Severity.UNKNOWN)


# ---------------------------------------------------------------- remedies


def result_of(name: str, status: Status, *findings: Finding, basis: Basis = Basis.MEASURED) -> CellResult:
    return replace(not_run(cell(cpu_environment(name)), status, "why"), findings=findings, basis=basis)


def test_a_remedy_names_what_passes_on_the_same_target() -> None:
    bad = Finding("numpy_abi", Severity.FAIL, "numpy", remedy="Install numpy<2.")
    results = with_alternatives([result_of("a", Status.FAIL, bad), result_of("b", Status.PASS), result_of("c", Status.PASS)])
    assert results[0].findings[0].remedy == "Install numpy<2. In this matrix b, c pass on host."
    assert results[1:] == (result_of("b", Status.PASS), result_of("c", Status.PASS))
    assert with_alternatives(results) == results, "said once"


def test_only_the_first_finding_gets_the_way_out_and_the_others_stay_as_they_are() -> None:
    bad, worse = (
        Finding("numpy_abi", Severity.FAIL, "numpy", remedy="Install numpy<2."),
        Finding("hang", Severity.FAIL, "it hangs"),
    )
    first_, passing = with_alternatives([result_of("a", Status.FAIL, bad, worse), result_of("b", Status.PASS)])
    assert [each.cause for each in first_.findings] == ["numpy_abi", "hang"]
    assert (first_.findings[0].remedy or "").endswith("b passes on host.")
    assert (first_.findings[1], passing.findings) == (worse, ())


def test_what_was_measured_is_named_before_what_is_only_foretold_and_that_is_said() -> None:
    bad = Finding("arch_not_supported", Severity.FAIL, "no code", remedy="use the cu126 build")
    foretold = result_of("b", Status.PASS, basis=Basis.PREDICTED)
    alone = with_alternatives([result_of("a", Status.FAIL, bad), foretold])
    assert alone[0].findings[0].remedy == "use the cu126 build. In this matrix b passes on host (predicted)."
    both = with_alternatives([result_of("a", Status.FAIL, bad), foretold, result_of("c", Status.PASS)])
    assert both[0].findings[0].remedy == "use the cu126 build. In this matrix c passes on host."


def test_nothing_is_offered_for_an_error_or_from_what_only_degraded() -> None:
    bad = Finding("image_pull_auth", Severity.ERROR, "login")
    results = [result_of("a", Status.ERROR, bad), result_of("b", Status.PASS)]
    assert with_alternatives(results) == tuple(results)
    results = [result_of("a", Status.FAIL, bad), result_of("b", Status.DEGRADED)]
    assert with_alternatives(results) == tuple(results)


# ---------------------------------------------------------------- what is read in text


def failing(message: str, output: str = "", *, of: str = "import", **metrics: Any) -> RunOutcome:
    return RunOutcome(probe_report(answers(event(of, "fail", message, output=output, metrics=metrics))), exit_code=0)


def test_words_of_a_check_are_read_where_it_names_nothing_itself() -> None:
    said = "import torch failed: OSError: libcudart.so.12: cannot open shared object file: No such file or directory"
    found = first(failing(said))
    assert (found.cause, found.severity) == ("missing_shared_library", Severity.FAIL)
    assert any("libcudart.so.12" in line for line in found.evidence)


def test_a_remedy_names_what_the_words_name() -> None:
    said = "libcudart.so.12: cannot open shared object file: No such file or directory"
    by_check = first(failing(f"import torch failed: OSError: {said}"))
    unstarted = RunOutcome(silence(), exit_code=1, stderr=f"loader: error while loading shared libraries: {said}")
    for found in (by_check, first(unstarted)):
        assert found.cause == "missing_shared_library"
        assert "The missing library is libcudart.so.12." in (found.remedy or "")


@pytest.mark.parametrize(
    ("prepared", "cause"), [(IN_CONTAINER, "no_gpu_in_container"), (Prepared("/python"), "driver_not_loaded")]
)
def test_what_words_mean_may_depend_on_where_they_were_said(prepared: Prepared, cause: str) -> None:
    said = "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver"
    assert first(failing(said, of="train_fp32"), prepared=prepared).cause == cause


@pytest.mark.parametrize("general", ["user_code_error", "other", "native_crash", "hang"])
def test_words_tell_more_than_a_general_cause(general: str) -> None:
    said = "RuntimeError: unscale_() has already been called on this optimizer since the last update()."
    assert first(failing(said, of="train_fp32", cause=general)).cause == "grad_scaler_misuse"
    assert first(failing(said, of="train_fp32", cause="training_broken")).cause == "training_broken"
    assert first(failing("KeyError: 'lr'", of="train_fp32", cause="user_code_error")).cause == "user_code_error"


@pytest.mark.parametrize(
    "printed",
    [
        "toomanyrequests: You have reached your pull rate limit.",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "unauthorized: authentication required",
    ],
)
def test_a_check_cannot_print_itself_an_engines_cause(printed: str) -> None:
    for found in judged(failing("no such words", printed, of="train_fp32"))[1]:
        entry = catalogue().get(found.cause)
        assert entry is None or entry.severity is not Severity.ERROR


def test_what_is_stated_of_a_cell_is_no_evidence_by_itself() -> None:
    outcome = died("import", "total deadline of 4 s")
    assert first(outcome, of=cell(cpu_environment())).cause == "hang"


def test_a_failed_build_is_read() -> None:
    said = "ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)"
    why = f"the build's last lines:\n    {said}"
    [found] = of_error(AcquireError("the image of x could not be built: 1", why=why), not_run(cell(), Status.ERROR, "no"))
    assert found.severity is Severity.ERROR
    assert found.cause in ("python_version_unsupported", "package_resolution_conflict")


def test_a_full_scratch_keeps_a_probe_from_starting() -> None:
    said = "validator probe: cannot start, a writable folder … are needed: [Errno 28] No space left on device"
    found = first(RunOutcome(silence(), exit_code=1, stderr=said))
    assert (found.cause, found.severity) == ("disk_full", Severity.ERROR)
