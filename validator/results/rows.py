"""A row of ``cells``: what its columns say, and the result in its text.

The columns repeat what is often asked of many rows, so that the text, which has all of it, is read only for those that are shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from enum import Enum

from validator.base.text import clean
from validator.model import Basis, Cell, CellResult, Status, gravest, not_run
from validator.results.json_v1 import dump_cell, image_text, load_cell

#: What stands for a result until there is one. Whether the run died or is still going cannot be told from here.
_NOT_BEGUN = "no result is recorded: the run died before this cell, or has not come to it yet"
_BEGUN = "no result is recorded: the run died during this cell, or is still in it"


class DamagedError(Exception):
    """The history holds what no validator wrote."""


class State(str, Enum):
    """How far a cell has come in its run."""

    PLANNED = "planned"
    BEGUN = "begun"
    DONE = "done"


class Strength:
    """How much a result says, as far as it decides which of two is shown: a number, the more the stronger."""

    FORETOLD = 0
    """Skipped, or what rules say: nothing was looked at."""
    INSPECTED = 1
    TRIED = 2
    """Measured, or it could not be found out in spite of trying."""


@dataclass(frozen=True)
class Row:
    """The columns of one cell in one run, but for the text."""

    number: int
    """Of the row."""
    run: int
    """The number of its run."""
    sitting: int
    id: str
    state: State
    at: str | None
    """When its result was kept, ISO 8601 in UTC; None until then."""
    environment: str
    subject: str
    """What it is about: how the matrix defines the environment and the target. Equal texts are equal definitions."""
    digest: str | None
    status: Status | None
    basis: Basis | None
    strength: int
    causes: tuple[str, ...]
    seconds: float | None
    """In all; of a reused result, what it took when it was measured."""
    acquire_seconds: float | None
    cached: bool


#: The columns that ``row`` reads, in its order.
COLUMNS = (
    "cells.number, cells.run, cells.sitting, cells.id, state, at, environment, subject, digest, status, basis, strength, causes,"
    " seconds, acquire_seconds, cached"
)


#: What the columns are that a result decides where there is none.
NO_RESULT = {
    "key": None,
    "at": None,
    "status": None,
    "basis": None,
    "strength": 0,
    "causes": "",
    "seconds": None,
    "acquire_seconds": None,
    "cached": 0,
}


def row(columns: tuple[object, ...]) -> Row:
    """The row whose ``COLUMNS`` these are. Raises DamagedError."""
    number, run, sitting, id_, state, at, environment, subject, digest, status, basis, *others = columns
    strength, causes, seconds, acquire, cached = others
    try:
        return Row(
            number=whole(number),
            run=whole(run),
            sitting=whole(sitting),
            id=text(id_),
            state=State(state),
            at=None if at is None else text(at),
            environment=text(environment),
            subject=text(subject),
            digest=None if digest is None else text(digest),
            status=None if status is None else Status(status),
            basis=None if basis is None else Basis(basis),
            strength=whole(strength),
            causes=tuple(text(causes).split()),
            seconds=_seconds(seconds),
            acquire_seconds=_seconds(acquire),
            cached=bool(whole(cached)),
        )
    except ValueError as error:
        raise DamagedError(str(error)) from None


def text(value: object) -> str:
    """A column that holds text. Raises DamagedError."""
    if not isinstance(value, str):
        raise DamagedError(f"a column that holds text has {value!r:.60}")
    return value


def whole(value: object) -> int:
    """A column that holds a whole number. Raises DamagedError."""
    if not isinstance(value, int):
        raise DamagedError(f"a column that holds a number has {value!r:.60}")
    return value


def now() -> str:
    """This moment, as ``at`` has it."""
    return moment(datetime.now(timezone.utc))


def moment(at: datetime) -> str:
    """A moment as ``at`` has it; of two such texts the later one is the greater."""
    return at.astimezone(timezone.utc).isoformat(timespec="milliseconds")


def planned(cell: Cell) -> dict[str, object]:
    """The columns of a cell that has not begun, its text included; in that, the reason is left to who reads it."""
    return _columns(not_run(cell, Status.SKIP, ""))


def kept(result: CellResult) -> dict[str, object]:
    """The columns that a result decides, its text included."""
    return {
        **_columns(result),
        "status": result.status.value,
        "basis": result.basis.value if result.basis else None,
        "strength": strength(result.status.value, result.basis.value if result.basis else None),
        "causes": clean(" ".join(dict.fromkeys(finding.cause for finding in gravest(result.findings)))),
        "seconds": result.seconds.total,
        "acquire_seconds": result.seconds.acquire,
        "cached": int(result.cached),
    }


def _columns(result: CellResult) -> dict[str, object]:
    environment, target = result.environment, result.target
    return {
        "environment": environment.id,
        "subject": subject(
            image_text(environment.source),
            environment.torch,
            environment.cuda,
            environment.python,
            target.gpu,
            target.compute_capability,
            target.driver,
        ),
        "digest": None if result.digest is None else clean(result.digest),
        "result": dump_cell(result),
    }


def subject(*parts: object) -> str:
    """A definition: where the environment comes from; its torch, CUDA and Python; the target's GPU, capability and driver."""
    return json.dumps(parts)


def strength(status: str | None, basis: str | None) -> int:
    """How much a result with this status and basis says."""
    if status == Status.ERROR.value or basis == Basis.MEASURED.value:
        return Strength.TRIED
    return Strength.INSPECTED if basis == Basis.INSPECTED.value else Strength.FORETOLD


def result_of(written: object, state: State, run: str) -> CellResult:
    """The result in a row's text; where there is none yet, one that says so. Raises DamagedError or ReportFileError."""
    result = load_cell(text(written), f"run {run}")
    if state is State.DONE or result.reason:
        return result
    return replace(result, reason=_BEGUN if state is State.BEGUN else _NOT_BEGUN)


def _seconds(value: object) -> float | None:
    if value is None or isinstance(value, (int, float)):
        return value
    raise DamagedError(f"a column that holds seconds has {value!r:.60}")
