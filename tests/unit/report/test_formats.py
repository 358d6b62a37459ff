"""The one registry: every format shows every kind of report with all that a reader must be told, whatever text is in it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from values import BARE_HOST, HOST_TARGET, HOSTILE, L4_HOST, assumed, cell, check_result, environment, every_kind, report, result

from validator.base.errors import InvalidInputError
from validator.model import (
    Action,
    ActionReason,
    Basis,
    Because,
    Finding,
    Outlook,
    Plan,
    Prediction,
    Report,
    Severity,
    Status,
    Target,
)
from validator.report import FORMATS, Forecast, files, render
from validator.verdict.agreement import foretold

T4 = Target("t4-535", gpu="Tesla T4", driver="535.183.01")
TOO_OLD = Finding("driver_too_old", Severity.FAIL, "535.183.01 is too old", None, ("535 < 580",), "install 580", "a page")
FAILS = Prediction(Outlook.FAIL, ("driver_too_old",), findings=(TOO_OLD,), assumptions=assumed("it is a T4"))


def said(words: str, text: str) -> ActionReason:
    """A reason with text that comes from outside: a runner's own words."""
    return ActionReason(Because.NOT_SUPPORTED, words + text)


def forecast(text: str = "") -> Forecast:
    """A plan that measures a cell, opens one and leaves one; ``text`` is in all that comes from outside."""
    cells = (
        cell(environment("a"), HOST_TARGET, why=said("a GPU is here", text)),
        cell(environment("b"), T4, action=Action.INSPECT, why=said("opened without a GPU", text), predicted=FAILS),
        cell(environment("c"), T4, action=Action.SKIP, why=said("not this machine", text), expect=Status.PASS, predicted=FAILS),
    )
    plan = Plan(cells, "docker", f"assumed{text}")
    return Forecast(plan, tuple(map(foretold, cells)), L4_HOST, f"my.yaml{text}", "2026-11-25", "0.1.0")


def hostile() -> Report:
    """A report whose every text comes from somebody who means harm."""
    found = (Finding(HOSTILE, Severity.FAIL, HOSTILE),)
    prediction = Prediction(Outlook.FAIL, (HOSTILE,), findings=found, assumptions=assumed(HOSTILE))
    return report(
        result(
            Status.FAIL,
            environment("e" + HOSTILE),
            HOSTILE,
            HOSTILE,
            checks=(check_result(message=HOSTILE, died=HOSTILE, output=HOSTILE),),
            findings=(Finding(HOSTILE, Severity.FAIL, HOSTILE, HOSTILE, (HOSTILE,), HOSTILE, HOSTILE),),
            notes=(HOSTILE,),
            digest=HOSTILE,
            log_tail=HOSTILE,
            predicted=replace(prediction, status=Outlook.PASS),
            agrees=False,
        ),
        result(Status.FAIL, "foretold", HOSTILE, HOSTILE, Basis.PREDICTED, predicted=prediction, findings=prediction.findings),
        result(Status.SKIP, "left", HOSTILE, HOSTILE),
        runner_reason=HOSTILE,
        matrix=HOSTILE,
        id_=HOSTILE,
    )


KINDS = {
    "every status": every_kind(),
    "nothing": report(),
    "no GPU and no engine": report(result(), host=BARE_HOST),
    "interrupted": report(result(), interrupted=True),
    "hostile": hostile(),
    "a plan": forecast(),
    "a plan of nothing": replace(forecast(), plan=Plan((), "docker", "assumed"), cells=()),
    "a hostile plan": forecast(HOSTILE),
}


def words(format_name: str, shown: Report | Forecast) -> str:
    """What a reader of a format is told, without its markup, its escapes and its line breaks."""
    text = render(format_name, shown, width=500)
    if format_name == "json":
        text = "\n".join(_leaves(json.loads(text)))
    if format_name == "markdown":
        text = html.unescape(re.sub(r"\\([\\`*_\[\]|~$])", r"\1", text)).replace("\u200b", "")
    return " ".join(text.split())


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)
    else:
        yield str(value)


