"""Very many cells: counted by kind, bounded in length, complete in JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.cells import cell_len
from values import L4_HOST, cell, environment, report, result

from validator.model import (
    Action,
    Basis,
    CellResult,
    Finding,
    Outlook,
    Plan,
    Prediction,
    Report,
    Severity,
    Status,
    Target,
)
from validator.report import Forecast, render
from validator.report.view import Bounds, KindTable, view
from validator.report.view.kinds import kind_tables
from validator.verdict.agreement import foretold

OLD = Finding("driver_too_old", Severity.FAIL, "535 is too old", None, ("535 < 580",), "install 580")
SLOW = Finding("fp16_no_speedup", Severity.DEGRADED, "no gain")
NOTE = Finding("driver_end_of_life", Severity.INFO, "no updates")
FAILS = Prediction(Outlook.FAIL, ("driver_too_old",), findings=(OLD, SLOW))


def judged(torch: str, cuda: str | None, target: Target, status: Status, *findings: Finding) -> CellResult:
    env = environment(f"t{torch}-{cuda}", torch=torch, cuda=cuda)
    return replace(result(status, env, target.id, "so", Basis.PREDICTED, findings=findings), target=target)


T4 = Target("t4-535", gpu="Tesla T4", driver="535")
L4 = Target("l4-580", gpu="L4", driver="580")
HOST = Target("host", is_host=True)
CC = Target("cc", compute_capability="7.5")
CELLS = (
    judged("2.7.1", "12.6", T4, Status.FAIL, OLD, SLOW),
    judged("2.7.1", "12.6", L4, Status.PASS, NOTE),
    judged("2.7.1", "cpu", HOST, Status.PASS),
    judged("2.6.0", None, T4, Status.FAIL, OLD),
    judged("2.6.0", None, CC, Status.DEGRADED, SLOW),
)


def rows(table: KindTable) -> dict[str, tuple[tuple[int, ...], tuple[str, ...]]]:
    return {row.name: (row.counts, row.causes) for row in table.rows}


def test_every_cell_is_counted_once_in_each_table_with_the_gravest_causes() -> None:
    gpus, drivers, builds = kind_tables(CELLS, 40)
    assert gpus.statuses == ("pass", "degraded", "fail")
    assert (gpus.heading, drivers.heading, builds.heading) == ("GPU", "driver", "PyTorch")
    assert rows(gpus) == {
        "Tesla T4": ((0, 0, 2), ("driver_too_old (2)",)),
        "L4": ((1, 0, 0), ()),
        "this machine's": ((1, 0, 0), ()),
        "compute capability 7.5": ((0, 1, 0), ("fp16_no_speedup (1)",)),
    }
    assert list(rows(drivers)) == ["535", "580", "this machine's", "not said"]
    assert list(rows(builds)) == ["2.7.1 CUDA 12.6", "2.7.1 cpu", "2.6.0"]
    for table in (gpus, drivers, builds):
        assert [sum(column) for column in zip(*(row.counts for row in table.rows), strict=True)] == [2, 1, 2]


def test_kinds_beyond_the_bound_are_one_row() -> None:
    gpus, *_ = kind_tables(CELLS, 1)
    assert rows(gpus) == {
        "Tesla T4": ((0, 0, 2), ("driver_too_old (2)",)),
        "3 more": ((2, 1, 0), ("fp16_no_speedup (1)",)),
    }


def large(environments: int, targets: int) -> Report:
    """A report in which everything is told of every cell."""
    cells = []
    for e in range(environments):
        env = environment(f"env{e}", torch=f"2.{e % 60}.0", cuda="12.6")
        for t in range(targets):
            target = Target(f"target{t}", gpu=f"GPU {t}", driver=f"5{t}")
            of = result(Status.FAIL, env, target.id, f"fails {e} {t}", findings=(OLD,), digest=f"sha256:{e}", agrees=False)
            cells.append(replace(of, target=target, predicted=Prediction(Outlook.PASS)))
    return report(*cells)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_terminal_gets_a_bounded_answer(width: int) -> None:
    text = render("table", large(101, 10), width=width)
    lines = text.splitlines()
    assert all(cell_len(line) <= width for line in lines)
    assert len(lines) < (400 if width == 40 else 200)
    flat = " ".join(text.split())
    assert "1010 cells are too many for a table" in flat
    assert "… and 1005 more that contradict the prediction" in flat
    assert "… and 1005 more cells that there is something to say of: --format json has them all" in flat
    assert "… and 96 more environments whose image has a digest" in flat
    assert "45 more" in flat  # builds


def test_a_table_of_ordinary_size_is_whole() -> None:
    text = render("table", large(100, 10), width=200)
    assert "too many" not in text
    assert text.count("fails ") >= 1000


def test_markdown_gets_a_bounded_answer_later() -> None:
    whole, short = render("markdown", large(500, 10)), render("markdown", large(501, 10))
    assert "too many" not in whole
    assert "5010 cells are too many for a table" in short
    assert len(short.splitlines()) < 800 < len(whole.splitlines())
    assert "| GPU | fail | most frequent causes |" in short
    assert "- and 4960 more cells that there is something to say of: the JSON has them all" in short


def test_what_the_rules_say_of_many_cells_is_bounded() -> None:
    cells = []
    for number in range(1200):
        found = replace(OLD, message=f"because of {number % 700}")
        prediction = Prediction(Outlook.FAIL, findings=(found,))
        cells.append(result(Status.FAIL, f"e{number}", "t", "x", Basis.PREDICTED, findings=(found,), predicted=prediction))
    cells += [result(Status.SKIP, f"s{number}", "t", "no GPU", None) for number in range(1200)]
    shown = view(report(*cells), Bounds(cells=100, details=5, kinds=3, named=10))
    assert (len(shown.skips[0].ids), shown.skips[0].cells, shown.skips[0].unnamed) == (10, 1200, 1190)
    assert [len(table.rows) for table in shown.kinds] == [1, 1, 1]
    text = render("table", report(*cells), width=100)
    assert "… and 699 more of this kind: --format json has them all" in text
    assert "1200 cells, each by its id in --format json" in text


def test_a_large_plan_is_counted_too_and_its_json_has_every_cell() -> None:
    envs = [environment(f"e{number}", torch="2.7.1") for number in range(401)]
    cells = tuple(cell(env, on, action=Action.SKIP, predicted=FAILS) for env in envs for on in (T4, L4, HOST, CC, Target("x")))
    plan = Plan(cells, "docker", "assumed")
    shown = Forecast(plan, tuple(map(foretold, cells)), L4_HOST, "m.yaml", "2026-11-25", "0.1.0")
    assert "2005 cells are too many for a table" in render("table", shown)
    written = json.loads(render("json", shown))
    assert len(written["cells"]) == 2005
    assert len(written["shared"]["findings"]) == 2
    assert view(shown).kinds == ()
