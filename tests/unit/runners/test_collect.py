"""Reading a probe's streams: bounded, in time, and nothing lost without a word."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator, Mapping

import pytest
from values import probe_plan

from validator.runners.collect import STDERR, STDOUT, Collector


def ignore(event: Mapping[str, object]) -> None:
    pass


def collector() -> Collector:
    return Collector(probe_plan(), ignore)


def flood(stream: int, megabytes: int, last: bytes) -> Iterator[tuple[int, bytes]]:
    for _ in range(megabytes * 16):
        yield stream, bytes(b"x" * 65_535 + b"\n")
    yield stream, last


@pytest.mark.parametrize("stream", [STDOUT, STDERR])
def test_a_flood_is_read_to_its_end_in_bounded_memory(stream: int) -> None:
    reader = collector()
    tracemalloc.start()
    try:
        assert reader.pump([flood(stream, 96, b"the cause\n")], 60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 48 << 20  # the queue holds 16 MiB; the flood is six times as much
    kept = reader.stderr if stream == STDERR else reader.report().stray
    assert kept.rstrip().endswith("the cause")
    assert len(kept) <= 16_384


def test_a_line_that_never_ends_is_bounded_as_well() -> None:
    reader = collector()
    tracemalloc.start()
    try:
        assert reader.pump([((STDOUT, bytes(65_536)) for _ in range(1500))], 60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 48 << 20
    assert not reader.report().started


def test_both_streams_are_read_at_once_and_kept_apart() -> None:
    # Each stream goes on only after the other has spoken, so reading one to its end first would never end.
    out_spoke, err_spoke = threading.Event(), threading.Event()

    def out() -> Iterator[tuple[int, bytes]]:
        yield STDOUT, b"to stdout, "
        out_spoke.set()
        assert err_spoke.wait(30)
        yield STDOUT, b"twice\n"

    def err() -> Iterator[tuple[int, bytes]]:
        assert out_spoke.wait(30)
        err_spoke.set()
        yield STDERR, b"to stderr"

    reader = collector()
    assert reader.pump([out(), err()], 60)
    assert (reader.report().stray, reader.stderr) == ("to stdout, twice", "to stderr")
    assert reader.failure is None


def test_a_source_that_hangs_is_left_at_the_deadline_with_what_it_said() -> None:
    release = threading.Event()

    def hangs() -> Iterator[tuple[int, bytes]]:
        yield STDERR, b"last words"
        release.wait(60)

    reader = collector()
    try:
        assert not reader.pump([hangs()], 0.5)
        assert reader.stderr == "last words"
    finally:
        release.set()


def test_a_source_that_never_stops_is_left_at_the_deadline() -> None:
    stopped = threading.Event()

    def endless() -> Iterator[tuple[int, bytes]]:
        try:
            while True:
                yield STDOUT, b"more\n"
        finally:
            stopped.set()

    reader = collector()
    assert not reader.pump([endless()], 0.5)
    assert stopped.wait(30), "the reading thread went on"


def test_a_source_that_breaks_off_is_told_from_one_that_ends() -> None:
    def breaks() -> Iterator[tuple[int, bytes]]:
        yield STDOUT, b"half a"
        raise ConnectionError("the engine went away")

    reader = collector()
    assert reader.pump([breaks(), iter([(STDERR, b"whole")])], 60)
    assert isinstance(reader.failure, ConnectionError)
    assert (reader.report().stray, reader.stderr) == ("half a", "whole")


def test_every_event_is_handed_on_while_the_probe_still_runs_and_stderr_is_none() -> None:
    plan = probe_plan("import")
    start = (
        f'{{"nonce": "{plan.nonce}", "seq": 1, "event": "start", "protocol": 1, "python": "", "executable": "", '
        '"platform": "", "libc": "", "environment": {}, "checks": ["import"]}\n'
    ).encode()
    handed_on = threading.Event()
    events: list[Mapping[str, object]] = []

    def on_event(event: Mapping[str, object]) -> None:
        events.append(event)
        handed_on.set()

    def source() -> Iterator[tuple[int, bytes]]:
        yield STDERR, start
        yield STDOUT, start[:20]
        yield STDOUT, start[20:]
        assert handed_on.wait(30)

    reader = Collector(plan, on_event)
    assert reader.pump([source()], 60)
    assert reader.failure is None
    assert [event["event"] for event in events] == ["start"]
    assert reader.report().started
    assert reader.stderr == start.decode()


def test_nothing_to_read_is_an_end() -> None:
    assert collector().pump([], 1)


def test_stderr_is_shown_inert() -> None:
    reader = collector()
    reader.pump([iter([(STDERR, b"\x1b[2Jcut \xff\xe2\x80\xae")])], 60)
    assert reader.stderr == "cut \ufffd\ufffd"


def test_of_stderr_the_last_16_kibibytes_are_kept_however_they_arrive() -> None:
    for pieces in ([b"lost" + b"k" * 16_384], [b"lost", b"k" * 10_000, b"k" * 6_384]):
        reader = collector()
        reader.pump([iter([(STDERR, piece) for piece in pieces])], 60)
        assert reader.stderr == "k" * 16_384
