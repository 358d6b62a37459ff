"""Any log, however it comes: encodings, colours, progress bars, prefixes, wrapped lines, length, hostility."""

from __future__ import annotations

import io
import sys
import tracemalloc
from collections.abc import Iterator
from types import FrameType

import pytest

from validator.diagnose import Diagnosis, Evidence, diagnose
from validator.diagnose.index import index
from validator.diagnose.log_lines import BLOCK, CHUNK, MAX_LINE, blocks, lines
from validator.diagnose.patterns import MAX_LOOKED_AT, normal
from validator.diagnose.prefixes import without_prefix
from validator.diagnose.signatures import signatures

LOG = "epoch 1\nepoch 2\nRuntimeError: CUDA error: no kernel image is available for execution on the device\nbye — ünï\n"


def of(log: bytes | str) -> Diagnosis:
    return diagnose(Evidence(log=log))


@pytest.mark.parametrize(
    "raw",
    [
        LOG.encode(),
        LOG.encode("utf-8-sig"),
        LOG.encode("utf-16"),
        b"\xfe\xff" + LOG.encode("utf-16-be"),
        LOG.encode("utf-16-le"),
        LOG.encode("utf-16-be"),
        LOG.encode("latin-1", "replace"),
        LOG.replace("\n", "\r\n").encode(),
        b"\xff\xfe\xfd" * 3 + LOG.encode(),
        LOG.replace("kernel image", "kernel\x00 image\x00").encode(),
        LOG.replace("RuntimeError", "\x1b[31mRuntimeError\x1b[0m").replace("kernel", "\x1b[1mkernel\x1b[22m").encode(),
        LOG.replace("RuntimeError", "^[[31mRuntimeError^[[0m").encode(),
        LOG.replace("RuntimeError", "[0;31mRuntimeError[0m").encode(),
    ],
)
def test_any_encoding(raw: bytes) -> None:
    found = of(raw)
    assert found.cause == "arch_not_supported"
    assert [line.line for line in found.causes[0].evidence] == [3]
    assert found.lines == 4


def test_a_progress_bar_is_one_line_of_many_states() -> None:
    bar = "".join(f"\r{percent}%|{'#' * percent}| loss 0.{percent}" for percent in range(100))
    found = of(f"start\n{bar}\rRuntimeError: CUDA error: device-side assert triggered\nend\n")
    assert found.cause == "index_out_of_bounds"
    assert found.causes[0].evidence[0].line == 2
    assert found.causes[0].evidence[0].text.startswith("RuntimeError")


@pytest.mark.parametrize(
    "prefix",
    [
        "[rank3]: ",
        "[default0]:",
        "2026-01-02T03:04:05.678901234Z stderr F ",
        "2026-01-02 03:04:05,678 ",
        "Jan  2 03:04:05 host python[123]: ",
        "trainer-1  | ",
        "(RayTrainWorker pid=123, ip=10.0.0.1) ",
        "[pod/train-0/main] ",
        "#12 34.56 ",
        "2026-01-02T03:04:05Z [rank1]: ",
        "[2026-01-02 03:04:05] ",
    ],
)
def test_what_others_put_before_a_line(prefix: str) -> None:
    assert without_prefix(prefix + "Killed") == "Killed"
    assert of(f"{prefix}Killed\n").cause == "killed_by_oom_killer"
    wrapped = f"{prefix}RuntimeError: CUDA error: no kernel image is\n{prefix}available for execution on the device\n"
    assert of(wrapped).cause == "arch_not_supported"


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("INFO - WARNING | ERROR - debug | Killed", "Killed"),
        ("INFO - WARNING | ERROR - debug | info - Killed", "info - Killed"),  # four are enough
        ("[rank0]: [ERROR] ", "[ERROR] "),
        ("[ERROR]", "[ERROR]"),
        ("it is Killed", "it is Killed"),
        ("", ""),
    ],
)
def test_prefixes_behind_each_other_and_nothing_else(line: str, rest: str) -> None:
    assert without_prefix(line) == rest


