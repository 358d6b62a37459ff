"""How a result came about, where that is not plainly "in this run, alone": measured earlier, beside others, at a later try."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from validator.model import CellResult
from validator.report.view.lines import line

_NOT_EXCLUSIVE = "not exclusive"


def marks_of(cell: CellResult, started: str) -> tuple[str, ...]:
    """What the table says beside the basis: ``cached``, ``3 days old``, ``not exclusive``. ``started`` is when the run was."""
    marks = []
    if cell.cached:
        marks.append("cached")
    elif cell.origin is not None:
        old = _age(cell.origin.at, started)
        marks.append(f"{old} old" if old else "of an earlier run")
    if cell.ran_on is not None and cell.ran_on.exclusive is False:
        marks.append(_NOT_EXCLUSIVE)
    return tuple(marks)


def disturbed(cell: CellResult) -> bool:
    """Whether a reader has to know how it came about, although it passed: it shared its GPU, or it took more than one try."""
    return bool(cell.attempts) or (cell.ran_on is not None and cell.ran_on.exclusive is False)


def ran_lines(cell: CellResult, started: str) -> tuple[tuple[str, str], ...]:
    """(what it is about, text) for below the table."""
    lines = []
    if cell.origin is not None:
        kind = "cached" if cell.cached else "of an earlier run"
        lines.append((kind, _measured(cell, started)))
    elif cell.cached:
        lines.append(("cached", "measured by an earlier run"))
    if (ran := cell.ran_on) is not None:
        if ran.exclusive is False:
            lines.append((_NOT_EXCLUSIVE, "something else on the machine used the GPU as the cell began"))
        if ran.beside:
            lines.append(("beside", f"up to {_cells(ran.beside, 'other cell')} of the run ran at the same time"))
    for number, each in enumerate(cell.attempts, 1):
        lines.append((f"attempt {number}", line(f"{each.problem} (began {each.at}, lasted {each.seconds:.0f} s)")))
    return tuple(lines)


def earlier_lines(cells: Iterable[CellResult], started: str) -> tuple[str, ...]:
    """The runs that results are taken from, the most recent first, each with how many and its age."""
    groups: dict[tuple[bool, str, str], int] = {}
    newest: dict[tuple[bool, str, str], CellResult] = {}
    for cell in cells:
        if cell.origin is not None:
            key = (cell.cached, cell.origin.run, cell.ran_on.host if cell.ran_on else "")
            groups[key] = groups.get(key, 0) + 1
            held = newest.setdefault(key, cell)
            if held.origin is not None and cell.origin.at > held.origin.at:
                newest[key] = cell
    unsaid = sum(cell.cached and cell.origin is None for cell in cells)
    lines = [(cell.origin.at if cell.origin else "", key, cell) for key, cell in newest.items()]
    lines.sort(key=lambda each: each[0], reverse=True)
    said = [
        f"{_cells(groups[key])} {'cached' if key[0] else 'not in this run'}: {_measured(cell, started)}" for _, key, cell in lines
    ]
    return (*said, *([f"{_cells(unsaid)} cached: measured by an earlier run"] if unsaid else []))


def beside_line(cells: Iterable[CellResult]) -> str:
    """How many cells of this run ran beside others; empty where none did."""
    own = [cell.ran_on.beside for cell in cells if cell.ran_on is not None and cell.origin is None and cell.ran_on.beside]
    if not own:
        return ""
    return f"{_cells(len(own))} ran beside other cells, up to {max(own)} at a time"


def _measured(cell: CellResult, started: str) -> str:
    """Where and when it was, in one line."""
    if cell.origin is None:
        return ""
    old = _age(cell.origin.at, started)
    before = f", {old} before this run" if old else ""
    where = f" on {cell.ran_on.host}" if cell.ran_on else ""
    return line(f"measured by run {cell.origin.run}{where} at {cell.origin.at}{before}")


def _age(at: str, started: str) -> str:
    """The time between two moments in the largest unit that fits; empty where one cannot be read, or came after the other."""
    try:
        seconds = (datetime.fromisoformat(started) - datetime.fromisoformat(at)).total_seconds()
    except (ValueError, TypeError):  # TypeError: one of them does not say its zone
        return ""
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {name}{'' if number == 1 else 's'}"
    return "less than a minute" if seconds >= 0 else ""


def _cells(number: int, what: str = "cell") -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
