"""Signs from what is not text: what the probe, the kernel, the engine, NVML and the rules say in fields of their own."""

from __future__ import annotations

from collections.abc import Mapping

from validator.catalogue.causes import catalogue
from validator.diagnose.evidence import Evidence, Line
from validator.diagnose.signs import Sign
from validator.model import CheckResult, CheckStatus, NvmlInfo, Prediction, Severity

#: NVML's own word for its problem (``problem_kind``) → cause, weight.
_NVML: Mapping[str, tuple[str, float]] = {
    "version_mismatch": ("driver_library_mismatch", 85),
    "gpu_lost": ("gpu_fallen_off_bus", 85),
    "no_driver": ("driver_not_loaded", 70),
}
#: How a process ended → cause, weight. Low where it can mean several things, so that a message outweighs it.
_SIGNALS: Mapping[str, tuple[str, float]] = {
    "SIGILL": ("cpu_instructions_missing", 75),
    "SIGBUS": ("shm_too_small", 62),
    "SIGSEGV": ("native_crash", 45),
    "SIGABRT": ("native_crash", 35),
    "SIGKILL": ("killed_by_oom_killer", 45),
}
#: Exit status of a shell whose program a signal ended: 128 and the number of the signal.
_EXIT: Mapping[int, str] = {132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 137: "SIGKILL", 139: "SIGSEGV"}
_CHECK_WEIGHT = 96.0
_PREDICTED_WEIGHT = 38.0


def structured_signs(evidence: Evidence) -> list[Sign]:
    """What checks, engine, kernel and NVML say."""
    found: list[Sign] = []
    for check in evidence.checks:
        found += _check(check)
    if evidence.oom_killed:
        found.append(_sign("killed_by_oom_killer", 94, Line("the memory limit was reached", source="engine")))
    ended = evidence.signal or _EXIT.get(evidence.exit_code or 0, "")
    if ended in _SIGNALS and not evidence.timed_out:
        cause, weight = _SIGNALS[ended]
        found.append(_sign(cause, weight, Line(f"ended by {ended}", source="exit")))
    if evidence.timed_out:
        found.append(_sign("hang", 55, Line("still running when the time was up", source="exit")))
    nvml = evidence.nvml or NvmlInfo()
    kind = nvml.problem_kind or ""
    if kind in _NVML:
        cause, weight = _NVML[kind]
        found.append(_sign(cause, weight, Line(nvml.problem or kind, source="nvml")))
    return found


def predicted_signs(prediction: Prediction) -> list[Sign]:
    """What the rules call a failure; this counts least, because a log shows what really happened."""
    return [
        _sign(finding.cause, _PREDICTED_WEIGHT, Line(finding.message, source="rules"))
        for finding in prediction.findings
        if finding.severity is Severity.FAIL and finding.cause in catalogue()
    ]


def _check(check: CheckResult) -> list[Sign]:
    if check.status in (CheckStatus.PASS, CheckStatus.SKIP):
        return []
    source = f"check {check.name}"
    found = []
    told = check.metrics.get("cause")
    if isinstance(told, str) and told in catalogue():
        values = {name: str(value) for name, value in check.metrics.items() if isinstance(value, str | int | float)}
        found.append(_sign(told, _CHECK_WEIGHT, Line(check.message, source=source), values))
    for name, (cause, weight) in _SIGNALS.items():
        if check.died and name in check.died:
            found.append(_sign(cause, weight, Line(f"ended by {check.died}", source=source)))
    if check.died and "deadline" in check.died:
        found.append(_sign("hang", 60, Line(f"ended by its {check.died}", source=source)))
    return found


def _sign(cause: str, weight: float, line: Line, values: Mapping[str, str] | None = None) -> Sign:
    return Sign(cause, weight, (line,), values=values or {})
