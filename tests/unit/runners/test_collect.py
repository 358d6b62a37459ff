"""Reading a probe's streams: bounded, in time, and nothing lost without a word."""

from __future__ import annotations

import json
import queue
import threading
import time
import tracemalloc
from collections.abc import Iterator, Mapping

import pytest
from values import probe_plan

from validator import probe_host
from validator.base.stopping import Stop
from validator.probe_host import ProbePlan
from validator.runners.collect import STDERR, STDOUT, Collector, Ended


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
        assert reader.pump([flood(stream, 96, b"the cause\n")], 60) is Ended.BY_ITSELF
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
        assert reader.pump([((STDOUT, bytes(65_536)) for _ in range(1500))], 60) is Ended.BY_ITSELF
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
    assert reader.pump([out(), err()], 60) is Ended.BY_ITSELF
    assert (reader.report().stray, reader.stderr) == ("to stdout, twice", "to stderr")
    assert reader.failure is None


def test_a_source_that_hangs_is_left_at_the_deadline_with_what_it_said() -> None:
    release = threading.Event()

    def hangs() -> Iterator[tuple[int, bytes]]:
        yield STDERR, b"last words"
        release.wait(60)

    reader = collector()
    try:
        assert reader.pump([hangs()], 0.5) is Ended.AT_DEADLINE
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
    assert reader.pump([endless()], 0.5) is Ended.AT_DEADLINE
    assert stopped.wait(30), "the reading thread went on"


def test_a_source_that_breaks_off_is_told_from_one_that_ends() -> None:
    def breaks() -> Iterator[tuple[int, bytes]]:
        yield STDOUT, b"half a"
        raise ConnectionError("the engine went away")

    reader = collector()
    assert reader.pump([breaks(), iter([(STDERR, b"whole")])], 60) is Ended.BY_ITSELF
    assert isinstance(reader.failure, ConnectionError)
    assert (reader.report().stray, reader.stderr) == ("half a", "whole")


