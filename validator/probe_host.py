"""The host's side of the probe: packs it, words its plan, and reads its events as hostile input.

The probe travels in an environment variable and is started by a few lines of ``python -c``, so the same request works for any
engine, a read-only root file system, and an interpreter of this machine.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
import secrets
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from validator.checks import CheckSpec
from validator.model import CheckStatus, Gpu, Metric, Metrics
from validator.resources import PROBE
from validator.text import clean, one_line

PROTOCOL = 1
#: How ``died`` begins when the run's total deadline ended a check, as opposed to the check's own.
TOTAL_DEADLINE = "total deadline"

#: Runs under the environment's interpreter, any since 3.6. The plan goes on through a pipe, not the environment: the nonce
#: in it must not be readable by what is validated. 64 KiB fit into a pipe unread; a plan is a few hundred bytes.
BOOTSTRAP = """\
import base64, json, os, sys, tempfile
try:
    packed = base64.b64decode(os.environ.pop("VALIDATOR_PROBE_ZIP"), validate=True)
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

_LINE_BYTES = 64 * 1024
_ACCEPTED_BYTES = 4 * 1024 * 1024
_STRAY_BYTES = 16 * 1024
_STRAY_CHARS = 4000
_VIOLATIONS = 20
_DEPTH = 4
_INTEGER = 2**63
_METRICS = 64
_LIST_ITEMS = 256
_TEXT_CHARS = 1000
_METRIC_NAME = re.compile(r"[a-z0-9_.]{1,64}", re.ASCII)
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)


@cache
def pack() -> bytes:
    """The probe as a zipapp; the same bytes every time."""
    entries = {"__main__.py": b"from validator_probe.main import main\n\nmain()\n"}
    for path in sorted(PROBE.rglob("*.py")):
        entries["validator_probe/" + path.relative_to(PROBE).as_posix()] = path.read_bytes()
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
            "name": gpu.name,
            "compute_capability": gpu.compute_capability,
            "memory_total_bytes": gpu.memory_total_bytes,
            "uuid": gpu.uuid,
        },
        "scratch": plan.scratch,
        "checks": [
            {"name": spec.name, "deadline_seconds": spec.deadline_seconds, "needs": list(spec.needs)} for spec in plan.checks
        ],
    }
    return {
        "VALIDATOR_PROBE_ZIP": base64.b64encode(pack()).decode("ascii"),
        "VALIDATOR_PROBE_PLAN": json.dumps(document),
    }


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
            stray=clean(self._stray.decode("utf-8", "replace"), _STRAY_CHARS).strip(),
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
            except _Refused as refused:
                if refused.ours and len(self._violations) < _VIOLATIONS:
                    self._violations.append(f"{one_line(str(refused))}: {one_line(line.decode('utf-8', 'replace'))}")
        self._keep_stray(line + b"\n")
        return None

    def _keep_stray(self, data: bytes) -> None:
        self._stray = (self._stray + data[-_STRAY_BYTES:])[-_STRAY_BYTES:]

    def _accept(self, line: bytes) -> Event:
        """Parse an event and move on by it, or raise _Refused and leave everything as it was."""
        document = _parse(line)
        if document.get("nonce") != self._plan.nonce:
            raise _Refused("another nonce", ours=False)
        seq, name = _integer(document.get("seq")), document.get("event")
        if seq <= self._seq:
            raise _Refused(f"event {seq} after event {self._seq}")
        if self._accepted_bytes + len(line) > _ACCEPTED_BYTES:
            raise _Refused(f"more than {_ACCEPTED_BYTES} bytes of events")
        if not isinstance(name, str) or name not in _SCHEMA:
            raise _Refused("unknown event")
        fields = {key: value for key, value in document.items() if key not in ("nonce", "seq", "event")}
        schema = _SCHEMA[name]
        if set(fields) != set(schema):
            raise _Refused(f"{name} has other fields than {', '.join(schema)}")
        values = {key: check(fields[key]) for key, check in schema.items()}
        if self._ended or (name == "start") == (self._facts is not None):
            raise _Refused(f"{name} out of order")
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
                    raise _Refused("a worker out of order")
                self._worker += 1
            case "check-start":
                check = self._planned(values["check"])
                if self._running or check in self._checks or values["worker"] != self._worker or not self._worker:
                    raise _Refused(f"check-start of {check} out of order")
                self._running = check
            case "check-end":
                self._end_check(values)
            case "end":
                if self._running or values["checks"] != len(self._checks) or len(self._checks) != len(self._plan.checks):
                    raise _Refused("end before every check has ended")
                self._ended = True

    def _start(self, values: dict[str, object]) -> None:
        if values["protocol"] != PROTOCOL:
            raise _Refused(f"protocol {values['protocol']}, not {PROTOCOL}")
        if values["checks"] != [spec.name for spec in self._plan.checks]:
            raise _Refused("other checks than planned")
        facts: dict[str, Metric] = {key: str(values[key]) for key in ("python", "executable", "libc", "platform")}
        variables = values["environment"]
        assert isinstance(variables, dict)  # noqa: S101 - _variables made it
        self._facts = facts | {f"env.{key}": value for key, value in variables.items()}

    def _end_check(self, values: dict[str, object]) -> None:
        check, status, died = self._planned(values["check"]), values["status"], values["died"]
        if died is not None and status is not CheckStatus.FAIL:
            raise _Refused(f"{check} killed its process and did not fail")
        unstarted = self._running is None and (status is CheckStatus.SKIP or died is not None)
        if check in self._checks or not (self._running == check or unstarted):
            raise _Refused(f"check-end of {check} out of order")
        self._running = None
        fields: dict[str, Any] = {key: value for key, value in values.items() if key != "check"}
        self._checks[check] = CheckEvent(name=check, **fields)

    def _planned(self, name: object) -> str:
        for spec in self._plan.checks:
            if spec.name == name:
                return spec.name
        raise _Refused("unknown check")


