"""The status of a cell: every row of the table in validator.verdict.judgement, from both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from values import CONTENT, answers, cell, cpu_environment, environment, event, probe_report, silence

from validator.catalogue import checks
from validator.model import (
    Action,
    Basis,
    CellResult,
    CheckStatus,
    Content,
    Environment,
    Level,
    Metric,
    Mismatch,
    Outlook,
    Prediction,
    Status,
    not_run,
)
from validator.probe_host import TOTAL_DEADLINE, CheckEvent, ProbeReport
from validator.runners.base import Prepared, RunOutcome
from validator.verdict import of_outcome

TRUNCATED: dict[str, Any] = {"complete": False, "running": "train_amp_fp16"}


def judged(
    probe: ProbeReport,
    *,
    of: Environment | None = None,
    action: Action = Action.MEASURE,
    levels: dict[str, Level] | None = None,
    prepared: Prepared | None = None,
    **outcome: Any,
) -> CellResult:
    outcome.setdefault("exit_code", 0)
    return of_outcome(
        cell(of, action=action), prepared or Prepared("an image"), RunOutcome(probe, **outcome), checks.levels(levels or {})
    )


def failed(name: str = "train_fp32", **fields: Any) -> CheckEvent:
    return event(name, "fail", "the loss did not fall", **fields)


def inside(**metrics: Metric) -> ProbeReport:
    """A passing report whose `import` found something else than usual."""
    return probe_report(answers(event("import", metrics={**CONTENT, **metrics})))


# ---------------------------------------------------------------- pass


def test_all_required_checks_of_a_whole_answer_make_a_pass() -> None:
    result = judged(probe_report(answers(without=["model"])))
    assert (result.status, result.basis) == (Status.PASS, Basis.MEASURED)
    assert result.reason == "trains: fp32, amp_fp16, amp_bf16"


def test_a_model_of_the_users_that_trained_is_named() -> None:
    assert judged(probe_report(answers(event("model")))).reason == "trains: fp32, amp_fp16, amp_bf16, your model"


def test_a_model_of_the_users_that_fails_decides_though_all_else_holds() -> None:
    result = judged(probe_report(answers(event("model", "fail", "model takes 1 channel, input has 3"))))
    assert (result.status, result.reason) == (Status.FAIL, "model: model takes 1 channel, input has 3")


def test_an_advisory_check_that_was_skipped_takes_nothing_away() -> None:
    result = judged(probe_report(answers(event("fp8", "skip", "no GPU"), event("amp_benefit", "skip", "torch too old"))))
    assert result.status is Status.PASS


def test_what_was_not_trained_is_not_said_to_train() -> None:
    skipped = event("train_amp_bf16", "skip", "torch 1.9 has no CPU autocast")
    result = judged(probe_report(answers(skipped, without=["model"])), levels={"train_amp_bf16": Level.ADVISORY})
    assert (result.status, result.reason) == (Status.PASS, "trains: fp32, amp_fp16")


def test_an_advisory_warning_makes_the_cell_degraded_and_says_why() -> None:
    result = judged(probe_report(answers(event("amp_benefit", "warn", "×0.8 as fast; likely because there are no tensor cores"))))
    assert (result.status, result.reason) == (
        Status.DEGRADED,
        "amp_benefit: ×0.8 as fast; likely because there are no tensor cores",
    )


def test_what_the_cell_brought_along_is_handed_on() -> None:
    prediction = Prediction(Outlook.FAIL, ("driver-too-old",))
    asked = replace(cell(), expect=Status.FAIL, predicted=prediction)
    prepared = Prepared("id", digest="sha256:1", notes=("made from the mirror",), seconds=3.0)
    outcome = RunOutcome(probe_report(stray="hello"), exit_code=0, stderr="a warning", start_seconds=1.0, probe_seconds=10.0)
    result = of_outcome(asked, prepared, outcome, checks.levels({}))
    assert (result.id, result.expect, result.predicted, result.digest) == (asked.id, Status.FAIL, prediction, "sha256:1")
    assert result.unexpected
    assert result.notes == ("made from the mirror",)
    assert result.log_tail == "hello\na warning"
    assert (result.seconds.acquire, result.seconds.start, result.seconds.probe, result.seconds.total) == (3, 1, 10, 14)
    assert (result.content.torch, result.content.arch_list) == ("2.7.1+cu126", ("sm_75", "sm_90"))


# ---------------------------------------------------------------- error: no proof, no pass


@pytest.mark.parametrize(
    ("probe", "outcome", "said"),
    [
        pytest.param(silence(), {}, "no answer from the probe (exit status 0)", id="exit 0 and not a word"),
        pytest.param(
            probe_report(complete=False), {}, "without its final event (exit status 0)", id="exit 0, all checks, no end event"
        ),
        pytest.param(probe_report(**TRUNCATED), {"exit_code": 137}, "during train_amp_fp16", id="died in a check"),
        pytest.param(
            probe_report(**TRUNCATED), {"exit_code": 137, "oom_killed": True}, "memory limit", id="killed for its memory"
        ),
        pytest.param(probe_report(), {"exit_code": 1}, "exited with status 1", id="whole answer, bad exit"),
        pytest.param(probe_report(), {"exit_code": None}, "exited with status None", id="whole answer, exit unknown"),
        pytest.param(probe_report(violations=("a duplicate key: {",)), {}, "a duplicate key", id="forged event"),
        pytest.param(
            probe_report(**TRUNCATED), {"timed_out": True, "exit_code": None}, "killed during train_amp_fp16", id="killed late"
        ),
        pytest.param(probe_report(), {"timed_out": True}, "no end within limits.timeout", id="whole answer, never ended"),
        pytest.param(probe_report(), {"engine_problem": "the engine went away"}, "the engine went away", id="engine gone"),
    ],
)
def test_an_answer_that_is_not_whole_is_never_a_pass(probe: ProbeReport, outcome: dict[str, Any], said: str) -> None:
    result = judged(probe, **outcome)
    assert result.status is Status.ERROR
    assert said in result.reason
    # What was seen until then is kept, and its basis with it; where nothing was seen nothing is claimed.
    assert (result.basis is None) == (not probe.checks)


def test_the_last_words_of_a_silent_probe_are_its_reason() -> None:
    result = judged(silence(), exit_code=1, stderr="Fatal Python error\nno module encodings\n\n")
    assert result.reason.endswith("it said: no module encodings")
    assert judged(silence(stray="usage: serve [options]"), exit_code=1).reason.endswith("it said: usage: serve [options]")


@pytest.mark.parametrize(
    ("entrypoint", "kept", "hinted"), [(("/serve.sh", "--now"), True, True), ((), True, False), (("/serve.sh",), False, False)]
)
def test_an_entrypoint_that_may_have_swallowed_the_command_is_pointed_at(
    entrypoint: tuple[str, ...], kept: bool, hinted: bool
) -> None:
    result = judged(silence(), of=environment(keep_entrypoint=kept), prepared=Prepared("id", entrypoint=entrypoint))
    assert result.status is Status.ERROR
    assert ("`entrypoint: none`" in result.reason) is hinted
    assert (" ".join(entrypoint) in result.reason) or not hinted


@pytest.mark.parametrize(
    ("exit_code", "stderr", "asked"), [(0, "", True), (0, "\n \n", True), (0, "ready to serve", False), (1, "", False)]
)
def test_only_a_program_that_ends_well_without_a_word_may_be_no_python(exit_code: int, stderr: str, asked: bool) -> None:
    result = judged(silence(), exit_code=exit_code, stderr=stderr)
    assert result.status is Status.ERROR
    assert ("is what was started a Python interpreter?" in result.reason) is asked


def test_hostile_words_are_shown_inert() -> None:
    result = judged(silence(), exit_code=1, stderr="\x1b[2J\u202e[red]gone")
    assert "\x1b" not in result.reason
    assert "\u202e" not in result.reason


# ---------------------------------------------------------------- not started


@pytest.mark.parametrize(
    "words",
    [
        "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "
        '"python3": executable file not found in $PATH: unknown',
        'runc create failed: unable to start container process: exec: "/o/python3": stat /o/python3: '
        "no such file or directory: unknown",
        "crun: executable file `python3` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a "
        "command that was not found",
        "/opt/python/bin/python3: No such file or directory",  # the local runner's
        "/opt/python/bin/python3: Exec format error",
    ],
)
def test_an_interpreter_that_is_not_there_is_a_fact_about_the_environment(words: str) -> None:
    result = judged(silence(), exit_code=None, start_problem=words)
    assert (result.status, result.basis) == (Status.FAIL, Basis.MEASURED)
    assert result.reason.startswith("no python3 to run in this environment")


@pytest.mark.parametrize(
    "words",
    [
        'could not select device driver "nvidia" with capabilities: [[gpu compute utility]]',
        "error running prestart hook #0: exit status 1, stderr: nvidia-container-cli: initialization error: load library failed: "
        "libnvidia-ml.so.1: cannot open shared object file: no such file or directory: unknown",
        "unable to retrieve OCI runtime error (open /run/x/log.json: no such file or directory): exec: "
        '"nvidia-container-runtime": executable file not found in $PATH: unknown',
        "error mounting tmpfs: no such file or directory",
        'failed to inject CDI devices: failed to stat CDI host device "/dev/nvidia2": no such file or directory',
        'error gathering device information while adding custom device "/dev/nvidia0": no such file or directory',
        "failed to start shim: fork/exec /usr/bin/containerd-shim-runc-v2: no such file or directory",
        "unresolvable CDI devices nvidia.com/gpu=GPU-1111",
        "no space left on device",
    ],
)
def test_an_engine_that_could_not_start_it_is_an_error(words: str) -> None:
    result = judged(silence(), exit_code=128, start_problem=words)
    assert (result.status, result.basis) == (Status.ERROR, None)
    assert result.reason.startswith("could not be started: ")
    assert words[:40] in result.reason


@pytest.mark.parametrize(("absent", "status"), [("/tini", Status.FAIL), ("/serve.sh", Status.ERROR)])
def test_of_an_entrypoint_the_engine_starts_the_first_word(absent: str, status: Status) -> None:
    words = f'exec: "{absent}": stat {absent}: no such file or directory: unknown'
    prepared = Prepared("id", entrypoint=("/tini", "/serve.sh"))
    assert judged(silence(), exit_code=None, start_problem=words, prepared=prepared).status is status


@pytest.mark.parametrize(
    ("exit_code", "stderr"),
    [
        (127, "/entry.sh: line 3: exec: python3: not found"),
        (127, "env: 'python3': No such file or directory"),
        (127, "python3: error while loading shared libraries: libpython3.8.so: cannot open shared object file: No such file or "
         "directory"),
        (126, "sh: 1: python3: Exec format error"),
        (1, "exec /usr/bin/python3: exec format error\n"),  # an image for another processor
        (255, "exec /usr/bin/python3: no such file or directory\n"),  # its loader is not in the image
    ],
)  # fmt: skip
def test_a_started_image_that_cannot_run_its_interpreter_fails_too(exit_code: int, stderr: str) -> None:
    result = judged(silence(), exit_code=exit_code, stderr=stderr)
    assert result.status is Status.FAIL
    assert stderr.strip()[:60] in result.reason


@pytest.mark.parametrize(
    ("probe", "exit_code", "stderr"),
    [
        (silence(), 1, "cat: /etc/licence: No such file or directory"),  # an entrypoint's own trouble
        (silence(), 127, "terminated by policy"),
        (silence(), 127, "/entrypoint.sh: 4: nvidia-smi: not found"),
        (probe_report(**TRUNCATED), 127, "sh: nvcc: not found"),  # the probe ran: its interpreter is there
    ],
)
def test_other_words_about_missing_files_prove_nothing(probe: ProbeReport, exit_code: int, stderr: str) -> None:
    assert judged(probe, exit_code=exit_code, stderr=stderr).status is Status.ERROR


# ---------------------------------------------------------------- fail


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, {}),
        (TRUNCATED, {"exit_code": 137}),
        (TRUNCATED, {"timed_out": True, "exit_code": None}),
        ({"violations": ("a forged line",)}, {}),
        ({}, {"exit_code": 1}),
    ],
)
def test_a_required_check_that_failed_stands_whatever_came_after(fields: dict[str, Any], outcome: dict[str, Any]) -> None:
    result = judged(probe_report(answers(failed()), **fields), **outcome)
    assert (result.status, result.basis) == (Status.FAIL, Basis.MEASURED)
    assert result.reason == "train_fp32: the loss did not fall"


def test_the_first_failure_is_the_reason() -> None:
    result = judged(probe_report(answers(event("device", "fail", "no GPU is seen"), failed())))
    assert result.reason == "device: no GPU is seen"


@pytest.mark.parametrize("died", ["signal 11 (SIGSEGV)", "deadline of 180 s"])
def test_a_check_that_killed_its_worker_or_hung_has_failed(died: str) -> None:
    result = judged(probe_report(answers(failed(died=died))))
    assert result.status is Status.FAIL
    assert result.reason.endswith(f"({died})")


def test_a_failure_at_the_memory_limit_says_so() -> None:
    assert judged(probe_report(answers(failed())), oom_killed=True).reason.endswith("the memory limit was reached")


def test_the_engine_going_away_comes_before_what_was_seen() -> None:
    assert judged(probe_report(answers(failed())), engine_problem="the engine went away").status is Status.ERROR


# ---------------------------------------------------------------- the run's own deadline


def late(name: str) -> CheckEvent:
    return failed(name, died=f"{TOTAL_DEADLINE} of 600 s")


def test_a_check_ended_by_the_total_deadline_says_nothing_of_the_environment() -> None:
    result = judged(probe_report(answers(late("train_fp32"))))
    assert result.status is Status.ERROR
    assert "train_fp32 was still running at the total deadline of 600 s; raise limits.timeout" in result.reason


def test_a_real_failure_before_the_total_deadline_stands() -> None:
    assert judged(probe_report(answers(failed("train_fp32"), late("train_amp_fp16")))).reason.startswith("train_fp32: ")


@pytest.mark.parametrize(
    ("events", "status"),
    [
        # What is required had no time left: not known, although only an advisory check was cut.
        ((late("train_amp_fp16"), event("train_amp_bf16", "skip", "not run: total deadline reached")), Status.ERROR),
        ((late("train_amp_fp16"),), Status.DEGRADED),
    ],
)
def test_an_advisory_check_cut_by_the_total_deadline(events: tuple[CheckEvent, ...], status: Status) -> None:
    assert judged(probe_report(answers(*events)), levels={"train_amp_fp16": Level.ADVISORY}).status is status


# ---------------------------------------------------------------- degraded


@pytest.mark.parametrize(
    ("changed", "levels", "reason"),
    [
        pytest.param(event("import", "warn", "numpy 2 with a torch for numpy 1"), {}, "import: numpy 2", id="warning"),
        pytest.param(
            failed("train_amp_bf16"), {"train_amp_bf16": Level.ADVISORY}, "train_amp_bf16: the loss", id="advisory failure"
        ),
        pytest.param(
            event("train_amp_bf16", "warn", "emulated"), {"train_amp_bf16": Level.ADVISORY}, "emulated", id="advisory warning"
        ),
        pytest.param(
            event("train_amp_fp16", "skip", "no fp16 on this CPU"),
            {},
            "train_amp_fp16 not run: no fp16 on this CPU",
            id="required check skipped",
        ),
    ],
)
def test_what_a_user_must_know_degrades(changed: CheckEvent, levels: dict[str, Level], reason: str) -> None:
    result = judged(probe_report(answers(changed)), levels=levels)
    assert (result.status, result.basis) == (Status.DEGRADED, Basis.MEASURED)
    assert reason in result.reason


def test_an_advisory_check_that_was_skipped_does_not_degrade() -> None:
    probe = probe_report(answers(event("train_amp_fp16", "skip", "no fp16 on this CPU")))
    assert judged(probe, levels={"train_amp_fp16": Level.ADVISORY}).status is Status.PASS


@pytest.mark.parametrize(
    ("asked", "metrics", "sentence"),
    [
        ({"torch": "2.7.0"}, {}, "the matrix says torch 2.7.0, inside is 2.7.1+cu126"),
        ({"torch": "2.7.1+cu118"}, {}, "the matrix says torch 2.7.1+cu118, inside is 2.7.1+cu126"),
        ({"cuda": "cpu"}, {}, "the matrix says cpu, inside is a build for CUDA 12.6"),
        ({"cuda": "12.8"}, {}, "the matrix says CUDA 12.8, inside is 12.6"),
        ({"cuda": "12.1"}, {"cuda_runtime": "12.10"}, "the matrix says CUDA 12.1, inside is 12.10"),
        ({"cuda": "12.6"}, {"cuda_runtime": None}, "the matrix says CUDA 12.6, inside is a CPU build"),
        ({"python": "3.1"}, {}, "the matrix says Python 3.1, inside is 3.12.4"),
        ({"python": "3.12.5"}, {}, "the matrix says Python 3.12.5, inside is 3.12.4"),
    ],
)
def test_an_environment_that_is_not_what_it_is_called_is_degraded(
    asked: dict[str, str], metrics: dict[str, Metric], sentence: str
) -> None:
    result = judged(inside(**metrics), of=environment(**asked))
    assert (result.status, result.reason) == (Status.DEGRADED, sentence)
    assert sentence not in result.notes  # said once


@pytest.mark.parametrize(
    ("metrics", "facts", "libc"),
    [
        ({}, {"libc": "glibc 2.36"}, "glibc 2.36"),
        ({"libc": "musl 1.2"}, {"libc": "glibc 2.36"}, "musl 1.2"),  # the check looked closer
        ({}, {}, None),
        ({}, {"libc": ["glibc"]}, None),
    ],
)
def test_the_libc_is_what_the_probe_said_at_its_start_unless_a_check_knows_better(
    metrics: dict[str, Metric], facts: dict[str, Metric], libc: str | None
) -> None:
    assert judged(replace(inside(**metrics), facts=facts)).content.libc == libc


@pytest.mark.parametrize(
    ("facts", "platform"), [({"platform": "Linux-6.1"}, "Linux-6.1"), ({}, "linux/arm64"), ({"platform": 6}, "linux/arm64")]
)
def test_the_platform_is_the_insides_own_or_else_the_images(facts: dict[str, Metric], platform: str) -> None:
    of_image = Prepared("id", image=Content(platform="linux/arm64", variables={"CUDA_VERSION": "12.6"}, from_image=True))
    content = judged(probe_report(facts=facts), prepared=of_image).content
    assert (content.platform, content.variables, content.from_image) == (platform, {"CUDA_VERSION": "12.6"}, True)


def test_what_the_import_read_is_the_content() -> None:
    content = judged(inside(numpy_version="2.1.0", cudnn_version=90100, compat_driver="560.35.03")).content
    assert (content.torch, content.cuda, content.python) == ("2.7.1+cu126", "12.6", "3.12.4")
    assert (content.numpy, content.cudnn, content.compat_driver) == ("2.1.0", "90100", "560.35.03")


def test_a_truth_value_is_no_version() -> None:
    assert judged(inside(numpy_version=True)).content.numpy is None


def test_every_mismatch_is_told_and_kept_as_a_value() -> None:
    result = judged(inside(), of=environment(torch="2.0.0", cuda="cpu", python="3.9"))
    assert result.mismatches == (
        Mismatch("torch", "2.0.0", "2.7.1+cu126"),
        Mismatch("cuda", "cpu", "12.6"),
        Mismatch("python", "3.9", "3.12.4"),
    )
    assert result.reason == "the matrix says torch 2.0.0, inside is 2.7.1+cu126"
    assert result.notes == (
        "the matrix says cpu, inside is a build for CUDA 12.6",
        "the matrix says Python 3.9, inside is 3.12.4",
    )
    [finding] = result.findings
    assert (finding.cause, finding.message) == ("label_mismatch", result.reason)
    assert set(result.notes) <= set(finding.evidence)


@pytest.mark.parametrize(
    ("asked", "metrics"),
    [
        ({}, {}),
        ({"torch": "2.7.1", "cuda": "12.6", "python": "3.12"}, {}),
        ({"torch": "2.7.1+cu126", "python": "3.12.4"}, {}),
        ({"torch": "2.7"}, {"torch_version": "2.7.0+cpu"}),
        ({"torch": "2.7"}, {"torch_version": "2.7.1+cu126"}),  # as far as it is stated
        ({"torch": "1.0"}, {"torch_version": "1.0.0"}),
        ({"cuda": "10.0"}, {"cuda_runtime": "10.0.130"}),  # how old releases report it
        ({"cuda": "11.0.3"}, {"cuda_runtime": "11.0"}),
        ({"cuda": "12.6"}, {"cuda_runtime": "12.6.1"}),
        ({"torch": "2.7.1"}, {"torch_version": None}),  # nothing was read, so nothing is contradicted
    ],
)
def test_an_environment_that_is_what_it_is_called_passes(asked: dict[str, str], metrics: dict[str, Metric]) -> None:
    assert judged(inside(**metrics), of=environment(**asked)).status is Status.PASS


def test_a_cpu_build_called_one_passes() -> None:
    assert judged(inside(cuda_runtime=None), of=cpu_environment()).status is Status.PASS


def test_a_mismatch_does_not_hide_a_failure() -> None:
    result = judged(probe_report(answers(failed())), of=environment(torch="2.0.0"))
    assert result.status is Status.FAIL
    assert any("torch 2.0.0" in note for note in result.notes)


# ---------------------------------------------------------------- opened only


OPENED = probe_report(answers(without=[name for name, spec in checks.registry().items() if not spec.inspect]))


def test_an_opened_environment_is_a_skip_that_tells_what_was_read() -> None:
    result = judged(OPENED, action=Action.INSPECT)
    assert (result.status, result.basis) == (Status.SKIP, Basis.INSPECTED)
    assert result.reason == "opened, not trained: torch 2.7.1+cu126; has code for sm_75 sm_90"
    assert result.content.cuda == "12.6"


@pytest.mark.parametrize(
    ("probe", "outcome", "status", "basis"),
    [
        (probe_report((event("import", "fail", "no module named torch"),)), {}, Status.FAIL, Basis.INSPECTED),
        (OPENED, {"exit_code": 3}, Status.ERROR, Basis.INSPECTED),
        (silence(), {}, Status.ERROR, None),
    ],
)
def test_opening_can_fail_and_err_as_measuring_can(
    probe: ProbeReport, outcome: dict[str, Any], status: Status, basis: Basis | None
) -> None:
    result = judged(probe, action=Action.INSPECT, **outcome)
    assert (result.status, result.basis) == (status, basis)


# ---------------------------------------------------------------- not run at all


def test_a_cell_that_did_not_run_claims_nothing() -> None:
    result = not_run(cell(expect=Status.PASS), Status.ERROR, "pull refused", acquire_seconds=2.0)
    assert (result.status, result.basis, result.reason) == (Status.ERROR, None, "pull refused")
    assert result.checks == ()
    assert (result.seconds.acquire, result.seconds.probe, result.seconds.total) == (2.0, None, 2.0)
    assert not result.unexpected


def test_checks_are_handed_on_with_the_level_they_counted_at() -> None:
    result = judged(probe_report(), levels={"train_amp_bf16": Level.ADVISORY})
    assert {check.name: check.level for check in result.checks}["train_amp_bf16"] is Level.ADVISORY
    assert all(check.status is CheckStatus.PASS for check in result.checks)
