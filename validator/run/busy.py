"""Whether others use a GPU, and what is done then: a measurement beside somebody's training is no measurement.

NVML is asked in a child process that can be given up (``validator.host.nvml``), so that a hanging driver hangs nobody here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from validator.base.errors import InterruptedRunError, ValidatorError
from validator.base.stopping import Stop
from validator.host import lane_name, nvml
from validator.host.gpus import unusable
from validator.model import BusyPolicy, Gpu, GpuProcess, NvmlInfo

#: Memory that the driver keeps for itself, in use on a GPU that nobody uses: a part that is fixed, and one that grows with it.
_DRIVERS_OWN_BYTES = 1 << 30
_DRIVERS_OWN_SHARE = 0.02
#: A process that has just ended may still be seen for a moment.
_SETTLE_SECONDS = 2.0
#: How long a GPU may be away from NVML before that counts: a driver that is busy with a reset does not show it for a while.
_UNSEEN_SECONDS = 30.0
_QUERY_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 5.0
_SAY_AGAIN_SECONDS = 60.0
_PROCESSES_NAMED = 3


class GpuBusyError(ValidatorError):
    """Others use the GPU, and it was not to be measured beside them."""

    cause = "gpu_in_use"


class GpuUnseenError(ValidatorError):
    """NVML does not show the GPU, or does not answer; it may be there again in a while."""

    cause = "gpu_fallen_off_bus"


@dataclass(frozen=True)
class Busy:
    """What others do on a GPU."""

    gpu: Gpu
    computing: tuple[GpuProcess, ...] = ()
    drawing: tuple[GpuProcess, ...] = ()
    """Processes that only draw, as those of a desktop do."""
    unexplained_bytes: int = 0
    """Memory in use that belongs to no process NVML shows, nor to the driver."""
    one_process: bool = False
    """Whether its compute mode lets one process in, so that nothing can run beside."""

    @property
    def only_draws(self) -> bool:
        """Whether it is a desktop and nothing more: that does not go away, and is not waited for."""
        return not self.computing and not self.unexplained_bytes

    @property
    def shuts_out(self) -> bool:
        """Whether nothing of ours could run beside it."""
        return self.one_process and bool(self.computing)

    @property
    def text(self) -> str:
        """Who it is, in words: ``python (process 4711, 9.1 GiB) and 2 more``."""
        processes = self.computing or self.drawing
        if not processes:
            return f"a process that NVML does not show ({_gib(self.unexplained_bytes)} of memory)"
        named = ", ".join(map(_named, processes[:_PROCESSES_NAMED]))
        more = len(processes) - _PROCESSES_NAMED
        return f"{named} and {more} more" if more > 0 else named


@dataclass(frozen=True)
class Unseen:
    """NVML does not say how it is with a GPU."""

    problem: str


def look(gpu: Gpu, query: Callable[[float], NvmlInfo] = nvml.query) -> Busy | Unseen | None:
    """Who uses a GPU, or the MIG device that the lane is; None for nobody. Call it while nothing of ours is on it."""
    info = query(_QUERY_SECONDS)
    now = next((one for one in info.gpus if one.uuid == gpu.uuid), None)
    if now is None:
        return Unseen(info.problem or "NVML does not show it")
    if (problem := unusable(now)) is not None:
        return Unseen(problem)
    if not gpu.in_slices:
        return Unseen("it has been divided into MIG devices") if now.in_slices else _whole(gpu, now)
    if gpu.device_uuid not in now.mig_devices:
        return Unseen("NVML does not show this MIG device any more")
    # Memory is told of the whole GPU only, and says nothing of one of its MIG devices.
    return _found(gpu, now, [process for process in now.processes if process.mig_device == gpu.device_uuid], 0)


def _whole(gpu: Gpu, now: Gpu) -> Busy | None:
    if now.memory_total_bytes is None or now.memory_free_bytes is None:
        return _found(gpu, now, now.processes, 0)
    used = now.memory_total_bytes - now.memory_free_bytes
    explained = sum(process.memory_bytes or 0 for process in now.processes)
    drivers_own = _DRIVERS_OWN_BYTES + int(now.memory_total_bytes * _DRIVERS_OWN_SHARE)
    unexplained = used - explained
    return _found(gpu, now, now.processes, unexplained if unexplained > drivers_own else 0)


def _found(gpu: Gpu, now: Gpu, processes: Sequence[GpuProcess], unexplained_bytes: int) -> Busy | None:
    if not processes and not unexplained_bytes:
        return None
    return Busy(
        gpu,
        computing=tuple(process for process in processes if process.computes is not False),
        drawing=tuple(process for process in processes if process.computes is False),
        unexplained_bytes=unexplained_bytes,
        one_process=now.compute_mode in ("exclusive_process", "exclusive_thread"),
    )


def wait_until_free(
    gpu: Gpu,
    policy: BusyPolicy,
    limit_seconds: float,
    stop: Stop,
    said: Callable[[str], None],
    *,
    looks: Callable[[Gpu], Busy | Unseen | None] = look,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] | None = None,
) -> bool:
    """Wait for a GPU as the policy says; whether nobody else uses it. Where a desktop draws on it, it is used and not waited for.

    ``said`` is told who is waited for, when that begins, when it changes, and once a minute. ``looks``, ``clock`` and ``pause``
    are for tests. Raises GpuBusyError when the policy or the limit ends the wait, GpuUnseenError when NVML does not show the
    GPU for half a minute, InterruptedRunError once ``stop`` is asked.
    """
    waiting = _Waiting(gpu, BusyPolicy(policy), limit_seconds, said, clock())
    while not stop.asked:
        exclusive = waiting.judged(looks(gpu), clock())
        if exclusive is not None:
            return exclusive
        (pause or stop.wait)(waiting.pause_seconds)
        waiting.pause_seconds = min(2 * waiting.pause_seconds, _LONGEST_PAUSE_SECONDS)
    raise InterruptedRunError(f"{lane_name(gpu)} was waited for when the run was to end")


class _Waiting:
    """One wait for one GPU: what was seen of it so far."""

    def __init__(self, gpu: Gpu, policy: BusyPolicy, limit_seconds: float, said: Callable[[str], None], began: float) -> None:
        self.pause_seconds = _FIRST_PAUSE_SECONDS
        self._gpu = gpu
        self._policy = policy
        self._limit_seconds = limit_seconds
        self._said = said
        self._began = began
        self._busy_since: float | None = None
        self._unseen_since: float | None = None
        self._told: tuple[frozenset[int], float] | None = None

    def judged(self, found: Busy | Unseen | None, now: float) -> bool | None:
        """What is to be done after one look: go on exclusively or beside others, or, for None, wait."""
        if isinstance(found, Unseen):
            self._unseen(found, now)
            return None
        self._unseen_since = None
        if found is None:
            return True
        if found.only_draws:
            return False
        self._busy_since = now if self._busy_since is None else self._busy_since
        if now - self._busy_since < _SETTLE_SECONDS:
            return None
        if self._policy is BusyPolicy.RUN and not found.shuts_out:
            return False
        if self._policy is not BusyPolicy.WAIT or now - self._began >= self._limit_seconds:
            raise self._busy(found)
        self._tell(found, now)
        return None

    def _unseen(self, found: Unseen, now: float) -> None:
        self._unseen_since = now if self._unseen_since is None else self._unseen_since
        if now - self._unseen_since >= _UNSEEN_SECONDS:
            raise GpuUnseenError(
                f"{lane_name(self._gpu)} is not there: {found.problem.rstrip('.')}",
                why=f"it was asked for again and again for {now - self._unseen_since:.0f} s",
                hint="`validator host` says what NVML says; Xid lines in `sudo dmesg` say why a GPU drops out",
            )

    def _busy(self, found: Busy) -> GpuBusyError:
        why = "what is measured beside others says nothing about the environment"
        hint = "end that process, or wait longer (--busy-limit); --busy run measures beside it and says so"
        if found.shuts_out:
            why = "its compute mode lets one process in at a time"
            hint = "end that process, or wait for it (--busy wait); `sudo nvidia-smi -c DEFAULT` lets several in"
        waited = f" after {_minutes(self._limit_seconds)}" if self._policy is BusyPolicy.WAIT else ""
        error = GpuBusyError(f"GPU busy: {lane_name(self._gpu)} is used by {found.text}{waited}", why=why, hint=hint)
        if found.shuts_out:
            error.cause = "gpu_busy_exclusive"
        return error

    def _tell(self, found: Busy, now: float) -> None:
        who = frozenset(process.pid for process in found.computing)
        if self._told and self._told[0] == who and now - self._told[1] < _SAY_AGAIN_SECONDS:
            return
        self._told = (who, now)
        left = _minutes(max(0.0, self._limit_seconds - (now - self._began)))
        self._said(f"{lane_name(self._gpu)} is used by {found.text}: waiting for it, {left} at most (--busy run does not wait)")


def _named(process: GpuProcess) -> str:
    facts = [f"process {process.pid}"] + ([_gib(process.memory_bytes)] if process.memory_bytes is not None else [])
    return f"{process.name} ({', '.join(facts)})" if process.name else " with ".join(facts)


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
