"""The Markdown report, read back by a Markdown parser: hostile text stays text."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from values import HOSTILE, check_result, environment, every_kind, report, result

from validator.model import Status
from validator.report import render
from validator.report.markdown import code, escape, fenced


def tokens(text: str) -> list[Token]:
    """All tokens of a document, inline ones too."""
    flat = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        flat += [token, *(token.children or [])]
    return flat


def shown_text(text: str) -> str:
    """What a reader sees of one line, invisible spaces taken out."""
    shown = ("text", "text_special", "code_inline")
    return "".join(token.content for token in tokens(text) if token.type in shown).replace("\u200b", "")


@pytest.mark.parametrize(
    "text",
    [
        "a | b",
        "<script>alert(1)</script>",
        "<!-- gone -->",
        "`code` ``more``",
        "[l](http://evil.example)",
        "[l]: http://evil.example",
        "![i](http://evil.example)",
        "<http://evil.example>",
        "**b** __b__ *i* _i_ ~~s~~",
        "&lt;b&gt; &amp; &#64;someone",
        "\\| \\` \\\\",
        "$\\sqrt{3}$",
        "<br>| x |",
    ],
)
def test_escaped_text_is_plain_text_and_reads_as_it_was(text: str) -> None:
    found = tokens("label: " + escape(text))
    assert {token.type for token in found} <= {"paragraph_open", "inline", "text", "code_inline", "paragraph_close"}
    assert shown_text("label: " + escape(text)) == "label: " + text


@pytest.mark.parametrize(
    "text",
    [
        "@someone", "a@evil.example", "#12", "owner/repo#12", "https://evil.example", "WWW.evil.example", "_www.e.example",
        "GH-12", "`https://evil.example`", "a|https://evil.example|b", "``@someone", "(https://evil.example).", "x\\https://evil.example",
    ],
)
def test_what_github_links_by_itself_is_broken_up(text: str) -> None:
    """GitHub does this after the Markdown is read, so the break must be in the shown text and not in its spelling."""
    seen = re.sub(r"<code>.*?</code>", "", MarkdownIt("commonmark").render("label: " + escape(text)))
    assert re.search(r"[@#]\w|https?://|www\.|GH-\d", seen, re.IGNORECASE) is None
    assert shown_text("label: " + escape(text)) == "label: " + text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "pip install torch --index-url https://download.pytorch.org/whl/cu128.",
            "pip install torch --index-url `https://download.pytorch.org/whl/cu128`.",
        ),
        ("(see https://a.example/x_y)", "(see `https://a.example/x_y`)"),
        ("pip install 'x @ https://a.example/x-1.whl#sha256=1'", "pip install 'x @ `https://a.example/x-1.whl#sha256=1'`"),
    ],
)
def test_urls_and_commands_can_be_copied_nothing_invisible_is_in_them(text: str, shown: str) -> None:
    assert escape(text) == shown


@pytest.mark.parametrize("text", ["plain", "a`b", "``", "a```b", "`", "env@host"])
def test_code_ends_where_its_text_does(text: str) -> None:
    (span,) = [token for token in tokens(code(text)) if token.type == "code_inline"]
    assert span.content == text


@pytest.mark.parametrize("text", ["plain", "```\n# out\n```", "`" * 50, "~~~\nx", "<script>"])
def test_a_block_ends_where_its_text_does(text: str) -> None:
    (block,) = [token for token in tokens(fenced(text)) if token.type != "inline"]
    assert block.type == "fence"
    assert block.content == text + "\n"


def test_a_report_full_of_hostile_text_has_the_structure_of_any_other() -> None:
    def made(text: str) -> list[tuple[str, str]]:
        env = environment("e" + text.replace("\n", " "))
        checks = (check_result(message=text, died=text, output=text),)
        failed = result(Status.FAIL, env, reason=text, notes=(text,), checks=checks, digest=text)
        skipped = result(Status.SKIP, env, "t4" + text, reason=text)
        document = render("markdown", report(failed, skipped, runner_reason=text, matrix=text))
        words = ("text", "text_special", "code_inline")
        structure = [(token.type, token.tag) for token in tokens(document) if token.type not in words]
        return [now for before, now in pairwise([("", ""), *structure]) if now != before]

    assert made(HOSTILE) == made("harmless")


def test_no_line_break_or_control_character_gets_through() -> None:
    document = render("markdown", report(result(Status.FAIL, reason=HOSTILE, log_tail=HOSTILE)))
    assert not any(bad in document for bad in "\x1b\u202e\u200b\x9b\x00\r")


def test_why_cells_were_skipped_is_said_once_below_the_table() -> None:
    document = render("markdown", report(*(result(Status.SKIP, env, reason="no GPU here") for env in "ab")))
    assert document.count("no GPU here") == 1
    assert "- reason: no GPU here: `a@host`, `b@host`" in document


def test_the_table_has_a_row_an_environment_and_a_column_a_target() -> None:
    rows = [line for line in render("markdown", every_kind()).splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == ["environment", "torch2.7.1-cu126", "cpu", "conda", "gone"]
    assert all(len(row.strip("|").split(" | ")) == 3 for row in rows)


def test_failed_checks_deaths_findings_notes_and_logs_are_there() -> None:
    document = render("markdown", every_kind())
    for fragment in (
        "loss did not fall (signal 11 (SIGSEGV))",
        "- cause sm-missing: no kernel\n  - seen: seen\n  - try: take cu128\n  - more: docs",
        "note: the configured index was used",
        "last words",
        "`sha256:abab",
        "contradicts the prediction",
        "the matrix expects pass, fail came out",
        "reason: this machine is not the target: `gone@t4-535`",
    ):
        assert fragment in document


def test_an_interrupted_run_says_so() -> None:
    assert "**Interrupted" in render("markdown", report(result(), interrupted=True))
    assert "Interrupted" not in render("markdown", report(result()))
