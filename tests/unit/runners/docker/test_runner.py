"""One container from its creation to its removal, on an engine that can refuse, break off, forget and hang.

The engine here is a stand-in for docker.APIClient: its troubles cannot be had from a real one at will. Real containers are in
tests/integration.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import requests
from docker.errors import APIError, NotFound
from urllib3.exceptions import HTTPError
from values import T4, cell, environment, matrix, probe_plan

from validator.base.errors import EngineUnavailableError
from validator.model import EngineInfo, NvmlInfo
from validator.probe_host import ProbePlan
from validator.runners import Prepared, RunContext, RunOutcome, RunRequest
from validator.runners.docker import engine as engines
from validator.runners.docker import runner as runners
from validator.runners.docker.runner import DockerRunner

INFO = EngineInfo(name="docker", version="29.0.0", address="unix:///run/first.sock")
RUNNING = {"Running": True, "ExitCode": 0}
ENDED = {"Running": False, "ExitCode": 0, "OOMKilled": False}
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
    breaks: int = 0
    """How many times the log of stdout breaks off after its output."""
    hang: threading.Event | None = None
    """Set: the log of stdout goes on until then."""
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def _called(self, name: str, what: Any) -> None:
        self.calls.append((name, what))
        if self.troubles.get(name):
            raise self.troubles[name].pop(0)

    def create_container_from_config(self, body: Mapping[str, Any], name: str) -> None:
        self._called("create", (body, name))

    def start(self, name: str) -> None:
        self._called("start", name)

    def logs(self, name: str, *, stdout: bool, stderr: bool, stream: bool, follow: bool) -> Iterator[bytes]:
        assert (name, stdout, stream, follow) == (NAME, not stderr, True, True)
        return self._stdout() if stdout else iter([self.err])

    def _stdout(self) -> Iterator[bytes]:
        yield self.out
        if self.breaks:
            self.breaks -= 1
            raise GONE
        if self.hang is not None:
            self.hang.wait(30)

    def inspect_container(self, name: str) -> dict[str, Any]:
        self._called("inspect", name)
        return {"State": self.states.pop(0) if len(self.states) > 1 else self.states[0]}

    def kill(self, name: str) -> None:
        self._called("kill", name)

    def remove_container(self, name: str, *, force: bool, v: bool) -> None:
        self._called("remove", (name, force, v))

    def close(self) -> None:
        self._called("close", None)

    def called(self, *names: str) -> list[str]:
        return [name for name, _ in self.calls if name in names]


class Clock:
    """Time as the runner sees it: it passes only while the runner sleeps."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

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


def run(monkeypatch: pytest.MonkeyPatch, engine: Engine, of: RunRequest | None = None) -> RunOutcome:
    return made(monkeypatch, engine).run(of or request(), lambda event: None)


# ---------------------------------------------------------------- a container that behaves


