"""What runs have left behind: containers, images and folders that are ours, each with what removes it. Removes nothing itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from validator.runners import labels


class Engine(Protocol):
    """What is asked of a container engine; ``docker.APIClient`` is one."""

    def containers(self, *, all: bool, filters: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """The containers that have a label."""

    def images(self, *, filters: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """The images that have a label."""

    def remove_container(self, container: str, *, force: bool, v: bool) -> object:
        """Remove one, with its volumes."""

    def remove_image(self, image: str, *, force: bool) -> object:
        """Remove one."""


@dataclass(frozen=True)
class Found:
    """Something that a run has left."""

    what: str
    remove: Callable[[], object]
    in_use: bool = False
    """Whether its run is still going: then it is to be left alone."""


def containers(engine: Engine) -> Iterator[Found]:
    """Containers of runs, by their label."""
    for row in engine.containers(all=True, filters={"label": labels.RUN}):
        yield Found(
            f"container {row['Names'][0].lstrip('/')} ({row['Status']})",
            partial(engine.remove_container, row["Id"], force=True, v=True),
            in_use=row["State"] == "running" and labels.owner_lives(row["Labels"].get(labels.OWNER, "")),
        )


def images(engine: Engine) -> Iterator[Found]:
    """Images that were built for runs, by their label; one that was pulled has none."""
    for row in engine.images(filters={"label": labels.BUILT}):
        name = ", ".join(tag for tag in row.get("RepoTags") or () if tag != "<none>:<none>") or row["Id"]
        yield Found(f"image {name} ({row['Size'] / 2**30:.1f} GiB)", partial(engine.remove_image, row["Id"], force=True))


def paths(candidates: Iterable[Path]) -> Iterator[Found]:
    """Those of our files and folders that are there."""
    for path in candidates:
        if path.is_dir():
            yield Found(f"folder {path}", partial(shutil.rmtree, path))
        elif path.exists():
            yield Found(f"file {path}", path.unlink)
