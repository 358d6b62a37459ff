"""results.json, schema_version 1: its names are frozen, and what was written can be read again, or is refused in plain words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from values import HOSTILE, L4, L4_HOST, check_result, every_kind, report, result, run_info

from validator.base.errors import ExitCode, ReportFileError
from validator.model import (
    Assumption,
    AssumptionKind,
    BuiltImage,
    CellResult,
    HostInterpreter,
    Mismatch,
    Missing,
    MissingKind,
    Outlook,
    Prediction,
    PulledImage,
    RanOn,
    Report,
    Status,
)
from validator.results import dump, load
from validator.results.json_v1 import dump_cell, load_cell

#: Every field of schema_version 1, by the path of the object it is in. A change here is a new schema version.
FROZEN = {
    "": "schema_version tool run host cells summary unknown_findings",
    "tool": "name version",
    "run": "id started seconds runner runner_reason interrupted matrix",
    "host": "nvml engine system python cpu_count memory_bytes kernel_modules",
    "host.nvml": "driver_version cuda_driver_version gpus problem problem_kind",
    "host.nvml.gpus": "index uuid name compute_capability memory_total_bytes memory_free_bytes mig_enabled mig_devices"
    " ecc_enabled compute_mode processes clocks problem",
    "host.nvml.gpus.clocks": "sm_hz sm_max_hz power_limit_watts power_default_watts throttle_reasons",
    "host.nvml.gpus.processes": "pid name memory_bytes",
    "host.engine": "name version api_version address runtimes default_runtime cdi_dirs cdi_devices toolkit_version"
    " toolkit_mode problem",
    "cells": "id environment target status basis predicted agrees findings checks seconds cached reason notes expect"
    " unexpected content log_tail",
    "cells.environment": "id torch cuda python image digest",
    "cells.target": "id gpu compute_capability driver is_host",
    "cells.predicted": "status causes basis findings assumptions missing assumption_kinds missing_kinds",
    "cells.findings": "cause family severity message evidence remedy source",
    "cells.checks": "name status seconds message metrics level died output",
    "cells.seconds": "acquire start probe total",
    "cells.content": "torch cuda python arch_list libc numpy cudnn platform variables labels compat_driver from_image",
    "cells.content.variables": "NVIDIA_REQUIRE_CUDA",
    "cells.content.labels": "maintainer.cuda",
    "summary": "pass degraded fail error skip",
}
#: What was added since; older files lack it.
ADDED = {
    "host.nvml.gpus.processes": "computes mig_device",
    "host.engine": "components",
    "host.engine.components": "name version commit",
    "": "hosts",
    "run": "inspect quick",
    "host": "id",
    "cells": "mismatches ran_on origin attempts",
    "cells.environment": "where",
    "cells.environment.where": "file line",
    "cells.target": "where",
    "cells.target.where": "file line",
    "cells.mismatches": "what said found",
    "cells.ran_on": "host gpu_uuid runner alone beside exclusive",
    "cells.origin": "run at",
    "cells.attempts": "at problem seconds",
}
#: As `validator` 0.1.0 wrote it: a report with every status, every kind of source, and a value in every field.
OLD = Path(__file__).parent / "data" / "results-0.1.0.json"


def names(tree: Any, path: str = "") -> dict[str, set[str]]:
    """The field names of every object of a document; those of a list's items count as one."""
    found: dict[str, set[str]] = {}
    if isinstance(tree, list):
        for item in tree:
            found.update({key: found.get(key, set()) | value for key, value in names(item, path).items()})
    elif isinstance(tree, dict):
        found[path] = set(tree)
        for key, item in tree.items():
            if path == "" and key == "hosts":  # by id; each is what ``host`` is
                item = list(item.values())
            if key != "metrics":  # the names in there are the probe's
                found.update(names(item, f"{path}.{key}".lstrip(".")))
    return found