def test_a_container_is_made_read_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    of = request()
    events: list[Mapping[str, object]] = []
    engine = Engine(out=started(of.plan) + b"hello\n", err=b"a warning\n", states=[{**ENDED, "ExitCode": 3}])
    outcome = made(monkeypatch, engine).run(of, events.append)
    assert [event["event"] for event in events] == ["start"]
    assert (outcome.report.started, outcome.report.stray, outcome.stderr) == (True, "hello", "a warning\n")
    assert (outcome.exit_code, outcome.timed_out, outcome.oom_killed) == (3, False, False)
    assert (outcome.start_problem, outcome.engine_problem) == (None, None)
    assert (outcome.start_seconds, outcome.probe_seconds) == (0.0, 0.0)
    assert engine.calls == [
        ("connect", None),
        ("create", (of.payload, NAME)),
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
    outcome = run(monkeypatch, Engine(out=b"once\n", states=[RUNNING, RUNNING, {**ENDED, "ExitCode": 1}]))
    assert (outcome.exit_code, outcome.timed_out, outcome.report.stray) == (1, False, "once")
    assert outcome.probe_seconds == pytest.approx(0.1)


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
    outcome = run(monkeypatch, Engine({"start": [GONE]}, out=b"it ran\n"))
    assert (outcome.engine_problem, outcome.start_problem, outcome.report.stray) == (None, None, "it ran")


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
def test_a_log_that_breaks_off_is_read_again_from_its_beginning_and_nothing_is_seen_twice(
    state: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    of = request()
    engine = Engine(out=started(of.plan) + b"hello\n", breaks=2, states=[state, state, ENDED])
    outcome = run(monkeypatch, engine, of)
    assert (outcome.report.started, outcome.report.violations, outcome.report.stray) == (True, (), "hello")
    assert (outcome.exit_code, outcome.engine_problem, outcome.timed_out) == (0, None, False)


def test_a_reconnect_goes_to_the_same_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: list[str | None] = []
    engine = Engine({"inspect": [GONE]})
    outcome = made(monkeypatch, engine, addresses).run(request(), lambda event: None)
    assert (outcome.exit_code, outcome.engine_problem) == (0, None)
    assert addresses == [None, INFO.address]
    assert engine.called("close") == ["close"]


def test_an_engine_that_forgot_the_container_is_an_error_and_not_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, Engine({"inspect": [NotFound("no such container")]}, out=b"hello\n"))
    assert outcome.engine_problem is not None
    assert "no longer answers" in outcome.engine_problem
    assert (outcome.exit_code, outcome.timed_out, outcome.report.stray) == (None, False, "hello")


@pytest.mark.parametrize("trouble", [GONE, refused("overloaded")])
@pytest.mark.parametrize(("times", "lost"), [(59, False), (61, True)])
def test_an_engine_is_given_up_after_half_a_minute(
    trouble: Exception, times: int, lost: bool, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    outcome = run(monkeypatch, Engine({"inspect": [trouble] * times}))  # asked twice a second
    assert (outcome.engine_problem is not None) is lost
    assert clock.now - 1000 == pytest.approx(30 if lost else times / 2)


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
    assert 90 <= clock.now - 1000 <= 130  # the engine has a minute to record the end


# ---------------------------------------------------------------- removal


@pytest.mark.parametrize(
    ("trouble", "tries"),
    [
        ([NotFound("no such container")], 1),
        ([refused("removal is already in progress", 409)], 1),
        ([refused("overloaded")], 2),
        ([GONE], 2),
        ([GONE, GONE], 2),  # it is given up, and raises nothing
    ],
)
def test_an_engine_that_does_not_remove_is_asked_once_more(
    trouble: list[Exception], tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine({"remove": trouble})
    assert run(monkeypatch, engine).exit_code == 0
    assert len(engine.called("remove")) == tries
    # A second try goes over a connection of its own.
    assert len(engine.called("connect")) == tries


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
    runner.run(request(), lambda event: None)
    runner.close()
    runner.close()
    assert engine.called("connect", "close") == ["connect", "close"]
    runner.run(request(), lambda event: None)
    assert engine.called("connect", "close") == ["connect", "close", "connect"]


# ---------------------------------------------------------------- the machine, the image


def test_the_engine_of_a_run_is_the_one_that_answered_when_it_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validator.host.nvml.query", lambda _timeout: NvmlInfo(gpus=(T4,)))
    addresses: list[str | None] = []
    made(monkeypatch, Engine(), addresses)
    chosen = replace(INFO, address="unix:///run/second.sock")
    runner = DockerRunner(matrix(), RunContext("r", owner="host:1", engine=chosen))
    assert (runner.host().engine, runner.host().nvml.gpus) == (chosen, (T4,))
    runner.run(request(), lambda event: None)
    assert addresses == ["unix:///run/second.sock"]


def test_an_environment_is_made_ready_with_the_owner_on_what_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    class Images:
        def __init__(self, client: object, of: object, marks: Mapping[str, str]) -> None:
            seen.update(client=client, marks=marks)

        def acquire(self, of: object, on_line: object) -> Prepared:
            return Prepared("sha256:1")

    engine = Engine()
    monkeypatch.setattr(runners, "Images", Images)
    assert made(monkeypatch, engine).prepare(environment(), print) == Prepared("sha256:1")
    assert seen == {"client": engine, "marks": {"validator.owner": "host:1"}}


def test_the_request_of_a_run_is_what_the_engine_is_asked_to_make(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    runner = made(monkeypatch, engine)
    of = runner.request(cell(), Prepared("sha256:1"))
    monkeypatch.setattr(Engine, "logs", lambda *_, **__: iter([b""]))
    runner.run(of, lambda event: None)
    assert ("create", (of.payload, of.name)) in engine.calls
