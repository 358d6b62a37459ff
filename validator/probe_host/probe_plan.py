"""The host's side of the probe: packs it, words its plan, and reads its events as hostile input.

The probe travels in environment variables and is started by a few lines of ``python -c``, so the same request works for any
engine, a read-only root file system, and an interpreter of this machine.
"""

from __future__ import annotations

import base64
import io
import json
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from validator.base.resources import PROBE
from validator.base.text import clean, one_line
from validator.catalogue.checks import CheckSpec
from validator.model import CheckStatus, Gpu, Metric, Metrics, UserModel
from validator.probe_host import rates
from validator.probe_host.schema import OUTPUT_CHARS, SCHEMA, EventRefused, integer, parse

PROTOCOL = 1
#: Where the file of the user's model lies in the zipapp.
MODEL_FOLDER = "validator_model"
#: How ``died`` begins when the run's total deadline ended a check, as opposed to the check's own.
TOTAL_DEADLINE = "total deadline"

#: Runs under the environment's interpreter, any since 3.6. The plan goes on through a pipe, not the environment: the nonce
#: in it must not be readable by what is validated. 64 KiB fit into a pipe unread; a plan is a few hundred bytes.
BOOTSTRAP = """\
import base64, json, os, sys, tempfile
try:
    names = ["VALIDATOR_PROBE_ZIP_%d" % number for number in range(int(os.environ.pop("VALIDATOR_PROBE_PARTS")))]
    packed = base64.b64decode("".join([os.environ.pop(name) for name in names]), validate=True)
    plan = os.environ.pop("VALIDATOR_PROBE_PLAN")
    path = os.path.join(tempfile.mkdtemp(prefix="validator-probe-", dir=json.loads(plan)["scratch"]), "probe.zip")
    with open(path, "wb") as file:
        file.write(packed)
    reader, writer = os.pipe()
    os.write(writer, plan.encode())
    os.close(writer)
    os.dup2(reader, 0)
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-B", path])
except (KeyError, ValueError) as error:
    sys.exit("validator probe: the environment did not pass the probe on unchanged: %r" % error)
except OSError as error:
    sys.exit("validator probe: cannot start, a writable folder and a runnable interpreter are needed: %s" % error)
"""

#: Characters of one variable. Linux refuses a single text of an environment beyond 128 KiB (MAX_ARG_STRLEN), name and all.
PART_CHARS = 96 * 1024

_LINE_BYTES = 64 * 1024
_ACCEPTED_BYTES = 4 * 1024 * 1024
_STRAY_BYTES = 16 * 1024
_VIOLATIONS = 20


@cache
def pack(model: UserModel | None = None) -> bytes:
    """The probe as a zipapp, with the file of the user's model where there is one; the same bytes every time."""
    entries = {"__main__.py": b"from validator_probe.main import main\n\nmain()\n"}
    for path in sorted(PROBE.rglob("*.py")):
        entries["validator_probe/" + path.relative_to(PROBE).as_posix()] = path.read_bytes()
    if model is not None and model.content is not None:
        entries[f"{MODEL_FOLDER}/{model.file}"] = model.content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)  # its date is 1980, whatever the file's
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def new_nonce() -> str:
    """128 random bits as 32 hex digits; one for each attempt."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class ProbePlan:
    """What a probe is asked to do."""

    nonce: str
    checks: tuple[CheckSpec, ...]
    device: str
    """``cpu``, ``cuda``, or ``none`` where the environment is only opened."""
    host_gpu: Gpu | None
    deadline_seconds: float
    """For all checks together; the probe then stops of itself and still reports."""
    scratch: str | None = None
    """A folder inside the environment that can be written; None takes the interpreter's own choice of temporary folder."""
    asked: Mapping[str, str | None] = field(default_factory=dict)
    """What the matrix says is inside: ``torch``, ``cuda`` (``cpu`` for a CPU build), ``python``; None where it does not say."""
    quick: bool = False
    """Fewer steps and a smaller net: an answer in little more than the time of ``import torch``."""
    model: UserModel | None = None
    """The user's own model, where there is one."""


def command(python: str) -> tuple[str, ...]:
    """The argv that starts the probe with this interpreter."""
    return (python, "-I", "-S", "-B", "-c", BOOTSTRAP)


