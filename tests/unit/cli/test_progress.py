"""How a run goes, on stderr: a live view on a terminal, lines and a heartbeat elsewhere, nothing with -q."""

from __future__ import annotations

import io
import re
import sys
import threading
import time
from collections.abc import Sequence

import pytest
from rich.cells import cell_len
from values import cell, environment, result

from validator.cli.output import Output
from validator.cli.progress import make_progress
from validator.cli.progress.going import Doing, Going, Snapshot, span, summary
from validator.cli.progress.lines import Lines, heartbeat
from validator.cli.progress.live import rows
from validator.cli.progress.ticking import Ticking
from validator.model import Basis, Cell, CellResult, Origin, Status

CELL = cell(environment("torch"))
CELLS = [cell(environment(f"e{number}")) for number in range(7)]
PASSED = result(env="torch", reason="trains: fp32")
EARLIER = Origin("an-older-run", "2026-11-20T08:00:00+00:00")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


def told(
    output: Output,
    monkeypatch: pytest.MonkeyPatch,
    *results: CellResult,
    stream: io.StringIO | None = None,
    planned: Sequence[Cell] = (CELL,),
) -> str:
    """What is said on stderr of a cell that starts, is noted on, and finishes."""
    stream = stream or io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with make_progress(output) as shown:
        shown.planned(planned, ["GPU 0"])
        shown.cell_started(CELL, "GPU 0")
        shown.note(CELL, "check import")
        for each in results:
            shown.cell_finished(each)
    return stream.getvalue()


def test_nothing_is_said_when_it_is_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(Output(quiet=True), monkeypatch, PASSED) == ""
    assert told(Output(quiet=True, verbose=True), monkeypatch, PASSED, stream=Terminal()) == ""
    with make_progress(Output(quiet=True)) as shown:
        shown.acquiring(CELL.environment)
        shown.acquired(CELL.environment, "no")
        shown.said("something")


def test_a_line_as_a_cell_starts_and_one_as_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(Output(), monkeypatch, PASSED).splitlines() == [
        "torch@host: measure on GPU 0: asked for",
        "torch@host: pass: trains: fp32 (0 s; 1 of 1 done)",
    ]
    assert "torch@host: check import" in told(Output(verbose=True), monkeypatch, PASSED).splitlines()


