"""The docker runner: one hardened, labelled, bounded container a cell, on Docker or on Podman's compatible socket.

Every thread of a run has a connection of its own. What a container says is read live, over a connection attached before it
starts, and answered over another one; the log is only for what was missed, because the engine restarted or the run did.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from docker.errors import APIError, NotFound

from validator import probe_host
from validator.base.errors import EngineUnavailableError, InterruptedRunError
from validator.base.interrupts import held_back
from validator.catalogue import checks
from validator.host import read_host
from validator.model import Cell, CheckStatus, Environment, HostInfo, HostInterpreter, Level, Matrix
from validator.probe_host import ProbeReport
from validator.runners import labels
from validator.runners.base import (
    GRACE_SECONDS,
    OPEN,
    WHOLE,
    Gate,
    OnEvent,
    OnLine,
    Prepared,
    RunContext,
    RunOutcome,
    RunRequest,
    Share,
    probe_plan,
)
from validator.runners.collect import Collector, Ended
from validator.runners.docker import ending
from validator.runners.docker import engine as engines
from validator.runners.docker.clients import Clients, Link
from validator.runners.docker.container import SCRATCH, container_body, container_name, gpu_request, memory_limit
from validator.runners.docker.images import Images
from validator.runners.docker.passing import is_passing
from validator.runners.docker.streams import Attached, Log

#: Seconds to keep asking an engine that went away during a run before the cell is given up as an error. One that ends what
#: outlived it needs ten and more to be back.
_RECONNECT_SECONDS = 60.0
#: Seconds for the engine to record the end of a container whose output has ended.
_RECORD_SECONDS = 2.0
#: How often the log of a container that has ended is read once more for what is missing: once in any case, and oftener where
#: the engine was away, which may be busy yet.
_REREADS, _REREADS_AFTER_OUTAGE = 1, 3
_KILLED = "the container was killed from outside: by the engine's own end, or by somebody on this machine"


def create(matrix: Matrix, context: RunContext) -> DockerRunner:
    """The docker runner for a matrix; connects on first use."""
    return DockerRunner(matrix, context)


@dataclass
class _Watch:
    """What is known of a container while it is followed."""

    request: RunRequest
    on_event: OnEvent
    gate: Gate
    deadline: float
    """In monotonic time; later for what the probe waited for its turns."""
    outage: bool = False
    """Whether the engine was seen to be away, or a connection broke."""
    best: Collector | None = None
    """What was heard in the reading that heard most."""
    timed_out: bool = False
    state: Mapping[str, Any] | None = None
    told: int = 0
    """Events handed on already: what is read again is not told again."""
    open: list[Attached] = field(default_factory=list)

    def telling(self) -> OnEvent:
        """Where the events of a new reading go."""
        seen = 0

        def tell(event: Mapping[str, object]) -> None:
            nonlocal seen
            seen += 1
            if seen > self.told:
                self.told = seen
                self.on_event(event)

        return tell

    @property
    def left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def heard(self, collector: Collector) -> None:
        if self.best is None or _worth(collector.report()) > _worth(self.best.report()):
            self.best = collector

    def close(self) -> None:
        for attached in self.open:
            attached.close()


def _worth(report: ProbeReport) -> tuple[bool, bool, int]:
    return report.complete, report.started, len(report.checks)


class DockerRunner:
    """Runs cells in containers."""

    name = "docker"
    contained = True

    def __init__(self, matrix: Matrix, context: RunContext) -> None:
        self._matrix = matrix
        self._context = context
        self._stop = context.stop
        self._engine = context.engine
        self._clients = Clients(context.engine.address)
        self._images = Images(self._clients, matrix, context.owner, context.stop)
        self._levels = checks.levels(matrix.levels)

    # ------------------------------------------------------------ protocol

    def host(self) -> HostInfo:
        """This machine; an engine is taken to run on it, whatever its address."""
        return read_host(self._engine)

    def supports(self, environment: Environment) -> str | None:
        """Interpreters of this machine have no image."""
        if isinstance(environment.source, HostInterpreter):
            return "an interpreter of this machine runs with --runner local only"
        return None

    def prepare(self, environment: Environment, on_line: OnLine) -> Prepared:
        """Pull or build the image."""
        return self._images.acquire(environment, on_line)

    def discard(self, prepared: Prepared) -> None:
        """Remove the image where this run brought it and nothing else uses it."""
        self._images.discard(prepared)

    def request(self, cell: Cell, prepared: Prepared, *, share: Share = WHOLE, attempt: int = 1) -> RunRequest:
        """The container for a cell."""
        environment, limits = cell.environment, self._matrix.limits
        plan = probe_plan(cell, self._matrix, SCRATCH)
        body = container_body(
            image=prepared.handle,
            entrypoint=None if environment.keep_entrypoint else (),
            command=probe_host.command(environment.python_command),
            environment=probe_host.environment(plan),
            labels={
                labels.RUN: self._context.run_id,
                labels.CELL: cell.id,
                labels.OWNER: self._context.owner,
                **({labels.KEEP: "yes"} if self._context.keep else {}),
            },
            limits=limits,
            devices=gpu_request(cell.gpus, self._engine),
            memory_bytes=memory_limit(limits, share, _machine_bytes()),
            share=share,
            volumes=prepared.volumes,
        )
        return RunRequest(
            cell_id=cell.id,
            name=container_name(self._context.run_id, cell.id, attempt),
            payload=body,
            plan=plan,
            deadline_seconds=limits.timeout_seconds + GRACE_SECONDS,
            keep=self._context.keep,
            attempt=attempt,
        )

    def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
        """Create, start, read, wait, remove. A GPU that the engine would silently leave out is an error, and nothing starts."""
        obstacle = engines.gpu_obstacle(self._engine)
        if obstacle and "DeviceRequests" in request.payload["HostConfig"]:
            return RunOutcome(report=_nothing(request), engine_problem=obstacle)
        if self._stop.asked:
            raise _interrupted(request)
        with self._clients.lend() as link:
            return self._ended(link, request, lambda: self._run(link, request, on_event, gate))

    def rejoin(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome | None:
        """Read what the container of an earlier process has said and still says; None where it is gone or was never started.

        An answer that is not whole is no verdict here: the log may have lost its beginning, and the container may have waited
        in vain for the process that was to answer it.
        """
        with self._clients.lend() as link:
            state, _ = self._state(link, request.name)
            if state is None:
                return None if link.connected else _away(request, "it no longer answers")
            age = max(0.0, time.time() - (ending.seconds_of(state.get("StartedAt")) or time.time()))
            deadline = time.monotonic() + max(0.0, request.deadline_seconds - age)
            watch = _Watch(request, on_event, gate, deadline, outage=True, state=state)
            began = time.monotonic()
            if state.get("Status") == "created":
                ending.end(link, request.name, keep=False)
                return None
            return self._ended(link, request, lambda: self._followed(link, watch, began=began, started=began))

    def close(self) -> None:
        """Close the connections."""
        self._images.close()
        self._clients.close()

    # ------------------------------------------------------------ the life of a container

    def _ended(self, link: Link, request: RunRequest, part: Callable[[], RunOutcome]) -> RunOutcome:
        """What a part of a container's life gives; the container is ended then, however it went."""
        try:
            outcome = part()
        except BaseException as error:
            with held_back():
                problem = ending.end(link, request.name, keep=request.keep, hurried=self._stop.now)
            if problem and isinstance(error, InterruptedRunError):
                raise InterruptedRunError(error.what, why=f"{error.why}; {problem}", hint="see `validator clean`") from error
            raise
        with held_back():
            problem = ending.end(link, request.name, keep=request.keep, hurried=self._stop.now)
        return replace(outcome, stuck=True, engine_problem=outcome.engine_problem or problem) if problem else outcome

    def _run(self, link: Link, request: RunRequest, on_event: OnEvent, gate: Gate) -> RunOutcome:
        began = time.monotonic()
        watch = _Watch(request, on_event, gate, began)
        try:
            client = link.client
            with held_back():  # a create cut in two could leave a container that nobody knows of
                client.create_container_from_config(request.payload, request.name)
        except EngineUnavailableError as error:
            return RunOutcome(report=_nothing(request), engine_problem=str(error), transient=True)
        except APIError as error:
            words = engines.engine_words(error)
            return RunOutcome(
                report=_nothing(request),
                engine_problem=f"the container was refused: {words}",
                transient=is_passing(words, "container"),
            )
        except engines.CONNECTION_ERRORS as error:
            link.drop()
            return _away(request, engines.engine_words(error))
        output: Attached | None = None
        try:
            # Before the start, so that nothing is missed; apart, so that a flood of output cannot keep an answer back. Podman
            # makes all but the start itself here, and says here what is wrong with it.
            output = Attached(client, request.name, stdout=1, stderr=1)
            watch.open.append(output)
            watch.open.append(Attached(client, request.name, stdin=1))
            client.start(request.name)
        except APIError as error:
            watch.close()
            return self._not_started(link, request, engines.engine_words(error))
        except engines.CONNECTION_ERRORS:
            link.drop()
            watch.outage = True  # no verdict: it may have started; it is looked up by its name
        started = time.monotonic()
        watch.deadline = started + request.deadline_seconds
        return self._followed(link, watch, began=began, started=started, output=output)

    def _not_started(self, link: Link, request: RunRequest, words: str) -> RunOutcome:
        """Of a container that the engine could not start. A GPU that was there a moment ago and is not found may come back."""
        known, _ = self._state(link, request.name)
        kinds = ("container", "gpu") if "DeviceRequests" in request.payload["HostConfig"] else ("container",)
        return RunOutcome(
            report=_nothing(request),
            exit_code=(known or {}).get("ExitCode"),
            start_problem=words,
            transient=is_passing(words, *kinds),
        )

    def _followed(
        self, link: Link, watch: _Watch, *, began: float, started: float, output: Attached | None = None
    ) -> RunOutcome:
        """Follow a container to its end, and say whose end it was."""
        try:
            self._follow(link, watch, output)
        finally:
            watch.close()
        finished = time.monotonic()
        state = watch.state or {}
        collector = watch.best or Collector(watch.request.plan, watch.on_event)
        outcome = RunOutcome(
            report=collector.report(),
            exit_code=None if state.get("Running") else state.get("ExitCode"),
            timed_out=watch.timed_out,
            oom_killed=bool(state.get("OOMKilled")),
            stderr=collector.stderr,
            start_seconds=started - began,
            probe_seconds=finished - started,
        )
        problem = self._not_its_own(link, watch, outcome)
        return replace(outcome, engine_problem=problem, transient=True) if problem else outcome

    def _not_its_own(self, link: Link, watch: _Watch, outcome: RunOutcome) -> str | None:
        """Why what is missing of an answer is not the image's doing; None where it is, or where nothing is missing."""
        if watch.state is None:
            return "the engine no longer answers for the container it was running"
        whole = outcome.report.complete and outcome.exit_code == 0
        if whole or outcome.timed_out or outcome.oom_killed or self._failed(outcome.report):
            return None
        if watch.outage:
            return "the engine went away while the container ran, and the rest of its answer with it"
        try:
            outside = ending.ended_from_outside(link.client, watch.request.name, watch.state)
        except (APIError, EngineUnavailableError, *engines.CONNECTION_ERRORS):
            link.drop()
            return "the engine went away when the container had ended, and cannot say how"
        return _KILLED if outside else None

    def _failed(self, report: ProbeReport) -> bool:
        """Whether a required check has failed: that was measured, and is not tried again until it passes."""
        required = (check for check in report.checks if self._levels.get(check.name) is Level.REQUIRED)
        return any(check.status is CheckStatus.FAIL for check in required)

    def _follow(self, link: Link, watch: _Watch, output: Attached | None) -> None:
        """Read the container's output to its end, over broken connections and restarts of the engine.

        What was read live to its end is whole unless the engine says otherwise. Where something is missing, the log is read
        from its start, and the reading that heard most counts: nothing is lost, and nothing is put together of two.
        """
        name, rereads, pause = watch.request.name, 0, 0.1
        while True:
            collector = self._read(link, watch, output)
            live, output = output is not None, None
            if watch.timed_out:
                watch.state, _ = self._state(link, name)
                return
            assert watch.best is not None  # noqa: S101 - just read
            watch.state, gap = self._recorded(link, watch, patient=collector.failure is None)
            watch.outage = watch.outage or gap or (live and collector.failure is not None)
            if watch.state is None or watch.timed_out:
                return
            if not watch.state["Running"]:
                if watch.best.report().complete or rereads >= (_REREADS_AFTER_OUTAGE if watch.outage else _REREADS):
                    return
                rereads += 1
            elif not watch.left:
                watch.timed_out = True
                return
            else:
                time.sleep(pause)  # the output broke off while it runs: read it again, to the end
                pause = min(2 * pause, 5.0)

    def _read(self, link: Link, watch: _Watch, output: Attached | None) -> Collector:
        """One reading of the output: live, or else from the log."""
        request = watch.request
        if output is None:
            self._listen_again(link, watch)
        voice = watch.open[-1] if watch.open else None
        collector = Collector(
            request.plan, watch.telling(), gate=watch.gate, say=voice.say if voice else None, stop=self._stop
        )
        source = output or Log(self._clients, request.name)
        try:
            ended = collector.pump(source.sources(), watch.left)
        finally:
            source.close()
        watch.deadline += collector.waited_seconds
        watch.heard(collector)
        if ended is Ended.ON_STOP:
            raise _interrupted(request)
        watch.timed_out = ended is Ended.AT_DEADLINE
        return collector

    def _listen_again(self, link: Link, watch: _Watch) -> None:
        """A new way to talk to the container. Where there is none now, it is only listened to.

        One that has ended is left alone: Podman would make it anew, and forget how it ended.
        """
        watch.close()
        watch.open = []
        if not (watch.state or {}).get("Running"):
            return
        try:
            watch.open = [Attached(link.client, watch.request.name, stdin=1)]
        except APIError:
            pass  # it has ended
        except (EngineUnavailableError, *engines.CONNECTION_ERRORS):
            link.drop()
            watch.outage = True

    def _recorded(self, link: Link, watch: _Watch, *, patient: bool) -> tuple[Mapping[str, Any] | None, bool]:
        """The state of a container whose output has ended, which the engine may record a moment later; and whether the engine
        was away. One that has said everything is waited for to the deadline; one that has not was cut off if it still runs."""
        pause, gap = 0.005, False
        give_up = time.monotonic() + (_RECORD_SECONDS if patient else 0.0)
        said_all = watch.best is not None and watch.best.report().complete
        while True:
            state, away = self._state(link, watch.request.name)
            gap = gap or away
            if self._stop.now and (state is None or state["Running"]):
                raise _interrupted(watch.request)
            if state is None or not state["Running"]:
                return state, gap
            if said_all and not watch.left:
                watch.timed_out = True
            if watch.timed_out or (not said_all and (gap or time.monotonic() >= give_up)):
                return state, gap
            time.sleep(pause)
            pause = min(2 * pause, 0.2)

    def _state(self, link: Link, name: str) -> tuple[Mapping[str, Any] | None, bool]:
        """The container's state, None when no engine answers or none knows the container; and whether one was away meanwhile."""
        give_up, away = time.monotonic() + _RECONNECT_SECONDS, False
        while True:
            try:
                return dict(link.client.inspect_container(name)["State"]), away
            except NotFound:
                return None, away
            except (APIError, EngineUnavailableError, *engines.CONNECTION_ERRORS):
                away = True
                link.drop()
                if time.monotonic() >= give_up or self._stop.now:
                    return None, away
                time.sleep(0.25)


def _nothing(request: RunRequest) -> ProbeReport:
    return probe_host.EventStream(request.plan).close()


def _away(request: RunRequest, words: str) -> RunOutcome:
    return RunOutcome(report=_nothing(request), engine_problem=f"the engine went away: {words}", transient=True)


def _interrupted(request: RunRequest) -> InterruptedRunError:
    return InterruptedRunError(f"{request.cell_id} was not measured to its end", why="the run is to end")


def _machine_bytes() -> int | None:
    """This machine's memory; the engine is taken to run on it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
