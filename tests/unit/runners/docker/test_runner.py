"""One container from its creation to its removal, on an engine that can refuse, break off, forget and hang.

The engine here is a stand-in for docker.APIClient: its troubles cannot be had from a real one at will. Real containers are in
tests/integration.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from docker.errors import APIError, NotFound
from urllib3.exceptions import HTTPError
from values import T4, cell, matrix, probe_plan

from validator import probe_host
from validator.base.errors import EngineUnavailableError, InterruptedRunError
from validator.model import EngineInfo, NvmlInfo
from validator.probe_host import ProbePlan
from validator.runners import Prepared, RunContext, RunOutcome, RunRequest
from validator.runners.collect import Collector, Ended
from validator.runners.docker import engine as engines
from validator.runners.docker import runner as runners
from validator.runners.docker.runner import DockerRunner

INFO = EngineInfo(name="docker", version="29.0.0", address="unix:///run/first.sock")
RUNNING = {"Running": True, "ExitCode": 0}
TIMES = {"StartedAt": "2026-11-28T17:00:00.5Z", "FinishedAt": "2026-11-28T17:00:09.123456789Z"}
ENDED = {"Running": False, "ExitCode": 0, "OOMKilled": False, **TIMES}
GONE = requests.exceptions.ConnectionError("connection reset by peer")
NAME = "validator-r-a-1"


def refused(words: str, status: int = 500) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError(words, response=response, explanation=words)


def started(plan: ProbePlan) -> bytes:
    """The first event of a probe, as it arrives."""
    names = [spec.name for spec in plan.checks]
    texts = dict.fromkeys(("python", "executable", "platform", "libc"), "x")
    event = {"nonce": plan.nonce, "seq": 1, "event": "start", "protocol": 2, **texts, "environment": {}, "checks": names}
    return json.dumps(event).encode() + b"\n"


@dataclass
class Engine:
    """The calls of docker.APIClient that a container needs. A call raises what is listed for it first, then answers."""

    troubles: dict[str, list[Exception]] = field(default_factory=dict)
    states: list[dict[str, Any]] = field(default_factory=lambda: [ENDED])
    """One for each look at the container; the last one stays."""
    out: bytes = b""
    err: bytes = b""
    live: bytes | None = None
    """What of stdout comes over the attached connection; None for all of it."""
    breaks: int = 0
    """How many readings break off after their output, the first of them the attached connection."""
    hang: threading.Event | None = None
    """Set: the output goes on until then."""
    actions: tuple[str, ...] = ("start", "die")
    """The events of the container."""
    timeout: int = 60
    calls: list[tuple[str, Any]] = field(default_factory=list)
    ears: list[socket.socket] = field(default_factory=list)
    """The other ends of what the container is spoken to through."""

    def _called(self, name: str, what: Any) -> None:
        self.calls.append((name, what))
        if self.troubles.get(name):
            raise self.troubles[name].pop(0)

    def create_container_from_config(self, body: Mapping[str, Any], name: str) -> None:
        self._called("create", (body, name))

    def attach_socket(self, name: str, params: Mapping[str, int]) -> Any:
        assert name == NAME
        self._called("attach", dict(params))
        ours, theirs = socket.socketpair()
        if "stdin" in params:
            self.ears.append(theirs)
        else:
            threading.Thread(target=self._speak, args=(theirs,), daemon=True).start()
        return SimpleNamespace(_sock=ours, close=ours.close)

    def _speak(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for number, data in ((1, self.out if self.live is None else self.live), (2, self.err)):
                connection.sendall(struct.pack(">BxxxL", number, len(data)) + data)
            if self.hang is not None:
                self.hang.wait(30)
            if self.breaks:
                self.breaks -= 1
                connection.sendall(b"\x01")

    def start(self, name: str) -> None:
        self._called("start", name)

    def logs(self, name: str, *, stdout: bool, stderr: bool, stream: bool, follow: bool) -> Iterator[bytes]:
        assert (name, stdout, stream, follow) == (NAME, not stderr, True, True)
        self._called("logs", 1 if stdout else 2)
        return self._stdout() if stdout else iter([self.err])

    def _stdout(self) -> Iterator[bytes]:
        yield self.out
        if self.breaks:
            self.breaks -= 1
            raise GONE

    def inspect_container(self, name: str) -> dict[str, Any]:
        self._called("inspect", name)
        return {"State": self.states.pop(0) if len(self.states) > 1 else self.states[0]}

    def events(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self._called("events", asked)
        return iter([{"Action": action} for action in self.actions])

    def ping(self) -> bool:
        self._called("ping", None)
        return True

    def kill(self, name: str) -> None:
        self._called("kill", name)

    def remove_container(self, name: str, *, force: bool, v: bool) -> None:
        self._called("remove", (name, force, v))

    def close(self) -> None:
        self._called("close", None)

    def called(self, *names: str) -> list[str]:
        return [name for name, _ in self.calls if name in names]


class Silent:
    """An attached connection that brings nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def sources(self) -> list[Any]:
        return []

    def say(self, line: bytes) -> None:
        pass

    def close(self) -> None:
        pass


