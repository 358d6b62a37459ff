"""Untrusted text is safe to show afterwards, and keeps the end that tells the cause."""

from __future__ import annotations

import json
import random
import re
import unicodedata

import pytest

from validator.base.text import clean, clean_tree, did_you_mean, inert, inert_json, one_line, quoted, similar, suggestion


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1bcreset", "\ufffdcreset"),  # RIS is not a sequence we know; its escape is taken out all the same
        ("10%\r20%\r\n", "10%\n20%\n"),
        ("a\tb\nc", "a\tb\nc"),
        ("bell\x07 nul\x00 del\x7f", "bell\ufffd nul\ufffd del\ufffd"),
        ("\x9b31mC1", "\ufffd31mC1"),
        ("user\u202egnp.exe", "user\ufffdgnp.exe"),
        ("\u2066isolate\u2069", "\ufffdisolate\ufffd"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("half \ud800", "half \ufffd"),
        ("line\u2028break\u2029", "line\ufffdbreak\ufffd"),
        ("private \ue000, unassigned \u0378", "private \ufffd, unassigned \ufffd"),
        ("Prüfung → ✓ 試験", "Prüfung → ✓ 試験"),
    ],
)
def test_what_acts_on_a_terminal_is_taken_out_and_the_rest_stays(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_the_end_is_kept_when_text_is_cut() -> None:
    assert clean("x" * 1000 + "the cause", limit=20) == "…" + "x" * 10 + "the cause"


def test_text_of_just_the_limit_is_not_cut() -> None:
    assert clean("0123456789", limit=10) == "0123456789"


def test_a_flood_of_escapes_before_the_cause_does_not_hide_it() -> None:
    assert clean("\x1b[31m" * 100_000 + "the cause", limit=50).endswith("the cause")


def test_an_escape_cut_in_two_by_the_bound_leaves_nothing_active() -> None:
    assert "\x1b" not in clean("a" * 100 + "\x1b[31m" * 50, limit=9)


def test_one_line_folds_all_white_space() -> None:
    assert one_line("  first\n\tsecond\r\nthird  ") == "first second third"


def test_one_line_is_cut_at_its_end() -> None:
    assert one_line("abcdefgh", limit=5) == "abcd…"


def test_random_text_always_comes_out_bounded_and_inert() -> None:
    source = random.Random(7)  # noqa: S311 - repeatable, and nothing secret
    pieces = ["\x1b", "\x1b[", "\x1b]", "m", ";", "\x07", "\u202e", "\r", "\n", "\x9b", "é", "\ud83d", "\U000e0041", "plain "]
    for _ in range(500):
        raw = "".join(source.choices(pieces, k=source.randrange(60)))
        shown = clean(raw, limit=40)
        assert len(shown) <= 40
        assert not [c for c in shown if c not in "\n\t" and unicodedata.category(c)[0] == "C"]
        line = one_line(raw, limit=40)
        assert len(line) <= 40
        assert line.isprintable()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("torch", "'torch'"),
        ("", "''"),
        ("it's", '"it\'s"'),
        ("two\nlines", "'two lines'"),
        ("\x1b[31mred\u202e", "'red\ufffd'"),
        ("https://me:hunter2@host/x", "'https://***@host/x'"),
        ("a" * 100, f"'{'a' * 100}'"),
        ("a" * 101, f"'{'a' * 99}…'"),
    ],
)
def test_a_value_is_quoted_on_one_bounded_line_without_secrets(value: str, shown: str) -> None:
    assert quoted(value) == shown


KNOWN = ("torch", "cuda", "python")


@pytest.mark.parametrize(
    ("word", "question"),
    [("tourch", "; did you mean 'torch'?"), ("pyton", "; did you mean 'python'?"), ("gpu", ""), ("", ""), ("TORCH", "")],
)
def test_only_a_name_that_is_similar_is_suggested(word: str, question: str) -> None:
    assert suggestion(word, KNOWN) == question


def test_a_name_can_be_required_to_be_nearly_the_same() -> None:
    assert suggestion("touch", ["torches"]) == "; did you mean 'torches'?"
    assert suggestion("touch", ["torches"], cutoff=0.8) == ""


def test_the_most_similar_of_many_names_come_first() -> None:
    names = ["train_fp32", "train_amp_fp16", "train_amp_bf16", "import"]
    assert similar("train_bf16", names, most=2) == ["train_amp_bf16", "train_amp_fp16"]
    assert similar("train_bf16", names) == ["train_amp_bf16"]


