"""What stands below the table, line by line: all that is to be said of a cell, in the same order in both forms for people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import HOST_TARGET, L4_HOST, assumed, cell, check_result, environment, report, result

from validator.catalogue.causes import anchor, catalogue
from validator.model import (
    UNKNOWN_CAUSE,
    Action,
    ActionReason,
    Basis,
    Because,
    CellResult,
    CheckStatus,
    Finding,
    Level,
    Outlook,
    Plan,
    Prediction,
    Report,
    Severity,
    Status,
    Target,
)
from validator.report import Forecast, render
from validator.report.view import finding_lines, view
from validator.verdict.agreement import foretold

TITLE = catalogue()["numpy_abi"].title
NAMED = Finding("numpy_abi", Severity.FAIL, "2.1 and 1.13", None, ("x", "y"), "install numpy<2", anchor("numpy_abi"))
SOURCED = Finding("numpy_abi", Severity.FAIL, "", source="a page")
UNNAMED = Finding(UNKNOWN_CAUSE, Severity.UNKNOWN, "")
DIED = check_result(message="it crashed", died="signal 11 (SIGSEGV)", output="one\ntwo\n")
WARNED = replace(check_result(CheckStatus.WARN, "60 s passed", died="60 s"), name="sdpa", level=Level.ADVISORY)
PREDICTION = Prediction(Outlook.PASS, findings=(Finding("ptx_jit", Severity.DEGRADED, "slow at first", None, ("a < b", "c")),))
CELL = result(
    Status.FAIL,
    "torch",
    reason="it is broken",
    checks=(DIED, WARNED, check_result(CheckStatus.PASS, "fine")),
    findings=(NAMED, SOURCED, UNNAMED),
    notes=("another index", "an old image"),
    expect=Status.PASS,
    predicted=PREDICTION,
    agrees=False,
    log_tail="bye\n",
)


def below(format_name: str, *cells: CellResult) -> list[str]:
    """The lines from the first cell's details on."""
    lines = render(format_name, report(*cells), width=120).splitlines()
    start = f"### `{cells[0].id}`" if format_name == "markdown" else f"{cells[0].id}  "
    return lines[next(number for number, line in enumerate(lines) if line.startswith(start)) :]


def test_a_cell_on_a_terminal() -> None:
    assert below("table", CELL) == [
        "torch@host  fail (measured)",
        "  it is broken",
        "  ! contradicts the prediction: pass was predicted, fail came out",
        "  ! unexpected: the matrix expects pass, fail came out",
        "  note: another index",
        "  note: an old image",
        "  predicted pass: ptx_jit: slow at first [a < b; c]",
        "  measured fail: train_amp_fp16 fail: it crashed; sdpa warn: 60 s passed",
        "  train_amp_fp16 fail, required: it crashed (signal 11 (SIGSEGV))",
        "  sdpa warn, advisory: 60 s passed",
        f"  cause numpy_abi: {TITLE}. 2.1 and 1.13",
        "    seen: x",
        "    seen: y",
        "    try: install numpy<2",
        "    more: validator causes numpy_abi",
        f"  cause numpy_abi: {TITLE}",
        "    more: validator causes numpy_abi",
        "    source: a page",
        "  cause unknown: could not be named",
        "  | one",
        "  | two",
        "  | bye",
    ]


def test_a_cell_in_markdown() -> None:
    assert [line.replace("\\_", "_") for line in below("markdown", CELL)] == [
        "### `torch@host`",
        "",
        "**fail** (measured): it is broken",
        "",
        "- **contradicts the prediction: pass was predicted, fail came out**",
        "- **unexpected: the matrix expects pass, fail came out**",
        "- note: another index",
        "- note: an old image",
        "- predicted pass: ptx_jit: slow at first \\[a &lt; b; c\\]",
        "- measured fail: train_amp_fp16 fail: it crashed; sdpa warn: 60 s passed",
        "- check train_amp_fp16: fail (required): it crashed (signal 11 (SIGSEGV))",
        "- check sdpa: warn (advisory): 60 s passed",
        f"- cause numpy_abi: {TITLE}. 2.1 and 1.13",
        "  - seen: x",
        "  - seen: y",
        "  - try: install numpy&lt;2",
        "  - more: `docs/causes.md#numpy_abi`",
        f"- cause numpy_abi: {TITLE}",
        "  - more: a page",
        "- cause unknown: could not be named",
        "",
        "```text",
        "one",
        "two",
        "bye",
        "```",
    ]