def test_a_message_in_a_box_or_in_json() -> None:
    assert of("│ RuntimeError: CUDA error: no kernel   image is available for execution │\n").cause == "arch_not_supported"
    json = '{"log":"Traceback\\nRuntimeError: CUDA error: no kernel image is available for execution on the device\\n"}'
    assert of(json).cause == "arch_not_supported"
    assert normal(r"C:\new\torch") == r"c:\new\torch"


def test_a_line_without_an_end_keeps_its_number() -> None:
    found = of("first\n" + "x" * (3 * MAX_LINE) + " RuntimeError: CUDA error: device-side assert triggered")
    assert found.cause == "index_out_of_bounds"
    assert found.causes[0].evidence[0].line == 2
    assert found.lines == 2


def test_a_long_line_is_looked_at_from_both_ends() -> None:
    message = "RuntimeError: CUDA error: device-side assert triggered"
    for line in (message + " x" * 20_000, "x " * 20_000 + message):
        assert of(line).cause == "index_out_of_bounds"
    assert len(normal("y" * 10 * MAX_LOOKED_AT)) < 2 * MAX_LOOKED_AT


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(("latin", "is_read"), [(1000, True), (650, True), (550, False)])
def test_utf_16_is_recognised_without_a_mark_where_most_of_it_is_latin(encoding: str, latin: int, is_read: bool) -> None:
    text = ("é" * latin + "ж" * (1000 - latin)) * 3 + "\nGlorpError: ünï\n"
    assert (of(text.encode(encoding)).informative[0].text == "GlorpError: ünï") is is_read


def test_a_mark_alone_is_an_empty_log() -> None:
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        assert of(mark).informative == ()
    assert of(b"\xff\xfeKilled\n").cause == "unknown"  # no UTF-16, and no line of its own
    assert of(b"\xff\xfe is no mark\nKilled\n").cause == "killed_by_oom_killer"


def test_a_log_may_come_as_lines() -> None:
    for log in (["one\n", "Killed\n"], ["one", "Killed"], (line for line in ("one", "Killed"))):
        found = diagnose(Evidence(log=log))
        assert (found.cause, found.causes[0].evidence[0].line, found.lines) == ("killed_by_oom_killer", 2, 2)


def test_text_that_is_no_unicode_is_read_all_the_same() -> None:
    assert of("one \udcff\nKilled\n").cause == "killed_by_oom_killer"
    assert diagnose(Evidence(log=["one \udcff", "Killed"])).cause == "killed_by_oom_killer"


def test_a_log_longer_than_a_chunk_is_read_as_one() -> None:
    """The message and a character lie across the places where chunks meet, in UTF-8 and in UTF-16."""
    text = "".join(f"step {number} ü\n" for number in range(200_000)) + "Killed\n"
    assert len(text) > 2 * CHUNK
    for encoding in ("utf-8", "utf-16"):
        found = of(text.encode(encoding))
        assert (found.cause, found.causes[0].evidence[0].line, found.lines) == ("killed_by_oom_killer", 200_001, 200_001)


@pytest.mark.parametrize("length", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 2 * MAX_LINE, CHUNK, CHUNK + 1])
def test_a_long_line_is_cut_and_nothing_of_it_is_lost(length: int) -> None:
    text = "x" * length + "\nlast"
    seen = [(number, raw) for first, block in blocks(text) for number, raw in lines(first, block)]
    assert b"".join(raw for number, raw in seen if number == 1) == b"x" * length
    assert [raw for number, raw in seen if number == 2] == [b"last"]
    assert max(len(raw) for _, raw in seen) <= MAX_LINE


