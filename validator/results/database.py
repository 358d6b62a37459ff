"""The SQLite file of a results folder: connections, transactions, and what is said when one of them fails.

Every transaction that is to last is on the disk when its block ends (``synchronous = FULL``). A run keeps one connection open, in
WAL mode where the file system is known to carry it; when the run lets go of it the file is a plain one again, which can be read
from a read-only place. The file is treated as hostile: whatever is in it, only StoreError comes out of here.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from validator.base.errors import ReportFileError, StoreError, StoreFullError
from validator.base.text import one_line
from validator.results import layout
from validator.results.files import MAKE_ROOM, NO_ROOM
from validator.results.filesystem import carries_wal
from validator.results.rows import DamagedError

NAME = "validator.sqlite3"
#: How long one run waits for another that is writing to the same history.
_BUSY_SECONDS = 30.0
#: SQLite's words for what no user did to a history, other than that its file was damaged → what to do; the first that occurs.
_REMEDIES = {
    "locked": "another run holds it; try again when that has ended, or use another folder with --out",
    "readonly": "make it writable, or use another folder with --out",
    "unable to open": "make it readable and writable, or use another folder with --out",
    "disk i/o": "check that disk, or use another folder with --out",
}
#: A file of this size is written to see whether there is room at all.
_TRIAL_BYTES = 256 << 10
#: Byte of an SQLite file that says which journal it has, and what it is for WAL.
_JOURNAL_BYTE, _WAL = 18, 2


class Database:
    """The history of one results folder. Threads may share it: one transaction is in it at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: sqlite3.Connection | None = None
        self._one_at_a_time = threading.RLock()

    def make(self) -> None:
        """Make it, or bring it to the layout of this version; an up-to-date one is left as it is."""
        with self._one_at_a_time, self._failures(), closing(self._connect("rwc")) as connection:
            self._check_layout(connection)
            if layout.of(connection) != layout.LAYOUT:
                with _transaction(connection, "IMMEDIATE"):
                    layout.bring_up_to_date(connection)

    def hold(self) -> None:
        """Keep one connection open from now on, for many transactions."""
        with self._one_at_a_time, self._failures():
            if self._held is None:
                self._held = self._connect("rw")
                self._journal(self._held, "WAL" if carries_wal(self._path.parent) else "DELETE")

    def let_go(self) -> None:
        """Close what is held; what was committed stays committed, whether or not this succeeds."""
        with self._one_at_a_time:
            held, self._held = self._held, None
            if held is not None:
                self._journal(held, "DELETE")
                with suppress(sqlite3.Error):
                    held.close()

    @contextmanager
    def writing(self, *, lasting: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction, committed at the end of the block; with ``lasting``, it is then on the disk. Raises StoreError.

        One that is not lasting survives the death of every process, and not that of the machine.
        """
        with self._one_at_a_time, self._failures(), self._open() as connection:
            if self._held is None:
                self._check_layout(connection)
                if layout.of(connection) != layout.LAYOUT:
                    with _transaction(connection, "IMMEDIATE"):
                        layout.bring_up_to_date(connection)
            connection.execute(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")
            with _transaction(connection, "IMMEDIATE"):
                yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A look at one state of the history, in the layout of this version. Raises StoreError."""
        with self._one_at_a_time, self._failures(), self._open() as connection:
            self._check_layout(connection)
            if layout.of(connection) == layout.LAYOUT:
                with _transaction(connection, "DEFERRED"):
                    yield connection
                return
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:  # whoever only reads changes nothing
                connection.backup(copy)
                layout.bring_up_to_date(copy)
                yield copy

    def damaged(self, why: str) -> StoreError:
        """What is to be said where the file holds what no validator wrote."""
        return StoreError(f"the history in {self._path} is damaged", why=one_line(why), hint=self._move_away())

    # ------------------------------------------------------------ connections

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if self._held is not None:
            yield self._held
            return
        try:
            connection = self._connect("rw")
        except sqlite3.OperationalError:
            if not self._is_wal():
                raise
            # WAL needs a file beside it, which cannot be made in a read-only place.
            with self._copied() as path, closing(_connection(path, "rw")) as connection:
                yield connection
            return
        with closing(connection):
            yield connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        return _connection(self._path, mode)

    def _is_wal(self) -> bool:
        with suppress(OSError), self._path.open("rb") as file:
            return file.read(_JOURNAL_BYTE + 1)[-1:] == bytes([_WAL])
        return False

    @contextmanager
    def _copied(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="validator-") as folder:
            for path in (self._path, self._path.with_name(f"{NAME}-wal")):
                if path.exists():
                    shutil.copyfile(path, Path(folder) / path.name)
            yield Path(folder) / self._path.name

    @staticmethod
    def _journal(connection: sqlite3.Connection, mode: str) -> None:
        """Ask for a journal mode. Another process that uses the file may stand against it, and then it stays as it is."""
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute(f"PRAGMA journal_mode = {mode}").fetchall()
        with suppress(sqlite3.Error):
            connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")

    # ------------------------------------------------------------ what goes wrong

    def _check_layout(self, connection: sqlite3.Connection) -> None:
        found = layout.of(connection)
        if found > layout.LAYOUT:
            raise StoreError(
                f"{self._path} was written by a newer validator",
                why=f"its layout is {found}, this one reads up to {layout.LAYOUT}",
                hint="update the validator, or use another folder with --out",
            )
        if found < 0:
            raise self.damaged(f"its layout is {found}, which was never written")

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except UnicodeError as error:  # also from SQLite's own words about what is not text
            raise self.damaged("it holds text that is not UTF-8") from error
        except ReportFileError as error:
            raise self.damaged(error.what) from error
        except DamagedError as error:
            raise self.damaged(str(error)) from error
        except sqlite3.Error as error:
            raise self._failed(error) from error
        except OSError as error:  # while a copy is made
            raise StoreError(
                f"the history in {self._path} cannot be used", why=error.strerror or str(error), hint="make it readable"
            ) from error

    def _failed(self, error: sqlite3.Error) -> StoreError:
        words = one_line(str(error))
        known = next((part for part in _REMEDIES if part in words.lower()), None)
        what = f"the history in {self._path} cannot be used"
        if "full" in words.lower() or (known == "disk i/o" and self._has_no_room()):
            return StoreFullError(what, why="there is no room left for it", hint=MAKE_ROOM)
        return StoreError(what, why=words, hint=_REMEDIES[known]) if known else self.damaged(words)

    def _has_no_room(self) -> bool:
        """Whether a file cannot be written beside it. SQLite calls a quota, and a limit on the size of files, an I/O error."""
        try:
            with tempfile.TemporaryFile(dir=self._path.parent) as file:
                file.write(bytes(_TRIAL_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return error.errno in NO_ROOM
        return False

    def _move_away(self) -> str:
        return f"move {NAME} away, a new one is made; the reports under {self._path.parent / 'runs'} stay readable"


def _connection(path: Path, mode: str) -> sqlite3.Connection:
    """A connection that has seen the file: what cannot be opened is told here. Transactions are begun by hand."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA synchronous = FULL")
        layout.of(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite has rolled some back by itself
            connection.execute("ROLLBACK")
        raise