def test_field_names_are_those_of_schema_version_1() -> None:
    expected = {path: set(fields.split()) for path, fields in FROZEN.items()}
    for path, fields in ADDED.items():
        expected[path] = expected.get(path, set()) | set(fields.split())
    hosts = {"hosts" + path.removeprefix("host"): fields for path, fields in expected.items() if path.partition(".")[0] == "host"}
    expected |= hosts
    assert names(json.loads(dump(every_kind()))) == expected


def test_a_file_of_the_first_release_is_read_and_lacks_only_what_was_added() -> None:
    read, now = load(OLD.read_text(encoding="utf-8")), every_kind()
    assert [cell.status for cell in read.cells] == [cell.status for cell in now.cells]
    engine = replace(read.host.engine, components=now.host.engine.components)
    assert replace(read.host, id=now.host.id, engine=engine) == now.host
    assert read.hosts == {"host": read.host}
    for before, after in zip(read.cells, now.cells, strict=True):
        assert (before.ran_on, before.mismatches, before.target.where) == (None, (), None)
        assert str(before.environment.where) == "results.json:0"
        assert read.host_of(before) is read.host
        fields = "reason basis checks findings content digest notes seconds expect agrees log_tail"
        for field in fields.split():
            assert getattr(before, field) == getattr(after, field)


def test_where_a_cell_ran_and_which_line_asks_for_it_are_kept() -> None:
    read = load(dump(every_kind()))
    first = read.cells[0]
    assert first.ran_on == RanOn("gpu-a1", "GPU-1", "docker", alone=True)
    assert read.host_of(first).gpu_with("GPU-1") == L4
    assert first.mismatches == (Mismatch("torch", "2.6.0", "2.7.1+cu126"), Mismatch("cuda", "12.6", None))
    assert (str(first.environment.where), str(first.target.where)) == ("matrix.yaml:3", "matrix.yaml:9")
    other = replace(L4_HOST, id="gpu-b2")
    elsewhere = result(env="elsewhere", ran_on=RanOn("gpu-b2"))
    several = Report(run_info(), {"gpu-a1": L4_HOST, "gpu-b2": other}, (first, elsewhere, result(env="not recorded")), "0.1.0")
    again = load(dump(several))
    assert list(again.hosts) == ["gpu-a1", "gpu-b2"]
    assert [again.host_of(cell).id for cell in again.cells] == ["gpu-a1", "gpu-b2", "gpu-a1"]


def test_what_is_read_is_written_again_without_a_difference() -> None:
    text = dump(every_kind())
    assert dump(load(text)) == text


def test_reading_gives_back_every_value_and_the_kind_of_source() -> None:
    written, read = every_kind(), load(dump(every_kind()))
    assert read.run == written.run
    assert read.host == written.host
    assert read.tool_version == written.tool_version
    first, again = written.cells[0], read.cells[0]
    for field in ("id", "status", "basis", "reason", "checks", "findings", "content", "digest", "notes", "seconds"):
        assert getattr(again, field) == getattr(first, field)
    assert (again.expect, again.unexpected, again.predicted, again.agrees) == (Status.PASS, True, first.predicted, False)
    assert [type(item.environment.source) for item in read.cells[:3]] == [PulledImage, BuiltImage, HostInterpreter]


def predicted(**fields: Any) -> CellResult:
    """A cell that was only judged."""
    return result(Status.SKIP, predicted=Prediction(Outlook.UNKNOWN, **fields))


NOT_GIVEN = Assumption(AssumptionKind.NOT_GIVEN, "no driver is given")
OF_NAME = Assumption(AssumptionKind.IMAGE_NAME, "it holds what its name says")
NO_GPU = Missing(MissingKind.NO_GPU_HERE, "this machine has no GPU")
NO_ROW = Missing(MissingKind.FACTS, "no row for torch 9.9")


