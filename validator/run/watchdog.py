"""A small detached process for each run, which removes what the run leaves when it dies.

Two programs, one after the other: ``waiting.py`` for as long as the run goes, and this module, as a program, once it is dead.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import TracebackType

from validator.base.errors import ValidatorError
from validator.run.claim import claim
from validator.runners import needs_engine

_LOOK_SECONDS = 0.2


class Reaper:
    """Of one run: waits in a process of its own, and removes what the run started once that is dead, SIGKILL included.

    As a context it is dismissed at a good end of the block, and takes over after any other. It does not outlive the end of a
    container that the run itself is the first process of: the kernel ends all of those together. What is left then, the next run
    and ``validator clean`` find.
    """

    def __init__(
        self,
        held: socket.socket | None = None,
        process: subprocess.Popen[bytes] | None = None,
        pipe: int | None = None,
        problem: str | None = None,
    ) -> None:
        self._claim = held
        self._process = process
        self._pipe = pipe
        self.problem = problem
        """Why there is no such process, where none could be started; a run goes on without."""

    @classmethod
    def start(
        cls,
        run_id: str,
        runner: str,
        engine_address: str | None = None,
        *,
        said: Callable[[str], None] | None = None,
        wait_seconds: float = 60.0,
    ) -> Reaper:
        """Claim the run (see ``claim``) and start it.

        ``runner`` is the name of the run's runner, ``engine_address`` that of the machine's engine, where it has one. A run that
        is taken up again may have a reaper at work, which is waited for; ``said`` is told. Raises ValidatorError where that does
        not end, or the run itself goes on.
        """
        try:
            held = _claimed(run_id, said or (lambda line: None), wait_seconds)
        except OSError as error:
            return cls(problem=f"no socket could be opened: {error.strerror or error}")
        program = [os.path.abspath(sys.executable), "-m", __name__, runner, run_id]
        if engine_address and needs_engine(runner):
            program.append(engine_address)
        waiting = str(Path(__file__).with_name("waiting.py").absolute())
        listening, pipe = os.pipe()
        try:
            process = subprocess.Popen(
                [program[0], "-I", "-S", waiting, str(os.getpid()), *program],
                stdin=listening,
                stdout=subprocess.DEVNULL,  # nothing of the caller's stays open: some wait for the end of what they gave a run
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                pass_fds=[held.fileno()],
                # What this process found by a relative path is found from there as well.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)},
            )
        except OSError as error:
            os.close(pipe)
            return cls(held, problem=f"no process could be started: {error.strerror or error}")
        finally:
            os.close(listening)
        return cls(held, process, pipe)

    @property
    def pid(self) -> int | None:
        """Of its process, while there is one."""
        return self._process.pid if self._process else None

    def dismiss(self) -> None:
        """The run has left nothing: end the process."""
        if self._process is not None and self._pipe is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._let_go()

    def take_over(self) -> None:
        """Something is left that could not be removed yet: the process goes on with that, whatever becomes of this one."""
        self._let_go()

    def _let_go(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def __enter__(self) -> Reaper:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.dismiss()
        else:
            self.take_over()


def _claimed(run_id: str, said: Callable[[str], None], wait_seconds: float) -> socket.socket:
    """The claim of a run, once no other process has it."""
    until = time.monotonic() + wait_seconds
    told = False
    while (held := claim(run_id)) is None:
        if not told:
            said(f"run {run_id}: waiting for what still removes its containers")
            told = True
        if time.monotonic() > until:
            raise ValidatorError(
                f"run {run_id} cannot be taken up again",
                why=f"it is still going, or what it left could not be removed within {wait_seconds:.0f} s",
                hint="wait for it to end (`ps`), or see what `validator clean` says of its containers",
            )
        time.sleep(_LOOK_SECONDS)
    return held


def reap(runner: str, run_id: str, *where: str) -> None:
    """Remove everything that a dead run has left with its runner; says nothing, since nobody listens any more."""
    import_module(f"validator.runners.{runner}.leftovers").end(run_id, *where)


if __name__ == "__main__":
    reap(*sys.argv[1:])
