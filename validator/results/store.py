"""The results folder: every run's history in SQLite, committed cell by cell, and the report files.

A result is on disk when ``keep`` returns. What a run has not come to yet stands in the history as a skip that says so,
so that the report of a run that was killed needs no repair: it is read like any other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from validator import __version__
from validator.base.errors import ReportFileError, StoreError
from validator.base.text import quoted
from validator.model import Cell, CellResult, HostInfo, Intent, Report, RunInfo, Status, not_run
from validator.results.files import IGNORE, make_folder, write_whole
from validator.results.json_v1 import dump_cell, dump_host, dump_run, load_cell, load_host, load_run

_DATABASE = "validator.sqlite3"
_LAYOUT = 1
#: What stands for a result until there is one. Whether the run died or is still going cannot be told from here.
_NOT_BEGUN = "no result is recorded: the run died before this cell, or has not come to it yet"
_BEGUN = "no result is recorded: the run died during this cell, or is still in it"
#: How long one run waits for another that is writing to the same history.
_BUSY_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY,  -- in the order they began
    id TEXT NOT NULL UNIQUE,
    tool_version TEXT NOT NULL,
    run TEXT NOT NULL,           -- as in results.json
    host TEXT NOT NULL,          -- as in results.json
    finished INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS cells (
    run TEXT NOT NULL REFERENCES runs (id),
    id TEXT NOT NULL,
    position INTEGER NOT NULL,   -- in the order of the plan
    result TEXT NOT NULL,        -- as in results.json
    PRIMARY KEY (run, id)
);
"""
#: SQLite's words → what to do; the first that occurs in them.
_REMEDIES = {
    "full": "free some space on that disk",
    "locked": "another run holds it; try again when that has ended, or use another folder with --out",
    "readonly": "make it writable, or use another folder with --out",
    "unable to open": "make it readable and writable, or use another folder with --out",
    "disk i/o": "check that disk, or use another folder with --out",
}


