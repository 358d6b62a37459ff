"""Findings of single checks: what the check named itself, then how its process ended. None where that tells nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from validator.catalogue.causes import catalogue
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


#: Causes that say what kind of failure it was and not yet why: words may still tell more.
_GENERAL = frozenset({"user_code_error", "other", "native_crash", "hang"})


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
        return _of_death(check, check.died, oom_killed, in_container)
    named = check.metrics.get("cause")
    # The probe runs inside what is judged: its word counts only where it is one of the catalogue's, and never an engine's part.
    if isinstance(named, str) and named in catalogue() and catalogue()[named].severity is not Severity.ERROR:
        return Seen(named, _measured(check), firm=named not in _GENERAL)
    if check.metrics.get("cuda_available") is False and in_container:
        # The cell was given a GPU of this machine, or it would not have been measured on one.
        evidence = f"a GPU was asked for and check {check.name} sees none in the container"
        return Seen("no_gpu_in_container", (evidence,), firm=False)
    return None


def _measured(check: CheckResult) -> tuple[str, ...]:
    """What was compared, where the check reports it as such; its message has it in words."""
    pairs = [(name, check.metrics.get(name)) for name in ("layer", "expected", "got")]
    told = ", ".join(f"{name} {value}" for name, value in pairs if isinstance(value, str) and value)
    return (f"check {check.name}: {told}",) if told else ()


def _of_death(check: CheckResult, died: str, oom_killed: bool, in_container: bool) -> Seen | None:
    how = f"the process of check {check.name} ended by {died}"
    found = _SIGNAL.search(died)
    signal = found.group(1) if found else None
    if signal == "SIGKILL" and oom_killed:
        return Seen("killed_by_oom_killer", (how, "the engine says: OOMKilled"))
    if signal == "SIGKILL" and not in_container:
        # Nobody says who killed it; almost always it is the kernel, out of memory.
        return Seen("killed_by_oom_killer", (how, "and the validator did not kill it; `dmesg` names who did"), firm=False)
    if signal == "SIGBUS" and check.name == "import":
        # Loading maps files; a bus error then is a page that the file does not have, though its own header says so.
        return Seen("install_corrupt", (how, "a bus error while loading: a library is shorter than its header says"))
    if signal in _SIGNALS:
        return Seen(_SIGNALS[signal], (how,), firm=signal == "SIGILL")
    if died.startswith(("deadline", TOTAL_DEADLINE)):
        return Seen("hang", (how,), firm=False)
    return None
