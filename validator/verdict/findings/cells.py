"""The findings of one cell, in the order in which they count; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from validator.base.errors import EngineUnavailableError, ValidatorError
from validator.base.text import one_line
from validator.catalogue.causes import catalogue
from validator.model import (
    UNKNOWN_CAUSE,
    CellResult,
    CheckResult,
    CheckStatus,
    Finding,
    HostInfo,
    Level,
    Limits,
    Severity,
    Status,
)
from validator.runners.base import Prepared, RunOutcome
from validator.verdict.content import sentence
from validator.verdict.findings import engine_words
from validator.verdict.findings.known import context, limit_of
from validator.verdict.findings.make import finding
from validator.verdict.findings.reading import Reading, read_check, read_outside, read_silence
from validator.verdict.findings.seen import Seen, of_check

_MOST = 6
_TELLING = (Status.FAIL, Status.DEGRADED, Status.ERROR)
_SEVERITIES = {Status.FAIL: Severity.FAIL, Status.DEGRADED: Severity.DEGRADED, Status.ERROR: Severity.ERROR}
#: How a process ends when the kernel or an engine kills it: 128 + SIGKILL.
_KILLED = 137


def of_result(
    result: CellResult,
    prepared: Prepared,
    outcome: RunOutcome,
    *,
    host: HostInfo | None = None,
    limits: Limits | None = None,
) -> tuple[Finding, ...]:
    """The findings of a cell that ran: at least one where it is not green, none where it is."""
    if result.status not in _TELLING:
        return ()
    in_container = prepared.digest is not None
    known = context(result, host, in_container=in_container)
    case = _Case(result, prepared, outcome, known, limits if in_container else None)
    return _distinct(case.findings())


def joined(foretold: tuple[Finding, ...], seen: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What rules say of an opened image, then what was seen of it; an unknown only where nothing else explains the cell."""
    causes = {each.cause for each in foretold}
    explained = any(each.severity is not Severity.INFO for each in foretold)
    more = [each for each in seen if each.cause not in causes and not (each.cause == UNKNOWN_CAUSE and explained)]
    return (*foretold, *more)


def of_error(error: Exception, result: CellResult | None = None, *, host: HostInfo | None = None) -> tuple[Finding, ...]:
    """The finding of an environment that could not be had, or of an engine that is not there: never a fact about a cell."""
    known = context(result, host) if result else {}
    if not isinstance(error, ValidatorError):
        message = f"{type(error).__name__}: {error}"
        return (finding(UNKNOWN_CAUSE, Severity.UNKNOWN, message, remedy="report it: this is a defect of the validator itself"),)
    words = f"{error.what}: {error.why}" if error.why else error.what
    cause = error.cause or engine_words.cause_of(words)
    if cause is None and isinstance(error, EngineUnavailableError):
        cause = "docker_daemon_unreachable"
    evidence: Sequence[str] = [one_line(line, 300) for line in error.why.splitlines()[-4:]]
    if cause is None:
        named = read_outside(words, known)
        cause, evidence = (named.cause, named.evidence) if named else (UNKNOWN_CAUSE, evidence)
    made = finding(cause, Severity.ERROR, words, evidence, context=known)
    # What the error itself advises is for all that can go wrong there; where the cause is known, its own advice is better.
    return (made if made.remedy else replace(made, remedy=error.hint or None),)


