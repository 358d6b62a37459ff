"""What a check is given and what it returns."""

import collections
from typing import Any, Dict, Optional

#: status: pass | warn | fail | skip; message: one line for a person; metrics: scalars and lists of scalars by name.
Result = collections.namedtuple("Result", ("status", "message", "metrics"))

_HEADLINE_CHARS = 400


class Context:
    """The circumstances of a run, shared by the checks of one worker."""

    def __init__(self, device: str, host_gpu: Optional[Dict[str, Any]]) -> None:
        self.device = device
        """``cpu``, ``cuda``, or ``none`` where the environment is only opened."""
        self.host_gpu = host_gpu
        """What the host knows of the GPU: name, compute_capability, memory_total_bytes, uuid; None where it knows none."""
        self.fp32_run: Any = None
        """The float32 training run of this worker, once there is one: the twin that the AMP runs are compared with."""

    @property
    def torch(self) -> Any:
        """The torch module; imported here, since a worker that replaces a dead one has not imported it yet."""
        import torch

        return torch


def headline(error: BaseException) -> str:
    """An exception in one line: its type and the first line of its text that says something."""
    lines = [line.strip() for line in str(error).splitlines()]
    text = next((line for line in lines if line), "")
    name = type(error).__name__
    return "{}: {}".format(name, text)[:_HEADLINE_CHARS] if text else name
