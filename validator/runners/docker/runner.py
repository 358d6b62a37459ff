"""The docker runner: one hardened, labelled, bounded container a cell, on Docker or on Podman's compatible socket."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import docker
from docker.errors import APIError, NotFound

from validator import probe_host
from validator.base.errors import EngineUnavailableError
from validator.base.interrupts import held_back
from validator.host import read_host
from validator.model import Cell, EngineInfo, Environment, Gpu, HostInfo, HostInterpreter, Limits, Matrix
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
from validator.runners.collect import STDERR, STDOUT, Chunks, Collector, Ended
from validator.runners.docker import engine as engines
from validator.runners.docker.images import Images

#: The only writable place in a container besides /dev/shm.
SCRATCH = "/tmp"  # noqa: S108 - the container's, a tmpfs of its own
#: compress is named because an engine adds its own defaults to these, and refuses compression of a single file.
_LOG_OPTIONS = {"max-size": "32m", "max-file": "1", "compress": "false"}
#: Seconds to keep asking an engine that went away during a run before the cell is given up as an error.
_RECONNECT_SECONDS = 30.0
#: Seconds for the engine to record the end of a container whose output has ended.
_WAIT_SECONDS = 60


def create(matrix: Matrix, context: RunContext) -> DockerRunner:
    """The docker runner for a matrix; connects on first use."""
    return DockerRunner(matrix, context)


def container_name(run_id: str, cell_id: str, attempt: int = 1) -> str:
    """A valid, deterministic container name; the digest tells apart ids that look the same once cleaned."""
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", cell_id)[:80]
    digest = hashlib.sha256(cell_id.encode()).hexdigest()[:8]
    return f"validator-{run_id}-{slug}-{digest}-{attempt}"


def gpu_request(gpu: Gpu | None, engine: EngineInfo) -> list[dict[str, Any]]:
    """The engine's device request for a GPU, by UUID: indices change with the order of probing, UUIDs do not."""
    if gpu is None:
        return []
    if engines.gpu_mechanism(engine) == "cdi":
        return [{"Driver": "cdi", "DeviceIDs": [f"nvidia.com/gpu={gpu.device_uuid}"]}]
    return [{"Driver": "nvidia", "DeviceIDs": [gpu.device_uuid], "Capabilities": [["gpu", "compute", "utility"]]}]


def container_body(
    *,
    image: str,
    entrypoint: tuple[str, ...] | None,
    command: tuple[str, ...],
    environment: Mapping[str, str],
    labels: Mapping[str, str],
    limits: Limits,
    devices: list[dict[str, Any]],
) -> dict[str, Any]:
    """The body of the engine's create call. ``entrypoint`` None leaves the image's own."""
    host: dict[str, Any] = {
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        # exec: Triton and Inductor load the libraries they compile from here.
        "Tmpfs": {SCRATCH: f"rw,nosuid,nodev,exec,size={limits.scratch_bytes},mode=1777"},
        "ShmSize": limits.shm_bytes,
        "PidsLimit": limits.pids,
        "IpcMode": "private",
        # Named outright: the output is read back from the log, whatever the engine's default log driver is.
        "LogConfig": {"Type": "json-file", "Config": _LOG_OPTIONS},
        "RestartPolicy": {"Name": "no"},
    }
    if limits.memory_bytes is not None:
        # Swap equal to memory means none beyond it: a limit that can be swapped past is not one.
        host |= {"Memory": limits.memory_bytes, "MemorySwap": limits.memory_bytes}
    if devices:
        host["DeviceRequests"] = devices
    body: dict[str, Any] = {
        "Image": image,
        "Cmd": list(command),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": dict(labels),
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host,
    }
    if entrypoint is not None:
        # No entrypoint is a single empty text: an empty list is "as the image has it" to Podman.
        body["Entrypoint"] = list(entrypoint) or [""]
    return body


