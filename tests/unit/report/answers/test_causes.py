"""The catalogue as a list, as one entry, as JSON and as Markdown."""

from __future__ import annotations

from validator.catalogue.causes import Cause, Family
from validator.model import Severity
from validator.report.answers.causes import as_json, as_markdown, as_text

WHOLE = Cause(
    "too_old",
    Family.HARDWARE,
    "It is too old",
    Severity.FAIL,
    "Everything ages, and at some time it is too much.",
    "Replace it. The driver here is {driver}.",
    "date",
    {"too_new": "that is the other way round"},
    ("https://a.example", "https://b.example"),
)
BARE = Cause("odd", Family.ENVIRONMENT, "It is odd", Severity.DEGRADED, "", "", "", {}, ())
ALL = {"too_old": WHOLE, "odd": BARE}


def test_all_are_a_line_each_by_family() -> None:
    assert as_text(ALL, 80).splitlines() == [
        "environment",
        "  odd      degraded  It is odd",
        "",
        "hardware",
        "  too_old  fail      It is too old",
        "",
        "code",
        "",
        "container",
        "",
        "network",
        "",
        "data",
    ]


def test_one_in_full_fits_the_width_and_leaves_out_what_is_not_known() -> None:
    assert as_text(WHOLE, 40).splitlines() == [
        "too_old (hardware, fail)",
        "  It is too old",
        "",
        "  Everything ages, and at some time it",
        "  is too much.",
        "",
        "what to do",
        "  Replace it.",
        "",
        "how to make sure",
        "  date",
        "",
        "easily mistaken for",
        "  too_new: that is the other way round",
        "",
        "sources",
        "  https://a.example",
        "  https://b.example",
    ]
    assert as_text(BARE, 40).splitlines() == ["odd (environment, degraded)", "  It is odd", "", "", "what to do"]


def test_a_neighbour_longer_than_a_line_is_indented() -> None:
    assert "  too_new: that is the\n    other way round" in as_text(WHOLE, 25)


def test_the_json_of_one_is_an_object_and_of_all_a_list() -> None:
    assert as_json(WHOLE) == {
        "cause": "too_old",
        "family": "hardware",
        "title": "It is too old",
        "severity": "fail",
        "explanation": WHOLE.explanation,
        "remedy": WHOLE.remedy,
        "confirm": "date",
        "neighbours": {"too_new": "that is the other way round"},
        "sources": ["https://a.example", "https://b.example"],
        "anchor": "docs/causes.md#too_old",
    }
    assert [row["cause"] for row in as_json(ALL)] == ["too_old", "odd"]
    assert (as_json(BARE)["confirm"], as_json(BARE)["neighbours"]) == (None, {})


def test_the_page_has_a_section_a_cause_with_its_anchor() -> None:
    page = as_markdown(ALL, 80)
    assert page.startswith("# Causes\n")
    assert "## Hardware\n\n[too_old](#too_old)\n" in page
    assert (
        '### <a id="too_old"></a>`too_old`\n\n**It is too old.** Usually `fail`.\n\n'
        "Everything ages, and at some time it is too much.\n\n"
        "*What to do:* Replace it. The driver here is {driver}.\n\n"
        "```console\ndate\n```\n\n"
        "- Not [too_new](#too_new): that is the other way round\n\n"
        "Sources: <https://a.example>, <https://b.example>\n"
    ) in page
    assert "```" not in page[page.index("## Environment") : page.index("## Hardware")]
    assert "Sources" not in page[page.index("## Environment") : page.index("## Hardware")]


def test_one_can_be_had_as_markdown_too() -> None:
    assert '<a id="too_old">' in as_markdown(WHOLE, 80)
    assert '<a id="odd">' not in as_markdown(WHOLE, 80)