def environment(plan: ProbePlan) -> dict[str, str]:
    """The environment variables that carry the probe and its plan."""
    gpu = plan.host_gpu
    document = {
        "protocol": PROTOCOL,
        "nonce": plan.nonce,
        "deadline_seconds": plan.deadline_seconds,
        "device": plan.device,
        "host_gpu": gpu
        and {
            # A slice has a name and a memory of its own; NVML's are those of the whole GPU.
            "name": None if gpu.in_slices else gpu.name,
            "compute_capability": gpu.compute_capability,
            "memory_total_bytes": None if gpu.in_slices else gpu.memory_total_bytes,
            "uuid": gpu.device_uuid,
            "rates": rates.of(gpu),
        },
        "scratch": plan.scratch,
        "asked": dict(plan.asked),
        "quick": plan.quick,
        "model": _told(plan.model) if plan.model else {},
        "checks": [
            {"name": spec.name, "deadline_seconds": spec.deadline_seconds, "needs": list(spec.needs)} for spec in plan.checks
        ],
    }
    packed = base64.b64encode(pack(plan.model)).decode("ascii")
    parts = [packed[at : at + PART_CHARS] for at in range(0, len(packed), PART_CHARS)]
    return {
        "VALIDATOR_PROBE_PARTS": str(len(parts)),
        **{f"VALIDATOR_PROBE_ZIP_{number}": part for number, part in enumerate(parts)},
        "VALIDATOR_PROBE_PLAN": json.dumps(document),
    }


def _told(model: UserModel) -> dict[str, str]:
    """The model as the probe is told of it; its file travels beside the probe."""
    names = ("file", "module", "factory", "input", "dtype", "loss", "batch", "amp", "folder")
    return {name: value for name in names if (value := getattr(model, name)) is not None}


# ---------------------------------------------------------------- reading


@dataclass(frozen=True)
class CheckEvent:
    """The end of one check as the probe told it."""

    name: str
    status: CheckStatus
    message: str
    seconds: float
    metrics: Metrics
    died: str | None
    """How the process ended when this check killed it; None when it did not."""
    output: str
    """Tail of what the environment printed during the check; untrusted, cleaned."""


@dataclass(frozen=True)
class ProbeReport:
    """Everything that a probe's stdout proves, and what is left over."""

    complete: bool
    """A valid ``end`` event was seen and every planned check has exactly one end."""
    started: bool
    facts: Mapping[str, Metric]
    """python, executable, libc, platform; variables that can bend a result as ``env.NAME``."""
    checks: tuple[CheckEvent, ...]
    running: str | None
    """A check that started and never ended."""
    violations: tuple[str, ...]
    """Why lines that carried our nonce were refused; bounded."""
    stray: str
    """Tail of everything on stdout that was not an accepted event; untrusted, cleaned."""


Event = Mapping[str, object]