@dataclass(frozen=True)
class _Case:
    """What is known of one cell that ran."""

    result: CellResult
    prepared: Prepared
    outcome: RunOutcome
    known: Mapping[str, str]
    limits: Limits | None
    """The limits that a container had; None where there was none."""

    def findings(self) -> Iterator[Finding]:
        """Every finding there is evidence for, the deciding one first; an unknown where there is none."""
        found = [*self._of_engine(), *self._of_ending(), *self._of_checks(), *self._of_label()]
        yield from found
        if not found:
            yield self._unknown(self.result.reason, self.result.log_tail)

    # ------------------------------------------------------------ outside the environment

    def _of_engine(self) -> Iterator[Finding]:
        outcome = self.outcome
        words = outcome.engine_problem or outcome.start_problem
        if words:
            cause = engine_words.cause_of(words)
            if cause is None:
                named = read_outside(words, self.known)
                cause = named.cause if named else UNKNOWN_CAUSE
            yield self._finding(cause, self.result.reason, (f"the engine says: {words}",))

    def _of_ending(self) -> Iterator[Finding]:
        """How the whole probe ended, where no engine's word explains it."""
        outcome, report = self.outcome, self.outcome.report
        if outcome.engine_problem or outcome.start_problem:
            return
        if outcome.oom_killed and not any(check.died for check in self.result.checks):
            ended = (f"exit status {outcome.exit_code}",) if outcome.exit_code == _KILLED else ()
            yield self._finding("killed_by_oom_killer", self.result.reason, ("the engine says: OOMKilled", *ended))
        elif outcome.exit_code == _KILLED and not outcome.timed_out and not report.complete:
            evidence = (f"exit status {_KILLED}: killed from outside the container, and not by the validator",)
            yield self._finding("killed_by_oom_killer", self.result.reason, evidence)
        if self.result.status is not Status.ERROR:
            if self.result.status is Status.FAIL and not report.started:
                yield self._no_interpreter()
            return
        if outcome.timed_out:
            during = f"while {report.running} was running" if report.running else "and the probe never answered"
            yield self._finding("hang", self.result.reason, (f"no end within the time limit, {during}",))
        elif report.violations:
            yield self._finding("probe_answer_invalid", self.result.reason, report.violations)
        elif not report.started:
            yield self._silent()
        elif report.complete and outcome.exit_code != 0:
            yield self._finding("probe_answer_invalid", self.result.reason, (f"exit status {outcome.exit_code}",))
        elif not report.complete and not outcome.oom_killed and outcome.exit_code != _KILLED:
            yield self._finding("probe_answer_invalid", self.result.reason, (f"exit status {outcome.exit_code}, no final event",))

    def _no_interpreter(self) -> Finding:
        """The verdict has it that the interpreter cannot be run; the words tell whether it is absent or of another processor."""
        words = self.outcome.start_problem or self.outcome.stderr
        wrong = engine_words.cause_of(words) == "image_arch_mismatch"
        cause = "image_arch_mismatch" if wrong else "entrypoint_missing"
        return self._finding(cause, self.result.reason, words.splitlines()[-2:])

    def _silent(self) -> Finding:
        """Nothing of the probe was heard. What the container said instead may tell why it could not start."""
        entrypoint, said = self.prepared.entrypoint, self.result.log_tail
        named = read_silence(said, self.known)
        if named:
            return self._finding(named.cause, self.result.reason, named.evidence, remedy=named.remedy)
        if entrypoint and self.result.environment.keep_entrypoint:
            shown = one_line(" ".join(entrypoint), 100)
            evidence = (f"the image's entrypoint is {shown}", f"exit status {self.outcome.exit_code}", *said.splitlines()[-2:])
            return self._finding("entrypoint_swallows_command", self.result.reason, evidence)
        return self._unknown(self.result.reason, said)

    # ------------------------------------------------------------ inside the environment

    def _of_checks(self) -> Iterator[Finding]:
        """Failed required checks, then failed advisory ones, then warnings; a skip only where it is what decided."""
        bad = [check for check in self.result.checks if check.status in (CheckStatus.FAIL, CheckStatus.WARN)]
        bad.sort(key=lambda check: (check.status is not CheckStatus.FAIL, check.level is not Level.REQUIRED))
        for check in bad:
            yield self._of_check(check)
        if self.result.status is Status.DEGRADED and self.result.reason:
            for check in self.result.checks:
                if check.status is CheckStatus.SKIP and check.level is Level.REQUIRED:
                    yield self._of_check(check)

    def _of_check(self, check: CheckResult) -> Finding:
        message = f"{check.name}: {check.message}"
        seen: Seen | None = of_check(
            check, oom_killed=self.outcome.oom_killed, in_container=self.prepared.digest is not None
        )
        if seen is None or not seen.firm:
            named: Reading | None = read_check(check, self.known)
            if named:
                evidence = (*(seen.evidence if seen else ()), *named.evidence)
                return self._finding(named.cause, message, evidence, check=check, remedy=named.remedy)
        if seen is not None:
            lines = _where(check.output) if check.died else ()
            return self._finding(seen.cause, message, (*seen.evidence, *lines), check=check)
        return self._unknown(message, check.output)

    def _of_label(self) -> Iterator[Finding]:
        """Where what is inside is not what the matrix says."""
        for mismatch in self.result.mismatches:
            yield self._finding("label_mismatch", sentence(mismatch))

    # ------------------------------------------------------------ making

    def _finding(
        self,
        cause: str,
        message: str,
        evidence: Sequence[str] = (),
        *,
        check: CheckResult | None = None,
        remedy: str | None = None,
    ) -> Finding:
        limit = limit_of(cause, self.limits)
        metrics = {name: value for name, value in check.metrics.items() if isinstance(value, str)} if check else {}
        return finding(
            cause,
            self._severity(check),
            message,
            (*((limit,) if limit else ()), *evidence),
            context={**metrics, **self.known},
            remedy=remedy,
        )

    def _severity(self, check: CheckResult | None) -> Severity:
        """That of the cell; a check that does not decide it is only a degradation of a cell that failed for another."""
        counts = _SEVERITIES[self.result.status]
        decides = check is None or (check.status is CheckStatus.FAIL and check.level is Level.REQUIRED)
        return counts if decides or counts is not Severity.FAIL else Severity.DEGRADED

    def _unknown(self, message: str, output: str) -> Finding:
        return finding(UNKNOWN_CAUSE, Severity.UNKNOWN, message, _last_lines(output))


def _where(output: str) -> list[str]:
    """Where a process was when it died: the innermost calls that Python's fault handler names, else the last lines."""
    head, found, calls = output.partition("(most recent call first):")
    if not found:
        return _last_lines(output)
    fatal = [line.strip() for line in head.splitlines() if line.startswith("Fatal Python error")]
    own = (line.strip() for line in calls.splitlines())
    # Frames of the import machinery and of the probe say nothing of what was being imported or run.
    told = [line for line in own if line.startswith("File ") and not any(part in line for part in ("<frozen ", "/probe.zip/"))]
    return [*fatal, *told][:3]


def _last_lines(text: str, count: int = 3) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()][-count:]


def _distinct(findings: Iterator[Finding]) -> tuple[Finding, ...]:
    """One finding a cause, with the evidence of all; named ones before unknown ones that add nothing."""
    merged: dict[str, Finding] = {}
    for each in findings:
        first = merged.get(each.cause)
        if first is None:
            merged[each.cause] = each
        elif each.cause != UNKNOWN_CAUSE:
            extra = (each.message, *each.evidence) if each.message != first.message else each.evidence
            merged[each.cause] = replace(first, evidence=tuple(dict.fromkeys((*first.evidence, *extra)))[:_MOST])
    named = [each for each in merged.values() if each.cause in catalogue()]
    return tuple((named + [each for each in merged.values() if each.cause not in catalogue()])[:_MOST])
