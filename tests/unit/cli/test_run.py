"""``validator run``: what is printed, written and kept, and how it ends; the cells themselves are another room's."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from values import BARE_HOST

from validator.base.errors import InvalidInputError, NothingSelectedError, StoreError, ValidatorError
from validator.cli import cli
from validator.cli.output import Output
from validator.model import Basis, CellResult, HostInfo, Plan, Status, not_run
from validator.results import Store
from validator.run import Execution
from validator.runners.base import RunContext

MATRIX = """\
version: 1
environments:
  - {image: "mine/torch:{torch}", torch: ["2.7.1", "2.6.0"], cuda: [cpu]}
targets: [host]
"""


class Runner:
    """A runner that can do everything and is asked for nothing."""

    name = "docker"
    contained = True

    def __init__(self) -> None:
        self.closed = False

    def host(self) -> HostInfo:
        return BARE_HOST

    def supports(self, _: object) -> None:
        return None

    def close(self) -> None:
        self.closed = True


class Bench:
    """`validator run` with a machine, a runner and an execution that are not real."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runner = Runner()
        self.context: RunContext | None = None
        self.asked_for: tuple[str, ...] = ()
        self.of: Callable[[Any], CellResult | None] = lambda each: measured(each, Status.PASS)
        self.interrupted = False
        self.signal: int | None = None
        self.problem: StoreError | None = None
        self.left: tuple[str, ...] = ()
        self.settings: Any = None
        self.known: Any = None

        def choose(name: str, _: object, context: RunContext) -> tuple[Runner, str]:
            self.asked_for, self.context = (name,), context
            return self.runner, "it answers"

        def execute(plan: Plan, _matrix: object, runner: object, keeper: Store, *_: object, **more: Any) -> Execution:
            assert runner is self.runner
            self.settings, self.known = more["settings"], more["known"]
            results = []
            for each in plan.cells:
                stands = self.known.results.get(each.id)
                result = stands or self.of(each)
                if result is None:
                    result = not_run(each, Status.SKIP, "the run was interrupted before this cell")
                    keeper.keep_all([result], final=False)
                elif stands is None:
                    keeper.keep_all([result])
                results.append(result)
            if self.interrupted:
                more["stop"].ask(signal=self.signal)
            return Execution(tuple(results), self.interrupted, self.problem, self.left)

        monkeypatch.setattr("validator.cli.run.choose", choose)
        monkeypatch.setattr("validator.run.execute", execute)

    def run(self, *options: str) -> Result:
        done = CliRunner(env={"COLUMNS": "120"}).invoke(cli, ["run", *options])
        assert self.runner.closed or done.exception
        self.runner.closed = False
        return done

    def refused(self, *options: str) -> Result:
        """Of options that cannot be."""
        return CliRunner().invoke(cli, ["run", *options])


def measured(each: Any, status: Status) -> CellResult:
    result = not_run(each, status, "it was run")
    return CellResult(**{**vars(result), "basis": Basis.MEASURED if status.is_fact else None})


@pytest.fixture(name="bench")
def bench_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    Path("matrix.yaml").write_text(MATRIX, encoding="utf-8")
    return Bench(monkeypatch)


def test_the_report_is_printed_written_and_kept_under_one_id(bench: Bench) -> None:
    done = bench.run()
    assert done.exit_code == 0
    found = re.search(r"^run (\d{8}T\d{6}Z-[0-9a-f]{6}): cells: 2, runner docker \(it answers\)$", done.stderr, re.MULTILINE)
    assert found is not None
    run_id = found[1]
    assert f"run: {run_id}, started " in done.stdout
    assert "runner: docker (it answers)" in done.stdout
    assert "2 pass, 0 degraded" in done.stdout
    assert bench.context is not None
    assert (bench.context.run_id, bench.context.keep) == (run_id, False)
    folder = Path(".validator")
    for name in ("report.md", "results.json"):
        assert (folder / "latest" / name).read_bytes() == (folder / "runs" / run_id / name).read_bytes()
    written = json.loads((folder / "latest" / "results.json").read_text(encoding="utf-8"))
    assert written["run"]["id"] == run_id
    assert (written["run"]["matrix"], written["run"]["interrupted"]) == ("matrix.yaml", False)
    assert written["run"]["started"].endswith("+00:00")
    assert written["run"]["seconds"] > 0
    assert done.stderr.endswith("written: .validator/latest/report.md and .validator/latest/results.json\n")
    kept = Store(folder, create=False).load_report()
    assert (kept.run.id, kept.run.interrupted) == (run_id, False)
    assert len(kept.cells) == 2


