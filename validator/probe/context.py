"""What a check is given and what it returns."""

import collections
import time
from typing import Any, Callable, Dict, Optional, Tuple

#: status: pass | warn | fail | skip; message: one line for a person; metrics: scalars and lists of scalars by name, units in
#: the names. The text metric ``cause`` is an ident of the host's catalogue, where the check knows the cause by construction.
Result = collections.namedtuple("Result", ("status", "message", "metrics"))

_HEADLINE_CHARS = 400


class Context:
    """The circumstances of a run, shared by the checks of one worker."""

    def __init__(
        self,
        device: str,
        host_gpu: Optional[Dict[str, Any]],
        asked: Optional[Dict[str, Any]] = None,
        quick: bool = False,
        model: Optional[Dict[str, str]] = None,
    ) -> None:
        self.device = device
        """``cpu``, ``cuda``, or ``none`` where the environment is only opened."""
        self.host_gpu = host_gpu
        """What the host knows of the GPU: name, compute_capability, memory_total_bytes, uuid; None where it knows none."""
        self.asked = asked or {}
        """What the matrix says is inside: torch, cuda (``cpu`` for a CPU build), python; None where it does not say."""
        self.quick = quick
        """Whether a short answer is wanted: fewer steps, and nothing heavy imported beside torch itself."""
        self.model = model or {}
        """The user's own model as it was asked for; empty where there is none. See ``checks/own_model.py``."""
        self._threads: Optional[int] = None
        self.runs: Dict[str, Any] = {}
        """The runs in float32 of this worker by net: later checks compare with them. A new worker has none yet."""

    @property
    def torch(self) -> Any:
        """The torch module; imported here, since a worker that replaces a dead one has not imported it yet."""
        import torch

        return torch

    @property
    def place(self) -> str:
        """The device that tensors go to: ``cuda`` or ``cpu``."""
        return "cuda" if self.device == "cuda" else "cpu"

    @property
    def on_gpu(self) -> bool:
        """Whether the GPU is what is validated."""
        return self.device == "cuda"

    @property
    def capability(self) -> Optional[Tuple[int, int]]:
        """The GPU's compute capability as (8, 6); None on the CPU."""
        return tuple(self.torch.cuda.get_device_capability(0)) if self.on_gpu else None

    def steady(self, threads: int = 1) -> None:
        """Use that many threads on the CPU from here on, or as many as there are: more do not help small nets.

        They cost minutes where other processes have the cores, or where a container may use fewer than it sees: the threads of
        OpenMP then spin while they wait for one another.
        """
        if not self.on_gpu and hasattr(self.torch, "set_num_threads"):
            self._threads = self._threads or self.torch.get_num_threads()
            self.torch.set_num_threads(min(threads, self._threads))

    def sync(self) -> None:
        """Wait for the GPU, so that an asynchronous error belongs to this check and a measured time is whole."""
        if self.on_gpu:
            self.torch.cuda.synchronize()

    def reset_peak(self) -> None:
        """Begin to count the peak of GPU memory anew; torch 1.0 cannot, and counts from its start."""
        if self.on_gpu:
            for name in ("reset_peak_memory_stats", "reset_max_memory_allocated"):
                reset = getattr(self.torch.cuda, name, None)
                if reset is not None:
                    reset()
                    return

    def peak_bytes(self) -> Optional[int]:
        """Most GPU memory that tensors held since ``reset_peak``; None on the CPU."""
        return self.torch.cuda.max_memory_allocated() if self.on_gpu else None

    def seconds(self, work: Callable[[], Any]) -> float:
        """How long ``work`` takes, the GPU's own work included."""
        self.sync()
        began = time.perf_counter()
        work()
        self.sync()
        return time.perf_counter() - began


def headline(error: BaseException) -> str:
    """An exception in one line: its type and the first line of its text that says something."""
    lines = [line.strip() for line in str(error).splitlines()]
    text = next((line for line in lines if line), "")
    name = type(error).__name__
    return "{}: {}".format(name, text)[:_HEADLINE_CHARS] if text else name
