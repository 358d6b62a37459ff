"""The facts as text and as JSON: an overview, the names of a kind, or rows with where they come from."""

from __future__ import annotations

from validator.facts.lookup import FactRow
from validator.report.answers.facts import Names, Overview, Rows, as_json, as_text

ORIGIN = (("source", "a page"), ("date", "2026-01-02"))
ROW = FactRow("gpus", "Tesla T4", {"cc": "7.5"}, (("cc", "7.5"), ("line", "datacenter")), ORIGIN)
WIDE = FactRow("x", "y", {}, (("longer_than_all", "1"),), ())
TABLES = {"gpus": {"rows": 12, "confidence": "12 verified"}, "capabilities": {"rows": 3, "confidence": ""}}


def test_an_overview_has_a_line_a_table_and_how_new_they_are() -> None:
    shown = Overview(TABLES, "2026-11-25", "2.15.0")
    assert as_text(shown, 80).splitlines() == [
        "gpus            12 rows  12 verified",
        "capabilities     3 rows  ",
        "",
        "newest source: 2026-11-25; a row: `validator facts torch 2.15.0`",
    ]
    assert as_json(shown) == TABLES


def test_names_are_a_line_each() -> None:
    assert as_text(Names(("A", "B")), 80) == "A\nB"
    assert as_json(Names(("A", "B"))) == ["A", "B"]


def test_rows_have_their_fields_and_where_they_come_from() -> None:
    assert as_text(Rows("gpu", "T4", (ROW, WIDE), "'T4' is taken for Tesla T4"), 80).splitlines() == [
        "'T4' is taken for Tesla T4",
        "",
        "gpus: Tesla T4",
        "  cc          7.5",
        "  line        datacenter",
        "  source      a page",
        "  date        2026-01-02",
        "",
        "x: y",
        "  longer_than_all  1",
    ]
    assert as_text(Rows("gpu", "T4", (ROW,), ""), 80).startswith("gpus: Tesla T4\n")
    assert as_json(Rows("gpu", "T4", (ROW,), "so be it")) == {
        "asked": {"kind": "gpu", "name": "T4"},
        "assumption": "so be it",
        "rows": [{"table": "gpus", "key": "Tesla T4", "fields": {"cc": "7.5"}, "source": "a page", "date": "2026-01-02"}],
    }


def test_no_row_says_so_or_why() -> None:
    assert as_text(Rows("gpu", "T44", (), ""), 80) == "no row for gpu T44; `validator facts gpu` lists what there is"
    assert as_text(Rows("gpu", "T44", (), "did you mean T4?"), 80) == "did you mean T4?"
    assert as_json(Rows("gpu", "T44", (), ""))["rows"] == []