def test_the_lines_of_a_finding_where_no_report_is_laid_out() -> None:
    assert finding_lines(CELL) == [
        f"cause numpy_abi: {TITLE}. 2.1 and 1.13",
        "  seen: x",
        "  seen: y",
        "  try: install numpy<2",
        "  more: docs/causes.md#numpy_abi",
        f"cause numpy_abi: {TITLE}",
        "  more: a page",
        "cause unknown: could not be named",
    ]


def test_what_the_cell_says_already_is_no_further_evidence() -> None:
    finding = replace(NAMED, evidence=("is broken", "it crashed", "2.1 and", "news", *(f"line {n}" for n in range(9))))
    [shown] = view(report(replace(CELL, findings=(finding,)))).details[0].findings
    assert shown.evidence == ("news", "line 0", "line 1")  # of the first six lines those that say more


@pytest.mark.parametrize(("length", "cut"), [(300, False), (301, True)])
def test_a_line_of_evidence_is_bounded(length: int, cut: bool) -> None:
    [shown] = view(report(replace(CELL, findings=(replace(NAMED, evidence=("x" * length,)),)))).details[0].findings
    assert len(shown.evidence[0]) == 300
    assert shown.evidence[0].endswith("…") is cut


@pytest.mark.parametrize(
    ("status", "log"),
    [(Status.FAIL, "one\ntwo\nbye"), (Status.ERROR, "one\ntwo\nbye"), (Status.DEGRADED, ""), (Status.SKIP, "")],
)
def test_only_what_does_not_work_has_its_log(status: Status, log: str) -> None:
    assert view(report(replace(CELL, status=status, expect=None))).details[0].log == log


@pytest.mark.parametrize(
    ("predicted", "checks", "sides"),
    [
        (
            Prediction(Outlook.PASS, assumptions=assumed("it is an L4", "on Linux")),
            (),
            [("predicted pass", "it is an L4; on Linux"), ("measured fail", "it is broken")],
        ),
        (
            Prediction(Outlook.PASS, basis=Basis.INSPECTED),
            (check_result(CheckStatus.SKIP, "not run"), check_result(CheckStatus.PASS, "fine")),
            [("inspected pass", "no rule speaks against it"), ("measured fail", "train_amp_fp16 pass: fine")],
        ),
        (
            Prediction(Outlook.PASS, findings=(Finding("a", Severity.INFO, "old"), Finding("b", Severity.FAIL, "bad"))),
            (check_result(CheckStatus.WARN, "slow"), check_result(CheckStatus.PASS, "fine")),
            [("predicted pass", "b: bad"), ("measured fail", "train_amp_fp16 warn: slow")],
        ),
    ],
)
def test_what_both_sides_of_a_contradiction_rest_on(
    predicted: Prediction, checks: tuple[object, ...], sides: list[tuple[str, str]]
) -> None:
    shown = view(report(replace(CELL, predicted=predicted, checks=checks)))  # type: ignore[arg-type]
    assert list(shown.details[0].sides) == sides
    assert view(report(replace(CELL, agrees=True))).details[0].sides == ()


@pytest.mark.parametrize("number", [12, 13])
def test_the_last_twelve_lines_of_a_log_are_shown_and_the_rest_counted(number: int) -> None:
    log = "\n".join(f"line {n}" for n in range(number))
    lines = below("table", replace(CELL, checks=(), log_tail=log))
    assert [line for line in lines if line.startswith("  | ")] == [f"  | line {n}" for n in range(number - 12, number)]
    assert ("  … 1 earlier lines are in results.json" in lines) == (number == 13)


