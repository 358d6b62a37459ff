"""The local runner: the probe in a virtual environment or a named interpreter of this machine, without an engine.

Only the deadline is enforced here: limits on memory, shm and pids need a container. The report says which runner measured.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from secrets import token_hex
from typing import IO

from validator import probe_host
from validator.base.errors import InterruptedRunError
from validator.base.interrupts import held_back
from validator.base.stopping import Stop
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
from validator.runners.local.guarded import Guarded
from validator.runners.local.venvs import default_root, ensure


def create(matrix: Matrix, context: RunContext) -> LocalRunner:
    """The local runner for a matrix."""
    return LocalRunner(matrix, context)


def process_environment(probe: Mapping[str, str], gpus: Sequence[Gpu], base: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with the probe's variables, and no other GPUs than those the cell is measured on."""
    environment = {**base, **probe}
    if uuids := [gpu.device_uuid for gpu in gpus if gpu.device_uuid]:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(uuids)
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
        began, context = time.monotonic(), self._context
        options, root = self._matrix.packages, default_root()
        made = ensure(environment, options, root, on_line=on_line, run_id=context.run_id, stop=context.stop)
        return Prepared(
            handle=str(made.python),
            notes=made.notes,
            seconds=time.monotonic() - began,
            identity=made.identity,
            was_there=made.reused,
        )

    def discard(self, prepared: Prepared) -> None:
        """Environments are kept for the next run."""

    def request(self, cell: Cell, prepared: Prepared, *, share: Share = WHOLE, attempt: int = 1) -> RunRequest:
        """The process for a cell. Its share of memory is not enforced: that takes a container."""
        plan = probe_plan(cell, self._matrix)
        return request_for(
            prepared.handle, plan, cell.gpus, cell_id=cell.id, run_id=self._context.run_id, cpus=share.cpus, attempt=attempt
        )

    def rejoin(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome | None:
        """What a process printed is gone with the one that read it, and so is the process."""
        return None

    def run(self, request: RunRequest, on_event: OnEvent, gate: Gate = OPEN) -> RunOutcome:
        """Start, read, wait; every process that was started is gone afterwards."""
        return run_process(request, on_event, gate, self._context.stop)

    def close(self) -> None:
        """Nothing is held."""


def request_for(
    python: str,
    plan: ProbePlan,
    gpus: Sequence[Gpu],
    *,
    cell_id: str,
    run_id: str | None = None,
    cpus: Sequence[int] = (),
    attempt: int = 1,
) -> RunRequest:
    """The request that runs a probe plan in an interpreter of this machine; without a run's id, one that is no part of a run."""
    run_id = run_id or f"probe-{token_hex(4)}"
    return RunRequest(
        cell_id=cell_id,
        name=f"validator-{run_id}-{cell_id}-{attempt}",
        payload={
            "argv": probe_host.command(python),
            "env": process_environment(probe_host.environment(plan), gpus, {}),
            "run_id": run_id,
            "cpus": tuple(cpus),
        },
        plan=plan,
        deadline_seconds=plan.deadline_seconds + GRACE_SECONDS,
        attempt=attempt,
    )


def run_process(request: RunRequest, on_event: OnEvent, gate: Gate = OPEN, stop: Stop | None = None) -> RunOutcome:
    """Run a request of this runner to its end, in a thread that waits for it. Raises InterruptedRunError."""
    began, payload = time.monotonic(), request.payload
    process: Guarded | None = None
    try:
        try:
            with held_back():  # a process that was started and not yet noted would be left
                process = Guarded(
                    payload["argv"],
                    {**os.environ, **payload["env"]},
                    run_id=payload["run_id"],
                    part=request.cell_id,
                    cpus=payload["cpus"],
                    stdin=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
        except OSError as error:
            nothing = probe_host.EventStream(request.plan).close()
            return RunOutcome(report=nothing, start_problem=f"{payload['argv'][0]}: {error.strerror}")
        started = time.monotonic()
        collector = Collector(request.plan, on_event, gate=gate, say=process.say, stop=stop)
        sources = [_chunks(process.stdout, STDOUT), _chunks(process.stderr, STDERR)]
        ended = collector.pump(sources, request.deadline_seconds)
    finally:
        with held_back():  # a second Ctrl-C must not leave what the first one was to end
            gone = process is None or process.end()
    refused, code = process.refused, process.code
    if ended is Ended.ON_STOP:
        raise InterruptedRunError(f"{request.cell_id} was ended before it was measured", why="the run is to end at once")
    return RunOutcome(
        report=collector.report(),
        exit_code=None if refused else code,
        timed_out=ended is Ended.AT_DEADLINE,
        start_problem=f"{payload['argv'][0]}: {refused}" if refused else None,
        stuck=not gone,
        stderr=collector.stderr,
        start_seconds=started - began,
        probe_seconds=time.monotonic() - started - collector.waited_seconds,
    )


def _chunks(pipe: IO[bytes], number: int) -> Iterator[tuple[int, bytes]]:
    with pipe:  # closed by who reads it: a number that another thread's pipe gets meanwhile must not be read here
        while chunk := os.read(pipe.fileno(), 65_536):
            yield number, chunk