def test_a_prediction_keeps_its_sentences_as_texts_and_their_kinds_beside_them() -> None:
    text = dump(report(predicted(assumptions=(NOT_GIVEN, OF_NAME), missing=(NO_GPU, NO_ROW))))
    written = json.loads(text)["cells"][0]["predicted"]
    assert written["assumptions"] == ["no driver is given", "it holds what its name says"]
    assert written["assumption_kinds"] == ["not_given", "image_name"]
    assert written["missing"] == ["this machine has no GPU", "no row for torch 9.9"]
    assert written["missing_kinds"] == ["no_gpu_here", "facts"]
    read = load(text).cells[0].predicted
    assert read is not None
    assert (read.assumptions, read.missing) == ((NOT_GIVEN, OF_NAME), (NO_GPU, NO_ROW))


@pytest.mark.parametrize(
    ("kinds", "read"),
    [
        (None, ("unstated", "unstated")),  # written before there were kinds
        (["no_gpu_here"], ("no_gpu_here", "unstated")),
        (["no_gpu_here", "of a later version"], ("no_gpu_here", "unstated")),
        (["no_gpu_here", "facts", "facts"], ("no_gpu_here", "facts")),
    ],
)
def test_sentences_are_read_whatever_kinds_stand_beside_them(kinds: list[str] | None, read: tuple[str, ...]) -> None:
    data = json.loads(dump(report(predicted(assumptions=(OF_NAME,), missing=(NO_GPU, NO_ROW)))))
    written = data["cells"][0]["predicted"]
    del written["assumption_kinds"], written["missing_kinds"]
    if kinds is not None:
        written["missing_kinds"] = kinds
    again = load(json.dumps(data)).cells[0].predicted
    assert again is not None
    assert again.assumptions == (Assumption(AssumptionKind.UNSTATED, OF_NAME.text),)
    assert [each.text for each in again.missing] == [NO_GPU.text, NO_ROW.text]
    assert tuple(each.kind.value for each in again.missing) == read


def test_the_folder_of_a_built_image_is_named_without_this_machines_paths() -> None:
    assert json.loads(dump(every_kind()))["cells"][1]["environment"]["image"] == "build:wheel"


def test_summary_counts_every_status() -> None:
    assert json.loads(dump(every_kind()))["summary"] == {"pass": 1, "degraded": 1, "fail": 1, "error": 1, "skip": 1}


def test_whole_seconds_are_written_as_they_will_be_read() -> None:
    text = dump(report(result(), seconds=5))
    assert dump(load(text)) == text


def test_no_control_characters_are_written_and_lone_surrogates_do_not_break_it() -> None:
    text = dump(report(result(Status.FAIL, reason=HOSTILE + "\udce9", checks=(check_result(metrics={HOSTILE: HOSTILE}),))))
    assert not any(bad in text.encode("utf-8").decode() for bad in ("\x1b", "\\u001b", "\u202e", "\x9b", "\\u0000"))


def test_control_characters_of_a_foreign_file_are_gone_once_it_is_read() -> None:
    text = dump(report(result(reason="PLACE"))).replace("PLACE", "\\u001b[31mred\\u202e")
    assert load(text).cells[0].reason == "red\ufffd"


def test_a_cell_alone_is_read_as_it_was_kept() -> None:
    text = dump_cell(every_kind().cells[0])
    assert dump_cell(load_cell(text, "history")) == text


def test_fields_of_a_later_minor_change_are_passed_over() -> None:
    data = json.loads(dump(every_kind()))
    data["cells"][0]["colour"] = "green"
    assert load(json.dumps(data)).cells[0].status is Status.FAIL


def without(*path: str | int) -> Callable[[Any], None]:
    def edit(data: Any) -> None:
        for part in path[:-1]:
            data = data[part]
        del data[path[-1]]

    return edit


