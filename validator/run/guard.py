"""Keeps cells off GPUs that somebody else uses: other runs by locks, anything else by what NVML says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from validator.base.stopping import Stop
from validator.model import BusyPolicy, Gpu
from validator.run.busy import wait_until_free
from validator.run.locks import GpuLocks, Held, HeldElsewhere


@dataclass(frozen=True)
class Guard:
    """Asked before a cell has its GPUs, and once more when it is about to begin."""

    locks: GpuLocks | None = None
    """None lets everything pass, also what others use."""
    policy: BusyPolicy = BusyPolicy.WAIT
    limit_seconds: float = 3600.0
    """How long a GPU that others use is waited for."""

    def take(self, gpus: Sequence[Gpu]) -> Held | HeldElsewhere:
        """The GPUs, locked against other runs, or who has one of them; does not wait."""
        if not gpus or self.locks is None:
            return Held(tuple(gpus))
        return self.locks.take(gpus)

    def refuses(self, waited_seconds: float) -> bool:
        """Whether a GPU that another run has is not waited for any longer. Measuring beside another run is not possible."""
        return self.policy is BusyPolicy.ERROR or waited_seconds >= self.limit_seconds

    def wait(self, gpus: Sequence[Gpu], stop: Stop, said: Callable[[str], None]) -> bool | None:
        """Wait until nothing else uses the GPUs. Whether that is so; None on the CPU and where nobody was asked.

        Raises GpuBusyError where they are in use and are not waited for any longer, GpuUnseenError where one is not there,
        InterruptedRunError on ``stop``.
        """
        if not gpus or self.locks is None:
            return None
        exclusive = [wait_until_free(gpu, self.policy, self.limit_seconds, stop, said) for gpu in gpus]
        return all(exclusive)