# ---------------------------------------------------------------- what rules say, by cause


def by_rules(env: str, finding: Finding, on: str = "x", *, assumptions: tuple[str, ...] = ()) -> CellResult:
    status = Status.FAIL if finding.severity is Severity.FAIL else Status.DEGRADED
    predicted = Prediction(Outlook(status.value), (finding.cause,), findings=(finding,), assumptions=assumed(*assumptions))
    return result(status, env, on, "as predicted", Basis.PREDICTED, findings=(finding,), predicted=predicted)


ARCH = Finding("arch_not_supported", Severity.FAIL, "no code", None, ("7.0 < 7.5", "sm_75"), "use cu126")
ARCH_TITLE = catalogue()["arch_not_supported"].title


def whole_reasons(format_name: str, *cells: CellResult) -> list[str]:
    lines = render(format_name, report(*cells), width=150).replace("\\_", "_").splitlines()
    return lines[lines.index("Reasons given by the rules" if format_name == "table" else "## Reasons given by the rules") :]


def test_reasons_on_a_terminal_are_few_and_counted() -> None:
    cells = [by_rules(f"e{n}", ARCH) for n in range(4)] + [by_rules(f"m{n}", replace(ARCH, message=f"no {n}")) for n in range(3)]
    assert whole_reasons("table", *cells) == [
        "Reasons given by the rules",
        f"  fail  arch_not_supported  {ARCH_TITLE}; 7 cells",
        "    no code  (e0@x, e1@x, e2@x and 1 more)",
        "      try: use cu126",
        "    no 0  (m0@x)",
        "      try: use cu126",
        "    no 1  (m1@x)",
        "      try: use cu126",
        "    … and 1 more of this kind: --format markdown or json has them all",
    ]


def test_few_reasons_are_all_there() -> None:
    unknown = Finding("made_up", Severity.DEGRADED, "strange")
    odd = [by_rules(f"m{n}", replace(unknown, message=f"odd {n}")) for n in range(3)]
    cells = [*(by_rules(f"e{n}", ARCH) for n in range(3)), *odd]
    assert whole_reasons("table", *cells, by_rules("one", replace(unknown, cause="too"))) == [
        "Reasons given by the rules",
        f"  fail  arch_not_supported  {ARCH_TITLE}; 3 cells",
        "    no code  (e0@x, e1@x, e2@x)",
        "      try: use cu126",
        "  degraded  made_up; 3 cells",
        "    odd 0  (m0@x)",
        "    odd 1  (m1@x)",
        "    odd 2  (m2@x)",
        "  degraded  too; 1 cell",
        "    strange  (one@x)",
    ]


def test_the_gravest_cause_comes_first_and_then_the_most_frequent() -> None:
    light, odd = replace(ARCH, severity=Severity.DEGRADED), Finding("made_up", Severity.DEGRADED, "strange")
    cells = [by_rules("a", odd), by_rules("b", light), by_rules("c", light), by_rules("d", replace(odd, cause="bad"))]
    assert [(group.cause, group.severity, group.cells) for group in view(report(*cells)).causes] == [
        ("arch_not_supported", "degraded", 2),
        ("made_up", "degraded", 1),
        ("bad", "degraded", 1),
    ]
    [first, *_] = view(report(*cells, by_rules("e", ARCH, "y"))).causes
    assert (first.severity, first.cells) == ("fail", 3)
    last = view(report(*cells, by_rules("f", replace(odd, cause="bad", severity=Severity.FAIL)))).causes
    assert [group.cause for group in last] == ["bad", "arch_not_supported", "made_up"]


def test_reasons_in_markdown_are_whole() -> None:
    unknown = Finding("made_up", Severity.DEGRADED, "strange")
    assert whole_reasons("markdown", by_rules("a", ARCH), by_rules("b", ARCH), by_rules("c", unknown)) == [
        "## Reasons given by the rules",
        "",
        "### fail: arch_not_supported",
        "",
        f"{ARCH_TITLE}.",
        "",
        "- no code (7.0 &lt; 7.5; sm_75) Try: use cu126 Cells: `a@x`, `b@x`",
        "",
        "### degraded: made_up",
        "",
        "- strange Cells: `c@x`",
    ]


