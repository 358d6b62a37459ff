"""The cause behind a log: the answer of ``validator diagnose``. All text of the log in it was cleaned when it was read."""

from __future__ import annotations

import textwrap
from typing import Any

from validator.diagnose.evidence import Diagnosis, Line, Named, Unnamed
from validator.report.answers import formats

_EVIDENCE_SHOWN = 4
#: A line of the log takes so many lines of the terminal at most; a terminal is taken to be no narrower than this.
_LINES_OF_ONE, _NARROWEST = 4, 40


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
            "explanation": found.unnamed.value if found.unnamed else None,
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


def as_text(found: Diagnosis, width: int) -> str:
    """Cause, why, what to do, how to make sure, what else it could be."""
    if not found.causes:
        lines = [f"cause: unknown ({(found.unnamed or Unnamed.UNDECIDED).value})"]
        if found.informative:
            heading = "Its last lines:" if found.unnamed is Unnamed.HEALTHY else "The lines that say most:"
            lines += ["", heading]
            for line in found.informative:
                lines += _evidence(line, width)
        lines += ["", "More of the log, or `--env torch=… --env gpu=… --env driver=…`, may decide it."]
        return "\n".join(lines)
    top = found.causes[0]
    lines = [f"cause: {top.cause} ({top.confidence:.0%} sure, {top.family})", f"  {top.title}", ""]
    lines += ["why"]
    for line in top.evidence[:_EVIDENCE_SHOWN]:
        lines += _evidence(line, width)
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


def _evidence(line: Line, width: int) -> list[str]:
    """A line of evidence, in a few lines of the terminal where it is longer than one."""
    return textwrap.wrap(
        str(line),
        max(width, _NARROWEST),
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        max_lines=_LINES_OF_ONE,
        placeholder=" …",
    )


FORMATS = formats(as_text, as_json)