def test_a_very_long_word_is_compared_by_its_beginning() -> None:
    assert similar("a" * 100 + "b" * 100_000, ["a" * 100]) == ["a" * 100]


@pytest.mark.parametrize(
    ("names", "question"),
    [
        ([], ""),
        (["a"], "did you mean 'a'?"),
        (["a", "b"], "did you mean 'a' or 'b'?"),
        (["a", "b", "c"], "did you mean 'a', 'b' or 'c'?"),
    ],
)
def test_the_question_lists_every_name(names: list[str], question: str) -> None:
    assert did_you_mean(names) == question


#: What GitHub (white space before it trimmed), Azure, TeamCity and GitLab look for in a line of a job's log.
COMMANDS = re.compile(
    r"^\s*::[a-z-]+|##(?:vso|teamcity)?\[|section_(?:start|end):\d", re.IGNORECASE | re.MULTILINE
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", "\ufffd:error::x"),
        (" \t\xa0\u3000::add-mask::x", " \t\xa0\u3000\ufffd:add-mask::x"),
        ("a\n::stop-commands::x\nb", "a\n\ufffd:stop-commands::x\nb"),
        ("said ::Warning file=x::y", "said \ufffd:Warning file=x::y"),  # a layout may begin a line there
        ("a ##[error]b", "a \ufffd#[error]b"),
        ("a##vso[task.setvariable variable=x]y", "a\ufffd#vso[task.setvariable variable=x]y"),
        ("##VSO[x]", "\ufffd#VSO[x]"),
        ("####[group]", "##\ufffd#[group]"),
        ("##teamcity[x]", "\ufffd#teamcity[x]"),
        ("section_start:1560896352:x", "\ufffdection_start:1560896352:x"),
        ("section_end:1:x", "\ufffdection_end:1:x"),
    ],
)
def test_what_a_ci_system_obeys_is_broken_up_with_a_mark_as_wide_as_what_it_replaces(text: str, shown: str) -> None:
    assert COMMANDS.search(text) or not text.startswith(":")
    assert inert(text) == shown
    assert COMMANDS.search(shown) is None
    assert inert(shown) == shown
    assert len(shown) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "at::native::add(at::Tensor const&)",
        "::1 and fe80::1",
        "tests/test_x.py::test_y",
        "## Heading",
        "# [link](x)",
        "a section_start of it",
        "https://download.pytorch.org/whl/cu128#sha256=ab",
        "docker run --gpus all ghcr.io/x/y:1.2 python3 -c 'import torch; print(torch.__version__)'",
    ],
)
def test_what_no_ci_system_obeys_stays_as_it_is(text: str) -> None:
    assert inert(text) == text
    assert inert_json(text) == text


@pytest.mark.parametrize(
    "text", ["##[error]x", "a ##vso[x]\\##[y]", "\\\\##teamcity[z", "::error::x", "section_start:1:x", 'q"##[x']
)
def test_json_in_which_commands_are_broken_up_says_the_same(text: str) -> None:
    written = json.dumps({text: [text, f"a\n{text}"]}, indent=2)
    assert COMMANDS.search(inert_json(written)) is None
    assert json.loads(inert_json(written)) == {text: [text, f"a\n{text}"]}


def test_random_text_made_inert_holds_no_command() -> None:
    source = random.Random(11)  # noqa: S311 - repeatable, and nothing secret
    pieces = ["#", "##", "[", "vso[", "teamcity[", ":", "::", "error", "section_start:1"]
    pieces += [" ", "\n", "\x1b[0m", "\r", "\u200b", "x", '"', "\\"]
    for _ in range(2000):
        raw = "".join(source.choices(pieces, k=source.randrange(1, 12)))
        assert COMMANDS.search(inert(clean(raw))) is None
        written = json.dumps([clean(raw)], indent=2)
        assert COMMANDS.search(inert_json(written)) is None
        assert json.loads(inert_json(written)) == [clean(raw)]


def test_a_tree_is_cleaned_to_its_leaves_and_keys() -> None:
    bad = "a\x1b[31mb\u202e"
    assert clean_tree({bad: [bad, (bad, 1)], "none": None, "true": True, "number": 0.5}) == {
        "ab\ufffd": ["ab\ufffd", ["ab\ufffd", 1]],
        "none": None,
        "true": True,
        "number": 0.5,
    }


def test_a_name_is_looked_for_among_the_first_thousand() -> None:
    assert similar("pyton", ["x"] * 999 + ["python"]) == ["python"]
    assert similar("pyton", ["x"] * 1000 + ["python"]) == []