class Clock:
    """Time as the runner sees it: it passes only while the runner sleeps."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1795885209.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(runners, "time", clock)
    return clock


def made(monkeypatch: pytest.MonkeyPatch, engine: Engine, addresses: list[str | None] | None = None) -> DockerRunner:
    def connect(only: str | None = None) -> tuple[Engine, EngineInfo]:
        (addresses if addresses is not None else []).append(only)
        engine._called("connect", only)
        return engine, INFO

    monkeypatch.setattr(engines, "connect", connect)
    return DockerRunner(matrix(), RunContext("r", owner="host:1"))


def request(*, keep: bool = False, deadline_seconds: float = 90.0, devices: bool = False) -> RunRequest:
    host = {"DeviceRequests": [{}]} if devices else {}
    return RunRequest("a@host", NAME, {"Image": "i", "HostConfig": host}, probe_plan("import"), deadline_seconds, keep)


FAILED = {"status": "fail", "message": "no torch", "seconds": 0.1, "metrics": {}, "died": None, "output": ""}


PASSED = {**FAILED, "status": "pass", "message": ""}


def whole(plan: ProbePlan, end: Mapping[str, object] = FAILED) -> bytes:
    """All that a probe says of its one check, which fails unless something else is given."""
    said: list[dict[str, Any]] = [
        {"event": "worker-start", "worker": 1, "pid": 7},
        {"event": "check-start", "check": "import", "worker": 1},
        {"event": "check-end", "check": "import", **end},
        {"event": "end", "seconds": 1.0, "checks": 1},
    ]
    lines = [json.dumps({"nonce": plan.nonce, "seq": number, **event}) for number, event in enumerate(said, 2)]
    return started(plan) + "".join(f"{line}\n" for line in lines).encode()


def run(monkeypatch: pytest.MonkeyPatch, engine: Engine, of: RunRequest | None = None) -> RunOutcome:
    return made(monkeypatch, engine).run(of or request(), lambda event: None)


# ---------------------------------------------------------------- a container that behaves


def test_a_container_is_made_read_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    events: list[Mapping[str, object]] = []
    engine = Engine(out=b"hello\n" + whole(of.plan), err=b"a warning\n")
    outcome = made(monkeypatch, engine).run(of, events.append)
    assert [event["event"] for event in events] == ["start", "worker-start", "check-start", "check-end", "end"]
    assert (outcome.report.complete, outcome.report.stray, outcome.stderr) == (True, "hello", "a warning\n")
    assert (outcome.exit_code, outcome.timed_out, outcome.oom_killed, outcome.transient) == (0, False, False, False)
    assert (outcome.start_problem, outcome.engine_problem) == (None, None)
    assert (outcome.start_seconds, outcome.probe_seconds) == (0.0, 0.0)
    assert engine.calls == [
        ("connect", None),
        ("create", (of.payload, NAME)),
        ("attach", {"stdout": 1, "stderr": 1, "stream": 1}),  # before the start: nothing is missed
        ("attach", {"stdin": 1, "stream": 1}),
        ("start", NAME),
        ("inspect", NAME),
        ("remove", (NAME, True, True)),
    ]


def test_a_container_that_is_to_be_kept_is_stopped_and_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    run(monkeypatch, engine, request(keep=True))
    assert engine.called("kill", "remove") == ["kill"]


def test_a_container_out_of_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, Engine(states=[{"Running": False, "ExitCode": 137, "OOMKilled": True}]))
    assert (outcome.oom_killed, outcome.exit_code) == (True, 137)


def test_the_engine_may_take_a_moment_to_record_the_end(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    of = request()
    outcome = run(monkeypatch, Engine(out=whole(of.plan), states=[RUNNING, RUNNING, {**ENDED, "ExitCode": 1}]), of)
    assert (outcome.exit_code, outcome.timed_out, outcome.report.complete) == (1, False, True)
    assert 0 < (outcome.probe_seconds or 0) < 0.1


def test_the_probe_is_told_its_nonce_when_it_asks_and_the_environment_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    engine = Engine(out=probe_host.READY + b"\n" + whole(of.plan))
    run(monkeypatch, engine, of)
    [ear] = engine.ears
    assert ear.recv(1000) == probe_host.answer("nonce", of.plan.nonce)
    assert ear.recv(1000) == b"", "and the connection is closed"


# ---------------------------------------------------------------- what does not start


def test_a_container_that_the_engine_refuses_is_an_error_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine({"create": [refused("no such image")]})
    outcome = run(monkeypatch, engine)
    assert outcome.engine_problem == "the container was refused: no such image"
    assert (outcome.report.started, outcome.exit_code) == (False, None)
    assert engine.called("start", "remove") == ["remove"]  # the refusal may have come after the creation


@pytest.mark.parametrize("kind", [requests.exceptions.ConnectionError, HTTPError, ConnectionResetError, TimeoutError])
def test_an_engine_that_goes_away_at_the_creation_is_an_error(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, Engine({"create": [kind("connection reset by peer")]}))
    assert outcome.engine_problem == "the engine went away: connection reset by peer"


def test_an_engine_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = [EngineUnavailableError("no container engine answers", why="nothing listens") for _ in range(3)]
    outcome = run(monkeypatch, Engine({"connect": list(absent)}))
    assert outcome.engine_problem is not None
    assert "no container engine answers" in outcome.engine_problem


def test_a_container_that_cannot_start_is_told_in_the_engines_words_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine({"start": [refused("exec: python3: not found")]}, states=[{"Running": False, "ExitCode": 127}])
    outcome = run(monkeypatch, engine)
    assert (outcome.start_problem, outcome.exit_code) == ("exec: python3: not found", 127)
    assert outcome.engine_problem is None
    assert engine.called("remove") == ["remove"]


def test_a_container_that_cannot_start_and_is_not_known_has_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, Engine({"start": [refused("no")], "inspect": [NotFound("gone")]}))
    assert (outcome.start_problem, outcome.exit_code) == ("no", None)


def test_a_connection_that_breaks_at_the_start_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    outcome = run(monkeypatch, Engine({"start": [GONE]}, out=whole(of.plan)), of)
    assert (outcome.engine_problem, outcome.start_problem, outcome.report.complete) == (None, None, True)


def test_a_container_that_never_started_when_the_connection_broke_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    created = {"Running": False, "Status": "created", "ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z"}
    outcome = run(monkeypatch, Engine({"start": [GONE]}, states=[created]))
    assert (outcome.engine_problem is not None, outcome.transient) == (True, True)


@pytest.mark.parametrize(
    ("words", "devices", "transient"),
    [
        ("nvidia-container-cli: device error: GPU-1: unknown device: unknown", True, True),
        ("nvidia-container-cli: device error: GPU-1: unknown device: unknown", False, False),
        ("nvidia-container-cli: detection error: nvml error: gpu is lost", True, True),
        ("ttrpc: closed: unknown", False, True),
        ('could not select device driver "nvidia" with capabilities: [[gpu]]', True, False),
        ("exec: python3: not found", True, False),
    ],
)
def test_a_gpu_that_was_away_for_a_moment_is_tried_again(
    words: str, devices: bool, transient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run(monkeypatch, Engine({"start": [refused(words)]}), request(devices=devices))
    assert (outcome.start_problem, outcome.transient) == (words, transient)


@pytest.mark.parametrize(("devices", "asked_engine"), [(True, False), (False, True)])
def test_an_engine_that_would_leave_the_gpu_out_is_asked_only_for_containers_without_one(
    devices: bool, asked_engine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine()
    runner = made(monkeypatch, engine)
    runner._engine = EngineInfo(name="podman", version="4.9.4")
    outcome = runner.run(request(devices=devices), lambda event: None)
    assert (outcome.engine_problem is None) is asked_engine
    assert bool(engine.calls) is asked_engine


# ---------------------------------------------------------------- connections that break


@pytest.mark.parametrize("state", [RUNNING, ENDED])
@pytest.mark.parametrize("breaks", [0, 1, 2])
def test_output_that_breaks_off_is_read_again_from_the_log_and_nothing_is_told_twice(
    state: dict[str, Any], breaks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = request()
    events: list[object] = []
    engine = Engine(out=b"hello\n" + whole(of.plan), live=started(of.plan), breaks=breaks, states=[state] * 60 + [ENDED])
    outcome = made(monkeypatch, engine).run(of, lambda event: events.append(event["event"]))
    assert (outcome.report.complete, outcome.report.violations, outcome.report.stray) == (True, (), "hello")
    assert (outcome.exit_code, outcome.engine_problem, outcome.timed_out, outcome.transient) == (0, None, False, False)
    assert events == ["start", "worker-start", "check-start", "check-end", "end"]


def test_a_container_that_is_followed_again_is_spoken_to_again(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    engine = Engine(out=probe_host.READY + b"\n" + whole(of.plan), live=b"", breaks=1, states=[RUNNING, ENDED])
    run(monkeypatch, engine, of)
    first, second = engine.ears
    assert (first.recv(1000), second.recv(1000)) == (b"", probe_host.answer("nonce", of.plan.nonce))


def test_a_reconnect_goes_to_the_same_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: list[str | None] = []
    of = request()
    engine = Engine({"inspect": [GONE]}, out=whole(of.plan))
    outcome = made(monkeypatch, engine, addresses).run(of, lambda event: None)
    assert (outcome.exit_code, outcome.engine_problem) == (0, None)
    assert addresses == [None, INFO.address]
    assert engine.called("close") == ["close"]


@pytest.mark.parametrize("complete", [True, False])
def test_what_an_engine_that_was_away_left_out_is_no_verdict(complete: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    engine = Engine({"inspect": [GONE]}, out=whole(of.plan) if complete else started(of.plan))
    outcome = run(monkeypatch, engine, of)
    assert (outcome.engine_problem is None, outcome.transient) == (complete, not complete)
    assert engine.called("logs").count("logs") == (0 if complete else 2 * 3)  # both streams, as often as is bounded


@pytest.mark.parametrize(
    ("actions", "outside"),
    [
        (("create", "attach", "start", "die"), False),
        (("create", "start", "oom", "die"), False),
        (("start", "kill", "die"), True),  # `docker stop`, or an engine that is shut down
        (("kill", "die"), True),  # an engine that has started again and found a container
        (("attach",), True),  # one that has started again and found it ended
        ((), True),
        (("start", "died"), False),  # in Podman's words
    ],
)
def test_whose_end_it_was_is_read_from_the_engines_events(
    actions: tuple[str, ...], outside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(actions=actions, states=[{**ENDED, "ExitCode": 137}])
    outcome = run(monkeypatch, engine)
    assert (outcome.engine_problem is not None, outcome.transient, outcome.exit_code) == (outside, outside, 137)
    [asked] = [what for name, what in engine.calls if name == "events"]
    assert asked["filters"] == {"container": NAME}
    since, until = float(asked["since"]), float(asked["until"])
    assert (since, until) == (pytest.approx(1795885200.2, abs=0.001), pytest.approx(1795885209.423, abs=0.001))


def test_a_log_that_has_lost_its_beginning_takes_nothing_from_what_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    engine = Engine(out=b"rotated\n", live=b"".join(whole(of.plan, PASSED).splitlines(keepends=True)[:-1]), err=b"words\n")
    outcome = run(monkeypatch, engine, of)
    assert [check.name for check in outcome.report.checks] == ["import"]
    assert (outcome.report.violations, outcome.report.stray, outcome.stderr) == ((), "", "words\n")


def test_a_whole_answer_with_a_bad_exit_is_tried_again_where_somebody_killed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    passed = whole(of.plan, PASSED)
    for actions, outside in ((("start", "kill", "die"), True), (("start", "die"), False)):
        engine = Engine(out=passed, actions=actions, states=[{**ENDED, "ExitCode": 137}])
        outcome = run(monkeypatch, engine, of)
        assert outcome.report.complete
        assert (outcome.transient, outcome.exit_code) == (outside, 137)


def test_what_the_probe_waited_for_its_turn_is_given_to_it_after_a_broken_connection_too(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    of, given = request(deadline_seconds=90), []  # type: ignore[var-annotated]

    class Waiting(Collector):
        def pump(self, sources: Any, deadline_seconds: float) -> Ended:
            given.append(deadline_seconds)
            ended = super().pump(sources, deadline_seconds)
            clock.now += 100
            self.waited_seconds += 100
            return ended

    monkeypatch.setattr(runners, "Collector", Waiting)
    engine = Engine(out=whole(of.plan), live=b"", breaks=1, states=[RUNNING, ENDED])
    outcome = run(monkeypatch, engine, of)
    assert (outcome.report.complete, outcome.timed_out) == (True, False)
    assert given == [90, pytest.approx(90, abs=1)]


def test_a_container_out_of_memory_died_of_itself_whoever_killed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, Engine(actions=("kill",), states=[{**ENDED, "ExitCode": 137, "OOMKilled": True}]))
    assert (outcome.engine_problem, outcome.transient) == (None, False)


def test_a_required_check_that_failed_is_not_tried_again_until_it_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    said = whole(of.plan).splitlines(keepends=True)
    outcome = run(monkeypatch, Engine({"inspect": [GONE]}, out=b"".join(said[:-1])), of)  # all but the end
    assert not outcome.report.complete
    assert (outcome.engine_problem, outcome.transient) == (None, False)


def test_an_engine_that_cannot_say_how_a_container_ended_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, Engine({"events": [GONE]}))
    assert outcome.transient
    assert "cannot say how" in (outcome.engine_problem or "")


def test_an_engine_that_forgot_the_container_is_an_error_and_not_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, Engine({"inspect": [NotFound("no such container")]}, out=b"hello\n"))
    assert outcome.engine_problem is not None
    assert "no longer answers" in outcome.engine_problem
    assert (outcome.exit_code, outcome.timed_out, outcome.report.stray) == (None, False, "hello")


@pytest.mark.parametrize("trouble", [GONE, refused("overloaded")])
@pytest.mark.parametrize(("times", "lost"), [(239, False), (241, True)])
def test_an_engine_is_given_up_after_a_minute(
    trouble: Exception, times: int, lost: bool, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    of = request()
    outcome = run(monkeypatch, Engine({"inspect": [trouble] * times}, out=whole(of.plan)), of)  # asked four times a second
    assert (outcome.engine_problem is not None, outcome.transient) == (lost, lost)
    assert clock.now - 1000 == pytest.approx(60 if lost else times / 4)


# ---------------------------------------------------------------- deadlines


def test_a_container_that_goes_on_at_the_deadline_has_no_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()
    engine = Engine(out=b"still here\n", states=[RUNNING], hang=hang)
    try:
        outcome = run(monkeypatch, engine, request(deadline_seconds=0.3))
    finally:
        hang.set()
    assert (outcome.timed_out, outcome.exit_code, outcome.engine_problem) == (True, None, None)
    assert outcome.report.stray == "still here"
    assert engine.called("remove") == ["remove"]


def test_a_container_that_closes_its_output_and_goes_on_is_ended_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    outcome = run(monkeypatch, Engine(states=[RUNNING]), request(deadline_seconds=90))
    assert (outcome.timed_out, outcome.exit_code) == (True, None)
    assert 90 <= clock.now - 1000 <= 100


# ---------------------------------------------------------------- removal


@pytest.mark.parametrize(
    ("trouble", "tries", "connections"),
    [
        ([NotFound("no such container")], 1, 1),
        ([refused("removal is already in progress", 409)], 1, 1),
        ([refused("overloaded")], 2, 2),
        ([GONE], 2, 2),  # the second try goes over a connection of its own
        ([GONE, GONE], 2, 2),  # it is given up, and raises nothing
        ([EngineUnavailableError("none")] * 2, 2, 1),
    ],
)
def test_an_engine_that_does_not_remove_is_asked_once_more(
    trouble: list[Exception], tries: int, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = request()
    engine = Engine({"remove": trouble}, out=whole(of.plan))
    outcome = run(monkeypatch, engine, of)
    assert (outcome.exit_code, outcome.stuck, outcome.engine_problem) == (0, False, None)
    assert len(engine.called("remove")) == tries
    assert len(engine.called("connect")) == connections


@pytest.mark.parametrize(
    ("trouble", "look"),
    [
        (refused("could not kill running container, cannot remove"), []),
        (requests.exceptions.ReadTimeout("Read timed out."), []),
        (requests.exceptions.ReadTimeout("Read timed out."), [requests.exceptions.ReadTimeout("Read timed out.")]),
    ],
)
def test_a_container_that_cannot_be_ended_is_stuck_and_holds_nobody_up(
    trouble: Exception, look: list[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    of = request()
    engine = Engine({"remove": [trouble, trouble]}, out=whole(of.plan), states=[ENDED, RUNNING])
    monkeypatch.setattr(Engine, "remove_container", lambda self, *_, **__: (
        self._called("seconds", self.timeout), self.troubles["inspect"].extend(look), self._called("remove", None)))
    engine.troubles["inspect"] = []
    outcome = run(monkeypatch, engine, of)
    assert outcome.stuck
    assert "could not be ended" in (outcome.engine_problem or "")
    assert engine.called("remove") == ["remove"]
    assert ("seconds", 25) in engine.calls
    assert engine.timeout == 60


def test_an_interrupt_removes_the_container_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(event: Mapping[str, object]) -> None:
        raise KeyboardInterrupt

    of = request()
    engine = Engine(out=started(of.plan))
    with pytest.raises(KeyboardInterrupt):
        made(monkeypatch, engine).run(of, interrupt)
    assert engine.called("remove") == ["remove"]


def test_a_runner_is_closed_once_and_connects_again_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    runner = made(monkeypatch, engine)
    runner.close()
    assert engine.calls == []
    of = request()
    engine.out = whole(of.plan)
    runner.run(of, lambda event: None)
    runner.close()
    runner.close()
    assert engine.called("connect", "close") == ["connect", "close"]
    runner.run(of, lambda event: None)
    assert engine.called("connect", "close") == ["connect", "close", "connect"]


# ---------------------------------------------------------------- the end of a run


@pytest.mark.parametrize("now", [False, True])
def test_nothing_is_begun_once_the_run_is_to_end(now: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    runner = made(monkeypatch, engine)
    runner._stop.ask(0 if now else 60)
    with pytest.raises(InterruptedRunError, match="was not measured to its end"):
        runner.run(request(), lambda event: None)
    assert engine.calls == []


@pytest.mark.parametrize("state", [RUNNING, ENDED])
def test_what_runs_is_ended_when_the_run_is_to_end_now(state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    of, hang = request(), threading.Event()
    engine = Engine(out=started(of.plan), states=[state], hang=hang)
    runner = made(monkeypatch, engine)
    try:
        with pytest.raises(InterruptedRunError):
            runner.run(of, lambda event: runner._stop.ask())
    finally:
        hang.set()
    assert engine.called("remove") == ["remove"]


def test_a_container_that_cannot_be_ended_when_the_run_is_to_end_now_is_named_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    of, hang = request(), threading.Event()
    engine = Engine(out=started(of.plan), states=[RUNNING], hang=hang)
    runner = made(monkeypatch, engine)
    seen: list[int] = []

    def remove(self: Engine, *_: object, **__: object) -> None:
        seen.append(self.timeout)
        raise requests.exceptions.ReadTimeout("Read timed out.")

    monkeypatch.setattr(Engine, "remove_container", remove)
    try:
        with pytest.raises(InterruptedRunError) as caught:
            runner.run(of, lambda event: runner._stop.ask())
    finally:
        hang.set()
    assert f"{NAME} could not be ended" in caught.value.why
    assert seen == [5]


def test_a_run_that_is_to_end_does_not_wait_for_an_engine(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    of = request()
    engine = Engine({"inspect": [GONE] * 1000}, out=started(of.plan))
    runner = made(monkeypatch, engine)
    asked: list[bool] = []

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.now > 1005 and not asked:
            asked.append(True)
            runner._stop.ask()

    monkeypatch.setattr(clock, "sleep", sleep)
    with pytest.raises(InterruptedRunError):
        runner.run(of, lambda event: None)
    assert clock.now < 1010


# ---------------------------------------------------------------- what an earlier process started


def test_a_container_of_before_is_read_from_its_start_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    engine = Engine(out=probe_host.READY + b"\n" + whole(of.plan), states=[{**RUNNING, **TIMES, "Status": "running"}, ENDED])
    monkeypatch.setattr(runners, "time", SimpleNamespace(monotonic=lambda: 1000.0, time=lambda: 1795885209.0, sleep=print))
    outcome = made(monkeypatch, engine).rejoin(of, lambda event: None)
    assert outcome is not None
    assert (outcome.report.complete, outcome.exit_code, outcome.engine_problem) == (True, 0, None)
    assert engine.called("create", "start", "attach", "remove") == ["attach", "remove"]


def test_a_container_of_before_that_has_ended_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    engine = Engine(out=whole(of.plan))
    outcome = made(monkeypatch, engine).rejoin(of, lambda event: None)
    assert outcome is not None
    assert (outcome.report.complete, outcome.engine_problem) == (True, None)
    assert engine.called("attach") == [], "Podman makes a container that has ended anew when it is attached to"


@pytest.mark.parametrize(("age", "late"), [(89.0, False), (91.0, True), (-500.0, False)])
def test_the_time_that_a_container_of_before_has_had_counts(age: float, late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    of = request(deadline_seconds=90)
    engine = Engine(out=whole(of.plan), states=[{**RUNNING, **TIMES}, ENDED])
    clock = SimpleNamespace(monotonic=lambda: 1000.0, time=lambda: 1795885200.5 + age, sleep=print)
    monkeypatch.setattr(runners, "time", clock)
    outcome = made(monkeypatch, engine).rejoin(of, lambda event: None)
    assert outcome is not None
    assert outcome.timed_out is late


def test_half_an_answer_of_before_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    outcome = made(monkeypatch, Engine(out=started(of.plan))).rejoin(of, lambda event: None)
    assert outcome is not None
    assert (outcome.transient, outcome.engine_problem is None) == (True, False)


def test_a_container_that_is_not_there_any_more_cannot_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(monkeypatch, Engine({"inspect": [NotFound("no such container")]})).rejoin(request(), print) is None


def test_one_that_was_never_started_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(states=[{"Running": False, "Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}])
    assert made(monkeypatch, engine).rejoin(request(), print) is None
    assert engine.called("remove") == ["remove"]


def test_without_an_engine_nothing_is_known_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = made(monkeypatch, Engine({"inspect": [GONE] * 1000})).rejoin(request(), print)
    assert outcome is not None
    assert outcome.transient


# ---------------------------------------------------------------- the machine, the image


def test_the_engine_of_a_run_is_the_one_that_answered_when_it_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validator.host.nvml.query", lambda _timeout: NvmlInfo(gpus=(T4,)))
    addresses: list[str | None] = []
    made(monkeypatch, Engine(), addresses)
    chosen = replace(INFO, address="unix:///run/second.sock")
    runner = DockerRunner(matrix(), RunContext("r", owner="host:1", engine=chosen))
    assert (runner.host().engine, runner.host().nvml.gpus) == (chosen, (T4,))
    runner.run(request(), lambda event: None)
    assert set(addresses) == {"unix:///run/second.sock"}


def test_the_request_of_a_run_is_what_the_engine_is_asked_to_make(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    runner = made(monkeypatch, engine)
    of = runner.request(cell(), Prepared("sha256:1"))
    engine.out = b""
    monkeypatch.setattr("validator.runners.docker.runner.Attached", Silent)
    monkeypatch.setattr(Engine, "logs", lambda *_, **__: iter([b""]))
    runner.run(of, lambda event: None)
    assert ("create", (of.payload, of.name)) in engine.calls
