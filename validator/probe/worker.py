"""The worker: imports torch and runs checks as they are ordered, in a Python set up exactly as the image sets it up.

Orders and replies go over a private socket, one JSON object a line; stdout and stderr are free for whatever torch prints.
"""

import faulthandler
import json
import os
import signal
import sys
import time
import traceback
from typing import Any, Dict, Optional

from .checks import find
from .context import Context, Result, headline
from .emit import encode, metrics


def main(descriptor: int) -> int:
    """Serve orders from the socket until it is closed."""
    os.set_inheritable(descriptor, False)
    faulthandler.enable(all_threads=True)
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # the supervisor asks where a check hangs
    context: Optional[Context] = None
    with os.fdopen(descriptor, "rb", closefd=False) as orders:
        for line in iter(orders.readline, b""):
            order = json.loads(line.decode("ascii"))
            context = context or Context(order["device"], order["host_gpu"], order["asked"], order["quick"], order["model"])
            _send(descriptor, _run(order["check"], context))
    return 0


def _run(name: str, context: Context) -> Dict[str, Any]:
    began = time.monotonic()
    try:
        result = find(name)(context)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever torch raises is what the check found
        traceback.print_exc()
        result = Result("fail", headline(error), {"raised": type(error).__name__, "raised_at": _place(error)})
    seconds = time.monotonic() - began
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # the image closed or replaced it; the reply matters more
    return {
        "check": name,
        "status": result.status,
        "message": result.message,
        "seconds": seconds,
        "metrics": metrics(result.metrics),
        "spent": _spent(name, result, context),
    }


def _spent(name: str, result: Result, context: Context) -> bool:
    """Whether this process must not be trusted with another check.

    A kernel that went wrong leaves the CUDA context broken, and every later call fails with the same error; memory that ran
    out may stay held by what the exception keeps alive; the user's own model may have set anything.
    """
    return name == "model" or result.status == "fail" and (context.device == "cuda" or "out of memory" in result.message.lower())


def _place(error: BaseException) -> str:
    """Where an exception was raised: ``validator_probe/net.py:22``, or two folders, the file and the line for all else."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _, ours, rest = frame.filename.rpartition("validator_probe/")
    return "{}:{}".format(ours + rest if ours else "/".join(frame.filename.split("/")[-3:]), frame.lineno)


def _send(descriptor: int, reply: Dict[str, Any]) -> None:
    data = encode(reply) + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]
