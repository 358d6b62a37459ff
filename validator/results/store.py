"""The results folder: every run's history in SQLite, committed cell by cell, and the report files.

A result is on disk when ``keep`` returns. What a run has not come to yet stands in the history as a skip that says so,
so that the report of a run that was killed needs no repair: it is read like any other, or the run is taken up again.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from validator import __version__
from validator.base.errors import StoreError
from validator.base.text import clean, quoted
from validator.model import Cell, CellResult, HostInfo, Intent, Report, RunInfo
from validator.results import locks, past
from validator.results.bulk import no_collection
from validator.results.database import NAME, Database
from validator.results.files import IGNORE, copy_whole, make_folder, write_whole
from validator.results.hosts import Run, run_of, with_hosts
from validator.results.json_v1 import dump_host, dump_run
from validator.results.past import Durations, Entry, Newest, Unfinished
from validator.results.rows import NO_RESULT, State, kept, moment, now, planned, result_of, text

#: An id that can be the name of a folder of ours; a damaged history may hold any text.
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


#: Texts by file name, each in one piece or in parts.
Texts = Mapping[str, str | Iterable[str]]


class Store:
    """A results folder; every method may raise StoreError.

    Satisfies ``run.Keeper`` between ``begin_run`` or ``resume_run`` and ``close``. In that time the folder is in use for other
    processes (``locks.in_use``), and the run cannot be taken up by any of them.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        """Open the folder, made if it is absent unless ``create`` is False."""
        self._folder = folder
        self._database = Database(folder / NAME)
        self._run: tuple[int, str] | None = None
        self._sitting = 0
        self._folder_lock: locks.Lock | None = None
        self._run_lock: locks.Lock | None = None
        if create:
            make_folder(folder)
            self._database.make()
        elif not _is_file(folder / NAME):
            raise StoreError(
                f"{folder} holds no results", why=f"there is no {NAME} in it", hint="`validator run` first, or give --out"
            )

    # ------------------------------------------------------------ writing

    def begin_run(self, run: RunInfo, host: HostInfo, cells: Sequence[Cell]) -> None:
        """Record a run and the cells it plans, in their order."""
        with self._opened(), self._database.writing() as database:
            number = database.execute(
                "INSERT INTO runs (id, tool_version, matrix, started, run, host) VALUES (?, ?, ?, ?, ?, ?)",
                (run.id, __version__, clean(run.matrix), run.started, dump_run(run), dump_host(host)),
            ).lastrowid
            self._take_up(database, number or 0, run.id)
            _plan(database, number or 0, self._sitting, cells)

    def resume_run(self, run_id: str, cells: Sequence[Cell], host: HostInfo | None = None) -> None:
        """Go on with a run that was killed or interrupted, under its id.

        Cells that are done stay as they are, those that are not are planned anew, and those that the run did not have yet are
        added, in the order of ``cells``; what the run has besides keeps its place. ``host`` is the machine that it goes on with,
        where that was looked at again.
        """
        with self._opened(), self._database.writing() as database:
            number = self._number_of(database, run_id)
            run = run_of(database, number)
            self._take_up(database, number, run_id)
            database.execute("UPDATE runs SET finished = 0, interrupted = 0 WHERE number = ?", (number,))
            if host is not None:
                if host.id != run.host.id:
                    database.execute(
                        "INSERT OR REPLACE INTO hosts (run, id, host) VALUES (?, ?, ?)",
                        (number, run.host.id, dump_host(run.host)),
                    )
                database.execute("UPDATE runs SET host = ? WHERE number = ?", (dump_host(host), number))
            _plan(database, number, self._sitting, cells)

    def begin(self, cell: Cell) -> None:
        """Record that a cell is about to run; it has no result from then on, whatever it had."""
        with self._database.writing(lasting=False) as database:
            self._change(database, cell.id, {"state": State.BEGUN.value, **planned(cell), **NO_RESULT})

    def intend(self, intent: Intent) -> None:
        """Record what is about to be started for a cell, so that whoever takes the run up finds it."""
        number, _ = self._begun()
        with self._database.writing(lasting=False) as database:
            database.execute(
                "INSERT OR REPLACE INTO intents (run, cell, attempt, name, nonce) VALUES (?, ?, ?, ?, ?)",
                (number, intent.cell, intent.attempt, intent.name, intent.nonce),
            )

    def keep(self, result: CellResult, key: str | None = None, *, final: bool = True) -> None:
        """Record a result; it survives whatever comes after this call.

        With a key, later runs may use it again (``reusable``); a result that is itself used again is not kept under one. Kept
        again without a key it keeps the one it has: more has been said about it, it was not measured again. One that is not final
        stands for a cell that has yet to run: whoever takes the run up runs it.
        """
        with self._database.writing() as database:
            self._keep(database, result, key, final=final)

    def keep_all(self, results: Iterable[CellResult], keys: Mapping[str, str] | None = None, *, final: bool = True) -> None:
        """Record many results as ``keep`` does, by their cells' ids under keys, in one transaction: all of them or none."""
        with self._database.writing() as database, no_collection():
            for result in results:
                self._keep(database, result, (keys or {}).get(result.id), final=final)

    def finish_run(self, run: RunInfo) -> None:
        """Record that the run came to its end, interrupted or not."""
        with self._database.writing() as database:
            database.execute(
                "UPDATE runs SET run = ?, finished = 1, interrupted = ? WHERE id = ?",
                (dump_run(run), int(run.interrupted), run.id),
            )

    def close(self) -> None:
        """Let go of the run and the folder. What was kept is kept, whether or not this was called."""
        self._database.let_go()
        if self._run_lock is not None:
            self._run_lock.release(remove=True)
        if self._folder_lock is not None:
            self._folder_lock.release()
        self._run = self._run_lock = self._folder_lock = None

    def write_reports(self, run_id: str, texts: Texts, latest: Texts | None = None) -> None:
        """Write the texts of a run's report, by file name, under ``runs/<id>/``; and ``latest``, or the same, under ``latest/``.

        Each file is written whole or not at all. A text may come in parts, and is gone through once.
        """
        of_run, newest = self._folder / "runs" / run_id, self._folder / "latest"
        for name, content in texts.items():
            write_whole(of_run / name, content)
            if latest is None:
                copy_whole(of_run / name, newest / name)
        for name, content in (latest or {}).items():
            write_whole(newest / name, content)

    @contextmanager
    def alone_at_latest(self) -> Iterator[None]:
        """Within the block no other run writes ``latest/``: what ``newest`` says in it is still so when it is written."""
        with locks.alone_at_latest(self._folder):
            yield

    # ------------------------------------------------------------ reading

    def load_report(self, run_id: str | None = None) -> Report:
        """The report of a run, the one last begun when None; of one that was killed as well: it counts as interrupted."""
        with self._database.reading() as database, no_collection():
            run = run_of(database, self._number_of(database, run_id))
            query = "SELECT state, result FROM cells WHERE run = ? ORDER BY position, number"
            with closing(database.execute(query, (run.number,))) as rows:
                results = [(result_of(written, _state(state), run.info.id), run) for state, written in rows]
            cells, hosts = with_hosts(database, results, run)
        info = run.info if run.finished else replace(run.info, interrupted=True)
        return Report(info, hosts, cells, run.tool_version)

    def reusable(self, keys: Iterable[str], *, not_before: datetime | None = None) -> dict[str, CellResult]:
        """By key, the newest result that was kept under it, where it is a fact and was measured since ``not_before``.

        Each is ``cached``, and its ``origin`` is the run that measured it. Its machine is that run's (see ``hosts_of``).
        """
        with self._database.reading() as database, no_collection():
            return past.reusable(database, keys, moment(not_before) if not_before else None)

    def hosts_of(self, results: Iterable[CellResult], host: HostInfo) -> tuple[tuple[CellResult, ...], Mapping[str, HostInfo]]:
        """Results of this run, some of an earlier one by their ``origin``, and every machine that they name, ``host`` first.

        A machine that is no longer what it was (another driver, say) is there once for each of its states, and the results of the
        older one name that.
        """
        listed = list(results)
        with self._database.reading() as database:
            run = run_of(database, self._begun()[0])
            return with_hosts(database, [(result, run) for result in listed], replace(run, host=host))

    def unfinished(self, run_id: str | None, matrix: str) -> Unfinished | None:
        """The run to take up again: the one that is named, or else the last of the matrix that was killed or interrupted.

        None where there is none; a run that is still going is not one. Raises StoreError where the named run is not there, came
        to its end, or is still going.
        """
        with self._database.reading() as database:
            if run_id is not None:
                run = run_of(database, self._number_of(database, run_id))
                self._refuse_resuming(database, run)
                return past.unfinished(database, run)
            numbers = database.execute(
                "SELECT number FROM runs WHERE matrix = ? AND (interrupted OR NOT finished) ORDER BY number DESC",
                (clean(matrix),),
            ).fetchall()
            number = next((number for (number,) in numbers if not locks.is_going(self._folder, number)), None)
            return past.unfinished(database, run_of(database, number)) if number is not None else None

    def durations(self, matrix: str) -> Durations:
        """How long the cells and environments of a matrix took when they were last measured and made ready."""
        with self._database.reading() as database:
            return past.durations(database, clean(matrix))

    def newest(self, matrix: str, cell_ids: Iterable[str], own: Iterable[CellResult] = ()) -> Newest:
        """For each of these cells of a matrix the result that ``latest/`` shows, in this order; one that no run had is left out.

        That is the newest result over all runs of the matrix, with one exception: one that says less does not take the place of
        one that says more about the same thing. What was only foretold (predicted, or skipped) leaves in place what was found out
        (measured, or an error in spite of trying; inspected), and what was inspected leaves in place what was measured or tried.
        It is the same thing where the matrix defines environment and target as it did then, and the image's digest, as far as
        both results have one, is the same. A result that is not final counts only where there is no other. Each result of another
        run than the last one of the matrix says so in ``origin``.

        ``own`` are the results of this store's run, where the caller has them: they are not read again.
        """
        number = self._run[0] if self._run else None
        with self._database.reading() as database, no_collection():
            return past.newest(database, clean(matrix), cell_ids, {(number, result.id): result for result in own})

    def last_failures(self, matrix: str, cell_ids: Collection[str] | None = None) -> set[str]:
        """The cells of a matrix, or of these ids, whose result in ``newest`` is a fail or an error, and was not only foretold."""
        with self._database.reading() as database:
            return past.last_failures(database, clean(matrix), cell_ids)

    def history(self, cell_glob: str) -> dict[str, tuple[Entry, ...]]:
        """The cells of any run that a glob matches, by id, each with what came of it in every run, the newest first."""
        with self._database.reading() as database:
            return past.history(database, cell_glob)

    def cell_ids(self) -> list[str]:
        """The ids of every cell that any run planned, sorted."""
        with self._database.reading() as database:
            return past.cell_ids(database)

    # ------------------------------------------------------------ within

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """The folder is this process's to write to, from this block on until ``close``; where the block fails, no longer."""
        self.close()
        self._folder_lock = locks.share_folder(self._folder)
        try:
            with suppress(StoreError):  # only tidies up
                locks.forget_dead_runs(self._folder)
            self._database.hold()
            yield
        except BaseException:
            self.close()
            raise

    def _begun(self) -> tuple[int, str]:
        if self._run is None:
            raise StoreError("no run was begun in this results folder")
        return self._run

    def _take_up(self, database: sqlite3.Connection, number: int, run_id: str) -> None:
        lock = locks.run_lock(self._folder, number)
        if lock is None:
            raise _still_going(run_id)
        self._run_lock = lock
        self._run = number, run_id
        self._sitting = database.execute("INSERT INTO sittings (run) VALUES (?)", (number,)).lastrowid or 0

    def _keep(self, database: sqlite3.Connection, result: CellResult, key: str | None, *, final: bool) -> None:
        columns = kept(result)
        if final:
            # `begin` clears the moment and the key, so that these are of this very measurement.
            columns |= {"state": State.DONE.value, "at": now(), "key": None if result.cached else key}
            self._change(database, result.id, columns, stays=("at", "key"))
        else:
            self._change(database, result.id, columns)

    def _change(
        self, database: sqlite3.Connection, cell_id: str, columns: Mapping[str, object], stays: Collection[str] = ()
    ) -> None:
        """Set columns of a cell's row; those that ``stay`` only where nothing is there yet."""
        number, run_id = self._begun()
        named = ", ".join(f"{name} = COALESCE({name}, ?)" if name in stays else f"{name} = ?" for name in columns)
        changed = database.execute(
            f"UPDATE cells SET sitting = ?, {named} WHERE run = ? AND id = ?",  # noqa: S608 - names of this package
            (self._sitting, *columns.values(), number, cell_id),
        )
        if changed.rowcount != 1:
            raise StoreError(f"{cell_id} is not a cell of the run {run_id}")

    def _number_of(self, database: sqlite3.Connection, run_id: str | None) -> int:
        """The number of the run with this id, or of the one last begun. Raises StoreError where there is none."""
        row = database.execute(
            "SELECT number FROM runs WHERE id = :id OR :id IS NULL ORDER BY number DESC LIMIT 1",
            {"id": None if run_id is None else clean(run_id)},
        ).fetchone()
        if row is not None:
            return int(row[0])
        latest = database.execute("SELECT id FROM runs ORDER BY number DESC LIMIT 5").fetchall()
        known = [text(known) for (known,) in latest]
        if run_id is None or not known:
            raise StoreError(f"no run is recorded in {self._folder}", hint="`validator run` first")
        raise StoreError(f"no run {quoted(run_id)} is recorded in {self._folder}", hint=f"the latest are {', '.join(known)}")

    def _refuse_resuming(self, database: sqlite3.Connection, run: Run) -> None:
        if locks.is_going(self._folder, run.number):
            raise _still_going(run.info.id)
        if run.finished and not run.info.interrupted:
            raise StoreError(
                f"the run {quoted(run.info.id)} came to its end",
                why="only one that was killed or interrupted can be taken up",
                hint="`validator run` begins a new one, which uses again what is still true",
            )


