"""Keeps cells off GPUs that somebody else uses: other runs by locks, anything else by what NVML says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from validator.base.stopping import Stop
from validator.model import Gpu
from validator.run.locks import GpuLocks, Held, HeldElsewhere


class Guard:
    """Asked before a cell has its GPUs, and once more when it is about to begin; without ``locks`` it lets everything pass."""

    def __init__(self, locks: GpuLocks | None = None) -> None:
        self._locks = locks

    def take(self, gpus: Sequence[Gpu]) -> Held | HeldElsewhere:
        """The GPUs, locked against other runs, or who has one of them; does not wait."""
        if not gpus or self._locks is None:
            return Held(tuple(gpus))
        return self._locks.take(gpus)

    def wait(self, gpus: Sequence[Gpu], stop: Stop, said: Callable[[str], None]) -> bool | None:
        """Wait until nothing else uses the GPUs. Whether that is so; None on the CPU and where it is not known.

        Raises ValidatorError where they are in use and are not to be waited for any longer, InterruptedRunError on ``stop``.
        """
        return None