def test_options_reach_those_who_act_on_them(bench: Bench) -> None:
    done = bench.run("--runner", "local", "--keep", "-e", "torch2.6*", "--out", "elsewhere", "--format", "json")
    assert bench.asked_for == ("local",)
    assert bench.context is not None
    assert bench.context.keep
    assert [each["id"] for each in json.loads(done.stdout)["cells"]] == ["torch2.6.0-cpu@host"]
    assert Path("elsewhere/latest/report.md").is_file()
    assert not Path(".validator").exists()


@pytest.mark.parametrize(
    ("status", "options", "code"),
    [
        (Status.FAIL, [], 1),
        (Status.DEGRADED, [], 0),
        (Status.DEGRADED, ["--strict"], 1),
        (Status.ERROR, [], 4),
    ],
)
def test_how_it_ends(status: Status, options: list[str], code: int, bench: Bench) -> None:
    bench.of = lambda each: measured(each, status)
    assert bench.run(*options).exit_code == code


def test_the_table_is_coloured_where_the_output_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Output, "color", True)
    assert "\x1b[32mpass\x1b[0m" in bench.run().stdout


def test_an_interrupted_run_says_so_everywhere(bench: Bench) -> None:
    bench.interrupted = True
    done = bench.run()
    assert done.exit_code == 130
    assert done.stdout.startswith("INTERRUPTED")
    assert json.loads(Path(".validator/latest/results.json").read_text(encoding="utf-8"))["run"]["interrupted"] is True


def test_what_was_measured_is_shown_even_where_it_cannot_be_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("no room", why="the disk is full", hint="make room")

    monkeypatch.setattr(Store, "write_reports", refuse)
    done = bench.run()
    assert "2 pass" in done.stdout
    assert isinstance(done.exception, StoreError)
    assert (done.exception.what, done.exception.why) == ("no room", "the disk is full")
    assert done.exception.hint.startswith("make room; ")
    assert "written:" not in done.stderr
    assert len(Store(Path(".validator"), create=False).load_report().cells) == 2


# ---------------------------------------------------------------- runs that follow one another


def newest() -> dict[str, dict[str, Any]]:
    cells = json.loads(Path(".validator/latest/results.json").read_text(encoding="utf-8"))["cells"]
    return {each["id"]: each for each in cells}


def ids(done: Result) -> list[str]:
    found = re.search(r"^run (\S+):", done.stderr, re.MULTILINE)
    assert found is not None, done.stderr
    return [found[1]]


def ended(done: Result) -> int:
    """The exit code of what ended with an error of ours, which ``main`` makes of it."""
    assert isinstance(done.exception, ValidatorError)
    return int(done.exception.exit_code)


def test_a_filtered_run_adds_to_the_newest_results_of_all_cells(bench: Bench) -> None:
    [first] = ids(bench.run())
    bench.of = lambda each: measured(each, Status.FAIL)
    [second] = ids(bench.run("-e", "torch2.6*"))
    both = newest()
    assert list(both) == ["torch2.7.1-cpu@host", "torch2.6.0-cpu@host"], "in the order of the matrix"
    assert [each["status"] for each in both.values()] == ["pass", "fail"]
    assert both["torch2.7.1-cpu@host"]["origin"]["run"] == first
    runs = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in Path(".validator/runs").glob("*/results.json")
    }
    assert {run: len(of["cells"]) for run, of in runs.items()} == {first: 2, second: 1}


def test_only_what_failed_the_last_time_is_run_again(bench: Bench) -> None:
    bench.of = lambda each: measured(each, Status.FAIL if "2.6" in each.id else Status.PASS)
    assert ended(bench.run("--rerun-failed")) == 5, "nothing was run yet"
    bench.run()
    bench.of = lambda each: measured(each, Status.PASS)
    done = bench.run("--rerun-failed", "--format", "json")
    assert [each["id"] for each in json.loads(done.stdout)["cells"]] == ["torch2.6.0-cpu@host"]
    assert [each["status"] for each in newest().values()] == ["pass", "pass"]
    assert ended(bench.run("--rerun-failed")) == 5


def test_the_parts_of_a_matrix_are_together_all_of_it(bench: Bench) -> None:
    parts = [json.loads(bench.run("--shard", f"{part}/2", "--format", "json").stdout)["cells"] for part in (1, 2)]
    assert [[each["id"] for each in part] for part in parts] == [["torch2.7.1-cpu@host"], ["torch2.6.0-cpu@host"]]
    assert len(newest()) == 2
    assert ended(bench.run("--shard", "3/3")) == 5
    for wrong in ("0/2", "3/2", "x", "1/0", "1", "-1/2"):
        assert bench.refused("--shard", wrong).exit_code == 2