def _plan(database: sqlite3.Connection, run: int, sitting: int, cells: Sequence[Cell]) -> None:
    """The rows of cells that have not run, in this order; of one that is done, the order alone."""
    for position, cell in enumerate(cells):
        columns = {
            "run": run,
            "sitting": sitting,
            "id": cell.id,
            "position": position,
            "state": State.PLANNED.value,
            **planned(cell),
        }
        database.execute(
            f"INSERT INTO cells ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
            " ON CONFLICT (run, id) DO UPDATE SET position = excluded.position"
            + "".join(f", {name} = CASE WHEN state = 'done' THEN {name} ELSE excluded.{name} END" for name in _PLANNED)
            + " WHERE state != 'done' OR position != excluded.position",  # a row that stays as it is is not written
            tuple(columns.values()),
        )


#: The columns of a planned cell that its next plan renews.
_PLANNED = ("sitting", "state", "environment", "subject", "digest", "result")


def _state(column: object) -> State:
    return State(column) if column in {state.value for state in State} else State.PLANNED


def _still_going(run_id: str) -> StoreError:
    return StoreError(
        f"the run {quoted(run_id)} is still going", why="another process has it", hint="wait until it has ended, or end it"
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # not even the folder may be looked into
        return False


def own_paths(folder: Path, reports: Iterable[str]) -> list[Path]:
    """What a store made in a folder, which may hold other things as well; nothing when it holds no history.

    ``reports`` are the names of the files that every run writes. The folder of locks is last: whoever removes these paths holds
    ``locks.whole_folder`` while doing so, and that lock lies there.
    """
    if not _is_file(folder / NAME):
        return []
    with Database(folder / NAME).reading() as database:
        ids = [id_ for (id_,) in database.execute("SELECT id FROM runs ORDER BY number").fetchall()]
    runs = [folder / "runs" / id_ for id_ in ids if isinstance(id_, str) and _FOLDER_NAME.fullmatch(id_)]
    ours = [*runs, *(folder / "latest" / name for name in reports), *sorted(folder.glob(f"{NAME}*"))]
    if (folder / ".gitignore").is_file() and (folder / ".gitignore").read_text(encoding="utf-8", errors="replace") == IGNORE:
        ours.append(folder / ".gitignore")
    return [path for path in (*ours, folder / locks.LOCKS) if path.exists()]
