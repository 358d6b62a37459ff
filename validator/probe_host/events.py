"""The events of a probe, read as hostile input: nonce, order, schema, depth and size are checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from validator.base.text import clean, one_line
from validator.model import CheckStatus, Metric, Metrics
from validator.probe_host.probe_plan import PROTOCOL, ProbePlan
from validator.probe_host.schema import OUTPUT_CHARS, SCHEMA, EventRefused, integer, parse

#: How ``died`` begins when the run's total deadline ended a check, as opposed to the check's own.
TOTAL_DEADLINE = "total deadline"
#: The line with which a supervisor asks for its nonce; it alone carries none.
READY = b'{"validator_probe": "ready"}'
_LINE_BYTES = 64 * 1024
_ACCEPTED_BYTES = 4 * 1024 * 1024
_STRAY_BYTES = 16 * 1024
_VIOLATIONS = 20

Event = Mapping[str, object]


@dataclass(frozen=True)
class CheckEvent:
    """The end of one check as the probe reported it."""

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


class EventStream:
    """Reads a probe's stdout as it arrives. No input makes it raise, fill memory, or take as ended what has not ended."""

    def __init__(self, plan: ProbePlan) -> None:
        self._plan = plan
        self._line = bytearray()
        self._overlong = False
        self._stray = b""
        self._accepted_bytes = 0
        self._seq = 0
        self._digests: dict[int, bytes] = {}
        """Of every accepted line, by its number: a log that is read again from its start repeats what was accepted."""
        self._worker = 0
        self._facts: dict[str, Metric] | None = None
        self._turn: str | None = None
        self._running: str | None = None
        self._checks: dict[str, CheckEvent] = {}
        self._ended = False
        self._violations: list[str] = []

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes and return the events they completed; ``ready`` among them, until the probe has started.

        What was accepted before and comes again to the byte is passed over: a log may be read from its start again.
        """
        accepted: list[Event] = []
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._append(line)
            event = self._finish_line()
            if event is not None:
                accepted.append(event)
        self._append(rest)
        return accepted

    def again(self) -> None:
        """From here on the stream is read from its start again: the line it broke off in comes whole."""
        self._keep_stray(bytes(self._line))
        self._line.clear()
        self._overlong = False

    def close(self) -> ProbeReport:
        """The report, once nothing more will come. An event without its newline was cut short and does not count."""
        self.again()
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
        if line == READY and self._plan.listens:
            return {"event": "ready"} if self._facts is None else None
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

    def _accept(self, line: bytes) -> Event | None:
        """Parse an event and apply it, or raise EventRefused and leave everything as it was; None for one that is repeated."""
        document = parse(line)
        if document.get("nonce") != self._plan.nonce:
            raise EventRefused("another nonce", ours=False)
        seq, name = integer(document.get("seq")), document.get("event")
        digest = hashlib.blake2b(line, digest_size=16).digest()
        if self._digests.get(seq) == digest:
            return None
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
        self._digests[seq] = digest
        self._accepted_bytes += len(line)
        return {"event": name, **values}

    def _step(self, name: str, values: dict[str, object]) -> None:
        match name:
            case "start":
                self._start(values)
            case "worker-start":
                if values["worker"] != self._worker + 1 or self._worker == len(self._plan.checks) or self._running:
                    raise EventRefused("a worker out of order")
                self._worker += 1
            case "turn":
                check = self._planned(values["check"])
                if self._running or self._turn or check in self._checks or not self._may_ask(check):
                    raise EventRefused(f"turn of {check} out of order")
                self._turn = check
            case "check-start":
                check = self._planned(values["check"])
                if self._running or check in self._checks or values["worker"] != self._worker or not self._worker:
                    raise EventRefused(f"check-start of {check} out of order")
                if self._turn not in (None, check):
                    raise EventRefused(f"check-start of {check} in the turn of {self._turn}")
                self._running, self._turn = check, None
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
        if check in self._checks or self._turn or not (self._running == check or unstarted):
            raise EventRefused(f"check-end of {check} out of order")
        self._running = None
        fields: dict[str, Any] = {key: value for key, value in values.items() if key != "check"}
        self._checks[check] = CheckEvent(name=check, **fields)

    def _may_ask(self, check: str) -> bool:
        return self._plan.turns and any(spec.name == check and spec.alone for spec in self._plan.checks)

    def _planned(self, name: object) -> str:
        for spec in self._plan.checks:
            if spec.name == name:
                return spec.name
        raise EventRefused("unknown check")