@pytest.mark.parametrize("number", [100, 101])
def test_a_reason_of_very_many_cells_names_a_hundred_in_markdown(number: int) -> None:
    last = whole_reasons("markdown", *(by_rules(f"e{n}", ARCH) for n in range(number)))[-1]
    assert last.count("@x") == 100
    assert last.endswith("`e99@x`" if number == 100 else "`e99@x` and 1 more")


def test_assumptions_are_counted_the_most_frequent_first_and_a_terminal_shows_six() -> None:
    cells = [by_rules(f"e{n}", ARCH, assumptions=("all", f"only {n}")) for n in range(6)]
    lines = render("table", report(*cells), width=100).splitlines()
    assert lines[lines.index("Assumptions made by the rules") - 1 :][:10] == [
        "",
        "Assumptions made by the rules",
        "  all  (6 cells)",
        *(f"  only {n}  (1 cell)" for n in range(5)),
        "  … and 1 more: --format markdown or json has them all",
    ]
    six = render("table", report(*cells[:5]), width=100)
    assert "  only 4  (1 cell)" in six
    assert "more: --format" not in six
    page = render("markdown", report(*cells)).splitlines()
    start = page.index("## Assumptions made by the rules")
    assert page[start : start + 9] == [
        "## Assumptions made by the rules",
        "",
        "- all (cells: 6)",
        *(f"- only {n} (cells: 1)" for n in range(6)),
    ]


# ---------------------------------------------------------------- what was skipped, and what a run would do


def test_what_was_skipped_and_why() -> None:
    cells = [result(Status.SKIP, env, reason=f"why {env[0]}") for env in ("a1", "a2", "b")]
    lines = render("table", report(*cells), width=100).splitlines()
    assert lines[lines.index("Skipped") - 1 :] == [
        "",
        "Skipped",
        "  skip: why a",
        "    a1@host, a2@host",
        "  skip: why b",
        "    b@host",
    ]
    page = render("markdown", report(*cells)).splitlines()
    assert page[page.index("## Skipped") - 1 :] == [
        "",
        "## Skipped",
        "",
        "- reason: why a: `a1@host`, `a2@host`",
        "- reason: why b: `b@host`",
    ]


def said(words: str) -> ActionReason:
    """A reason in a runner's own words."""
    return ActionReason(Because.NOT_SUPPORTED, words)


def planned(*cells: object) -> Forecast:
    plan = Plan(cells, "docker", "assumed")  # type: ignore[arg-type]
    return Forecast(plan, tuple(map(foretold, plan.cells)), L4_HOST, "my.yaml", "2026-11-25", "0.1.0")


def test_what_a_run_would_do() -> None:
    good, elsewhere = Prediction(Outlook.PASS), Target("x")
    shown = planned(
        *(cell(environment(f"s{n}"), elsewhere, action=Action.SKIP, predicted=good) for n in range(2)),
        *(cell(environment(f"o{n}"), elsewhere, action=Action.INSPECT, why=said("no GPU"), predicted=good) for n in range(7)),
        cell(environment("m"), HOST_TARGET, why=said("here"), predicted=good),
    )
    lines = render("table", shown, width=100).splitlines()
    assert lines[lines.index("A run would") - 1 :] == [
        "",
        "A run would",
        "  measure: here",
        "    m@host",
        "  open: no GPU",
        "    7 cells, each by its id in --format markdown",
        "  run nothing for the other 2 cells: they keep what is predicted",
    ]
    page = render("markdown", shown).splitlines()
    assert page[page.index("## A run would") - 1 :] == [
        "",
        "## A run would",
        "",
        "- measure: here: `m@host`",
        f"- open: no GPU: {', '.join(f'`o{n}@x`' for n in range(7))}",
        "- run nothing for the other 2 cells: they keep what is predicted",
    ]


