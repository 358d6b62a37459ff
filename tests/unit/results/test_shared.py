"""What is written with sharing is read back equal to what is written without, and says no less."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from values import BARE_HOST, HOSTILE, L4_HOST, WHERE, every_kind, report, result, run_info

from validator.base.errors import ReportFileError
from validator.model import (
    Assumption,
    AssumptionKind,
    Attempt,
    Basis,
    BuiltImage,
    CellResult,
    CheckResult,
    CheckStatus,
    Content,
    Environment,
    Finding,
    HostInterpreter,
    Level,
    Mismatch,
    Missing,
    MissingKind,
    Origin,
    Outlook,
    Prediction,
    PulledImage,
    RanOn,
    Report,
    Seconds,
    Severity,
    Status,
    Target,
    Where,
)
from validator.results import dump, load
from validator.results.json_v1 import parts
from validator.results.shared import INLINE_CELLS

TEXT = st.sampled_from(["", "a", "b", "sm_90 is missing", "##vso[x]", "::error::", HOSTILE, "x" * 50, "\b\f\r\x7f", "漢"])
MAYBE = st.none() | TEXT
FINDINGS = st.builds(Finding, TEXT, st.sampled_from(Severity), TEXT, MAYBE, st.tuples(TEXT), MAYBE, MAYBE)
SOME = st.lists(FINDINGS, max_size=3).map(tuple)
PREDICTIONS = st.builds(
    Prediction,
    st.sampled_from(Outlook),
    st.lists(TEXT, max_size=2).map(tuple),
    st.sampled_from([Basis.PREDICTED, Basis.INSPECTED]),
    SOME,
    st.lists(st.builds(Assumption, st.sampled_from(AssumptionKind), TEXT), max_size=2).map(tuple),
    st.lists(st.builds(Missing, st.sampled_from(MissingKind), TEXT), max_size=2).map(tuple),
)
CHECKS = st.builds(
    CheckResult, TEXT, st.sampled_from(CheckStatus), st.sampled_from(Level), TEXT, st.just(1.5), st.just({"n": 3}), MAYBE, TEXT
)
SOURCES = st.sampled_from([PulledImage("a/b:1"), BuiltImage(Path("wheel")), HostInterpreter(Path("/usr/bin/python3"))])


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """A report of a few cells that have much in common."""
    cells = []
    for number in range(draw(st.integers(0, 6))):
        where = Where("matrix.yaml", draw(st.integers(1, 2)))
        of = Environment(f"e{number % 2}", draw(SOURCES), where, draw(st.none() | st.just("2.7.1")))
        on = Target(f"t{number // 2}", draw(st.booleans()), draw(MAYBE), where=draw(st.none() | st.just(WHERE)))
        cells.append(
            CellResult(
                f"{of.id}@{on.id}",
                of,
                on,
                draw(st.sampled_from(Status)),
                draw(st.none() | st.sampled_from(Basis)),
                draw(TEXT),
                draw(st.lists(CHECKS, max_size=2).map(tuple)),
                draw(SOME),
                draw(st.sampled_from([Content(), Content(torch="2.7.1", arch_list=("sm_90",), variables={"A": "b"})])),
                draw(st.sampled_from([(), (Mismatch("torch", "1", None),)])),
                draw(st.none() | st.builds(RanOn, st.just("gpu-a1"), MAYBE, beside=st.none() | st.integers(0, 3))),
                draw(st.none() | st.just("sha256:1")),
                draw(st.lists(TEXT, max_size=2).map(tuple)),
                draw(st.sampled_from([Seconds(), Seconds(total=2.0)])),
                draw(st.none() | st.just(Status.PASS)),
                draw(st.none() | PREDICTIONS),
                draw(st.none() | st.booleans()),
                draw(st.booleans()),
                draw(st.none() | st.just(Origin("r", "2026-11-20T08:00:00+00:00"))),
                draw(st.sampled_from([(), (Attempt("2026-11-20T08:00:00+00:00", "gone", 1.0),)])),
                draw(TEXT),
            )
        )
    hosts = {host.id: host for host in (L4_HOST, BARE_HOST)}
    return Report(run_info(), hosts, tuple(cells), "0.1.0")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
@given(reports())
def test_what_is_written_with_sharing_is_read_equal_to_what_is_written_without(written: Report) -> None:
    inline, sharing = dump(written), "".join(parts(written, inline_cells=-1))
    assert load(sharing) == load(inline)
    assert dump(load(sharing)) == inline
    assert "".join(parts(load(inline), inline_cells=-1)) == sharing
    assert "##vso" not in inline + sharing


def test_what_differs_in_one_value_is_not_shared() -> None:
    first = result(Status.FAIL, Environment("e", PulledImage("a"), WHERE, "2.7.1", "12.6", "3.11"), digest="sha256:1")
    of = first.environment
    changed = [
        replace(of, id="f"), replace(of, source=PulledImage("b")), replace(of, where=Where("m", 4)), replace(of, torch=None),
        replace(of, cuda="cpu"), replace(of, python="3.12"),
    ]  # fmt: skip
    cells = [first, *(replace(first, environment=each) for each in changed), replace(first, digest=None)]
    cells = [replace(each, target=Target(f"t{n}")) for n, each in enumerate(cells)]
    again = load("".join(parts(report(*cells), inline_cells=0)))
    assert [each.environment for each in again.cells] == [each.environment for each in cells]
    assert [each.digest for each in again.cells] == [each.digest for each in cells]
    targets = [Target("t0", where=WHERE), Target("t0", where=Where("m", 4)), Target("t0", gpu="T4")]
    cells = [replace(first, environment=replace(of, id=f"e{n}"), target=each) for n, each in enumerate(targets)]
    again = load("".join(parts(report(*cells), inline_cells=0)))
    assert [(each.target, each.target.where) for each in again.cells] == [(each, each.where) for each in targets]


def test_every_kind_of_report_is_the_same_either_way() -> None:
    sharing = "".join(parts(every_kind(), inline_cells=0))
    assert load(sharing) == load(dump(every_kind()))
    assert set(json.loads(sharing)) - set(json.loads(dump(every_kind()))) == {"shared"}


def test_a_report_of_ordinary_size_is_laid_out_as_it_always_was() -> None:
    text = dump(every_kind())
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    assert dump(report()).count("cells") == 1


def large(number: int) -> Report:
    found = Finding("driver_too_old", Severity.FAIL, "535 is too old for CUDA 13", "hardware", ("535 < 580",), "install 580")
    prediction = Prediction(Outlook.FAIL, ("driver_too_old",), findings=(found,))
    first = result(Status.FAIL, "e", "t", found.message, Basis.PREDICTED, findings=(found,), predicted=prediction)
    return report(*(replace(first, id=f"e@t{n}", target=Target(f"t{n}")) for n in range(number)))


def test_many_cells_share_and_a_few_do_not() -> None:
    few, many = dump(large(INLINE_CELLS)), dump(large(INLINE_CELLS + 1))
    assert "shared" not in json.loads(few)
    tables = json.loads(many)["shared"]
    assert (len(tables["findings"]), len(tables["environments"]), len(tables["texts"])) == (1, 1, 1)
    assert len(many) < len(few) / 5
    assert load(many).cells[:INLINE_CELLS] == load(few).cells


def test_the_order_of_the_members_does_not_matter() -> None:
    text = "".join(parts(every_kind(), inline_cells=0))
    turned = dict(reversed(json.loads(text).items()))
    assert list(turned).index("cells") < list(turned).index("shared")
    assert load(json.dumps(turned)) == load(text)


def changed(edit: Callable[[Any], None]) -> str:
    data = json.loads("".join(parts(every_kind(), inline_cells=0)))
    edit(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("edit", "fragments"),
    [
        (lambda data: data["cells"][1].update(environment=99), ["cells[1].environment refers to shared.environments[99]"]),
        (lambda data: data["cells"][1].update(environment=99), ["shared.environments has 4 of them"]),
        (lambda data: data["cells"][0].update(findings=[-1]), ["cells[0].findings[0] refers to shared.findings[-1]"]),
        (lambda data: data["cells"][0]["predicted"].update(assumptions=[7000]), ["cells[0].predicted.assumptions[0] refers to"]),
        (lambda data: data.pop("shared"), ["cells[0].environment is 0", "an object there"]),
        (lambda data: data["shared"]["texts"].append(3), ["shared.texts[6] is 3", "a text there"]),
        (lambda data: data["shared"]["findings"][0].pop("cause"), ["shared.findings[0].cause is missing"]),
        (lambda data: data.update(shared=[]), ["shared is []", "an object there"]),
        (lambda data: data["cells"][2].update(reason=True), ["cells[2].reason is true", "a text there"]),
        (lambda data: data["cells"][2].update(findings={}), ["cells[2].findings is {}", "a list there"]),
        (lambda data: data["cells"].append(3), ["cells[5] is 3", "an object there"]),
        (lambda data: data["cells"].append(data["cells"][0]), ["cells[5]", "is there twice"]),
    ],
)
def test_a_reference_to_what_is_not_there_is_refused_by_its_place(edit: Callable[[Any], None], fragments: list[str]) -> None:
    with pytest.raises(ReportFileError) as raised:
        load(changed(edit), name="big.json")
    for fragment in fragments:
        assert fragment in str(raised.value)
