"""What diagnosis reads in text, and how far that is believed in a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from validator.catalogue.causes import Family, catalogue
from validator.diagnose import Evidence, Named, diagnose
from validator.model import CheckResult, Severity

#: Below this a guess is not shown as the cause of a cell. An unknown is an answer, a wrong cause is not.
_LEAST_CONFIDENCE = 0.45
#: What can keep a probe from starting at all; nothing else is taken from the words of a container that never answered.
BEFORE_START = frozenset(
    {
        "disk_full",
        "permission_denied_in_container",
        "glibc_too_old",
        "missing_shared_library",
        "cpu_instructions_missing",
        "image_arch_mismatch",
        "entrypoint_missing",
        "pids_limit",
        "native_crash",
    }
)


@dataclass(frozen=True)
class Reading:
    """The likeliest cause of a text."""

    cause: str
    evidence: tuple[str, ...]
    remedy: str | None = None


def read_outside(words: str, known: Mapping[str, str]) -> Reading | None:
    """The likeliest cause of what an engine, a registry or a build said."""
    return _first(diagnose(Evidence(log=words, stated=known)).causes, None)


def read_silence(printed: str, known: Mapping[str, str]) -> Reading | None:
    """The likeliest cause of what was printed by a container whose probe never answered."""
    return _first(diagnose(Evidence(log=printed, stated=known)).causes, BEFORE_START)


def read_check(check: CheckResult, known: Mapping[str, str]) -> Reading | None:
    """The likeliest cause of a check's message and output; never one that only the engine could know."""
    # What the check named and how its process ended is weighed by ``checks.of_check``, which knows what the engine said of it.
    metrics = {name: value for name, value in check.metrics.items() if name != "cause"}
    words = "" if check.died else check.message
    plain = replace(check, metrics=metrics, died=None, message=words)
    return _first(diagnose(Evidence(stated=known, checks=(plain,))).causes, _within())


def _within() -> Collection[str]:
    """Causes that can be seen from within an environment: all but those of engines and registries."""
    return {
        ident
        for ident, cause in catalogue().items()
        if cause.family is not Family.CONTAINER or cause.severity is not Severity.ERROR
    }


def _first(causes: tuple[Named, ...], allowed: Collection[str] | None) -> Reading | None:
    for each in causes:
        # What is stated decides between causes; by itself it is no evidence that anything went wrong.
        seen = any(line.source != "stated" for line in each.evidence)
        if seen and each.confidence >= _LEAST_CONFIDENCE and (allowed is None or each.cause in allowed):
            return Reading(each.cause, tuple(str(line) for line in each.evidence), each.remedy or None)
    return None
