"""What came of cells in every run: the answer of ``validator history``."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from validator.base.text import one_line
from validator.report.answers import formats

if TYPE_CHECKING:
    from validator.results import Entry

#: Columns of what stands before the details of a run, where they have a line of their own.
_INDENT = 20


def as_json(history: Mapping[str, Sequence[Entry]]) -> list[dict[str, Any]]:
    """Each cell with its runs, the newest first; without a status where a run has no result of it."""
    return [{"cell": cell, "runs": [_fields(entry) for entry in entries]} for cell, entries in history.items()]


def as_text(history: Mapping[str, Sequence[Entry]], width: int) -> str:
    """A line a run under each cell, the newest first; causes and where it was measured on a line of their own if need be."""
    head = f"  {'when (UTC)':16}  {'run':{_run_width(history)}}  {'result':20}  {'time':>8}"
    lines: list[str] = []
    for cell, entries in history.items():
        lines += ([""] if lines else []) + [one_line(cell), head]
        for entry in entries:
            lines += _entry(entry, _run_width(history), width)
    return "\n".join(lines)


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "run": entry.run,
        "at": entry.at,
        "state": entry.state.value,
        "status": entry.status.value if entry.status else None,
        "basis": entry.basis.value if entry.basis else None,
        "causes": list(entry.causes),
        "seconds": entry.seconds,
        "cached": entry.cached,
        "origin": {"run": entry.origin.run, "at": entry.origin.at} if entry.origin else None,
        "matrix": entry.matrix,
    }


def _run_width(history: Mapping[str, Sequence[Entry]]) -> int:
    return max((len(one_line(entry.run)) for entries in history.values() for entry in entries), default=3)


def _entry(entry: Entry, run_width: int, width: int) -> list[str]:
    seconds = f"{entry.seconds:.1f} s" if entry.seconds is not None else ""
    line = f"  {_moment(entry.at):16}  {one_line(entry.run):{run_width}}  {_result(entry):20}  {seconds:>8}".rstrip()
    details = list(entry.causes)
    if entry.cached:
        details.append(f"cached: measured {_moment(entry.origin.at)} by {entry.origin.run}" if entry.origin else "cached")
    told = one_line(", ".join(details), 1000)
    if not told:
        return [line]
    whole = f"{line:{_INDENT + run_width + 32}}  {told}"
    if len(whole) <= width:
        return [whole]
    indent = " " * _INDENT
    wide = max(width, _INDENT + 20)
    return [line, *textwrap.wrap(told, wide, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)]


def _result(entry: Entry) -> str:
    if entry.status is None:
        return f"no result ({entry.state.value})"
    return entry.status.value + (f" ({entry.basis.value})" if entry.basis else "")


def _moment(at: str) -> str:
    """The moment of an ISO 8601 text in UTC, to the minute."""
    return one_line(at)[:16].replace("T", " ")


FORMATS = formats(as_text, as_json)
