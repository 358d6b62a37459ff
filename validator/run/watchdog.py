"""A small detached process for each run, which removes what the run leaves when it dies.

Two programs, one after the other: ``waiting.py`` for as long as the run goes, and this module, as a program, once it is dead.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType


class Reaper:
    """Of one run: waits in a process of its own, and removes what the run started once that is dead, SIGKILL included.

    As a context it is dismissed at a good end of the block, and takes over after any other. It does not outlive the end of a
    container that the run itself is the first process of: the kernel ends all of those together. What is left then, the next run
    and ``validator clean`` find.
    """

    def __init__(self, process: subprocess.Popen[bytes] | None, pipe: int | None, problem: str | None = None) -> None:
        self._process = process
        self._pipe = pipe
        self.problem = problem
        """Why there is no such process, where none could be started; a run goes on without."""

    @classmethod
    def start(cls, run_id: str, runner: str, engine_address: str | None = None) -> Reaper:
        """Start it; ``runner`` is the name of the run's runner, ``engine_address`` that of its engine, where it has one."""
        program = [os.path.abspath(sys.executable), "-m", __name__, runner, run_id]
        if engine_address:
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
                # What this process found by a relative path is found from there as well.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)},
            )
        except OSError as error:
            os.close(pipe)
            return cls(None, None, f"no process could be started: {error.strerror or error}")
        finally:
            os.close(listening)
        return cls(process, pipe)

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

    def __enter__(self) -> Reaper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.dismiss()
        else:
            self.take_over()


def reap(runner: str, run_id: str, *where: str) -> None:
    """Remove everything that a dead run has left with its runner; says nothing, since nobody listens any more."""
    import_module(f"validator.runners.{runner}.leftovers").end(run_id, *where)


if __name__ == "__main__":
    reap(*sys.argv[1:])
