"""The supervisor: orders checks one by one, survives whatever a check does to its process, and reports to the host.

Reads the plan as one JSON object from a pipe, asks the host for the nonce of the run over stdin, and writes events to stdout.
Exits 0 when it said ``end``, whatever the checks found.
"""

import json
import os
import platform
import shutil
import signal
import sys
import time
from typing import Any, Dict, Optional

from .emit import MESSAGE_CHARS, PROTOCOL, Emitter, metrics
from .host import ANSWER_SECONDS, Host
from .process import Died, WorkerProcess
from .shelter import hide
from .system import bending, libc, system, worker_environment

_OUTPUT_CHARS = 4000
#: Signals that native code raises by its own fault, with the cause they stand for. SIGKILL comes from outside and names none.
_CAUSES = {
    signal.SIGSEGV: "native_crash",
    signal.SIGBUS: "native_crash",
    signal.SIGABRT: "native_crash",
    signal.SIGFPE: "native_crash",
    signal.SIGILL: "cpu_instructions_missing",
}
_UNANSWERED = (
    "validator probe: no answer came from outside on standard input, which was closed or silent for {:g} s: "
    "whatever started the probe (the image's entrypoint?) does not pass standard input on\n"
)


class Supervisor:
    """One run of a plan."""

    def __init__(self, plan: Dict[str, Any], emitter: Emitter, host: Host, scratch: str) -> None:
        self._checks = plan["checks"]
        self._total = plan["deadline_seconds"]
        self._context = {name: plan[name] for name in ("device", "host_gpu", "asked", "quick", "model")}
        self._emit = emitter.emit
        self._host = host
        self._scratch = scratch
        self._began = time.monotonic()
        self._worker: Optional[WorkerProcess] = None
        self._workers = 0
        self._blocked: Dict[str, str] = {}
        """For a check that did not hold: what the checks that need it say."""

    def run(self) -> None:
        """Run every check of the plan, or say why not."""
        self._emit(
            "start",
            protocol=PROTOCOL,
            python=platform.python_version(),
            executable=sys.executable,
            platform=system(),
            libc=libc(),
            environment=bending(os.environ),
            checks=[check["name"] for check in self._checks],
        )
        for check in self._checks:
            reason = self._reason_to_skip(check)
            if reason is None:
                if check["alone"]:
                    self._wait_for_turn(check["name"])
                self._run(check["name"], check["deadline_seconds"])
            else:
                self._end(check["name"], {"status": "skip", "message": reason})
        self._emit("end", seconds=time.monotonic() - self._began, checks=len(self._checks))

    def stop(self) -> None:
        """End the worker, if there is one."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _reason_to_skip(self, check: Dict[str, Any]) -> Optional[str]:
        if time.monotonic() >= self._began + self._total:
            return "not run: total deadline reached"
        return next((self._blocked[need] for need in check["needs"] if need in self._blocked), None)

    def _wait_for_turn(self, name: str) -> None:
        """Wait until nothing else is measured beside this check; the time of that is nobody's."""
        asked = time.monotonic()
        self._emit("turn", check=name)
        self._host.turn(name)
        self._began += time.monotonic() - asked

    def _run(self, name: str, seconds: float) -> None:
        if self._worker is None:
            self._worker = WorkerProcess(worker_environment(os.environ, self._scratch), self._context)
            self._workers += 1
            self._emit("worker-start", worker=self._workers, pid=self._worker.pid)
        self._emit("check-start", check=name, worker=self._workers)
        worker, began, cause = self._worker, time.monotonic(), None
        whole = self._began + self._total
        try:
            reply = worker.run(name, min(began + seconds, whole))
            output = "" if reply["status"] in ("pass", "skip") else worker.tail(_OUTPUT_CHARS)
            if reply.pop("spent"):
                self.stop()  # the checks that follow get a fresh one
            self._end(name, reply, output=output)
            return
        except Died as error:
            died, cause = str(error), _CAUSES.get(-(error.code or 0))
        except TimeoutError:
            died = "total deadline of {:g} s".format(self._total)
            if began + seconds < whole:
                died, cause = "deadline of {:g} s".format(seconds), "hang"
        self._worker = None
        message = "the process that ran {} did not survive: {}".format(name, died)
        fields = {"status": "fail", "message": message, "metrics": {"cause": cause} if cause else {}}
        self._end(name, fields, seconds=time.monotonic() - began, died=died, output=worker.tail(_OUTPUT_CHARS))

    def _end(self, name: str, fields: Dict[str, Any], **more: Any) -> None:
        event = dict({"check": name, "seconds": 0.0, "metrics": {}, "died": None, "output": ""}, **fields)
        event.update(more, message=fields["message"][:MESSAGE_CHARS], metrics=metrics(event["metrics"]))
        self._emit("check-end", **event)
        if event["status"] == "fail":
            self._blocked[name] = "needs {}, which failed".format(name)
        elif event["status"] == "skip":
            self._blocked[name] = event["message"]


def main(descriptor: int) -> int:
    """Run the plan that can be read from the descriptor, and return the exit status."""
    hide()
    with os.fdopen(descriptor, "rb") as file:
        plan = json.loads(file.read().decode("utf-8"))
    scratch = os.path.dirname(os.path.abspath(sys.argv[0]))
    host = Host(0)
    supervisor: Optional[Supervisor] = None

    def on_signal(number: int, frame: Any) -> None:
        # From here on nothing may interrupt the cleaning up.
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for each in signals:
        signal.signal(each, on_signal)
    try:
        nonce = plan["nonce"] or host.nonce(sys.stdout.buffer)
        if nonce is None:
            sys.stderr.write(_UNANSWERED.format(ANSWER_SECONDS))
            return 1
        supervisor = Supervisor(plan, Emitter(sys.stdout.buffer, nonce), host, scratch)
        supervisor.run()
    except BrokenPipeError:
        # The host is gone: nobody is left to tell. The interpreter must not complain when it flushes stdout at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        if supervisor is not None:
            supervisor.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    return 0