def test_a_run_of_everything_leaves_no_rest() -> None:
    shown = planned(cell(environment("m"), HOST_TARGET, why=said("here"), predicted=Prediction(Outlook.PASS)))
    assert "run nothing" not in render("table", shown)


# ---------------------------------------------------------------- what stands around the table


AROUND = [
    "run: 20261124T120000Z-a1b2c3, started 2026-11-24T12:00:00+00:00, 12 s, matrix matrix.yaml, validator 0.1.0",
    "runner: docker (an engine answers)",
    "GPU: driver 580.95.05, CUDA driver version 13.0, NVIDIA L4 (compute capability 8.9, 24 GiB)",
    "engine: docker 27.1.1, NVIDIA Container Toolkit 1.17.0",
]


def around(shown: Report) -> list[str]:
    return render("table", shown, width=150).splitlines()


def test_the_summary_then_the_run_its_runner_its_gpu_and_its_engine_and_the_images() -> None:
    cells = (result(env="a", digest="sha256:1"), result(Status.FAIL, "b", findings=(UNNAMED,)))
    lines = around(report(*cells))
    start = next(number for number, line in enumerate(lines) if line.startswith("1 pass"))
    assert lines[start : start + 7] == [
        "1 pass, 0 degraded, 1 fail, 0 error, 0 skip; without a named cause: 1",
        "",
        *AROUND,
        "image: a sha256:1",
    ]
    page = render("markdown", report(*cells)).splitlines()
    start = page.index("1 pass, 0 degraded, 1 fail, 0 error, 0 skip; without a named cause: 1")
    assert page[start - 1 : start + 7] == [
        "",
        "1 pass, 0 degraded, 1 fail, 0 error, 0 skip; without a named cause: 1",
        "",
        *(f"- {line}" for line in AROUND),
        "- image of `a`: `sha256:1`",
    ]
    assert "1 pass, 0 degraded, 0 fail, 0 error, 0 skip" in around(report(cells[0]))


def test_an_alarm_and_an_interruption_stand_first() -> None:
    shown = report(result(env="a", expect=Status.FAIL), interrupted=True)
    sentence = "unexpected: the matrix expects fail, pass came out"
    assert around(shown)[:2] == ["INTERRUPTED: not every cell was run", f"! a@host: {sentence}"]
    assert render("markdown", shown).splitlines()[:8] == [
        "# PyTorch environments on their targets",
        "",
        "**Interrupted: not every cell was run.**",
        "",
        "> [!WARNING]",
        f"> - `a@host`: {sentence}",
        "",
        "| environment | host |",
    ]


def test_the_table_in_markdown() -> None:
    rows = (
        result(Status.FAIL, "a|b", findings=(NAMED,), expect=Status.PASS),
        result(Status.SKIP, "a|b", "t4", "why"),
        by_rules("c", ARCH, "t4"),
        result(Status.SKIP, "d", reason="opened", checks=(WARNED,)),
        replace(result(Status.SKIP, "e", reason="opened, not trained"), basis=Basis.INSPECTED),
        result(Status.ERROR, "f", reason="gone", basis=None),
        by_rules("g", replace(ARCH, severity=Severity.INFO)),
        result(env="h", reason=""),
    )
    page = render("markdown", report(*rows)).splitlines()
    start = page.index("| environment | host | t4 | x |")
    assert page[start : start + 9] == [
        "| environment | host | t4 | x |",
        "|---|---|---|---|",
        f"| a\\|b | **fail** (measured)<br>**unexpected**<br>{TITLE} | **skip** | not in this run |",
        "| c | not in this run | **fail** (predicted)<br>arch\\_not\\_supported | not in this run |",
        "| d | **skip** | not in this run | not in this run |",
        "| e | **skip** (inspected)<br>opened, not trained | not in this run | not in this run |",
        "| f | **error**<br>gone | not in this run | not in this run |",
        "| g | not in this run | not in this run | **degraded** (predicted) |",
        "| h | **pass** (measured) | not in this run | not in this run |",
    ]
