"""``validator run``: what is printed, written and kept, and how it ends; the cells themselves are another room's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from values import BARE_HOST

from validator.base.errors import StoreError
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
        self.of: Callable[[Any], CellResult] = lambda each: measured(each, Status.PASS)
        self.interrupted = False

        def choose(name: str, _: object, context: RunContext) -> tuple[Runner, str]:
            self.asked_for, self.context = (name,), context
            return self.runner, "it answers"

        def execute(plan: Plan, _matrix: object, runner: object, keeper: Store, *_: object, **__: object) -> Execution:
            assert runner is self.runner
            results = tuple(map(self.of, plan.cells))
            for each in results:
                keeper.keep(each)
            return Execution(results, self.interrupted)

        monkeypatch.setattr("validator.cli.run.choose", choose)
        monkeypatch.setattr("validator.run.execute", execute)

    def run(self, *options: str) -> Result:
        done = CliRunner(env={"COLUMNS": "120"}).invoke(cli, ["run", *options])
        assert self.runner.closed
        return done


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