class EventStream:
    """Reads a probe's stdout as it arrives. No bytes make it raise, fill memory, or believe in an end that was not told."""

    def __init__(self, plan: ProbePlan) -> None:
        self._plan = plan
        self._line = bytearray()
        self._overlong = False
        self._stray = b""
        self._accepted_bytes = 0
        self._seq = 0
        self._worker = 0
        self._facts: dict[str, Metric] | None = None
        self._running: str | None = None
        self._checks: dict[str, CheckEvent] = {}
        self._ended = False
        self._violations: list[str] = []

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes and return the events they completed."""
        accepted: list[Event] = []
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._append(line)
            event = self._finish_line()
            if event is not None:
                accepted.append(event)
        self._append(rest)
        return accepted

    def close(self) -> ProbeReport:
        """The report, once nothing more will come. An event without its newline was cut short and does not count."""
        self._keep_stray(bytes(self._line))
        self._line.clear()
        return ProbeReport(
            complete=self._ended and set(self._checks) == {spec.name for spec in self._plan.checks},
            started=self._facts is not None,
            facts=self._facts or {},
            checks=tuple(self._checks.values()),
            running=self._running,
            violations=tuple(self._violations),
            stray=clean(self._stray.decode("utf-8", "replace"), OUTPUT_CHARS).strip(),
        )

    def _append(self, part: bytes) -> None:
        if len(self._line) + len(part) > _LINE_BYTES:
            self._overlong = True
        if self._overlong:
            self._keep_stray(bytes(self._line[-_STRAY_BYTES:]) + part[-_STRAY_BYTES:])
            self._line.clear()
        else:
            self._line += part

    def _finish_line(self) -> Event | None:
        line, overlong = bytes(self._line), self._overlong
        self._line.clear()
        self._overlong = False
        if overlong:
            self._keep_stray(b"\n")
            return None
        if not line.strip():
            return None
        if line.startswith(b"{") and self._plan.nonce.encode() in line:
            try:
                return self._accept(line)
            except EventRefused as refused:
                if refused.ours and len(self._violations) < _VIOLATIONS:
                    self._violations.append(f"{one_line(str(refused))}: {one_line(line.decode('utf-8', 'replace'))}")
        self._keep_stray(line + b"\n")
        return None

    def _keep_stray(self, data: bytes) -> None:
        self._stray = (self._stray + data[-_STRAY_BYTES:])[-_STRAY_BYTES:]

    def _accept(self, line: bytes) -> Event:
        """Parse an event and move on by it, or raise EventRefused and leave everything as it was."""
        document = parse(line)
        if document.get("nonce") != self._plan.nonce:
            raise EventRefused("another nonce", ours=False)
        seq, name = integer(document.get("seq")), document.get("event")
        if seq <= self._seq:
            raise EventRefused(f"event {seq} after event {self._seq}")
        if self._accepted_bytes + len(line) > _ACCEPTED_BYTES:
            raise EventRefused(f"more than {_ACCEPTED_BYTES} bytes of events")
        if not isinstance(name, str) or name not in SCHEMA:
            raise EventRefused("unknown event")
        fields = {key: value for key, value in document.items() if key not in ("nonce", "seq", "event")}
        schema = SCHEMA[name]
        if set(fields) != set(schema):
            raise EventRefused(f"{name} has other fields than {', '.join(schema)}")
        values = {key: check(fields[key]) for key, check in schema.items()}
        if self._ended or (name == "start") == (self._facts is not None):
            raise EventRefused(f"{name} out of order")
        self._step(name, values)
        self._seq = seq
        self._accepted_bytes += len(line)
        return {"event": name, **values}

    def _step(self, name: str, values: dict[str, object]) -> None:
        match name:
            case "start":
                self._start(values)
            case "worker-start":
                if values["worker"] != self._worker + 1 or self._running:
                    raise EventRefused("a worker out of order")
                self._worker += 1
            case "check-start":
                check = self._planned(values["check"])
                if self._running or check in self._checks or values["worker"] != self._worker or not self._worker:
                    raise EventRefused(f"check-start of {check} out of order")
                self._running = check
            case "check-end":
                self._end_check(values)
            case "end":
                if self._running or values["checks"] != len(self._checks) or len(self._checks) != len(self._plan.checks):
                    raise EventRefused("end before every check has ended")
                self._ended = True

    def _start(self, values: dict[str, object]) -> None:
        if values["protocol"] != PROTOCOL:
            raise EventRefused(f"protocol {values['protocol']}, not {PROTOCOL}")
        if values["checks"] != [spec.name for spec in self._plan.checks]:
            raise EventRefused("other checks than planned")
        facts: dict[str, Metric] = {key: str(values[key]) for key in ("python", "executable", "libc", "platform")}
        variables = values["environment"]
        assert isinstance(variables, dict)  # noqa: S101 - _variables made it
        self._facts = facts | {f"env.{key}": value for key, value in variables.items()}

    def _end_check(self, values: dict[str, object]) -> None:
        check, status, died = self._planned(values["check"]), values["status"], values["died"]
        if died is not None and status is not CheckStatus.FAIL:
            raise EventRefused(f"{check} killed its process and did not fail")
        unstarted = self._running is None and (status is CheckStatus.SKIP or died is not None)
        if check in self._checks or not (self._running == check or unstarted):
            raise EventRefused(f"check-end of {check} out of order")
        self._running = None
        fields: dict[str, Any] = {key: value for key, value in values.items() if key != "check"}
        self._checks[check] = CheckEvent(name=check, **fields)

    def _planned(self, name: object) -> str:
        for spec in self._plan.checks:
            if spec.name == name:
                return spec.name
        raise EventRefused("unknown check")
