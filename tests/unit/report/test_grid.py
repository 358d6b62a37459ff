"""The table in each of its forms: whole reasons, idents of causes, a line a cell, a line an answer; and which one is taken."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.console import Console
from values import report, result

from validator.model import Basis, CellResult, Finding, Outlook, Prediction, Report, Severity, Status
from validator.report import render
from validator.report.grid import grid
from validator.report.view import view

ARCH = Finding("arch_not_supported", Severity.FAIL, "no code for it")
EMULATED = Finding("bf16_emulated", Severity.DEGRADED, "emulated")


def by_rules(env: str, on: str, *findings: Finding, basis: Basis = Basis.PREDICTED, **fields: object) -> CellResult:
    status = Status.FAIL if ARCH in findings else Status.DEGRADED if findings else Status.PASS
    predicted = Prediction(Outlook(status.value), (), basis, findings)
    return result(status, env, on, "as rules say", basis, findings=findings, predicted=predicted, **fields)  # type: ignore[arg-type]


def table(shown: Report, width: int) -> list[str]:
    """The table without its rules, on a terminal of so many columns."""
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        for part in grid(view(shown), console):
            console.print(part)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert all(len(line) <= width for line in lines)
    return [line for line in lines if not re.fullmatch(r" ?─+", line)]


def test_whole_reasons_where_there_is_room() -> None:
    shown = report(
        result(Status.FAIL, "torch", "host", "it broke on the first of its steps", expect=Status.PASS),
        result(Status.ERROR, "torch", "l4-580", "gone", basis=None),
        result(env="other"),
    )
    assert table(shown, 80) == [
        "  environment   host                                 l4-580",
        "  torch         fail (measured)                      error",
        "                ! unexpected                         gone",
        "                it broke on the first of its steps",
        "  other         pass (measured)                      not in this run",
        "                trains: fp32",
    ]


def idle() -> Report:
    """A cell of this machine, and one that is skipped on a target with a long name."""
    return report(result(env="torch"), result(Status.SKIP, "torch", "t4-" + "5" * 26, "not here"))


@pytest.mark.parametrize(("width", "left_out"), [(75, False), (74, False), (73, True), (45, True)])
def test_a_column_is_as_wide_as_its_target_and_one_that_only_skips_is_left_out_where_there_is_no_room(
    width: int, left_out: bool
) -> None:
    lines = table(idle(), width)
    assert ("t4-" in lines[0]) is not left_out
    assert ("Left out, since every cell is a skip" in " ".join(lines)) is left_out
    assert lines[0].startswith("  environment   host")


def test_a_line_a_cell_where_even_that_does_not_fit() -> None:
    shown = report(*idle().cells, result(Status.FAIL, "b", "x", "broken", expect=Status.PASS))
    assert table(shown, 40) == [
        "torch@host  pass (measured)  trains:",
        "fp32",
        f"torch@t4-{'5' * 26}",
        "skip  not here",
        "b@x  fail (measured)  ! unexpected",
        "broken",
    ]


def many(targets: int, env: str = "torch2.7.1-cu126") -> Report:
    """An environment that rules reject on every target, with one that passes on the last of them."""
    names = [f"a100-pcie-{number}-535.183.01" for number in range(targets)]
    cells = [by_rules(env, name, ARCH, EMULATED) for name in names]
    return report(*cells, by_rules("b", names[-1]), result(env="b", on="host", expect=Status.FAIL))


def test_idents_of_causes_where_rules_say_why() -> None:
    shown = report(*many(2).cells, by_rules("b", "l4", EMULATED, basis=Basis.INSPECTED))
    assert table(shown, 62) == [
        "              a100-pcie-  a100-pcie-",
        "              0-          1-",
        " environment  535.183.01  535.183.01  host        l4",
        " torch2.7.1-  fail        fail        -           -",
        " cu126        arch_not_   arch_not_",
        "              supported   supported",
        " b            -           pass        pass        degraded",
        "                                      measured    inspected",
        "                                      !           bf16_",
        "                                      unexpected  emulated",
        "Cells without a basis are predicted. The reasons are below, by",
        "cause.",
    ]


@pytest.mark.parametrize(
    ("targets", "tables"),
    [(3, [4]), (4, [3, 2]), (7, [4, 4]), (8, [3, 3, 3]), (15, [4, 4, 4, 4])],
)
def test_targets_are_shared_evenly_among_as_few_tables_as_fit(targets: int, tables: list[int]) -> None:
    cells = [by_rules("e", f"target-{number}", ARCH) for number in range(targets)]
    shown = report(*cells, by_rules("e", "host"))
    lines = table(shown, 62)  # 2 at the edges, 11 for the environment and a space, 4 times 10 for a target and 2 before it
    heads = [line.split()[1:] for line in lines if line.lstrip().startswith("environment")]
    assert [len(head) for head in heads] == tables


@pytest.mark.parametrize(("targets", "is_table"), [(16, True), (17, False)])
def test_more_than_four_tables_are_lines(targets: int, is_table: bool) -> None:
    cells = [by_rules("e", f"t{number}", ARCH) for number in range(targets)]
    text = "\n".join(table(report(*cells), 62))
    assert ("Cells without a basis" in text) is is_table
    assert ("  fail (predicted)  arch_not_supported: t0, t1" in text) is not is_table


def test_a_terminal_too_narrow_for_a_column_gets_lines_too() -> None:
    shown = report(by_rules("e", "target", ARCH))
    assert table(shown, 26)[0] == " environment  target"
    assert table(shown, 25)[:2] == ["e", "  fail (predicted)"]


def test_the_same_answers_of_an_environment_are_one_line() -> None:
    shown = report(
        by_rules("a", "x", ARCH, EMULATED),
        by_rules("a", "y", ARCH),
        by_rules("a", "z", ARCH, expect=Status.PASS),
        by_rules("a", "u"),
        by_rules("a", "v", basis=Basis.INSPECTED),
        replace(by_rules("a", "w", ARCH, expect=Status.PASS), digest="sha256:1"),
        *(by_rules("b", f"target-{number}-{'9' * 9}") for number in range(40)),
        result(Status.ERROR, "b", "host", "gone", None),
    )
    lines = table(shown, 60)
    assert lines[:6] == [
        "a",
        "  fail (predicted)  arch_not_supported: x, y",
        "  fail (predicted)  ! unexpected  arch_not_supported: z, w",
        "  pass (predicted)  u",
        "  pass (inspected)  as rules say: v",
        "b",
    ]
    assert lines[6].startswith("  pass (predicted)  target-0-999999999, target-1")
    assert lines[-1] == "  error  gone: host"


@pytest.mark.parametrize(
    ("status", "code"),
    [(Status.PASS, "32"), (Status.DEGRADED, "33"), (Status.FAIL, "1;31"), (Status.ERROR, "35"), (Status.SKIP, "2")],
)
def test_each_status_has_its_colour(status: Status, code: str) -> None:
    text = render("table", report(result(status, expect=None)), width=100, color=True)
    assert f"\x1b[{code}m{status.value}\x1b[0m" in text
    assert re.search(rf"\x1b\[{code}m(, )?1 {status.value}\x1b", text)
    assert all(re.search(rf"\x1b\[2m(, )?0 {other.value}\x1b", text) for other in Status if other is not status)


def test_what_must_not_be_overlooked_is_red_in_every_form() -> None:
    for shown, width in ((many(2), 200), (many(2), 62), (many(30), 40)):
        text = render("table", shown, width=width, color=True)
        assert re.search(r"\x1b\[1;31m *! unexpected", text)
        assert "\x1b[1;31m! b@host: unexpected" in text
