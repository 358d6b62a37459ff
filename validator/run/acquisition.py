"""Environments made ready ahead of the cells, several at once, each in a thread of its own."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from validator.base.errors import AcquireError, EngineUnavailableError, InterruptedRunError
from validator.base.stopping import Stop
from validator.base.text import one_line
from validator.model import Attempt, Environment
from validator.run.protocols import Progress
from validator.runners.base import Prepared, Runner

#: Seconds before the second try; they double with each further one. Spread, so that several runs do not come back together.
_PAUSE_SECONDS = 2.0
#: How many times as long where no engine answers: one that restarts is away for ten seconds and more.
_ENGINE_PAUSES = 5.0


@dataclass(frozen=True)
class Acquired:
    """An environment that is ready, or why it cannot be had."""

    environment: Environment
    prepared: Prepared | Exception
    seconds: float
    attempts: tuple[Attempt, ...] = ()
    """The tries before this one."""


def pause_before(attempt: int) -> float:
    """Seconds to wait before a try: none before the first."""
    return 0.0 if attempt < 2 else _PAUSE_SECONDS * 2.0 ** (attempt - 2) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


class Acquisition:
    """Makes environments ready, in order, ``at_once`` at a time, and hands each to ``done`` from its thread."""

    def __init__(
        self, runner: Runner, progress: Progress, stop: Stop, *, at_once: int, tries: int, done: Callable[[Acquired], object]
    ) -> None:
        self._runner = runner
        self._progress = progress
        self._stop = stop
        self._at_once = at_once
        self._tries = tries
        self._done = done
        self._queue: deque[Environment] = deque()
        self._over = threading.Event()
        """Whether no further environment is to be begun."""
        self._room: threading.Semaphore | None = None

    def start(self, environments: Sequence[Environment], ahead: int | None = None) -> None:
        """Begin with them; ``ahead`` is how many may be there that are not ``used`` up yet, None for any number."""
        self._queue.extend(environments)
        self._room = threading.Semaphore(max(1, ahead)) if ahead is not None else None
        for _ in range(min(self._at_once, len(environments))):
            # Daemons: a build that does not heed the end of the run must not keep the process alive.
            threading.Thread(target=self._work, name="acquisition", daemon=True).start()

    def used(self) -> None:
        """An environment is needed no more: another may be made."""
        if self._room is not None:
            self._room.release()

    def give_up(self) -> None:
        """Begin with none of those that are left."""
        self._over.set()

    def _work(self) -> None:
        while not self._stop.asked and not self._over.is_set():
            if self._room is not None and not self._room.acquire(timeout=0.2):
                continue
            try:
                environment = self._queue.popleft()
            except IndexError:
                if self._room is not None:
                    self._room.release()
                return
            try:
                acquired = self._acquired(environment)
            except Exception as error:  # noqa: BLE001 - nobody would wait for anything but this to come
                acquired = Acquired(environment, error, 0.0)
            self._done(acquired)

    def _acquired(self, environment: Environment) -> Acquired:
        began = time.monotonic()
        attempts: list[Attempt] = []
        self._progress.acquiring(environment)
        while True:
            at, tried = datetime.now(timezone.utc), time.monotonic()
            try:
                prepared: Prepared | Exception = self._runner.prepare(
                    environment, lambda line: self._progress.note(environment, line)
                )
            except Exception as error:  # noqa: BLE001 - whatever it is becomes the result of the environment's cells
                prepared = error
            again = isinstance(prepared, Exception) and _may_help(prepared) and len(attempts) + 1 < self._tries
            if not again or self._stop.asked:
                break
            attempts.append(Attempt(at.isoformat(timespec="seconds"), one_line(str(prepared), 300), time.monotonic() - tried))
            seconds = pause_before(len(attempts) + 1)
            if isinstance(prepared, EngineUnavailableError):
                seconds *= _ENGINE_PAUSES
            self._progress.note(environment, f"tried again in {seconds:.0f} s: {one_line(str(prepared), 200)}")
            if self._stop.wait(seconds):
                break
        if self._stop.asked and isinstance(prepared, Exception):
            prepared = InterruptedRunError(f"{environment.id} was not made ready: the run was interrupted")
        self._progress.acquired(environment, one_line(str(prepared), 300) if isinstance(prepared, Exception) else None)
        return Acquired(environment, prepared, time.monotonic() - began, tuple(attempts))


def _may_help(error: Exception) -> bool:
    """Whether trying again may help: the network or the engine was in trouble, not what was asked for."""
    return isinstance(error, EngineUnavailableError) or (isinstance(error, AcquireError) and error.transient)