@pytest.mark.parametrize(
    ("finished", "is_told"),
    [
        (result(env="torch", basis=Basis.PREDICTED), False),
        (result(Status.SKIP, "torch"), False),
        (result(env="torch", basis=Basis.INSPECTED), True),
        (result(Status.ERROR, "torch", basis=None), True),
        (result(Status.FAIL, "torch"), True),
        (result(Status.FAIL, "torch", cached=True, origin=EARLIER), False),
        (result(Status.FAIL, "torch", origin=EARLIER), False),
    ],
)
def test_only_what_was_done_now_has_a_line(finished: CellResult, is_told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"torch@host: {finished.status.value}: trains: fp32"
    assert (line in told(Output(), monkeypatch, finished)) is is_told
    live = f"{finished.status.value:9}torch@host: trains: fp32"
    monkeypatch.setenv("NO_COLOR", "1")
    assert (live in re.sub(r"\x1b\[\d*m", "", told(Output(), monkeypatch, finished, stream=Terminal()))) is is_told


def test_thousands_of_reused_results_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [result(env=f"e{number}", cached=True, origin=EARLIER) for number in range(3000)]
    lines = told(Output(), monkeypatch, *many, PASSED).splitlines()
    assert lines[1:] == [
        "3000 results of earlier runs used again",
        "torch@host: pass: trains: fp32 (0 s; 1 of 1 done)",
    ]
    assert told(Output(), monkeypatch, many[0]).splitlines()[-1] == "1 result of earlier runs used again"  # said at the end


@pytest.mark.parametrize(("verbose", "term", "live"), [(False, "xterm", True), (True, "xterm", False), (False, "dumb", False)])
def test_a_terminal_that_is_dumb_or_wants_every_line_gets_lines(
    verbose: bool, term: str, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    text = told(Output(verbose=verbose), monkeypatch, PASSED, stream=Terminal())
    assert ("measure on GPU 0" in text) is not live
    assert ("\x1b[" in text) is live


def test_the_live_view_has_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    for no_color, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", no_color)
        assert ("\x1b[32mpass" in told(Output(), monkeypatch, PASSED, stream=Terminal())) is coloured


def test_the_live_view_shows_what_runs_and_markup_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = told(Output(), monkeypatch, stream=Terminal())
    assert "torch@host" in text
    assert "check import" in text
    bad = result(Status.FAIL, "torch", reason="[red]x[/red]\n##[error]y \x1b[2J")
    text = told(Output(), monkeypatch, bad, stream=Terminal())
    assert "torch@host: [red]x[/red] \ufffd#[error]y" in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize("verbose", [False, True])
def test_what_an_environment_says_is_told_once_and_how_it_ended(verbose: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, stream = Clock(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    quick, slow, gone = (environment(name) for name in ("quick", "slow", "gone"))
    with Lines(Output(verbose=verbose), Going({}, clock)) as lines:
        for each in (quick, slow, gone):
            lines.acquiring(each)
        lines.acquired(quick, None)
        lines.note(slow, "pulling 1 of 9 MB")
        lines.note(slow, "pulling 2 of 9 MB")
        clock.now += 61
        lines.acquired(slow, None)
        lines.acquired(gone, "the registry said\n::error::429\x1b[2J")
        lines.said("GPU 1 is used by pid 42")
    few = ["slow: pulling 1 of 9 MB", "slow: ready after 61 s", "GPU 1 is used by pid 42"]
    more = ["quick: ready after 0 s", few[0], "slow: pulling 2 of 9 MB", few[1]]
    more += ["gone: cannot be had: the registry said \ufffd:error::429", few[2]]
    assert stream.getvalue().splitlines() == (more if verbose else few)


def test_the_heartbeat_says_what_is_going_on_and_ends_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, before = io.StringIO(), threading.active_count()
    monkeypatch.setattr(sys, "stderr", stream)
    with Lines(Output(), Going({}), heartbeat=0.01) as lines:
        lines.planned(CELLS, ["GPU 0"])
        end = time.monotonic() + 30
        while "still going" not in stream.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    assert stream.getvalue().startswith("still going: 0 of 7 done, 0 of 1 lane busy\n")
    assert threading.active_count() == before


def test_a_heartbeat_is_one_line_with_the_longest_of_each() -> None:
    clock = Clock()
    going = Going({}, clock)
    going.planned(CELLS, ["GPU 0", "GPU 1"])
    going.acquiring(environment("image"))
    going.note(environment("image"), "pulling 120 MB\nof 2 GB")
    clock.now += 10
    going.acquiring(environment("other"))
    going.cell_started(CELLS[0], "GPU 0")
    clock.now += 5
    going.cell_finished(result(Status.FAIL, "e0"))
    going.cell_started(CELLS[1], "GPU 1")
    going.cell_started(CELLS[2], "GPU 0")
    clock.now += 100
    going.note(CELLS[1], "check train_fp32")
    clock.now += 40
    assert heartbeat(going.snapshot()) == (
        "still going: 1 of 7 done (1 fail), 2 of 2 lanes busy, about 10 s to go"
        "; longest e1@host: check train_fp32 for 40 s (2 min in all)"
        "; being made ready image: pulling 120 MB of 2 GB for 3 min (3 min in all) and 1 more"
    )


# ---------------------------------------------------------------- the state


def test_the_time_to_go_is_what_is_left_over_the_lanes() -> None:
    clock = Clock()
    going = Going({"e0@host": 100.0, "e1@host": 20.0}, clock)
    going.planned(CELLS[:3], ["a", "b"])
    assert going.snapshot().to_go is None  # nobody knows of e2
    going.cell_started(CELLS[1], "a")
    clock.now += 40
    going.cell_finished(result(env="e1"))  # 40 s is now what a cell takes that nobody knows of
    assert going.snapshot().to_go == 70  # 100 and 40 on two lanes
    going.cell_started(CELLS[0], "a")
    clock.now += 10
    assert going.snapshot().to_go == 90  # no sooner than the one that runs
    going.cell_started(CELLS[2], "b")
    clock.now += 1000
    assert going.snapshot().to_go == 0


def test_cells_are_counted_once_and_only_those_that_something_is_done_for() -> None:
    going = Going({}, Clock())
    going.planned(CELLS[:3], ["a"])
    going.cell_started(CELLS[0], "a")
    going.cell_started(CELLS[0], "a")  # tried again
    for each in (result(env="e0"), result(env="e0"), result(env="e1", cached=True, origin=EARLIER), result(env="not planned")):
        going.cell_finished(each)
    shown = going.snapshot()
    assert (shown.done, shown.total, shown.cached, shown.counts) == (2, 3, 1, {Status.PASS: 2})
    assert summary(shown) == "2 of 3 done (2 pass, 1 of them cached), 0 of 1 lane busy, about 0 s to go"


def test_a_note_on_what_is_not_going_on_is_passed_over() -> None:
    going = Going({}, Clock())
    assert not going.note(CELL, "late")
    going.cell_started(CELL, "a")
    assert going.note(CELL, "first")
    assert not going.note(CELL, "second\n::error::")
    (running,) = going.snapshot().running
    assert running.doing == "second ::error::"
    assert going.acquired(environment("never begun")) == 0.0


def test_many_threads_lose_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    cells = [cell(environment(f"e{number}")) for number in range(400)]
    with make_progress(Output()) as shown:
        shown.planned(cells, [str(number) for number in range(8)])

        def work(lane: int) -> None:
            for each in cells[lane::8]:
                shown.cell_started(each, str(lane))
                shown.note(each, "check import")
                shown.cell_finished(result(env=each.environment))

        threads = [threading.Thread(target=work, args=(lane,)) for lane in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 800
    assert lines[-1].endswith("400 of 400 done)")


@pytest.mark.parametrize(("seconds", "said"), [(-1, "0 s"), (8.4, "8 s"), (119, "119 s"), (120, "2 min"), (12_000, "3 h 20 min")])
def test_a_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_a_stream_that_is_gone_ends_the_thread_and_nothing_else() -> None:
    called = []

    def gone() -> None:
        called.append(1)
        raise OSError(5, "Input/output error")

    ticking = Ticking(0.001, gone)
    ticking.start()
    ticking._thread.join(30)
    assert called == [1]
    ticking.stop()


# ---------------------------------------------------------------- the view


def going_on(lanes: int, running: int, making: int = 0) -> Snapshot:
    """So many lanes, on the first of them cells, and environments being made ready."""
    names = tuple(f"GPU {number}" for number in range(lanes))
    return Snapshot(
        now=100.0,
        done=3,
        total=5000,
        counts={Status.PASS: 2, Status.FAIL: 1},
        cached=0,
        lanes=names,
        running=tuple(
            Doing(f"cell{n}-漢字@host", names[n], 10 + n / 10, f"check train_amp_fp16 {n}", 90) for n in range(running)
        ),
        making=tuple(Doing(f"image{n}", "", 90.0, "pulling 120 MB of 2.1 GB", 90.0) for n in range(making)),
        to_go=250.0,
    )


@pytest.mark.parametrize("width", [10, 20, 40, 80, 120, 200])
@pytest.mark.parametrize("height", [1, 4, 10, 24, 100])
@pytest.mark.parametrize(("lanes", "running", "making"), [(0, 0, 0), (1, 1, 0), (2, 1, 3), (64, 64, 0), (64, 20, 9), (64, 0, 40)])
def test_the_view_fits_every_terminal(width: int, height: int, lanes: int, running: int, making: int) -> None:
    made = [row.plain for row in rows(going_on(lanes, running, making), width, height)]
    assert all(cell_len(row) < width for row in made)
    assert len(made) <= max(3, height - 1)
    assert made[-1]


def test_the_view_says_what_every_lane_does_and_for_how_long() -> None:
    made = [row.plain for row in rows(going_on(2, 1, 1), 80, 24)]
    assert made == [
        "GPU 0  cell0-漢字@host  check train_amp_fp16 0 0:10                        1:30",
        "GPU 1  idle",
        "+      image0           pulling 120 MB of 2.1 GB 0:10                      0:10",
        "3 of 5000 done (2 pass, 1 fail), 1 of 2 lanes busy, about 4 min to go",
    ]


def test_a_cell_on_several_lanes_is_shown_on_each_and_two_on_one_are_both_shown() -> None:
    going = Going({}, Clock())
    going.planned(CELLS, ["GPU 0", "GPU 1", "CPU"])
    going.cell_started(CELLS[0], "GPU 0, GPU 1")
    going.cell_started(CELLS[1], "CPU")
    going.cell_started(CELLS[2], "CPU")
    going.cell_started(CELLS[3], "new")
    made = [" ".join(row.plain.split()) for row in rows(going.snapshot(), 80, 24)]
    assert made == [
        "GPU 0 e0@host 0:00",
        "GPU 1 e0@host 0:00",
        "CPU e1@host 0:00",
        "CPU e2@host 0:00",
        "new e3@host 0:00",
        "0 of 7 done, 3 of 3 lanes busy",
    ]


def test_of_many_lanes_the_longest_are_shown_and_the_others_counted() -> None:
    made = [row.plain for row in rows(going_on(64, 64, 9), 80, 24)]
    assert len(made) == 23 - 1
    assert made[0].startswith("GPU 0   cell0")
    assert sum(row.startswith("GPU") for row in made) == 17
    assert sum(row.startswith("+") for row in made) == 3
    assert made[-2] == "… and 47 more running, 6 more being made ready"