def test_every_event_is_handed_on_while_the_probe_still_runs_and_stderr_is_none() -> None:
    plan = probe_plan("import")
    start = (
        f'{{"nonce": "{plan.nonce}", "seq": 1, "event": "start", "protocol": 2, "python": "", "executable": "", '
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
    assert reader.pump([source()], 60) is Ended.BY_ITSELF
    assert reader.failure is None
    assert [event["event"] for event in events] == ["start"]
    assert reader.report().started
    assert reader.stderr == start.decode()


def test_nothing_to_read_is_an_end() -> None:
    assert collector().pump([], 1) is Ended.BY_ITSELF


def test_stderr_is_shown_inert() -> None:
    reader = collector()
    reader.pump([iter([(STDERR, b"\x1b[2Jcut \xff\xe2\x80\xae")])], 60)
    assert reader.stderr == "cut \ufffd\ufffd"


def test_of_stderr_the_last_16_kibibytes_are_kept_however_they_arrive() -> None:
    for pieces in ([b"lost" + b"k" * 16_384], [b"lost", b"k" * 10_000, b"k" * 6_384]):
        reader = collector()
        reader.pump([iter([(STDERR, piece) for piece in pieces])], 60)
        assert reader.stderr == "k" * 16_384


# ---------------------------------------------------------------- what is said to the probe


class Probe:
    """A probe as a source: says what it is told to, and hears what is said to it."""

    def __init__(self, *checks: str) -> None:
        self.plan: ProbePlan = probe_plan(*(checks or ("throughput",)), turns=True)
        self.said: list[dict[str, str]] = []
        self.heard: queue.Queue[dict[str, str]] = queue.Queue()
        self._seq = 0

    def say(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        self.said.append(json.loads(line))
        self.heard.put(self.said[-1])

    def event(self, name: str, **fields: object) -> tuple[int, bytes]:
        self._seq += 1
        return STDOUT, json.dumps({"nonce": self.plan.nonce, "seq": self._seq, "event": name, **fields}).encode() + b"\n"

    def start(self) -> Iterator[tuple[int, bytes]]:
        texts = dict.fromkeys(("python", "executable", "platform", "libc"), "")
        names = [spec.name for spec in self.plan.checks]
        yield self.event("start", protocol=probe_host.PROTOCOL, environment={}, checks=names, **texts)
        yield self.event("worker-start", worker=1, pid=1)

    def check_end(self, check: str) -> tuple[int, bytes]:
        return self.event("check-end", check=check, status="pass", message="", seconds=0.1, metrics={}, died=None, output="")

    def check(self, check: str) -> Iterator[tuple[int, bytes]]:
        yield self.event("check-start", check=check, worker=1)
        yield self.check_end(check)

    def end(self) -> tuple[int, bytes]:
        return self.event("end", seconds=1.0, checks=len(self.plan.checks))


class Wish:
    """A turn that is granted when a test says so."""

    def __init__(self, *, granted: bool) -> None:
        self._granted, self.looks, self.ended = granted, 0, threading.Event()

    @property
    def granted(self) -> bool:
        self.looks += 1
        return self._granted

    @granted.setter
    def granted(self, value: bool) -> None:
        self._granted = value

    def end(self) -> None:
        self.ended.set()


class Keeper:
    def __init__(self, *, granted: bool = True) -> None:
        self.wishes: list[Wish] = []
        self.asked = threading.Event()
        self._granted = granted

    def ask(self) -> Wish:
        self.wishes.append(Wish(granted=self._granted))
        self.asked.set()
        return self.wishes[-1]


READY = (STDOUT, b"\n" + probe_host.READY + b"\n")


def test_the_nonce_is_told_once_when_the_probe_is_ready_and_nobody_else_hears_of_it() -> None:
    probe, events = Probe(), []
    reader = Collector(probe.plan, events.append, say=probe.say)
    assert reader.pump([iter([(STDOUT, b"hello\n"), READY, READY, *probe.start(), READY])], 60) is Ended.BY_ITSELF
    assert probe.said == [{"nonce": probe.plan.nonce}]
    assert [event["event"] for event in events] == ["start", "worker-start"]
    assert reader.report().stray == "hello"


def test_nothing_is_said_before_the_probe_is_ready() -> None:
    probe = Probe()
    Collector(probe.plan, ignore, say=probe.say).pump([iter([(STDOUT, b"hello\n"), (STDERR, probe_host.READY + b"\n")])], 60)
    assert probe.said == []


@pytest.mark.parametrize("error", [BrokenPipeError(), ConnectionResetError(), ValueError("closed")])
def test_a_probe_that_cannot_be_told_is_read_all_the_same(error: Exception) -> None:
    def deaf(line: bytes) -> None:
        raise error

    probe, gate = Probe(), Keeper()
    reader = Collector(probe.plan, ignore, gate=gate, say=deaf)
    source = [READY, *probe.start(), probe.event("turn", check="throughput"), *probe.check("throughput")]
    assert reader.pump([iter([*source, probe.end()])], 60) is Ended.BY_ITSELF
    assert reader.report().complete
    assert gate.wishes[0].ended.is_set()


def test_a_turn_is_told_once_it_is_granted_and_given_back_at_the_end_of_that_check() -> None:
    probe, gate = Probe("import", "throughput"), Keeper(granted=False)

    def source() -> Iterator[tuple[int, bytes]]:
        yield from probe.start()
        yield from probe.check("import")
        yield probe.event("turn", check="throughput")
        assert gate.asked.wait(30)
        time.sleep(0.3)
        assert probe.said == []
        gate.wishes[0].granted = True
        assert probe.heard.get(timeout=30) == {"turn": "throughput"}
        yield probe.event("check-start", check="throughput", worker=1)
        time.sleep(0.1)
        assert not gate.wishes[0].ended.is_set()
        yield probe.check_end("throughput")
        assert gate.wishes[0].ended.wait(30)
        yield probe.end()

    events: list[Mapping[str, object]] = []
    reader = Collector(probe.plan, events.append, gate=gate, say=probe.say)
    assert reader.pump([source()], 60) is Ended.BY_ITSELF
    assert reader.failure is None
    assert reader.report().complete
    assert len(gate.wishes) == 1
    assert probe.said == [{"turn": "throughput"}]
    assert reader.waited_seconds >= 0.3
    assert {"event": "turn", "check": "throughput"} in events


def test_the_wait_for_a_turn_does_not_count_and_the_time_after_it_does() -> None:
    probe, gate, release = Probe(), Keeper(granted=False), threading.Event()

    def source() -> Iterator[tuple[int, bytes]]:
        yield from probe.start()
        yield probe.event("turn", check="throughput")
        assert gate.asked.wait(30)
        time.sleep(1.5)
        gate.wishes[0].granted = True
        assert probe.heard.get(timeout=30)
        yield probe.event("check-start", check="throughput", worker=1)
        release.wait(30)

    reader = Collector(probe.plan, ignore, gate=gate, say=probe.say)
    began = time.monotonic()
    try:
        assert reader.pump([source()], 1.0) is Ended.AT_DEADLINE
    finally:
        release.set()
    assert reader.failure is None
    assert reader.report().running == "throughput"
    assert time.monotonic() - began >= 2.5 - 0.3
    assert gate.wishes[0].ended.is_set()


def test_who_cannot_talk_asks_for_no_turn() -> None:
    probe, gate = Probe(), Keeper()
    source = [*probe.start(), probe.event("turn", check="throughput"), *probe.check("throughput"), probe.end()]
    reader = Collector(probe.plan, ignore, gate=gate)
    assert reader.pump([iter(source)], 60) is Ended.BY_ITSELF
    assert reader.report().complete
    assert gate.wishes == []


def test_a_run_that_is_to_end_at_once_ends_the_reading_and_gives_the_turn_back() -> None:
    probe, gate, stop, release = Probe(), Keeper(granted=False), Stop(), threading.Event()

    def source() -> Iterator[tuple[int, bytes]]:
        yield from probe.start()
        yield probe.event("turn", check="throughput")
        assert gate.asked.wait(30)
        stop.ask()
        release.wait(60)

    reader = Collector(probe.plan, ignore, gate=gate, say=probe.say, stop=stop)
    try:
        assert reader.pump([source()], 60) is Ended.ON_STOP
    finally:
        release.set()
    assert gate.wishes[0].ended.is_set()
    assert probe.said == []


def test_a_run_that_ends_with_grace_lets_the_probe_go_on() -> None:
    probe, stop = Probe(), Stop()
    stop.ask(3600)
    source = [*probe.start(), *probe.check("throughput"), probe.end()]
    assert Collector(probe.plan, ignore, stop=stop).pump([iter(source)], 60) is Ended.BY_ITSELF


def test_an_old_log_in_which_the_turn_was_given_already_is_not_waited_for() -> None:
    # Another process told the probe before it died; nobody waits now, and the deadline holds.
    probe, gate, release = Probe(), Keeper(granted=False), threading.Event()

    def source() -> Iterator[tuple[int, bytes]]:
        yield from probe.start()
        yield probe.event("turn", check="throughput")
        yield probe.event("check-start", check="throughput", worker=1)
        release.wait(30)

    reader = Collector(probe.plan, ignore, gate=gate, say=probe.say)
    try:
        assert reader.pump([source()], 0.5) is Ended.AT_DEADLINE
    finally:
        release.set()
    assert probe.said == []
    assert len(gate.wishes) == 1


def test_a_log_that_breaks_off_is_read_again_from_its_start_and_what_may_be_lost_is_said_again() -> None:
    probe, gate = Probe(), Keeper()
    log = [READY, *probe.start(), probe.event("turn", check="throughput")]
    rest = [*probe.check("throughput"), probe.end()]
    events: list[Mapping[str, object]] = []
    reader = Collector(probe.plan, events.append, gate=gate, say=probe.say)
    assert reader.pump([iter([READY])], 60) is Ended.BY_ITSELF
    assert reader.pump([iter([*log, (STDOUT, rest[0][1][:-5])])], 60) is Ended.BY_ITSELF
    assert gate.wishes[0].ended.is_set()
    assert reader.pump([iter([*log, *rest])], 60) is Ended.BY_ITSELF
    nonce, turn = {"nonce": probe.plan.nonce}, {"turn": "throughput"}
    assert probe.said == [nonce, nonce, turn, turn]
    assert [event["event"] for event in events] == ["start", "worker-start", "turn", "check-start", "check-end", "end"]
    assert reader.report().complete
    assert reader.report().violations == ()
    assert [wish.ended.is_set() for wish in gate.wishes] == [True, True]


def test_a_turn_is_given_back_when_the_caller_gives_up() -> None:
    probe, gate = Probe(), Keeper()

    def interrupt(event: Mapping[str, object]) -> None:
        if event["event"] == "check-start":
            raise KeyboardInterrupt

    source = [*probe.start(), probe.event("turn", check="throughput"), *probe.check("throughput")]
    with pytest.raises(KeyboardInterrupt):
        Collector(probe.plan, interrupt, gate=gate, say=probe.say).pump([iter(source)], 60)
    assert gate.wishes[0].ended.is_set()
