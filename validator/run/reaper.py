"""What runs have left behind: containers, images and folders that are ours, each with what removes it.

Finding removes nothing; ``sweep`` does, and takes only what belongs to nobody any more beyond doubt.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from validator.run.claim import claimed
from validator.runners import labels
from validator.runners.labels import Life

#: How long what belongs to a process that cannot be asked for, on another machine or in a container beside, counts as in use.
UNKNOWN_SECONDS = 7 * 86400.0
#: How long a run waits at its start for the end of what is swept up.
_SWEEP_SECONDS = 10.0
#: States in which a container has no process.
_ENDED = ("exited", "dead")

GOING = "its run is still going"
_ELSEWHERE = f"its run may be going elsewhere; it is taken for dead after {UNKNOWN_SECONDS / 86400:.0f} days"


class Engine(Protocol):
    """What is asked of a container engine; ``docker.APIClient`` is one."""

    def containers(self, *, all: bool, filters: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """The containers that have a label."""

    def images(self, *, filters: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """The images that have a label."""

    def kill(self, container: str) -> object:
        """End one, and leave it there."""

    def remove_container(self, container: str, *, force: bool, v: bool) -> object:
        """Remove one, with its volumes."""

    def remove_image(self, image: str, *, force: bool) -> object:
        """Remove one."""


class InUseError(Exception):
    """What was to be removed is in use by now; its text says by whom."""


class GoneError(Exception):
    """What was to be removed is gone, or another process is just removing it."""


#: Holds something back from being used while it is removed; entering raises InUseError where it is in use.
Hold = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Found:
    """Something that a run has left."""

    what: str
    remove: Callable[[], object]
    """Removes it. Raises InUseError, GoneError, and whatever the engine or the system says."""
    in_use: str = ""
    """Why it is to be left alone; empty when it may go."""


@dataclass(frozen=True)
class Swept:
    """What a sweep came to, by the names of containers."""

    ended: tuple[str, ...] = ()
    """Those of dead runs that are gone now, or, where a person wants to look at them, stopped."""
    left: tuple[str, ...] = ()
    """Those that could not be removed, or not yet."""


def containers(engine: Engine) -> Iterator[Found]:
    """Containers of runs, by their label, in whatever state: a run that lives needs also those that it has not started yet."""
    for row in engine.containers(all=True, filters={"label": labels.RUN}):
        yield Found(
            f"container {_name(row)} ({row['Status']})",
            partial(_remove_container, engine, row["Id"]),
            in_use=_user(row),
        )


def images(engine: Engine, hold: Callable[[str], AbstractContextManager[object]] | None = None) -> Iterator[Found]:
    """Images that were built for runs, by their label; one that was pulled has none.

    ``hold`` keeps runs from using an image, by its id, while it is removed.
    """
    for row in engine.images(filters={"label": labels.BUILT}):
        name = ", ".join(tag for tag in row.get("RepoTags") or () if tag != "<none>:<none>") or row["Id"]
        holding = partial(hold, row["Id"]) if hold else nullcontext
        yield _held(
            f"image {name} ({row['Size'] / 2**30:.1f} GiB)",
            partial(engine.remove_image, row["Id"], force=True),
            holding,
            in_use=_user(row),
        )


def paths(candidates: Iterable[Path], hold: Hold = nullcontext) -> Iterator[Found]:
    """Those of our files and folders that are there; ``hold`` is for them all, each time that one is removed."""
    for path in candidates:
        if path.is_dir() and not path.is_symlink():
            yield _held(f"folder {path}", partial(shutil.rmtree, path), hold)
        elif path.exists() or path.is_symlink():
            yield _held(f"file {path}", path.unlink, hold)


def sweep(engine: Engine, *, seconds: float = _SWEEP_SECONDS) -> Swept:
    """Remove the containers of dead runs, for ``seconds`` at most; those to be kept are stopped.

    What may be another's is left to ``validator clean``. Nothing is raised but what listing the containers raises.
    """
    rows = [row for row in engine.containers(all=True, filters={"label": labels.RUN}) if _is_orphan(row)]
    over = time.monotonic() + seconds
    # Each in a thread: an engine takes minutes over one that the kernel does not let go of.
    endings = [_Ending(engine, row) for row in rows]
    for ending in endings:
        ending.thread.start()
    for ending in endings:
        ending.thread.join(max(0.0, over - time.monotonic()))
    return Swept(
        tuple(ending.name for ending in endings if ending.done), tuple(ending.name for ending in endings if not ending.done)
    )


class _Ending:
    """The end of one container."""

    def __init__(self, engine: Engine, row: Mapping[str, Any]) -> None:
        self._engine = engine
        self._row = row
        self.name = _name(row)
        self.done = False
        self.thread = threading.Thread(target=self._end, daemon=True)

    def _end(self) -> None:
        try:
            if _kept(self._row):
                self._engine.kill(self._row["Id"])
            else:
                _remove_container(self._engine, self._row["Id"])
            self.done = True
        except GoneError:
            self.done = True
        except Exception:  # noqa: BLE001 - an engine's own errors are not known here; what fails is said to be left
            self.done = False


def _remove_container(engine: Engine, container: str) -> None:
    try:
        engine.remove_container(container, force=True, v=True)
    except Exception as error:
        if getattr(error, "status_code", None) in (404, 409):  # no such container; its removal is in progress
            raise GoneError from error
        raise


def _is_orphan(row: Mapping[str, Any]) -> bool:
    owner = (row["Labels"] or {}).get(labels.OWNER, "")
    return bool(
        owner
        and labels.owner_life(owner) is Life.DEAD
        and not claimed(row["Labels"][labels.RUN])
        and not (_kept(row) and row["State"] in _ENDED)
    )


def _user(row: Mapping[str, Any]) -> str:
    """Who uses a container, or an image that was built, in words; nothing where nobody does."""
    found = row["Labels"] or {}
    life = labels.owner_life(found.get(labels.OWNER, ""))
    if life is Life.ALIVE or (labels.RUN in found and claimed(found[labels.RUN])):
        return GOING
    return _ELSEWHERE if life is Life.UNKNOWN and time.time() - row["Created"] < UNKNOWN_SECONDS else ""


def _held(what: str, remove: Callable[[], object], hold: Hold, *, in_use: str = "") -> Found:
    """Something that is removed while it is held back from being used, and is in use where that cannot be had."""

    def remove_held() -> None:
        with hold():
            remove()

    if not in_use:
        try:
            with hold():
                pass
        except InUseError as error:
            in_use = str(error)
    return Found(what, remove_held, in_use)


def _kept(row: Mapping[str, Any]) -> bool:
    return labels.KEEP in (row["Labels"] or {}) and row["State"] != "created"


def _name(row: Mapping[str, Any]) -> str:
    """One that is just being removed has no name any more."""
    return str((row["Names"] or [row["Id"][:12]])[0]).lstrip("/")
