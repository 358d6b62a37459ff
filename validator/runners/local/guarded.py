"""Processes of the local runner, each started behind a guard (``guard.py``) and marked with the run that it belongs to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from validator.runners.local import leftovers

_GUARD = Path(__file__).with_name("guard.py")
#: What the guard takes at most for an end: the program's time after SIGTERM, its own for killing, and some of a busy machine's.
_END_SECONDS = 12.0


class Guarded:
    """A program that was started behind a guard. Safe in any thread that lives until ``end``: the guard ends with that thread.

    Who reads ``stdout`` or ``stderr`` closes it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        run_id: str,
        part: str,
        cpus: Sequence[int] = (),
        stdin: int = subprocess.DEVNULL,
        stderr: int = subprocess.STDOUT,
    ) -> None:
        """Start it. Raises OSError where not even the guard can be started."""
        self._run_id, self._part = run_id, part
        self.refused: str | None = None
        """Once it was ended: why the program could not be started, in the system's words; None where it could."""
        self._status, status = os.pipe()
        command = [sys.executable, "-I", "-S", "-B", str(_GUARD), str(os.getpid()), str(status), ",".join(map(str, cpus)), *argv]
        try:
            self._process = subprocess.Popen(
                command,
                env={**environment, **leftovers.marks(run_id, part)},
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,  # signals of the terminal are the validator's to answer
                pass_fds=[status],
            )
        except BaseException:
            os.close(self._status)
            raise
        finally:
            os.close(status)

    @property
    def stdout(self) -> IO[bytes]:
        """What the program prints."""
        assert self._process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        """What it says besides, where that is a pipe of its own."""
        assert self._process.stderr is not None  # noqa: S101 - only where it was asked for as a pipe
        return self._process.stderr

    @property
    def code(self) -> int | None:
        """How the program ended: its exit status, 128+N for signal N; None while it runs."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def say(self, line: bytes) -> None:
        """Write to its stdin. Raises OSError where nobody reads it any more."""
        assert self._process.stdin is not None  # noqa: S101 - only where stdin is a pipe
        os.write(self._process.stdin.fileno(), line)

    def end(self) -> bool:
        """End the program and all that it started; False where something could not be ended. Call it always, and only once."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
        told = self._told()
        number = told.rstrip(".")
        self.refused = os.strerror(int(number)) if number else None
        if told.endswith("."):
            return True
        # The guard itself was killed, or did not finish: what is left is found by session and by mark.
        left = leftovers.end(self._run_id, self._part, session=self._process.pid)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0 if left else _END_SECONDS)
        return not left

    def _told(self) -> str:
        """What the guard said last; nothing from one that has not ended."""
        with os.fdopen(self._status, "rb") as file:
            return "" if self._process.poll() is None else file.read(20).decode("ascii")
