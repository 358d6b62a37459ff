"""The one table: what stands in it, what comes first, and that nothing is left out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from values import BARE_HOST, HOSTILE, L4_HOST, check_result, report, result

from validator.catalogue.causes import catalogue
from validator.model import UNKNOWN_CAUSE, Basis, CheckStatus, Finding, Gpu, NvmlInfo, Outlook, Prediction, Severity, Status
from validator.report import render
from validator.report.view import Flag, FlagKind, finding_lines, view


def test_rows_are_environments_and_columns_targets_in_the_order_of_the_run() -> None:
    shown = view(report(result(env="b", on="host"), result(env="b", on="t4"), result(env="a", on="host")))
    assert [row.environment for row in shown.rows] == ["b", "a"]
    assert shown.targets == ("host", "t4")
    assert shown.rows[1].cells[1] is None


def test_details_leave_out_plain_passes_only() -> None:
    shown = view(
        report(
            result(env="plain"),
            result(env="noted", notes=("the index was another",)),
            result(env="advised", checks=(check_result(CheckStatus.WARN, "slow"),)),
            result(env="found", findings=(Finding("x", Severity.INFO, "y"),)),
            result(Status.DEGRADED, env="degraded"),
            result(Status.FAIL, env="failed"),
            result(Status.ERROR, env="unknown"),
            result(Status.SKIP, env="opened", checks=(check_result(CheckStatus.PASS),)),
            result(Status.SKIP, env="left", reason="why"),
        )
    )
    assert {detail.id for detail in shown.details} == {
        f"{name}@host" for name in ("noted", "advised", "found", "degraded", "failed", "unknown", "opened")
    }
    assert [(group.reason, group.ids) for group in shown.skips] == [("why", ("left@host",))]


def test_skips_are_grouped_by_their_reason() -> None:
    skips = view(report(*(result(Status.SKIP, env, on, reason=on) for env in "ab" for on in ("t4", "v100")))).skips
    assert [(group.reason, group.ids) for group in skips] == [("t4", ("a@t4", "b@t4")), ("v100", ("a@v100", "b@v100"))]


def test_what_a_measurement_rests_on_is_what_failed_and_not_what_was_then_skipped() -> None:
    checks = (check_result(message="no loss"), check_result(CheckStatus.SKIP, "needs train_amp_fp16, which failed"))
    contradicted = result(Status.FAIL, predicted=Prediction(Outlook.PASS), agrees=False, checks=checks)
    sides = dict(view(report(contradicted)).details[0].sides)
    assert sides["measured fail"] == "train_amp_fp16 fail: no loss"


def test_contradictions_come_first_then_the_unexpected_then_failures() -> None:
    contradicted = result(env="contradicted", predicted=Prediction(Outlook.FAIL), agrees=False)
    shown = view(
        report(
            result(Status.DEGRADED, env="degraded"),
            result(Status.FAIL, env="failed"),
            result(Status.PASS, env="unexpected", expect=Status.FAIL),
            contradicted,
            result(Status.ERROR, env="unknown"),
        )
    )
    order = [detail.id.removesuffix("@host") for detail in shown.details]
    assert order == ["contradicted", "unexpected", "failed", "unknown", "degraded"]
    assert [cell_id for cell_id, _ in shown.alarms] == ["contradicted@host", "unexpected@host"]
    assert [flag for _, flag in shown.alarms] == [
        Flag(FlagKind.CONTRADICTED, "fail was predicted, pass came out"),
        Flag(FlagKind.UNEXPECTED, "the matrix expects fail, pass came out"),
    ]


@pytest.mark.parametrize("status", [Status.ERROR, Status.SKIP])
def test_what_could_not_be_found_out_is_not_unexpected(status: Status) -> None:
    assert view(report(result(status, expect=Status.FAIL))).alarms == ()


def test_what_is_only_predicted_has_not_come_out() -> None:
    foretold = result(Status.PASS, expect=Status.FAIL, basis=Basis.PREDICTED)
    [(_, flag)] = view(report(foretold)).alarms
    assert flag.sentence == "unexpected: the matrix expects fail, pass is predicted"


def test_targets_that_only_skip_are_marked_and_others_are_not() -> None:
    shown = view(report(result(on="host"), result(Status.SKIP, on="t4"), result(Status.ERROR, on="l4")))
    assert [shown.targets[index] for index in shown.idle_targets] == ["t4"]


def test_a_failed_check_has_its_message_and_its_death() -> None:
    dying = check_result(message="crashed", died="signal 11 (SIGSEGV)", output="Fatal Python error")
    (detail,) = view(report(result(Status.FAIL, checks=(dying, check_result(CheckStatus.PASS, "fine")), log_tail="bye"))).details
    assert [(line.message, line.died) for line in detail.checks] == [("crashed", "signal 11 (SIGSEGV)")]
    assert detail.log == "Fatal Python error\nbye"


def test_the_host_says_its_gpus_or_why_there_is_none() -> None:
    with_gpu, without = view(report(host=L4_HOST)), view(report(host=BARE_HOST))
    for fact in ("580.95.05", "13.0", "NVIDIA L4", "8.9", "24 GiB"):
        assert fact in with_gpu.gpu
    assert "docker 27.1.1" in with_gpu.engine
    assert "Toolkit 1.17.0" in with_gpu.engine
    assert without.gpu == "none: no NVIDIA driver is loaded"
    assert without.engine == "none: nothing listens at /run/docker.sock"


def test_a_gpu_that_is_lost_says_so() -> None:
    lost = replace(L4_HOST, nvml=NvmlInfo("580.95.05", "13.0", (Gpu(0, None, None, problem="GPU is lost"),)))
    assert "GPU 0 (GPU is lost)" in view(report(host=lost)).gpu


def test_digests_are_given_once_an_environment() -> None:
    cells = [result(env="a", on=on, digest="sha256:1") for on in ("host", "t4")]
    assert view(report(*cells, result(env="b", digest=None))).digests == (("a", "sha256:1"),)


def test_texts_of_a_view_are_single_clean_lines() -> None:
    shown = view(report(result(Status.FAIL, reason=HOSTILE, notes=(HOSTILE,), checks=(check_result(message=HOSTILE),))))
    (detail,) = shown.details
    table_cell = shown.rows[0].cells[0]
    assert table_cell is not None
    for text in (detail.reason, *detail.notes, detail.checks[0].message, table_cell.cause):
        assert "\n" not in text
        assert not any(bad in text for bad in "\x1b\u202e\u200b\x9b\x00")
    assert len(table_cell.cause) <= 70


def test_of_a_thousand_targets_each_is_a_column_in_its_place() -> None:
    shown = view(report(*(result(Status.SKIP, f"e{e}", f"t{t}", reason=f"{e} {t}") for e in range(3) for t in range(1000))))
    assert shown.targets == tuple(f"t{t}" for t in range(1000))
    last = shown.rows[2].cells[999]
    assert last is not None
    assert (last.id, last.cause) == ("e2@t999", "2 999")


def test_formats_are_imported_when_they_are_asked_for() -> None:
    import subprocess

    code = "import sys, validator.report; print(sorted({'rich', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- findings

NAMED = Finding(
    cause="numpy_abi",
    severity=Severity.FAIL,
    message="numpy 2.1 and torch 1.13.1",
    family="environment",
    evidence=("check import: x",),
    remedy="Install numpy<2.",
    source="docs/causes.md#numpy_abi",
)


def test_cells_whose_cause_could_not_be_named_are_counted_everywhere() -> None:
    unknown = Finding(UNKNOWN_CAUSE, Severity.UNKNOWN, "train_fp32: no such words")
    shown = report(result(Status.FAIL, findings=(unknown,)), result(Status.FAIL, "named", findings=(NAMED,)), result(env="green"))
    assert view(shown).unnamed == 1
    assert "without a named cause: 1" in render("table", shown)
    assert "without a named cause: 1" in render("markdown", shown)
    assert json.loads(render("json", shown))["unknown_findings"] == 1


def test_the_table_has_the_cause_by_its_title_and_the_details_the_measured_words() -> None:
    shown = view(report(result(Status.FAIL, reason="import: numpy 2.1 and torch 1.13.1", findings=(NAMED,))))
    [row] = shown.rows
    assert row.cells[0] is not None
    assert row.cells[0].cause == catalogue()["numpy_abi"].title
    [detail] = shown.details
    assert detail.reason == "import: numpy 2.1 and torch 1.13.1"
    [finding] = detail.findings
    assert (finding.title, finding.evidence, finding.remedy) == (row.cells[0].cause, NAMED.evidence, NAMED.remedy)


def test_a_green_cell_keeps_its_reason_in_the_table() -> None:
    info = Finding("ptx_jit", Severity.INFO, "compiled on first use")
    [row] = view(report(result(reason="trains: fp32", findings=(info,)))).rows
    assert row.cells[0] is not None
    assert row.cells[0].cause == "trains: fp32"


def test_a_finding_does_not_say_again_what_the_cell_says() -> None:
    repeated = replace(NAMED, message="import: numpy")
    [detail] = view(report(result(Status.FAIL, reason="import: numpy", findings=(repeated,)))).details
    assert detail.findings[0].message == ""
    assert finding_lines(result(Status.FAIL, reason="import: numpy", findings=(repeated,)))[0] == (
        f"cause numpy_abi: {catalogue()['numpy_abi'].title}"
    )


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_findings_are_bounded_and_cleaned(name: str) -> None:
    hostile = Finding(HOSTILE, Severity.FAIL, HOSTILE * 50, HOSTILE, (HOSTILE * 20,) * 40, HOSTILE * 50, HOSTILE)
    text = render(name, report(result(Status.FAIL, findings=(hostile,))), width=120)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 20_000