class Store:
    """A results folder. Satisfies ``execute.Keeper`` once ``begin_run`` was called; every method may raise StoreError."""

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        """Open the folder, made if it is absent unless ``create`` is False."""
        self._folder = folder
        self._path = folder / _DATABASE
        self._run_id = ""
        if create:
            make_folder(folder)
            with self._database("rwc") as database:
                database.executescript(_SCHEMA)
                database.execute(f"PRAGMA user_version = {_LAYOUT}")
        elif not self._path.is_file():
            raise StoreError(
                f"{folder} holds no results", why=f"there is no {_DATABASE} in it", hint="`validator run` first, or give --out"
            )

    # ------------------------------------------------------------ writing

    def begin_run(self, run: RunInfo, host: HostInfo, cells: Sequence[Cell]) -> None:
        """Record a run and the cells it plans, in their order."""
        with self._database() as database:
            database.execute(
                "INSERT INTO runs (id, tool_version, run, host) VALUES (?, ?, ?, ?)",
                (run.id, __version__, dump_run(run), dump_host(host)),
            )
            database.executemany(
                "INSERT INTO cells (run, id, position, result) VALUES (?, ?, ?, ?)",
                [
                    (run.id, cell.id, position, dump_cell(not_run(cell, Status.SKIP, _NOT_BEGUN)))
                    for position, cell in enumerate(cells)
                ],
            )
        self._run_id = run.id

    def begin(self, cell: Cell) -> None:
        """Record that a cell is about to run."""
        self.keep(not_run(cell, Status.SKIP, _BEGUN))

    def intend(self, intent: Intent) -> None:
        """Not yet."""

    def keep_all(self, results: Iterable[CellResult]) -> None:
        """Record many results."""
        for result in results:
            self.keep(result)

    def keep(self, result: CellResult, key: str | None = None) -> None:
        """Record a result; it survives whatever comes after this call."""
        with self._database() as database:
            changed = database.execute(
                "UPDATE cells SET result = ? WHERE run = ? AND id = ?", (dump_cell(result), self._run_id, result.id)
            )
            if changed.rowcount != 1:
                raise StoreError(f"{result.id} is not a cell of the run {self._run_id or '(none was begun)'}")

    def finish_run(self, run: RunInfo) -> None:
        """Record that the run came to its end, interrupted or not."""
        with self._database() as database:
            database.execute("UPDATE runs SET run = ?, finished = 1 WHERE id = ?", (dump_run(run), run.id))

    def write_reports(self, run_id: str, texts: Mapping[str, str | Iterable[str]]) -> None:
        """Write the texts of a run's report, by file name, under ``runs/<id>/`` and ``latest/``; each whole or not at all.

        A text may come in parts; it is gone through once for each folder.
        """
        for folder in (self._folder / "runs" / run_id, self._folder / "latest"):
            for name, text in texts.items():
                write_whole(folder / name, text)

    # ------------------------------------------------------------ reading

    def load_report(self, run_id: str | None = None) -> Report:
        """The report of a run, the latest when None; of one that was killed as well: it counts as interrupted."""
        with self._database() as database:
            row = database.execute(
                "SELECT id, tool_version, run, host, finished FROM runs"
                " WHERE id = :id OR :id IS NULL ORDER BY number DESC LIMIT 1",
                {"id": run_id},
            ).fetchone()
            if row is None:
                raise self._no_run(run_id, [known for (known,) in database.execute("SELECT id FROM runs ORDER BY number")])
            found, tool_version, run, host, finished = row
            texts = database.execute("SELECT result FROM cells WHERE run = ? ORDER BY position", (found,)).fetchall()
        try:
            info = load_run(run, f"run {found}")
            cells = tuple(load_cell(text, f"run {found}") for (text,) in texts)
            machine = load_host(host, f"run {found}")
            report = Report(info, {machine.id: machine}, cells, tool_version)
        except ReportFileError as error:
            raise StoreError(f"the history in {self._path} is damaged", why=error.what, hint=self._move_away()) from error
        return report if finished else replace(report, run=replace(info, interrupted=True))

    def _no_run(self, run_id: str | None, known: Sequence[str]) -> StoreError:
        if run_id is None or not known:
            return StoreError(f"no run is recorded in {self._folder}", hint="`validator run` first")
        latest = ", ".join(reversed(known[-5:]))
        return StoreError(f"no run {quoted(run_id)} is recorded in {self._folder}", hint=f"the latest are {latest}")

    # ------------------------------------------------------------ the database

    @contextmanager
    def _database(self, mode: str = "rw") -> Iterator[sqlite3.Connection]:
        """A connection for one transaction, committed at the end of the block. SQLite's errors become StoreError."""
        try:
            uri = f"{self._path.absolute().as_uri()}?mode={mode}"
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as database:
                database.execute("PRAGMA synchronous = FULL")
                (layout,) = database.execute("PRAGMA user_version").fetchone()
                if layout > _LAYOUT:
                    raise StoreError(
                        f"{self._path} was written by a newer validator",
                        why=f"its layout is {layout}, this one reads up to {_LAYOUT}",
                        hint="update the validator, or use another folder with --out",
                    )
                with database:
                    yield database
        except sqlite3.Error as error:
            words = str(error)
            remedy = next((hint for part, hint in _REMEDIES.items() if part in words.lower()), self._move_away())
            raise StoreError(f"the history in {self._path} cannot be used", why=words, hint=remedy) from error

    def _move_away(self) -> str:
        return f"move {self._path.name} away, a new one is made; the reports under {self._folder / 'runs'} stay readable"


def own_paths(folder: Path, reports: Iterable[str]) -> list[Path]:
    """What a store made in a folder, which may hold other things as well; nothing when it holds no history.

    ``reports`` are the names of the files that every run writes.
    """
    if not (folder / _DATABASE).is_file():
        return []
    with Store(folder, create=False)._database() as database:
        runs = [folder / "runs" / run for (run,) in database.execute("SELECT id FROM runs ORDER BY number")]
    ours = [*runs, *(folder / "latest" / name for name in reports), *sorted(folder.glob(f"{_DATABASE}*"))]
    if (folder / ".gitignore").is_file() and (folder / ".gitignore").read_text(encoding="utf-8", errors="replace") == IGNORE:
        ours.append(folder / ".gitignore")
    return [path for path in ours if path.exists()]
