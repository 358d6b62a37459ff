"""A diagnosis as text and as JSON. Pure; every piece of the log in it was cleaned when it was read."""

from __future__ import annotations

import textwrap
from typing import Any

from validator.diagnose.evidence import Diagnosis, Line, Named

_EVIDENCE_SHOWN = 4


def as_json(found: Diagnosis) -> dict[str, Any]:
    """Plain values: ``cause`` first; ``unknown`` has no family and the most telling lines as its evidence."""
    if not found.causes:
        return {
            "cause": found.cause,
            "family": None,
            "title": None,
            "severity": "unknown",
            "confidence": 0.0,
            "evidence": [_line(line) for line in found.informative],
            "explanation": None,
            "remedy": None,
            "confirm": None,
            "alternatives": [],
            "lines_read": found.lines,
        }
    top = found.causes[0]
    return {
        "cause": top.cause,
        "family": top.family,
        "title": top.title,
        "severity": top.severity.value,
        "confidence": top.confidence,
        "evidence": [_line(line) for line in top.evidence],
        "explanation": top.explanation,
        "remedy": top.remedy,
        "confirm": top.confirm or None,
        "alternatives": [_alternative(other) for other in found.causes[1:]],
        "lines_read": found.lines,
    }


def as_text(found: Diagnosis, width: int = 100) -> str:
    """Cause, why, what to do, how to make sure, what else it could be."""
    if not found.causes:
        lines = ["cause: unknown (nothing in this log names one)"]
        if found.informative:
            lines += ["", "The lines that say most:", *(f"  {line}" for line in found.informative)]
        lines += ["", "More of the log, or `--env torch=… --env gpu=… --env driver=…`, may decide it."]
        return "\n".join(lines)
    top = found.causes[0]
    lines = [f"cause: {top.cause} ({top.confidence:.0%} sure, {top.family})", f"  {top.title}", ""]
    lines += ["why"]
    lines += [_cut(f"  {line}", width) for line in top.evidence[:_EVIDENCE_SHOWN]]
    lines += _wrapped(top.explanation, width)
    lines += ["", "what to do", *_wrapped(top.remedy, width)]
    if top.confirm:
        lines += ["", "how to make sure", f"  {top.confirm}"]
    if found.causes[1:]:
        lines += ["", "what else it could be"]
        lines += [f"  {other.cause} ({other.confidence:.0%}): {other.title}" for other in found.causes[1:]]
    lines += ["", f"`validator causes {top.cause}` tells it from its neighbours."]
    return "\n".join(lines)


def _line(line: Line) -> dict[str, Any]:
    return {"line": line.line, "text": line.text, "source": line.source}


def _alternative(named: Named) -> dict[str, Any]:
    evidence = [_line(line) for line in named.evidence]
    return {
        "cause": named.cause,
        "confidence": named.confidence,
        "title": named.title,
        "evidence": evidence,
        "confirm": named.confirm or None,
    }


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False) if text else []


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
