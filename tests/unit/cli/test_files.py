"""The commands that write or read files: init, schema, report."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from values import L4_HOST, cell, environment, every_kind, result, run_info

from validator.base.errors import InvalidInputError, StoreError
from validator.cli import cli
from validator.cli.output import Output
from validator.matrix import schema_text
from validator.matrix.loader import load
from validator.report import render
from validator.results import Store, dump


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def asked(*args: str) -> Result:
    return CliRunner(env={"COLUMNS": "90"}).invoke(cli, list(args))


# ---------------------------------------------------------------- init


@pytest.mark.parametrize("folder", [None, "deep/down"])
def test_init_writes_a_matrix_that_loads_with_its_schema_and_image(folder: str | None) -> None:
    done = asked("init", *([folder] if folder else []))
    assert done.exit_code == 0
    into = Path(folder or ".")
    assert len(load(into / "matrix.yaml").environments) > 2
    first = (into / "matrix.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=matrix.schema.json"
    assert (into / "matrix.schema.json").read_text(encoding="utf-8") == schema_text()
    assert (into / "images" / "wheel" / "Dockerfile").is_file()
    written = f"written: {into / 'matrix.yaml'}, {into / 'matrix.schema.json'}, {into / 'images'}/"
    assert done.stdout.splitlines()[0] == written


@pytest.mark.parametrize("name", ["matrix.yaml", "images", "matrix.schema.json"])
def test_init_overwrites_nothing_and_then_writes_nothing(name: str) -> None:
    Path(name).mkdir()
    done = asked("init")
    assert isinstance(done.exception, InvalidInputError)
    assert done.exception.what == f"{name} exists already"
    assert [path.name for path in Path().iterdir()] == [name]


def test_init_where_nothing_can_be_written() -> None:
    Path("file").touch()
    done = asked("init", "file/inside")
    assert isinstance(done.exception, StoreError)
    assert "cannot be written" in done.exception.what


# ---------------------------------------------------------------- schema


def test_the_schema_is_printed() -> None:
    assert json.loads(asked("schema").stdout) == json.loads(schema_text())


@pytest.mark.parametrize(("options", "name"), [(["--write"], "matrix.schema.json"), (["--write", "mine.json"], "mine.json")])
def test_the_schema_is_written(options: list[str], name: str) -> None:
    done = asked("schema", *options)
    assert (done.stdout, done.stderr) == ("", f"written: {name}\n")
    assert Path(name).read_text(encoding="utf-8") == schema_text()


def test_a_schema_that_cannot_be_written() -> None:
    done = asked("schema", "--write", "no/such/folder.json")
    assert isinstance(done.exception, StoreError)
    assert done.exception.why == "No such file or directory"


# ---------------------------------------------------------------- report


@pytest.fixture(name="history")
def history_of_two_runs() -> Path:
    store = Store(Path("out"))
    for name in ("first", "second"):
        of = environment(f"env-{name}")
        store.begin_run(run_info(f"run-{name}"), L4_HOST, [cell(of)])
        store.keep(result(env=of))
        store.finish_run(run_info(f"run-{name}"))
    return Path("out")


def test_a_report_of_the_history_is_the_latest_or_the_one_named(history: Path) -> None:
    assert "run-second" in asked("report", "--out", str(history)).stdout
    first = asked("report", "--out", str(history), "--run", "run-first").stdout
    assert "run-first" in first
    assert "env-first" in first
    assert "env-second" not in first


def test_a_report_of_a_file_needs_no_history() -> None:
    Path("results.json").write_text(dump(every_kind()), encoding="utf-8")
    assert asked("report", "results.json").stdout == render("table", every_kind(), width=90)
    assert asked("report", "results.json", "--format", "markdown").stdout == render("markdown", every_kind())
    assert asked("report", "results.json", "--format", "json").stdout == render("json", every_kind())
    assert not Path(".validator").exists()


def test_a_report_is_coloured_where_the_output_is(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("results.json").write_text(dump(every_kind()), encoding="utf-8")
    monkeypatch.setattr(Output, "color", True)
    assert asked("report", "results.json").stdout == render("table", every_kind(), width=90, color=True)
    assert "\x1b[1;31mfail\x1b[0m" in asked("plan").stdout


def test_a_report_is_of_a_file_or_of_a_run(history: Path) -> None:
    done = asked("report", "results.json", "--run", "run-first", "--out", str(history))
    assert done.exit_code == click.UsageError.exit_code
    assert "either FILE or --run" in done.output


def test_a_file_is_no_folder_of_results() -> None:
    Path("file").touch()
    assert asked("report", "--out", "file").exit_code == click.UsageError.exit_code


def test_without_a_history_there_is_nothing_to_report_and_none_is_made() -> None:
    assert isinstance(asked("report").exception, StoreError)
    assert not Path(".validator").exists()
