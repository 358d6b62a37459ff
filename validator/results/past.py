"""Questions about earlier runs, asked of the history's tables. Pure reading; ``Store`` has the doors.

Rows are fetched to the end before anything is made of them, or closed: SQLite keeps the file locked for a query that stopped
half-way, for as long as anybody, an exception's traceback for instance, still has it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from validator.model import Basis, CellResult, HostInfo, Intent, Origin, RunInfo, Status
from validator.results.hosts import Run, run_of, with_hosts
from validator.results.rows import COLUMNS, Row, State, Strength, result_of, row, text

#: SQLite takes so many values in one statement, in every version.
_AT_ONCE = 500
#: So many of the last sittings are looked at for how long cells take; older ones say little of today.
_SITTINGS_FOR_DURATIONS = 20


@dataclass(frozen=True)
class Unfinished:
    """A run that was killed or interrupted, as far as it came."""

    run: RunInfo
    host: HostInfo
    """The machine that it was started on, or last taken up on."""
    cells: tuple[str, ...]
    """The ids of all its cells."""
    results: Mapping[str, CellResult]
    """Of its cells that are done, by their ids; what a run's end cut short is not among them."""
    intents: Mapping[str, Intent]
    """What was about to be started last for a cell that is not done, by its id."""


@dataclass(frozen=True)
class Durations:
    """How long things took when they were last done, in seconds."""

    cells: Mapping[str, float]
    """Cell id → from its start to its end on a lane, without what its environment took to be made ready."""
    environments: Mapping[str, float]
    """Environment id → until it was ready."""


@dataclass(frozen=True)
class Newest:
    """The newest results of cells over several runs, and the machines they ran on."""

    results: tuple[CellResult, ...]
    hosts: Mapping[str, HostInfo]
    """By the ids that ``CellResult.ran_on`` names, the newest run's first."""


@dataclass(frozen=True)
class Entry:
    """One cell in one run."""

    cell: str
    run: str
    at: str
    """When its result was kept, or where there is none, when the run began; ISO 8601, UTC."""
    state: State
    status: Status | None
    """None where no result is recorded."""
    basis: Basis | None
    causes: tuple[str, ...]
    seconds: float | None
    cached: bool
    origin: Origin | None
    matrix: str | None


# ---------------------------------------------------------------- used again


def reusable(connection: sqlite3.Connection, keys: Iterable[str], not_before: str | None) -> dict[str, CellResult]:
    """The newest result of each key, of those that are facts and not older, with the run that measured it."""
    wanted = list(dict.fromkeys(keys))
    facts = ", ".join(f"'{status.value}'" for status in Status if status.is_fact)
    found: dict[str, CellResult] = {}
    for begin in range(0, len(wanted), _AT_ONCE):
        some = wanted[begin : begin + _AT_ONCE]
        numbered = connection.execute(
            f"SELECT key, number FROM cells WHERE key IN ({_places(some)}) AND state = 'done'"  # noqa: S608 - only places
            f" AND status IN ({facts}) AND at >= ? ORDER BY sitting, number",
            (*some, not_before or ""),
        ).fetchall()
        numbers = list(dict(numbered).values())
        rows = connection.execute(
            "SELECT cells.key, cells.at, runs.id, cells.result FROM cells"  # noqa: S608 - only places
            f" JOIN runs ON runs.number = cells.run WHERE cells.number IN ({_places(numbers)})",
            numbers,
        ).fetchall()
        for key, at, run, written in rows:
            origin = Origin(text(run), text(at))
            found[text(key)] = replace(result_of(written, State.DONE, origin.run), cached=True, origin=origin)
    return found


# ---------------------------------------------------------------- taken up again


def unfinished(connection: sqlite3.Connection, run: Run) -> Unfinished:
    """How far a run came."""
    rows = connection.execute("SELECT id FROM cells WHERE run = ? ORDER BY position", (run.number,)).fetchall()
    cells = tuple(text(id_) for (id_,) in rows)
    query = "SELECT id, result FROM cells WHERE run = ? AND state = 'done' ORDER BY position"
    with closing(connection.execute(query, (run.number,))) as done:
        results = {text(id_): result_of(written, State.DONE, run.info.id) for id_, written in done}
    query = "SELECT cell, name, nonce, attempt FROM intents WHERE run = ? ORDER BY cell, attempt"
    rows = connection.execute(query, (run.number,)).fetchall()
    intents = {cell: Intent(cell, name, nonce, attempt) for cell, name, nonce, attempt in rows}
    return Unfinished(
        run.info, run.host, cells, results, {cell: intent for cell, intent in intents.items() if cell not in results}
    )


# ---------------------------------------------------------------- the newest of every cell


def newest(
    connection: sqlite3.Connection,
    matrix: str,
    cell_ids: Iterable[str],
    known: Mapping[tuple[int | None, str], CellResult],
) -> Newest:
    """The results that ``latest/`` shows, in the order of the ids; see ``Store.newest`` for which those are.

    Those that are ``known``, by the number of their run and their cell, are not read again.
    """
    wanted = list(dict.fromkeys(cell_ids))
    chosen = _chosen(connection, matrix, set(wanted))
    runs: dict[int, Run] = {}
    texts = _texts(connection, [each.number for each in chosen.values() if (each.run, each.id) not in known])
    latest = next((run for _, run in _sittings(connection, matrix)), None)
    results: list[tuple[CellResult, Run]] = []
    for id_ in wanted:
        if id_ not in chosen:
            continue
        of = chosen[id_]
        if of.run not in runs:
            runs[of.run] = run_of(connection, of.run)
        run = runs[of.run]
        result = known.get((of.run, id_)) or result_of(texts[of.number], of.state, run.info.id)
        if of.run != latest and result.origin is None and of.state is State.DONE:
            result = replace(result, origin=Origin(run.info.id, of.at or run.info.started))
        results.append((result, run))
    if latest is not None and latest not in runs:
        runs[latest] = run_of(connection, latest)
    return Newest(*with_hosts(connection, results, runs[latest] if latest is not None else None))


