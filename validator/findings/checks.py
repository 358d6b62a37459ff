"""Findings of single checks: what the check named itself, then how its process ended. None where that tells nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from validator.causes import catalogue
from validator.model import CheckResult, Severity
from validator.probe_host import TOTAL_DEADLINE

#: Signal → cause, where the signal itself tells. SIGKILL tells only together with the engine's word that memory ran out.
_SIGNALS = {
    "SIGILL": "cpu_instructions_missing",
    "SIGSEGV": "native_crash",
    "SIGABRT": "native_crash",
    "SIGFPE": "native_crash",
}
_SIGNAL = re.compile(r"signal \d+ \((SIG[A-Z0-9]+)\)")


@dataclass(frozen=True)
class Seen:
    """A cause, and the structured evidence for it."""

    cause: str
    evidence: tuple[str, ...]
    firm: bool = True
    """False where the output may name the cause more precisely (a crash that says why, a hang that says where)."""


def of_check(check: CheckResult, *, oom_killed: bool, in_container: bool = False) -> Seen | None:
    """What a check that did not hold says of its cause by structure alone."""
    if check.died:
        return _of_death(check, check.died, oom_killed)
    named = check.metrics.get("cause")
    # The probe runs inside what is judged: its word counts only where it is one of the catalogue's, and never an engine's part.
    if isinstance(named, str) and named in catalogue() and catalogue()[named].severity is not Severity.ERROR:
        return Seen(named, (f"check {check.name} names it",))
    if check.metrics.get("cuda_available") is False and in_container:
        # The cell was given a GPU of this machine, or it would not have been measured on one.
        evidence = f"a GPU was asked for and check {check.name} sees none in the container"
        return Seen("no_gpu_in_container", (evidence,), firm=False)
    return None


def _of_death(check: CheckResult, died: str, oom_killed: bool) -> Seen | None:
    how = f"the process of check {check.name} ended by {died}"
    found = _SIGNAL.search(died)
    signal = found.group(1) if found else None
    if signal == "SIGKILL" and oom_killed:
        return Seen("killed_by_oom_killer", (how, "the engine says: OOMKilled"))
    if signal in _SIGNALS:
        return Seen(_SIGNALS[signal], (how,), firm=signal == "SIGILL")
    if died.startswith(("deadline", TOTAL_DEADLINE)):
        return Seen("hang", (how,), firm=False)
    return None
