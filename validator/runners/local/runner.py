"""The local runner: the probe in a virtual environment or a named interpreter of this machine, without an engine.

Only the deadline is enforced here: limits on memory, shm and pids need a container. The report says which runner measured.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from validator import probe_host
from validator.base.interrupts import held_back
from validator.host import read_host
from validator.model import Cell, Environment, Gpu, HostInfo, HostInterpreter, Matrix, PulledImage
from validator.probe_host import ProbePlan
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
from validator.runners.collect import STDERR, STDOUT, Collector, Ended
from validator.runners.local.venvs import default_root, ensure

#: Seconds the supervisor gets to end its worker after SIGTERM before everything is killed.
_TERM_SECONDS = 3.0


def create(matrix: Matrix, context: RunContext) -> LocalRunner:
    """The local runner for a matrix."""
    return LocalRunner(matrix, context)


def process_environment(probe: Mapping[str, str], gpu: Gpu | None, base: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with the probe's variables, and the one GPU the cell is measured on."""
    environment = {**base, **probe}
    if gpu is not None and gpu.device_uuid:
        environment["CUDA_VISIBLE_DEVICES"] = gpu.device_uuid
    return environment


class LocalRunner:
    """Runs cells as processes of this machine."""

    name = "local"
    contained = False

    def __init__(self, matrix: Matrix, context: RunContext) -> None:
        self._matrix = matrix
        self._context = context

    def host(self) -> HostInfo:
        """This machine."""
        return read_host(self._context.engine)

    def supports(self, environment: Environment) -> str | None:
        """An image cannot be opened without an engine."""
        if isinstance(environment.source, PulledImage):
            return "needs a container engine: the local runner cannot open an image"
        if isinstance(environment.source, HostInterpreter) and not environment.source.path.exists():
            return f"there is no {environment.source.path} on this machine"
        return None

    def prepare(self, environment: Environment, on_line: OnLine) -> Prepared:
        """Make (or find) the virtual environment."""
        began = time.monotonic()
        made = ensure(environment, self._matrix.packages, default_root(), on_line=on_line)
        return Prepared(handle=str(made.python), notes=made.notes, seconds=time.monotonic() - began)

    def discard(self, prepared: Prepared) -> None:
        """Environments are kept for the next run."""

    def request(self, cell: Cell, prepared: Prepared, *, share: Share = WHOLE, attempt: int = 1) -> RunRequest:
        """The process for a cell."""
        name = f"validator-{self._context.run_id}-{cell.id}"
        return request_for(prepared.handle, probe_plan(cell, self._matrix), cell.gpu, cell_id=cell.id, name=name)

    def rejoin(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome | None:
        """What a process printed is gone with the one that read it."""
        return None

    def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
        """Start, read, wait; the whole session of processes is gone afterwards."""
        return run_process(request, on_event, gate)

    def close(self) -> None:
        """Nothing is held."""


def request_for(python: str, plan: ProbePlan, gpu: Gpu | None, *, cell_id: str, name: str) -> RunRequest:
    """The request that runs a probe plan in an interpreter of this machine."""
    return RunRequest(
        cell_id=cell_id,
        name=name,
        payload={
            "argv": probe_host.command(python),
            "env": process_environment(probe_host.environment(plan), gpu, {}),
        },
        plan=plan,
        deadline_seconds=plan.deadline_seconds + GRACE_SECONDS,
    )


def run_process(request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
    """Run a request of this runner to its end."""
    began = time.monotonic()
    collector = Collector(request.plan, on_event, gate=gate, say=lambda line: say(line))
    try:
        process = subprocess.Popen(
            request.payload["argv"],
            env={**os.environ, **request.payload["env"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that every process it starts can be found again by its session
        )
    except OSError as error:
        return RunOutcome(report=collector.report(), start_problem=f"{request.payload['argv'][0]}: {error.strerror}")
    started = time.monotonic()
    assert process.stdin is not None  # noqa: S101 - all three
    stdin = process.stdin

    def say(line: bytes) -> None:
        os.write(stdin.fileno(), line)

    assert process.stdout is not None  # noqa: S101 - all three were asked for as pipes
    assert process.stderr is not None  # noqa: S101
    try:
        sources = [_chunks(process.stdout, STDOUT), _chunks(process.stderr, STDERR)]
        ended = collector.pump(sources, request.deadline_seconds)
    finally:
        with held_back():  # a second Ctrl-C must not leave what the first one was to end
            _end_session(process)
    code = process.returncode
    return RunOutcome(
        report=collector.report(),
        exit_code=128 - code if code is not None and code < 0 else code,
        timed_out=ended is Ended.AT_DEADLINE,
        stderr=collector.stderr,
        start_seconds=started - began,
        probe_seconds=time.monotonic() - started,
    )


def _chunks(pipe: IO[bytes], number: int) -> Iterator[tuple[int, bytes]]:
    while chunk := os.read(pipe.fileno(), 65_536):
        yield number, chunk


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """End the supervisor, then whatever is left of its session."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_SECONDS)
    for pid in _session_members(process.pid):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # a process stuck in the kernel cannot be waited for
        process.wait(_TERM_SECONDS)


def _session_members(session: int) -> list[int]:
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # gone meanwhile
        # pid (comm) state ppid pgrp session …; comm may hold spaces and parentheses
        if int(stat.rpartition(")")[2].split()[3]) == session:
            members.append(int(entry.name))
    return members