def test_a_run_that_was_interrupted_is_taken_up_under_its_id(bench: Bench) -> None:
    bench.interrupted = True
    bench.of = lambda each: None if "2.6" in each.id else measured(each, Status.PASS)
    first = bench.run()
    assert first.exit_code == 130
    bench.interrupted = False
    bench.of = lambda each: measured(each, Status.PASS)
    done = bench.run("--resume")
    assert done.exit_code == 0, done.output
    assert ids(done) == ids(first)
    assert "cells: 2, 1 of them done" in done.stderr
    assert list(bench.known.results) == ["torch2.7.1-cpu@host"]
    assert [each["status"] for each in newest().values()] == ["pass", "pass"]
    assert ended(bench.run("--resume")) == 5


def test_a_run_is_taken_up_as_it_was_begun(bench: Bench) -> None:
    bench.interrupted = True
    bench.of = lambda each: None
    bench.run("--quick", "--inspect", "--runner", "docker")
    bench.interrupted = False
    bench.of = lambda each: measured(each, Status.PASS)
    done = bench.run("--resume", "--format", "json")
    assert bench.asked_for == ("docker",)
    run = json.loads(done.stdout)["run"]
    assert (run["quick"], run["inspect"]) == (True, True)
    for options in (["-e", "*"], ["-t", "host"], ["--shard", "1/2"], ["--rerun-failed"]):
        refused = bench.refused("--resume", *options)
        assert isinstance(refused.exception, InvalidInputError)


def test_a_run_is_taken_up_by_its_id_if_it_is_one_of_this_matrix(bench: Bench) -> None:
    bench.interrupted = True
    [run] = ids(bench.run())
    Path("other.yaml").write_text(MATRIX, encoding="utf-8")
    refused = bench.run("-m", "other.yaml", "--resume", run)
    assert isinstance(refused.exception, NothingSelectedError)
    assert "matrix.yaml" in str(refused.exception)
    bench.interrupted = False
    assert ids(bench.run("--resume", run)) == [run]
    assert isinstance(bench.run("--resume", "no-such-run").exception, StoreError)


def test_what_is_used_again_is_asked_of_the_history_unless_all_is_to_be_measured(bench: Bench) -> None:
    bench.run()
    asked: list[Any] = []

    def reusable(store: Store, keys: Any, *, not_before: datetime | None = None) -> dict[str, CellResult]:
        asked.append(not_before)
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "reusable", reusable)
        bench.run()
        bench.known.reusable(["key"])
        bench.run("--max-age", "7d")
        bench.known.reusable(["key"])
        bench.run("--fresh")
        assert bench.known.reusable(["key"]) == {}
    without, week = asked
    assert without is None
    assert timedelta(days=7) - timedelta(minutes=5) < datetime.now(timezone.utc) - week < timedelta(days=7, minutes=5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"max_failures": None, "prune": False}),
        (["--fail-fast"], {"max_failures": 1}),
        (["--max-failures", "3"], {"max_failures": 3}),
        (["--jobs", "7"], {"jobs": 7, "side_by_side": 7}),
        (["--prune"], {"prune": True}),
    ],
)
def test_how_it_is_to_go_reaches_the_execution(options: list[str], expected: dict[str, Any], bench: Bench) -> None:
    bench.run(*options)
    assert {name: getattr(bench.settings, name) for name in expected} == expected
    assert bench.settings.jobs >= 1
    assert bench.settings.side_by_side >= 1


@pytest.mark.parametrize("options", [["--jobs", "0"], ["--max-failures", "0"], ["--max-age", "soon"], ["--busy", "maybe"]])
def test_what_makes_no_sense_is_refused(options: list[str], bench: Bench) -> None:
    assert bench.refused(*options).exit_code == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (None, 130)])
def test_a_signal_is_in_the_exit_code_whatever_came_of_the_cells(number: int | None, code: int, bench: Bench) -> None:
    bench.interrupted = True
    bench.signal = number
    assert bench.run().exit_code == code


def test_what_could_not_be_kept_is_said_after_what_was_measured(bench: Bench) -> None:
    bench.problem = StoreError("no room", why="the disk is full", hint="make room")
    done = bench.run()
    assert "2 pass" in done.stdout
    assert ended(done) == 4


def test_what_could_not_be_ended_is_named(bench: Bench) -> None:
    bench.left = ("validator-1", "validator-2")
    done = bench.run()
    assert all(f"still there: {name}; " in done.stderr for name in bench.left)


def test_what_dead_runs_left_is_swept_once_this_run_is_claimed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, the containers of the very run that is taken up would be taken for those of a dead one."""
    order: list[str] = []

    class Reaper:
        problem = None

        @classmethod
        def start(cls, *_: object, **__: object) -> Reaper:
            order.append("claimed")
            return cls()

        def dismiss(self) -> None:
            order.append("dismissed")

    monkeypatch.setattr("validator.run.watchdog.Reaper", Reaper)
    monkeypatch.setattr("validator.cli.sweeping.sweep_up", lambda *_: order.append("swept"))
    bench.run()
    assert order == ["claimed", "swept", "dismissed"]