def test_blocks_are_whole_lines_of_about_the_same_size() -> None:
    text = "".join(f"line {number}\n" for number in range(1, 5000))
    found = list(blocks(text))
    assert all(block.endswith(b"\n") for _, block in found)
    assert all(BLOCK <= len(block) < BLOCK + 20 for _, block in found[:-1])


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (b"\x1b[31mred\x1b[0m", b"red"),
        (b"\x1b]0;title\x07text", b"text"),
        (b"\x1b]0;title\x1b\\text", b"text"),
        (b"^[[31mred^[[0m", b"red"),
        (b"\xef\xbf\xbd[31mred\xef\xbf\xbd[0m", b"red"),
        (b"[31mred[39m", b"red"),
        (b"[1mbold[22m", b"bold"),
        (b"[1mbold[m [1m", b"bold[m "),
        (b"tensor[31m no colour", b"tensor[31m no colour"),
        (rb"one\nTwo\t3\\nFour\r", b"one Two 3 Four "),
        (rb"C:\torch\new", rb"C:\torch\new"),
        (b"k\0i\0lled", b"killed"),
    ],
)
def test_what_is_taken_out_of_a_line(raw: bytes, plain: bytes) -> None:
    assert b"".join(line for first, block in blocks(raw) for _, line in lines(first, block)) == plain


def test_every_line_comes_once_with_its_number() -> None:
    text = "\n".join(f"line {number}" for number in range(1, 40_001)) + "\n"
    seen = [(number, raw.decode()) for first, block in blocks(text) for number, raw in lines(first, block) if raw]
    assert seen == [(number, f"line {number}") for number in range(1, 40_001)]


class Endless(io.RawIOBase):
    """So many bytes of a repeated chunk, never all in memory."""

    def __init__(self, chunk: bytes, size: int, tail: bytes = b"") -> None:
        self._chunk, self._left, self._tail = chunk, size, tail

    def read(self, size: int = -1) -> bytes:
        if self._left <= 0:
            tail, self._tail = self._tail, b""
            return tail
        part = (self._chunk * (size // len(self._chunk) + 1))[: min(size, self._left)]
        self._left -= len(part)
        return part


def _every_message() -> Iterator[str]:
    for signature in signatures():
        yield from signature.examples


#: What is meant to make a matcher slow: nothing but anchors, near misses of patterns with gaps, one endless line, escapes.
HOSTILE = {
    "anchors": b" ".join(sorted(index())) + b"\n",
    "openings": b" ".join(pattern.literals[0].encode() for one in signatures() for pattern in one.patterns if pattern.has_gap),
    "brackets": b"[" * 5000 + b"\n",
    "escapes": b"\x1b[" * 3000 + b"\x1b]" * 3000,
    "quotes": b"\\\\\\'\\\"" * 1000 + b"\n",
    "stamps": b"2026-01-02T03:04:05Z " * 500 + b"\n",
    "spaces": b" \t" * 5000 + b"error\n",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_four_times_as_much_hostile_input_is_four_times_the_work(name: str) -> None:
    """Calls are counted, not seconds: the machine may be busy. What one call of a matcher looks at is bounded: MAX_LOOKED_AT."""

    def calls(size: int) -> int:
        count = 0

        def counted(frame: FrameType, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(counted)
        try:
            diagnose(Evidence(log=Endless(HOSTILE[name], size)))
        finally:
            sys.setprofile(None)
        return count

    calls(1 << 18)  # what is made once and kept is made
    assert calls(1 << 20) < 5 * calls(1 << 18)


def test_memory_does_not_grow_with_the_log() -> None:
    message = "RuntimeError: CUDA error: device-side assert triggered and step {n} of the run is over\n"
    chunk = b"".join(message.format(n=n).encode() for n in range(200))
    peaks = []
    for size in (1 << 18, 1 << 20):
        tracemalloc.start()
        found = diagnose(Evidence(log=Endless(chunk, size)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.cause == "index_out_of_bounds"
        assert len(found.causes[0].evidence) <= 6
    assert peaks[1] < 1.2 * peaks[0] + (1 << 20)


def test_the_cause_is_found_at_the_end_of_much_noise() -> None:
    noise = b"INFO step 12 loss 0.123 lr 1e-4 | data 0.01s | 12%|###   | 120/1000 [00:10<00:50, 12.3it/s]\n"
    found = diagnose(Evidence(log=Endless(noise, 1 << 22, b"\nValueError: Attempting to unscale FP16 gradients.\n")))
    assert found.cause == "grad_scaler_misuse"


def test_every_message_together_ends_in_an_answer() -> None:
    assert of("\n".join(_every_message())).causes