class _Refused(ValueError):
    """A line is not an event; ``ours`` tells whether it carried our nonce."""

    def __init__(self, why: str, *, ours: bool = True) -> None:
        super().__init__(why)
        self.ours = ours


def _parse(line: bytes) -> dict[str, object]:
    try:
        document = json.loads(
            line.decode("ascii"), object_pairs_hook=_unique, parse_constant=_not_finite, parse_float=_float, parse_int=_int
        )
    except RecursionError:
        raise _Refused("nested too deep") from None
    except _Refused:
        raise
    except ValueError as error:
        raise _Refused(f"not JSON in ASCII ({error})") from None
    if _depth(document) > _DEPTH:
        raise _Refused("nested too deep")
    assert isinstance(document, dict)  # noqa: S101 - the line begins with a brace
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Refused("a duplicate key")
    return result


def _not_finite(text: str) -> NoReturn:
    raise _Refused(f"{text} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_finite(text)


def _int(text: str) -> int:
    # Cut before converting: thousands of digits take long to convert, and newer Pythons refuse them in their own words.
    return _integer(int(text[:24]))


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _INTEGER:
        raise _Refused("not an integer of 64 bits")
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
        raise _Refused("not a number of seconds")
    return float(value)


def _text(limit: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str):
            raise _Refused("not a text")
        return one_line(value, limit)

    return check


def _output(value: object) -> str:
    if not isinstance(value, str):
        raise _Refused("not a text")
    return clean(value, _STRAY_CHARS)


def _died(value: object) -> str | None:
    return None if value is None else _text(200)(value)


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > _LIST_ITEMS:
        raise _Refused("not a list of names")
    return [_text(100)(item) for item in value]


def _status(value: object) -> CheckStatus:
    try:
        return CheckStatus(value)
    except ValueError:
        raise _Refused("unknown status") from None


def _variables(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _METRICS or not all(map(_VARIABLE_NAME.fullmatch, value)):
        raise _Refused("not environment variables")
    return {key: _text(_TEXT_CHARS)(item) for key, item in value.items()}


def _metrics(value: object) -> Metrics:
    if not isinstance(value, dict) or len(value) > _METRICS or not all(map(_METRIC_NAME.fullmatch, value)):
        raise _Refused("not metrics")
    return {key: _metric(item) for key, item in value.items()}


def _metric(value: object) -> Metric:
    if isinstance(value, list):
        if len(value) > _LIST_ITEMS:
            raise _Refused("a metric of too many values")
        return [_scalar(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        if len(value) > _TEXT_CHARS:
            raise _Refused("a metric of too long a text")
        return clean(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise _Refused("a metric nested too deep")


#: The fields of every event, each with what reads and bounds it.
_SCHEMA: Mapping[str, Mapping[str, Callable[[object], object]]] = {
    "start": {
        "protocol": _integer,
        "python": _text(_TEXT_CHARS),
        "executable": _text(_TEXT_CHARS),
        "platform": _text(_TEXT_CHARS),
        "libc": _text(_TEXT_CHARS),
        "environment": _variables,
        "checks": _names,
    },
    "worker-start": {"worker": _integer, "pid": _integer},
    "check-start": {"check": _text(100), "worker": _integer},
    "check-end": {
        "check": _text(100),
        "status": _status,
        "message": _text(2000),
        "seconds": _seconds,
        "metrics": _metrics,
        "died": _died,
        "output": _output,
    },
    "end": {"seconds": _seconds, "checks": _integer},
}