class DockerRunner:
    """Runs cells in containers."""

    name = "docker"
    contained = True

    def __init__(self, matrix: Matrix, context: RunContext) -> None:
        self._matrix = matrix
        self._context = context
        self._client: docker.APIClient | None = None
        self._engine = context.engine

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
        marks = {labels.OWNER: self._context.owner}
        return Images(self._connected(), self._matrix, marks).acquire(environment, on_line)

    def discard(self, prepared: Prepared) -> None:
        """Not yet."""

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
            },
            limits=limits,
            devices=gpu_request(cell.gpu, self._engine),
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

    def rejoin(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome | None:
        """Not yet."""
        return None

    def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
        """Create, start, read, wait, remove. A GPU that the engine would silently leave out is an error, and nothing starts."""
        obstacle = engines.gpu_obstacle(self._engine)
        if obstacle and "DeviceRequests" in request.payload["HostConfig"]:
            return RunOutcome(report=probe_host.EventStream(request.plan).close(), engine_problem=obstacle)
        try:
            return self._run(request, on_event)
        finally:
            with held_back():
                self._end(request)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    # ------------------------------------------------------------ the life of a container

    def _connected(self) -> docker.APIClient:
        if self._client is None:
            # A reconnect goes to the same engine: another one would know neither the images nor the containers.
            self._client, self._engine = engines.connect(self._engine.address)
        return self._client

    def _run(self, request: RunRequest, on_event: OnEvent) -> RunOutcome:
        began = time.monotonic()
        nothing = probe_host.EventStream(request.plan).close()
        try:
            client = self._connected()
            with held_back():  # a create cut in two could leave a container that nobody knows of
                client.create_container_from_config(request.payload, request.name)
        except EngineUnavailableError as error:
            return RunOutcome(report=nothing, engine_problem=str(error))
        except APIError as error:
            return RunOutcome(report=nothing, engine_problem=f"the container was refused: {engines.engine_words(error)}")
        except engines.CONNECTION_ERRORS as error:
            return RunOutcome(report=nothing, engine_problem=f"the engine went away: {engines.engine_words(error)}")
        try:
            client.start(request.name)
        except APIError as error:
            known = self._state(request.name) or {}
            return RunOutcome(report=nothing, exit_code=known.get("ExitCode"), start_problem=engines.engine_words(error))
        except engines.CONNECTION_ERRORS:
            pass  # no verdict: it may have started; _follow reconnects and looks it up by name
        started = time.monotonic()
        deadline = started + request.deadline_seconds
        collector, ended, state = self._follow(request, on_event, deadline)
        finished = time.monotonic()
        lost = "the engine no longer answers for the container it was running" if state is None else None
        state = state or {}
        return RunOutcome(
            report=collector.report(),
            exit_code=None if state.get("Running") else state.get("ExitCode"),
            timed_out=not ended,
            oom_killed=bool(state.get("OOMKilled")),
            engine_problem=lost,
            stderr=collector.stderr,
            start_seconds=started - began,
            probe_seconds=finished - started,
        )

    def _follow(
        self, request: RunRequest, on_event: OnEvent, deadline: float
    ) -> tuple[Collector, bool, dict[str, Any] | None]:
        """Read the container's output to its end, over broken connections: (collector, ended in time, final state).

        After a reconnect the log is read again from its beginning, into a new collector, so nothing is lost or seen twice.
        """
        while True:
            collector = Collector(request.plan, on_event)
            left = max(0.0, deadline - time.monotonic())
            if collector.pump(self._outputs(request.name), left) is not Ended.BY_ITSELF:
                return collector, False, self._state(request.name)
            state = self._final_state(request.name) if collector.failure is None else self._state(request.name)
            if state is None or (not state["Running"] and collector.failure is None):
                return collector, True, state
            if time.monotonic() >= deadline:
                return collector, False, state
            time.sleep(0.5)  # the log broke off: read it again, to the end

    def _outputs(self, name: str) -> list[Chunks]:
        def follow(number: int) -> Iterator[tuple[int, bytes]]:
            for chunk in self._connected().logs(
                name, stdout=number == STDOUT, stderr=number == STDERR, stream=True, follow=True
            ):
                yield number, chunk

        return [follow(STDOUT), follow(STDERR)]

    def _state(self, name: str) -> dict[str, Any] | None:
        """The container's state, from a new connection if need be; None when no engine answers or none knows the container."""
        give_up = time.monotonic() + _RECONNECT_SECONDS
        while True:
            try:
                return dict(self._connected().inspect_container(name)["State"])
            except NotFound:
                return None
            except (APIError, EngineUnavailableError, *engines.CONNECTION_ERRORS):
                self.close()
                if time.monotonic() >= give_up:
                    return None
                time.sleep(0.5)

    def _final_state(self, name: str) -> dict[str, Any] | None:
        """The state of a container whose output has ended, which the engine may record a moment later."""
        give_up = time.monotonic() + _WAIT_SECONDS
        while True:
            state = self._state(name)
            if state is None or not state["Running"] or time.monotonic() >= give_up:
                return state
            time.sleep(0.05)

    def _end(self, request: RunRequest) -> None:
        """Remove the container, running or not; one that is to be kept is only stopped, so that it holds no GPU.

        An engine that does not answer is asked once more, over a new connection.
        """
        for _ in range(2):
            try:
                if request.keep:
                    self._connected().kill(request.name)
                else:
                    self._connected().remove_container(request.name, force=True, v=True)
                return
            except NotFound:
                return
            except APIError as error:
                if error.status_code == 409:  # not running any more, or its removal is under way
                    return
                self.close()
            except (EngineUnavailableError, *engines.CONNECTION_ERRORS):
                self.close()
