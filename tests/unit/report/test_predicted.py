"""Cells whose status is what rules say: the narrow table, the causes below it, and a contradiction with both its sides."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from values import check_result, report, result

from validator.catalogue.causes import catalogue
from validator.model import (
    Assumption,
    AssumptionKind,
    Basis,
    CellResult,
    CheckStatus,
    Finding,
    Outlook,
    Prediction,
    Report,
    Severity,
    Status,
)
from validator.report import render
from validator.report.view import view
from validator.report.view.cause_groups import cause_groups
from validator.verdict.findings import with_alternatives

ARCH = Finding(
    "arch_not_supported", Severity.FAIL, "no code for RTX 5090", "hardware", ("needs sm_120, has sm_90",), "use the cu128 build"
)
EMULATED = Finding("bf16_emulated", Severity.DEGRADED, "bfloat16 is emulated", "hardware", (), "use float16")
END_OF_LIFE = Finding("driver_end_of_life", Severity.INFO, "branch 535 gets no updates")
TARGETS = tuple(f"a100-sxm4-80gb-5{number}0.95.05" for number in range(13))


def foretold(status: Status, env: str, on: str, *findings: Finding, basis: Basis = Basis.PREDICTED) -> CellResult:
    prediction = Prediction(Outlook(status.value), tuple(each.cause for each in findings), basis, findings)
    return result(status, env, on, "as predicted", basis, findings=findings, predicted=prediction)


def wide() -> Report:
    """Eleven environments on thirteen targets, as the shipped matrix has about."""
    cells = [result(env="torch2.13.0-cpu", on="host")]
    for number in range(11):
        for index, target in enumerate(TARGETS):
            env = f"torch2.{number}.0-cu126"
            if index % 3 == 0:
                cells.append(foretold(Status.FAIL, env, target, ARCH, EMULATED))
            else:
                cells.append(foretold(Status.PASS, env, target, END_OF_LIFE))
    return report(*cells)


@pytest.mark.parametrize("width", [60, 80, 120, 160, 240])
def test_a_wide_table_stays_a_table_within_the_terminal_and_bounded(width: int) -> None:
    lines = render("table", wide(), width=width).splitlines()
    assert all(cell_len(line) <= width for line in lines)
    assert len(lines) < 330
    text = "\n".join(lines)
    assert "arch_not_" in text
    assert text.count("no code for RTX 5090") == 1
    assert "55 cells" in text


def test_cells_have_the_gravest_causes_in_short_and_the_reasons_stand_below() -> None:
    shown = view(wide())
    first = shown.rows[1].cells[1]
    assert first is not None
    assert (first.status, first.words) == ("fail", ("arch_not_supported",))
    assert not [detail for detail in shown.details if detail.basis == "predicted"]
    assert [group.cause for group in shown.causes] == ["arch_not_supported", "bf16_emulated", "driver_end_of_life"]


def test_many_targets_become_lines_by_environment() -> None:
    text = render("table", wide(), width=60)
    assert "─" not in text
    line = next(line for line in text.splitlines() if "fail (predicted)" in line)
    assert line == "  fail (predicted)  arch_not_supported:"


def test_one_table_where_it_fits() -> None:
    few = report(foretold(Status.FAIL, "e", "rtx-5090", ARCH), foretold(Status.PASS, "e", "l4-580"))
    text = render("table", few, width=100)
    assert re.search(r"environment\s+rtx-5090\s+l4-580", text)
    assert "fail (predicted)" in text


def test_a_basis_other_than_predicted_is_named_in_the_narrow_table() -> None:
    cells = [*wide().cells, foretold(Status.PASS, "torch2.1.0-cu126", "extra", basis=Basis.INSPECTED)]
    assert "inspected" in render("table", report(*cells), width=160)


def test_causes_are_grouped_by_what_is_said_and_advised() -> None:
    other = Finding("arch_not_supported", Severity.FAIL, "no code for K80", "hardware", (), "use torch 1")
    same = Finding("arch_not_supported", Severity.FAIL, ARCH.message, "hardware", ("another line",), ARCH.remedy)
    (group,) = cause_groups(
        [
            foretold(Status.FAIL, "a", "x", other),
            foretold(Status.FAIL, "a", "y", ARCH),
            foretold(Status.FAIL, "a", "z", same),
        ]
    )
    assert (group.cells, group.title) == (3, catalogue()["arch_not_supported"].title)
    assert [(said.message, said.ids) for said in group.messages] == [(ARCH.message, ("a@y", "a@z")), (other.message, ("a@x",))]
    assert group.messages[0].evidence == ("needs sm_120, has sm_90", "another line")


def test_what_a_run_advises_for_each_target_does_not_part_what_rules_say_once() -> None:
    works = [foretold(Status.PASS, name, target) for name, target in (("b", "x"), ("c", "y"))]
    advised = with_alternatives([foretold(Status.FAIL, "a", "x", ARCH), foretold(Status.FAIL, "a", "y", ARCH), *works])
    assert len({result.findings[0].remedy for result in advised[:2]}) == 2
    (group,) = cause_groups(advised)
    assert [(said.remedy, said.ids) for said in group.messages] == [(ARCH.remedy, ("a@x", "a@y"))]


def test_what_stands_in_the_details_is_not_said_again_by_cause() -> None:
    noted = replace(foretold(Status.FAIL, "a", "x", ARCH), notes=("the index was another",))
    measured = result(Status.FAIL, env="measured", findings=(ARCH,))
    shown = view(report(noted, measured, foretold(Status.FAIL, "a", "y", ARCH)))
    assert {detail.id for detail in shown.details} == {"a@x", "measured@host"}
    assert [said.ids for group in shown.causes for said in group.messages] == [("a@y",)]


@pytest.mark.parametrize("format_name", ["table", "markdown"])
def test_what_was_taken_for_granted_is_said_and_counted(format_name: str) -> None:
    assumed = "no driver is given, so none is judged"

    def said(on: str) -> tuple[Assumption, ...]:
        return Assumption(AssumptionKind.NOT_GIVEN, assumed), Assumption(AssumptionKind.IMAGE_NAME, f"image {on}")

    cells = [
        replace(each, predicted=replace(each.predicted, assumptions=said(each.target.id)))
        for each in (foretold(Status.PASS, "a", f"x{number}") for number in range(9))
        if each.predicted
    ]
    text = render(format_name, report(*cells), width=100)
    assert re.search(rf"{assumed}\s+\((cells: )?9", text)
    assert ("image x8" in text) == (format_name == "markdown")


def test_markdown_has_the_same_causes_with_evidence_and_remedy() -> None:
    text = render("markdown", wide()).replace("\\_", "_")
    assert "### fail: arch_not_supported" in text
    assert "(needs sm_120, has sm_90) Try: use the cu128 build" in text
    assert "**fail** (predicted)<br>arch_not_supported" in text


CONTRADICTED = result(
    Status.PASS,
    "torch2.6.0-cu124",
    predicted=Prediction(Outlook.FAIL, ("arch_not_supported",), Basis.INSPECTED, (ARCH,)),
    agrees=False,
    checks=(check_result(CheckStatus.PASS, "loss 2.3 -> 0.1"),),
)


@pytest.mark.parametrize("format_name", ["table", "markdown"])
def test_a_contradiction_stands_first_and_has_the_evidence_of_both_sides(format_name: str) -> None:
    text = render(format_name, report(result(), CONTRADICTED), width=200)
    for escaped in ("\\_", "\\["):
        text = text.replace(escaped, escaped[1])
    text = text.replace("&gt;", ">")
    first = text.index("contradicts the prediction: fail was predicted (arch_not_supported), pass came out")
    assert first < text.index("environment", 60)
    assert re.search(r"inspected fail: arch_not_supported: no code for RTX 5090 \[needs sm_120, has sm_90", text)
    assert "measured pass: train_amp_fp16 pass: loss 2.3 -> 0.1" in text


def test_a_contradiction_is_in_json_with_both_sides() -> None:
    import json

    (written,) = json.loads(render("json", report(CONTRADICTED)))["cells"]
    assert written["agrees"] is False
    assert written["predicted"]["status"] == "fail"
    assert written["predicted"]["findings"][0]["evidence"] == ["needs sm_120, has sm_90"]
    assert written["checks"][0]["message"] == "loss 2.3 -> 0.1"