def last_failures(connection: sqlite3.Connection, matrix: str, cell_ids: Collection[str] | None) -> set[str]:
    """The cells that failed, or were an error, when they were last tried."""
    chosen = _chosen(connection, matrix, set(cell_ids) if cell_ids is not None else None)
    bad = (Status.FAIL, Status.ERROR)
    return {id_ for id_, each in chosen.items() if each.status in bad and each.strength > Strength.FORETOLD}


def _chosen(connection: sqlite3.Connection, matrix: str, wanted: set[str] | None) -> dict[str, Row]:
    """For each cell the row that ``latest/`` shows. Sittings are read from the newest back until nothing older can matter."""
    chosen: dict[str, Row] = {}
    not_done: dict[str, Row] = {}
    settled: set[str] = set()
    for sitting, _ in _sittings(connection, matrix):
        complete = wanted is not None and wanted <= chosen.keys()
        query = f"SELECT {COLUMNS} FROM cells WHERE sitting = ?" + (" AND strength > 0" if complete else "")  # noqa: S608
        for each in map(row, connection.execute(query, (sitting,)).fetchall()):
            if each.id in settled or (wanted is not None and each.id not in wanted):
                continue
            if each.state is not State.DONE:
                not_done.setdefault(each.id, each)
                continue
            before = chosen.get(each.id)
            if before is None or (each.strength > before.strength and not _differ(before, each)):
                chosen[each.id] = each
            if chosen[each.id].strength == Strength.TRIED:
                settled.add(each.id)
        if wanted is not None and wanted <= settled:
            break
    return {**not_done, **chosen}


def _differ(newer: Row, older: Row) -> bool:
    """Whether the two are about different things, as far as both say."""
    other_image = newer.digest is not None and older.digest is not None and newer.digest != older.digest
    return newer.subject != older.subject or other_image


# ---------------------------------------------------------------- how long, and when


def durations(connection: sqlite3.Connection, matrix: str) -> Durations:
    """The newest durations of what was measured, of the last runs of a matrix."""
    cells: dict[str, float] = {}
    environments: dict[str, float] = {}
    for sitting, _ in _sittings(connection, matrix)[:_SITTINGS_FOR_DURATIONS]:
        rows = connection.execute(
            "SELECT id, environment, seconds, acquire_seconds FROM cells WHERE sitting = ? AND strength > 0"
            " AND NOT cached AND basis IS NOT NULL AND state = 'done'",
            (sitting,),
        ).fetchall()
        for id_, environment, seconds, acquire in rows:
            if isinstance(seconds, float):
                cells.setdefault(id_, max(0.0, seconds - (acquire or 0.0)))
            if isinstance(acquire, float):
                environments.setdefault(environment, acquire)
    return Durations(cells, environments)


def history(connection: sqlite3.Connection, cell_glob: str) -> dict[str, tuple[Entry, ...]]:
    """The cells that a glob matches, in the order of their ids, each with its runs, the newest first."""
    ids = cell_ids(connection)
    matching = [cell_glob] if cell_glob in ids else [id_ for id_ in ids if fnmatchcase(id_, cell_glob)]
    return {id_: tuple(_entries(connection, id_)) for id_ in matching}


def cell_ids(connection: sqlite3.Connection) -> list[str]:
    """Every cell that any run planned."""
    return [text(id_) for (id_,) in connection.execute("SELECT DISTINCT id FROM cells ORDER BY id").fetchall()]


def _entries(connection: sqlite3.Connection, cell: str) -> Iterator[Entry]:
    rows = connection.execute(
        f"SELECT {COLUMNS}, runs.id, runs.started, runs.matrix, CASE WHEN cached THEN result END FROM cells"  # noqa: S608
        " JOIN runs ON runs.number = cells.run WHERE cells.id = ? ORDER BY cells.sitting DESC",
        (cell,),
    ).fetchall()
    for *columns, run, started, matrix, written in rows:
        of = row(tuple(columns))
        yield Entry(
            cell=of.id,
            run=text(run),
            at=of.at or text(started),
            state=of.state,
            status=of.status if of.state is State.DONE else None,
            basis=of.basis if of.state is State.DONE else None,
            causes=of.causes,
            seconds=of.seconds,
            cached=of.cached,
            origin=result_of(written, of.state, text(run)).origin if written is not None else None,
            matrix=matrix,
        )


# ---------------------------------------------------------------- in common


def _sittings(connection: sqlite3.Connection, matrix: str) -> list[tuple[int, int]]:
    """(sitting, run), by their numbers, of a matrix; the newest first."""
    return connection.execute(
        "SELECT sittings.number, runs.number FROM runs JOIN sittings ON sittings.run = runs.number"
        " WHERE matrix = ? ORDER BY sittings.number DESC",
        (matrix,),
    ).fetchall()


def _texts(connection: sqlite3.Connection, numbers: list[int]) -> dict[int, object]:
    found: dict[int, object] = {}
    for begin in range(0, len(numbers), _AT_ONCE):
        some = numbers[begin : begin + _AT_ONCE]
        found.update(
            connection.execute(f"SELECT number, result FROM cells WHERE number IN ({_places(some)})", some).fetchall()  # noqa: S608
        )
    return found


def _places(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
