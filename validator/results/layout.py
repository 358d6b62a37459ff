"""The tables of the history, and the way from every layout that was ever written to the present one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from validator.model import Status
from validator.results.rows import State, strength, subject

#: The layout that this version writes; SQLite's ``user_version``.
LAYOUT = 2

_LONGEST_SECONDS = 1e12
_RUNS = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,  -- in the order they began
    id TEXT NOT NULL UNIQUE,
    tool_version TEXT NOT NULL,
    matrix TEXT,                 -- the file's path, as in run
    started TEXT,                -- as in run
    finished INTEGER NOT NULL DEFAULT 0,
    interrupted INTEGER NOT NULL DEFAULT 0,
    run TEXT NOT NULL,           -- as in results.json
    host TEXT NOT NULL           -- as in results.json: the machine it was started on, or last taken up on
)
"""
#: The text comes last: SQLite need not read it for the columns before it.
_CELLS = """
CREATE TABLE cells (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (number),
    sitting INTEGER NOT NULL REFERENCES sittings (number),  -- the one that planned it, or kept its result
    id TEXT NOT NULL,
    position INTEGER NOT NULL,   -- in the order of the plan
    state TEXT NOT NULL,         -- planned, begun, done
    key TEXT,                    -- stands for all that made the result; NULL where it is not to be used again
    at TEXT,                     -- when the result was kept; ISO 8601, UTC
    environment TEXT NOT NULL,   -- its id
    subject TEXT NOT NULL,       -- how the matrix defines environment and target
    digest TEXT,
    status TEXT,
    basis TEXT,
    strength INTEGER NOT NULL DEFAULT 0,
    causes TEXT NOT NULL DEFAULT '',
    seconds REAL,
    acquire_seconds REAL,
    cached INTEGER NOT NULL DEFAULT 0,
    result TEXT NOT NULL,        -- as in results.json
    UNIQUE (run, id)
)
"""
_SCHEMA = (
    _RUNS,
    _CELLS,
    # One process's work at a run: its beginning, or its being taken up again. What has the greater number is the newer.
    "CREATE TABLE sittings (number INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs (number))",
    "CREATE INDEX runs_by_matrix ON runs (matrix)",
    "CREATE INDEX sittings_by_run ON sittings (run)",
    "CREATE INDEX cells_by_key ON cells (key) WHERE key IS NOT NULL",
    "CREATE INDEX cells_by_id ON cells (id)",
    "CREATE INDEX cells_by_strength ON cells (sitting, strength)",
    # The further machines of a run that was taken up on another one.
    "CREATE TABLE hosts (run INTEGER NOT NULL, id TEXT NOT NULL, host TEXT NOT NULL, PRIMARY KEY (run, id))",
    # What was about to be started, so that it can be found again.
    """CREATE TABLE intents (
        run INTEGER NOT NULL,
        cell TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        name TEXT NOT NULL,
        nonce TEXT NOT NULL,
        PRIMARY KEY (run, cell, attempt)
    )""",
)


def of(connection: sqlite3.Connection) -> int:
    """The layout of a file; 0 where nothing was ever written to it."""
    ((found,),) = connection.execute("PRAGMA user_version").fetchall()
    if found == 0 and connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchall():
        return 1  # whoever made it died before it could say so
    return int(found)


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables, or turn those of an older layout into those of this one; within one transaction, whole or not at all."""
    found = of(connection)
    if found == 0:
        _create(connection)
    for step in _STEPS[max(0, found - 1) : LAYOUT - 1] if found else ():
        step(connection)
    connection.execute(f"PRAGMA user_version = {LAYOUT}")


def _create(connection: sqlite3.Connection) -> None:
    for statement in _SCHEMA:
        connection.execute(statement)


# ---------------------------------------------------------------- from layout 1


def _from_1(connection: sqlite3.Connection) -> None:
    """Layout 1 had the texts alone, and rows of cells that had not run looked like skipped ones."""
    for table in ("runs", "cells"):
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
    _create(connection)
    connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _runs_of_1(connection))
    connection.execute("INSERT INTO sittings SELECT number, number FROM runs")
    connection.executemany(
        "INSERT INTO cells (run, sitting, id, position, state, at, environment, subject, digest, status, basis, strength,"
        " seconds, acquire_seconds, causes, result) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        _cells_of_1(connection),
    )
    for table in ("cells", "runs"):
        connection.execute(f"DROP TABLE {table}_1")


def _runs_of_1(connection: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    rows = connection.execute("SELECT number, id, tool_version, run, host, finished FROM runs_1 ORDER BY number")
    for number, id_, tool_version, run, host, finished in rows.fetchall():
        tree = _Tree(run)
        interrupted = int(tree.value("interrupted") is True)
        yield number, id_, tool_version, tree.text("matrix"), tree.text("started"), finished, interrupted, run, host


def _cells_of_1(connection: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    """Of a run that did not come to its end, what was skipped may just not have had its turn: it is as good as planned."""
    rows = connection.execute(
        "SELECT runs.number, runs.started, runs.finished AND NOT runs.interrupted, cells_1.id, cells_1.position, cells_1.result"
        " FROM cells_1 JOIN runs ON runs.id = cells_1.run ORDER BY runs.number, cells_1.position"
    )
    for run, started, ended, id_, position, result in rows:
        tree = _Tree(result)
        status, basis = tree.text("status"), tree.text("basis")
        done = ended or status != Status.SKIP.value
        yield (
            run,
            run,
            id_,
            position,
            (State.DONE if done else State.PLANNED).value,
            started if done else None,  # it did not say when; not before this
            tree.text("environment", "id") or "",
            subject(
                *(tree.value("environment", name) for name in ("image", "torch", "cuda", "python")),
                *(tree.value("target", name) for name in ("gpu", "compute_capability", "driver")),
            ),
            tree.text("environment", "digest"),
            status if done else None,
            basis if done else None,
            strength(status, basis) if done else 0,
            tree.seconds("total"),
            tree.seconds("acquire"),
            " ".join(tree.causes()) if done else "",
            result,
        )


class _Tree:
    """The JSON in a column of layout 1. What it does not have is None: who reads the text itself is told of the damage."""

    def __init__(self, text: object) -> None:
        try:
            self._tree: Any = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            self._tree = None

    def value(self, *names: str) -> Any:
        found = self._tree
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def text(self, *names: str) -> str | None:
        found = self.value(*names)
        return found if isinstance(found, str) else None

    def seconds(self, name: str) -> float | None:
        found = self.value("seconds", name)
        return float(found) if isinstance(found, (int, float)) and abs(found) < _LONGEST_SECONDS else None

    def causes(self) -> list[str]:
        """Those that decide: the gravest come first in a list of findings, and share their severity."""
        findings = self.value("findings")
        listed = [each for each in findings if isinstance(each, dict)] if isinstance(findings, list) else []
        deciding = [each for each in listed if each.get("severity") == listed[0].get("severity") != "info"]
        return list(dict.fromkeys(each["cause"] for each in deciding if isinstance(each.get("cause"), str)))


#: From each layout to the next, the first from layout 1.
_STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_from_1,)