@pytest.mark.parametrize("width", [None, 20, 80, 200])
@pytest.mark.parametrize("shown", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_shows_every_kind_with_each_of_its_cells(name: str, shown: Report | Forecast, width: int | None) -> None:
    text = render(name, shown, width=width)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert not any(bad in text for bad in "\x1b\u202e\u200b\x9b\x00\r")
    assert re.findall(r"^\s*::[a-z]|##[a-z]*\[|section_start:\d", text, re.MULTILINE) == []
    for each in shown.cells:
        assert re.sub(r"\W", "", each.environment.id[:15]) in re.sub(r"\W", "", text)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "told",
    [
        "20261124T120000Z-a1b2c3",
        "2026-11-24T12:00:00+00:00",
        "matrix.yaml",
        "0.1.0",
        "docker",
        "an engine answers",
        "580.95.05",
        "13.0",
        "NVIDIA L4",
        "8.9",
        "27.1.1",
        "1.17.0",
    ],
)
def test_every_format_says_which_run_it_was_and_on_what_machine(name: str, told: str) -> None:
    assert told in words(name, every_kind())
    assert told in words(name, report())


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_why_there_is_no_gpu_and_no_engine(name: str) -> None:
    said = words(name, report(result(), host=BARE_HOST))
    assert "no NVIDIA driver is loaded" in said
    assert "nothing listens at /run/docker.sock" in said


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "told",
    [
        *(status.value for status in Status),
        "measured",
        "train_amp_fp16: died",
        "loss did not fall",
        "signal 11 (SIGSEGV)",
        "required",
        "sm-missing",
        "no kernel",
        "seen",
        "take cu128",
        "docs",
        "sha256:" + "ab" * 32,
        "the configured index was used",
        "last words",
        "bf16 emulated",
        "pull refused",
        "this machine is not the target",
    ],
)
def test_every_format_says_what_came_of_each_cell(name: str, told: str) -> None:
    assert told in words(name, every_kind())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "told",
    ["docker", "assumed", "2026-11-25", "a@host", "b@t4-535", "a GPU is here", "opened without a GPU", "driver_too_old",
     "535.183.01 is too old", "install 580", "it is a T4", "fail", "skip"],
)  # fmt: skip
def test_every_format_says_what_a_plan_foretells_and_what_a_run_would_do(name: str, told: str) -> None:
    assert told in words(name, forecast())


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_a_plan_says_what_it_is_and_has_no_run(name: str) -> None:
    said = words(name, forecast())
    assert "Predicted: nothing was run" in said
    assert "run: matrix my.yaml, facts of 2026-11-25, validator 0.1.0" in said
    assert "runner: docker (assumed)" in said
    assert "NVIDIA L4" in said
    assert "27.1.1" not in said  # no engine is asked
    assert "started" not in said
    assert "INTERRUPTED" not in said.upper()
    assert "measure: a GPU is here" in said
    assert "open: opened without a GPU" in said
    assert "run nothing for the other cell: it keeps what is predicted" in said
    assert "--inspect" not in said  # something is opened already


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_a_plan_that_opens_nothing_says_how_to(name: str) -> None:
    only = forecast().plan.cells[2]
    shown = replace(forecast(), plan=Plan((only,), "docker", "assumed"), cells=(foretold(only),))
    assert "it keeps what is predicted (--inspect opens the images as well)" in words(name, shown)


def test_what_would_be_measured_stands_before_what_would_be_opened() -> None:
    cells = tuple(reversed(forecast().plan.cells))
    shown = replace(forecast(), plan=Plan(cells, "docker", "assumed"), cells=tuple(map(foretold, cells)))
    said = words("table", shown)
    assert said.index("measure: a GPU is here") < said.index("open: opened without") < said.index("run nothing for")


def test_the_title_of_a_run_is_none_on_a_terminal_and_the_matrix_in_markdown() -> None:
    assert render("markdown", report()).startswith("# PyTorch environments on their targets\n")
    assert "Predicted" not in render("table", report(result()))


def test_an_unknown_format_is_refused_naming_those_there_are() -> None:
    with pytest.raises(InvalidInputError, match="table, markdown, json"):
        render("pdf", every_kind())


def test_a_run_writes_the_formats_that_have_a_file() -> None:
    written = files(every_kind())
    assert {file: "".join(text) for file, text in written.items()} == {
        "report.md": render("markdown", every_kind()),
        "results.json": render("json", every_kind()),
    }
    assert "".join(written["report.md"]) == str(written["report.md"])  # as often as it is asked for
