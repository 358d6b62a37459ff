"""One worker process: its orders and replies over a private socket, its output drained and kept as a bounded tail."""

import json
import math
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional, Tuple

from .emit import LINE_BYTES
from .shelter import libc

_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 16 * 1024
_READ_BYTES = 64 * 1024
#: How often an exit is looked for; a child of the worker may hold both pipes open, so their end does not tell.
_TICK_SECONDS = 0.1
#: Time for a worker past its deadline to say where it hangs (see faulthandler in worker.py).
_TRACEBACK_SECONDS = 0.5
_KILL_SECONDS = 5.0


class Died(Exception):
    """The worker ended before it replied; the text says how: ``signal 11 (SIGSEGV)``."""

    def __init__(self, code: Optional[int]) -> None:
        super().__init__(describe_exit(code))
        self.code = code
        """As subprocess gives it: negative for a signal, None when it could not be waited for."""


def describe_exit(code: Optional[int]) -> str:
    """An exit code of subprocess in words."""
    if code is None:
        return "it could not be killed"
    if code >= 0:
        return "exit status {}".format(code)
    try:
        return "signal {} ({})".format(-code, signal.Signals(-code).name)
    except ValueError:
        return "signal {}".format(-code)  # a real-time signal has no name


class WorkerProcess:
    """A worker, started as the image itself would run Python, in a process group of its own."""

    def __init__(self, environment: Dict[str, str], context: Dict[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        supervisor = os.getpid()

        def before_exec() -> None:
            # The worker must not outlive a supervisor that is killed; one already gone sends no signal.
            # Where there is no ctypes, it ends when it next reads an order.
            if libc is not None:
                libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
                if os.getppid() != supervisor:
                    os._exit(1)
            # A crash is an expected finding; a core file in the image's working folder is not.
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

        self._process = subprocess.Popen(
            [sys.executable, sys.argv[0], "worker", str(theirs.fileno())],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            preexec_fn=before_exec,
        )
        theirs.close()
        ours.setblocking(False)
        self._socket = ours
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._open = [self._socket.fileno(), self._output]
        self._tail = b""
        self._line = b""
        self._overlong = False
        self._greeting: Optional[Dict[str, Any]] = context
        self.pid = self._process.pid

    def run(self, check: str, deadline: float) -> Dict[str, Any]:
        """Order a check and return the worker's reply to it.

        ``deadline`` is a reading of time.monotonic(). Raises Died when the worker ends without a reply, TimeoutError when
        the deadline passes; the worker is gone after either.
        """
        self._tail = b""
        self._order(check)
        while True:
            for line in self._read():
                reply = _reply(line, check)
                if reply is not None:
                    self._read_output()
                    return reply
            if self._process.poll() is not None:
                self._read_output()
                self.kill()
                raise Died(self._process.returncode)
            if time.monotonic() >= deadline:
                self._ask_traceback()
                self.kill()
                raise TimeoutError
            select.select(self._open, [], [], min(_TICK_SECONDS, max(0.0, deadline - time.monotonic())))

    def tail(self, chars: int) -> str:
        """The end of what was printed since the last order."""
        return self._tail.decode("utf-8", "replace")[-chars:]

    def kill(self) -> None:
        """End the worker and everything in its process group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # all gone already
        try:
            self._process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            pass  # stuck in the kernel (a sick driver does that); the other checks still get a worker
        self._socket.close()
        self._process.stdout.close()

    def _order(self, check: str) -> None:
        order = dict(self._greeting or {}, check=check)
        self._greeting = None
        try:
            # A few hundred bytes to a reader with an empty queue: never a partial or blocking write.
            self._socket.sendall(json.dumps(order).encode("ascii") + b"\n")
        except OSError:
            pass  # the worker is gone; run() finds out how

    def _read(self) -> List[bytes]:
        """Drain what the worker printed, and return the lines it sent."""
        self._read_output()
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError:
            return []
        if not data and self._socket.fileno() in self._open:
            self._open.remove(self._socket.fileno())
        lines = (self._line + data).split(b"\n")
        self._line = lines.pop()
        if self._overlong and lines:
            lines[0] = b""
            self._overlong = False
        if len(self._line) > LINE_BYTES:
            self._line, self._overlong = b"", True
        return lines

    def _read_output(self) -> None:
        # Bounded, since a child that floods could keep a pipe from ever being empty.
        for _ in range(16):
            try:
                data = os.read(self._output, _READ_BYTES)
            except OSError:
                return
            if not data:
                if self._output in self._open:
                    self._open.remove(self._output)
                return
            self._tail = (self._tail + data)[-_TAIL_BYTES:]

    def _ask_traceback(self) -> None:
        try:
            os.kill(self.pid, signal.SIGUSR1)
        except ProcessLookupError:
            return
        end = time.monotonic() + _TRACEBACK_SECONDS
        while time.monotonic() < end:
            select.select([], [], [], _TICK_SECONDS)
            self._read_output()


def _reply(line: bytes, check: str) -> Optional[Dict[str, Any]]:
    """The reply to the check in this line, or None: the image's own code can write to the socket too."""
    if not line or len(line) > LINE_BYTES:
        return None
    try:
        reply = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    types: Tuple = (("check", str), ("status", str), ("message", str), ("seconds", float), ("metrics", dict), ("spent", bool))
    if not isinstance(reply, dict) or any(not isinstance(reply.get(name), kind) for name, kind in types):
        return None
    if reply["check"] != check or reply["status"] not in ("pass", "warn", "fail", "skip"):
        return None
    if not math.isfinite(reply["seconds"]) or not all(map(_flat, reply["metrics"].values())):
        return None
    return {name: reply[name] for name, _ in types}


def _flat(value: Any) -> bool:
    """Whether a metric is a scalar or a list of scalars."""
    items = value if isinstance(value, list) else [value]
    return not any(isinstance(item, (list, dict)) for item in items)
