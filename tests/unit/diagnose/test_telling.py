"""The lines that are shown where no cause is named."""

from __future__ import annotations

import pytest

from validator.diagnose import Evidence, diagnose
from validator.diagnose.evidence import Unnamed


def shown(log: str, **fields: str) -> list[tuple[int | None, str]]:
    found = diagnose(Evidence(log=log, **fields))
    assert not found.causes
    return [(line.line, line.text) for line in found.informative]


@pytest.mark.parametrize(
    "line",
    ["GlorpError: off", "a glorp.Exception", "an error", "FATAL: glorp", "it failed", "a killed glorp", "denied", "cannot glorp"],
)
def test_a_telling_line(line: str) -> None:
    assert shown(f"step 1\n{line}\nstep 2") == [(2, line)]


@pytest.mark.parametrize("line", ["terrors", "undenied", "an exceptional glorp"])
def test_a_word_inside_another_tells_nothing(line: str) -> None:
    assert diagnose(Evidence(log=f"step 1\n{line}\nstep 2")).unnamed is Unnamed.HEALTHY


def test_some_of_the_first_and_the_last_are_shown_each_once() -> None:
    log = "\n".join(f"glorp {number} failed{' ' * 9000}" for number in range(1, 21))
    assert [line for line, _ in shown(log)] == [1, 2, 3, 15, 16, 17, 18, 19, 20]
    few = "\n".join(f"glorp {number} failed" for number in range(1, 6))
    assert [line for line, _ in shown(few)] == [1, 2, 3, 4, 5]


def test_of_one_block_too() -> None:
    log = "\n".join(f"glorp {number} failed" for number in range(1, 21))
    assert [line for line, _ in shown(log)] == [1, 2, 3, 15, 16, 17, 18, 19, 20]


def test_the_last_lines_are_shown_where_none_is_telling() -> None:
    log = "\n".join(f"step {number}\n" for number in range(1, 10)) + "\n \n"
    assert shown(log) == [(11, "step 6"), (13, "step 7"), (15, "step 8"), (17, "step 9")]


def test_blank_blocks_at_the_end_do_not_hide_the_last_lines() -> None:
    assert shown("step 1\nstep 2\n" + " \n" * 40_000) == [(1, "step 1"), (2, "step 2")]


def test_what_the_engine_says_may_tell_but_is_no_ending() -> None:
    assert shown("", engine_words="glorp failed\n") == [(None, "glorp failed")]
    found = diagnose(Evidence(engine_words="glorp is fine\n"))
    assert (found.unnamed, found.informative) == (Unnamed.EMPTY, ())
    assert [line.source for line in diagnose(Evidence(engine_words="glorp failed")).informative] == ["engine"]


def test_only_the_beginning_of_a_line_is_looked_at_and_shown() -> None:
    assert shown("GlorpError " + "x" * 500)[0][1] == "GlorpError " + "x" * 228 + "…"
    assert [text for _, text in shown("x" * 390 + " GlorpError\n" + "step 1")] == ["x" * 239 + "…", "step 1"]
    assert len(shown("x" * 380 + " GlorpError\n" + "step 1")) == 1