def setting(value: object, *path: str | int) -> Callable[[Any], None]:
    def edit(data: Any) -> None:
        for part in path[:-1]:
            data = data[part]
        data[path[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "fragments"),
    [
        (without("schema_version"), ["no schema_version"]),
        (setting("1", "schema_version"), ["no schema_version"]),
        (setting(True, "schema_version"), ["no schema_version"]),
        (setting(2, "schema_version"), ["newer validator", "schema_version 2", "update"]),
        (setting(0, "schema_version"), ["schema_version 0"]),
        (without("run", "id"), ["run.id is missing"]),
        (without("cells", 2, "status"), ["cells[2].status is missing"]),
        (without("cells", 1, "environment", "image"), ["cells[1].environment.image is missing"]),
        (setting("green", "cells", 0, "status"), ["cells[0].status", '"green"', "'degraded'"]),
        (setting(7, "cells", 0, "reason"), ["cells[0].reason is 7", "a text"]),
        (setting("no list", "cells"), ["cells", "a list"]),
        (setting("soon", "run", "seconds"), ['run.seconds is "soon"', "a number there"]),
        (setting([], "run", "seconds"), ["run.seconds is []", "a number there"]),
        (setting("perhaps", "run", "interrupted"), ['run.interrupted is "perhaps"', "true or false"]),
        (setting({}, "cells", 0, "cached"), ["cells[0].cached is {}", "true or false"]),
        (setting("two", "host", "cpu_count"), ['host.cpu_count is "two"', "a whole number"]),
        (setting(None, "host", "cpu_count"), ["host.cpu_count is null", "a whole number"]),
        (setting("me", "tool"), ['tool is "me"', "an object"]),
        (setting("here", "host"), ['host is "here"', "an object"]),
        (setting(3, "summary"), ["summary is 3", "an object"]),
        (setting(1.5, "host", "cpu_count"), ["host.cpu_count is 1.5", "another kind of value"]),
        (setting({"deep": []}, "cells", 0, "checks", 0, "metrics", "t"), ["cells[0].checks[0].metrics.t is"]),
        (setting("host", "cells", 4, "target", "id"), ["cells[4]", "gone on target host", "twice"]),
    ],
)
def test_a_file_that_is_not_ours_is_refused_naming_the_field(edit: Callable[[Any], None], fragments: list[str]) -> None:
    data = json.loads(dump(every_kind()))
    edit(data)
    with pytest.raises(ReportFileError) as raised:
        load(json.dumps(data), name="old.json")
    message = str(raised.value)
    assert message.startswith("old.json: ")
    for fragment in fragments:
        assert fragment in message
    assert "pydantic" not in message
    assert "Input should" not in message
    assert raised.value.hint
    assert raised.value.exit_code is ExitCode.INVALID_INPUT


@pytest.mark.parametrize(
    ("edits", "more"),
    [
        ([setting(7, "cells", 0, "reason")], ""),
        ([setting(7, "cells", 0, "reason"), setting(7, "cells", 1, "reason")], " (and 1 more such places)"),
        # A text or a number may stand there, among others: each is a mistake to the reader of types, and one place to people.
        ([setting({}, "cells", 0, "checks", 0, "metrics", "t")], ""),
        ([without("run", "id"), setting(7, "cells", 1, "reason"), setting(7, "cells", 2, "reason")], " (and 2 more such places)"),
    ],
)
def test_the_first_mistake_is_said_and_how_many_places_have_one(edits: list[Callable[[Any], None]], more: str) -> None:
    data = json.loads(dump(every_kind()))
    for edit in edits:
        edit(data)
    with pytest.raises(ReportFileError) as raised:
        load(json.dumps(data))
    assert ("more such places" in raised.value.what) is bool(more)
    assert raised.value.what.endswith(more)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "not JSON"),
        ('{"schema_version": 1,\n "run": ', "results file:2: not JSON"),
        ("<html>", "not JSON"),
        ("[1]", "no schema_version"),
        ('{"x": NaN}', "NaN"),
        ('{"x": -Infinity}', "-Infinity"),
        ('{"x": 1e999}', "1e999"),
        ('{"x": ' + "9" * 5000 + "}", "digits"),
        ("[" * 100_000, "too deep"),
        ('{"a":' * 100_000, "too deep"),
    ],
)
def test_text_that_is_no_results_file_is_refused(text: str, fragment: str) -> None:
    with pytest.raises(ReportFileError, match=r"results file") as raised:
        load(text)
    assert fragment in str(raised.value)
    assert len(str(raised.value)) < 600
