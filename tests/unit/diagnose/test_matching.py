"""One pass over a log: what is found, where, how often, and that neither length nor repetition hides anything new."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from validator.diagnose import Evidence, diagnose
from validator.diagnose.index import index, words_in
from validator.diagnose.matching import ENOUGH, Matcher
from validator.diagnose.repeats import Repeats

OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {} GiB."
NO_KERNEL = "RuntimeError: CUDA error: no kernel image is available for execution on the device"


def matched(*logs: str, source: str = "log") -> Matcher:
    matcher = Matcher()
    for log in logs:
        matcher.read(log, source)
    return matcher


def lines_of(log: str) -> list[int | None]:
    return [line.line for line in diagnose(Evidence(log=log)).causes[0].evidence]


def test_the_first_places_and_the_last_are_kept() -> None:
    log = "\n".join(f"{NO_KERNEL} ({letter})" for letter in "abcdef")
    patterns = 2  # of this signature are in the line
    hit = matched(log).hits["no-kernel-image"]
    assert hit.count == 6 * patterns
    assert [place.line for place in hit.places] == [1, 1, 6]
    assert lines_of(log) == [1, 6]


def test_values_are_those_of_the_first_place_that_has_one_and_spelled_as_there() -> None:
    log = "\n".join(("torch.OutOfMemoryError: CUDA out of memory.", OOM.format("2.00"), OOM.format("3.00")))
    matcher = matched(log)
    assert matcher.hits["oom"].values["wanted"] == "2.00 gib"
    assert matcher.spelled["2.00 gib"] == "2.00 GiB"
    assert "2.00 GiB" in diagnose(Evidence(log=log)).causes[0].remedy


def test_a_value_whose_letters_change_length_in_lower_case_is_told_in_lower_case() -> None:
    """İ is two characters in lower case, so the place of the value in the line is not that in the normal form."""
    found = matched("İİİİİİ CUDA out of memory. Tried to allocate 2.00 GiB")
    assert found.spelled["2.00 gib"] in ("2.00 GiB", "2.00 gib")


def test_hits_are_in_the_order_they_were_seen() -> None:
    matcher = matched(f"{NO_KERNEL}\n{OOM.format(2)}")
    one, two = matcher.hits["no-kernel-image"], matcher.hits["oom"]
    assert 1 <= one.order < two.order
    names = list(matcher.hits)
    assert names.index("no-kernel-image") < names.index("oom")


def test_only_lines_of_the_log_are_numbered_and_counted() -> None:
    matcher = Matcher()
    matcher.read("a\nb\nc")
    matcher.read(f"a\n{NO_KERNEL}\n", "engine")
    assert matcher.lines == 3
    assert {(line.line, line.source) for line in matcher.hits["no-kernel-image"].places} == {(None, "engine")}


@pytest.mark.parametrize(("log", "count"), [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("a\n\n", 2), ("\n", 1)])
def test_lines_are_counted(log: str, count: int) -> None:
    assert diagnose(Evidence(log=log)).lines == count


def test_a_text_that_makes_it_another_message() -> None:
    """The clue amd_gpu is not one where the line says that there is none."""
    assert "amd_gpu" in matched("ROCm version: 6.2").hits
    assert "amd_gpu" not in matched("ROCm version: N/A").hits


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [
        ("no kernel image is", "available for execution on the device", "arch_not_supported"),
        ("no kernel image is   ", "   available for execution on the device", "arch_not_supported"),
        ("[rank0]: no kernel image is", "[rank0]: available for execution on the device", "arch_not_supported"),
        ("y" * 381 + " no kernel image is", "available for execution", "arch_not_supported"),
        ("no kernel image is", "available for execution " + "y" * 376, "arch_not_supported"),
        ("y" * 382 + " no kernel image is", "available for execution", "unknown"),
        ("no kernel image is", "available for execution " + "y" * 377, "unknown"),
        ("no kernel image is", "\navailable for execution", "arch_not_supported"),
        ("no kernel image is", "...\navailable for execution", "unknown"),
        ("no kernel image is", "step 2\navailable for execution", "unknown"),
    ],
)
def test_a_message_broken_in_two_lines(first: str, second: str, cause: str) -> None:
    assert diagnose(Evidence(log=f"{first}\n{second}\n")).cause == cause


def test_where_a_message_was_seen_whole_no_halves_are_looked_for() -> None:
    log = f"{NO_KERNEL}\nno kernel image is\navailable for execution on the device"
    assert lines_of(log) == [1]


def test_a_message_with_a_gap_is_not_looked_for_in_two_lines() -> None:
    whole = "Supported Python range (3.9) is not compatible with some of the required packages Python requirement"
    assert "wheel-not-supported" in matched(whole).hits
    first, second = whole[:48], whole[49:]
    assert "wheel-not-supported" not in matched(f"{first}\n{second}").hits


def test_a_signature_seen_often_enough_is_not_looked_for_any_more() -> None:
    names = [f"{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}{chr(97 + n // 676)}" for n in range(ENOUGH + 50)]
    log = "\n".join(f"{name}: Killed by signal 9, out of memory: killed process" for name in names)
    matcher = matched(f"{log}\n{NO_KERNEL}")
    dropped = [hit for hit in matcher.hits.values() if hit.count >= ENOUGH]
    assert {hit.count for hit in dropped} == {ENOUGH}
    assert all(hit.places[-1].line in range(1, ENOUGH + 1) for hit in dropped)
    assert "no-kernel-image" in matcher.hits


def test_lines_that_differ_in_numbers_only_are_looked_at_a_few_times() -> None:
    matcher = matched("\n".join(f"step {n}: {NO_KERNEL}" for n in range(100)))
    assert [place.line for place in matcher.hits["no-kernel-image"].places][-1] == 8


def test_repeats() -> None:
    repeats = Repeats()
    assert [repeats.exhausted(b"step %d" % n) for n in range(10)] == [False] * 8 + [True] * 2
    assert not repeats.exhausted(b"stop 9")
    long, longer = b"y" * 400, b"y" * 401
    assert [repeats.exhausted(long) for _ in range(9)] == [False] * 8 + [True]
    assert not any(repeats.exhausted(longer) for _ in range(20))


def test_the_memory_for_repeats_is_bounded() -> None:
    """When the table is full it starts anew, and what was exhausted is looked at again."""
    repeats = Repeats()
    for _ in range(8):
        repeats.exhausted(b"the first")
    distinct = 0
    while repeats.exhausted(b"the first"):
        distinct += 1
        assert distinct < 100_000, "it never starts anew"
        repeats.exhausted(b"a" * (distinct % 390) + b"b" * (distinct // 390))
    assert distinct == 4096


def test_the_words_of_a_text() -> None:
    assert words_in("[Rank0] CUDA-Error: 12.8 é_x".encode()) == {b"rank0", b"cuda", b"error", b"12", b"8", b"x"}


def test_patterns_are_filed_under_words_that_are_rare() -> None:
    """Were one filed under a word of ordinary lines, every line of a training log would be compared with it."""
    ordinary = words_in(b"INFO epoch 3 step 12 of 100: train loss 0.123, gpu memory is 5 GiB, saved checkpoint to the model path")
    compared = sum(len(index().get(word, ())) for word in ordinary)
    assert compared < 0.02 * sum(map(len, index().values()))


def test_every_word_a_pattern_needs_is_in_the_lines_it_matches() -> None:
    for entries in index().values():
        for entry in entries:
            literal = "".join(part if isinstance(part, str) else "1.2" for part in entry.pattern.parts)
            assert entry.needs <= words_in(literal.encode()), entry.pattern.text
            assert entry.needs <= words_in("".join(p if isinstance(p, str) else "xyz" for p in entry.pattern.parts).encode())


def test_an_answer_does_not_depend_on_the_process() -> None:
    """Several patterns in one line are compared in an order that the hashes of a process do not decide."""
    program = (
        "from validator.diagnose import Evidence, diagnose\n"
        "from validator.diagnose.signatures import signatures\n"
        "for one in signatures():\n"
        "    for log in one.examples:\n"
        "        print(diagnose(Evidence(log=log)))\n"
    )
    command = [sys.executable, "-c", program]
    one, two = (subprocess.check_output(command, env={**os.environ, "PYTHONHASHSEED": seed}) for seed in ("1", "2"))
    assert one == two
