"""A runner that runs nothing: environments are there after a while, and a cell takes as long as it is told to."""

from __future__ import annotations

import hashlib
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from validator import probe_host
from validator.model import Cell, CheckStatus, EngineInfo, Environment, Gpu, HostInfo, Matrix, NvmlInfo
from validator.probe_host import CheckEvent, ProbeReport
from validator.runners.base import OPEN, WHOLE, Gate, OnEvent, OnLine, Prepared, RunContext, RunOutcome, RunRequest, Share
from validator.runners.base import probe_plan as plan_of


def machine(gpus: int = 0) -> HostInfo:
    """A machine with so many GPUs that are alike, and an engine that is not asked."""
    found = tuple(
        Gpu(index, f"GPU-{index:032x}", "NVIDIA H100 80GB HBM3", "9.0", 80 << 30, 79 << 30, mig_enabled=False)
        for index in range(gpus)
    )
    nvml = NvmlInfo("580.95.05", "13.0", found) if found else NvmlInfo(problem="not asked")
    return HostInfo(nvml, EngineInfo("docker", "28.2.2"), "Linux", "3.11", 64, 256 << 30)


class Simulated:
    """Satisfies ``runners.base.Runner``. Counts how many cells run at once, and how long."""

    name = "docker"
    contained = True

    def __init__(
        self, matrix: Matrix, context: RunContext, host: HostInfo, seconds: Callable[[Cell], float], spoiled: float = 0.0
    ) -> None:
        """``seconds`` is what a cell takes, ``spoiled`` the part of all tries that an infrastructure fault ends half way."""
        self._matrix, self._context, self._host, self._seconds, self._spoiled = matrix, context, host, seconds, spoiled
        self._lock = threading.Lock()
        self.work = self.longest = 0.0
        self.tries = self.faults = self.at_once = 0
        self.changes: list[tuple[float, int]] = []
        """By time.monotonic(): when one began or ended, and how many then ran."""

    def host(self) -> HostInfo:
        return self._host

    def supports(self, _: Environment) -> str | None:
        return None

    def prepare(self, environment: Environment, _: OnLine) -> Prepared:
        digest = f"sha256:{hashlib.sha256(environment.id.encode()).hexdigest()}"
        return Prepared(environment.id, digest, identity=digest, was_there=True)

    def discard(self, _: Prepared) -> None:
        pass

    def request(self, cell: Cell, prepared: Prepared, *, share: Share = WHOLE, attempt: int = 1) -> RunRequest:
        seconds = self._seconds(cell)
        name = f"{self._context.run_id}-{cell.id}-{attempt}"
        return RunRequest(cell.id, name, {"seconds": seconds}, plan_of(cell, self._matrix), seconds + 600, attempt=attempt)

    def run(self, request: RunRequest, _: OnEvent, gate: Gate = OPEN) -> RunOutcome:
        # By its name, which has the attempt in it: the same tries are spoiled whichever thread comes first.
        spoiled = zlib.crc32(request.name.encode()) % 10_000 < self._spoiled * 10_000
        seconds = float(request.payload["seconds"]) * (0.5 if spoiled else 1.0)
        self._count(+1)
        began = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        with self._lock:
            self.work += took
            self.longest = max(self.longest, took)
            self.tries += 1
            self.faults += spoiled
        self._count(-1)
        if spoiled:
            nothing = probe_host.EventStream(request.plan).close()
            return RunOutcome(nothing, engine_problem="the engine went away", transient=True)
        return RunOutcome(_passed(request), exit_code=0, start_seconds=0.0, probe_seconds=took)

    def rejoin(self, *_: Any) -> RunOutcome | None:
        return None

    def close(self) -> None:
        pass

    def _count(self, change: int) -> None:
        with self._lock:
            self.at_once += change
            self.changes.append((time.monotonic(), self.at_once))


def _passed(request: RunRequest) -> ProbeReport:
    content = {"torch_version": "2.7.1+cu126", "cuda_runtime": "12.6", "python_version": "3.12.4", "arch_list": ["sm_90"]}
    ends = [CheckEvent(check.name, CheckStatus.PASS, f"{check.name} holds", 0.1, {}, None, "") for check in request.plan.checks]
    ends[0] = replace(ends[0], metrics=content)
    return ProbeReport(complete=True, started=True, facts={}, checks=tuple(ends), running=None, violations=(), stray="")
