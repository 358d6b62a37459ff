"""What a run has left: found by its labels, with what removes it, and never what is still in use or not ours."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from validator.run import reaper
from validator.runners import labels

DEAD, ELSEWHERE = f"{socket.gethostname()}:999999999", "another-machine:1"


class Engine:
    """An engine with a container of each kind and two images of ours; it only knows what it was asked."""

    def __init__(self, **container: Any) -> None:
        self.container = {"Names": ["/validator-run-cell"], "Status": "Exited (0)", "State": "exited", "Id": "c1", "Labels": {}}
        self.container |= container
        self.removed: list[tuple[object, ...]] = []

    def containers(self, *, all: bool, filters: Mapping[str, str]) -> list[Mapping[str, Any]]:
        assert (all, filters) == (True, {"label": labels.RUN})  # one that has ended is shown with `all` alone
        return [self.container]

    def images(self, *, filters: Mapping[str, str]) -> list[Mapping[str, Any]]:
        assert filters == {"label": labels.BUILT}
        return [
            {"Id": "sha256:1", "RepoTags": ["validator/a:1", "<none>:<none>", "b:2"], "Size": 3 << 30},
            {"Id": "sha256:2", "RepoTags": None, "Size": 1 << 29},
        ]

    def remove_container(self, container: str, *, force: bool, v: bool) -> None:
        self.removed.append((container, force, v))

    def remove_image(self, image: str, *, force: bool) -> None:
        self.removed.append((image, force))


def test_a_container_is_named_and_goes_with_its_volumes() -> None:
    engine = Engine()
    [found] = reaper.containers(engine)
    assert (found.what, found.in_use) == ("container validator-run-cell (Exited (0))", False)
    assert engine.removed == []
    found.remove()
    assert engine.removed == [("c1", True, True)]


@pytest.mark.parametrize(
    ("state", "owner", "in_use"),
    [
        ("running", labels.owner(), True),
        ("running", ELSEWHERE, True),  # its process cannot be asked for from here
        ("running", DEAD, False),
        ("exited", labels.owner(), False),
        ("running", None, False),
    ],
    ids=["running, of a living run", "running, of another machine", "running, of a dead run", "ended", "of nobody"],
)
def test_a_container_is_in_use_while_it_runs_and_its_owner_lives(state: str, owner: str | None, in_use: bool) -> None:
    owners = {labels.OWNER: owner} if owner else {}
    [found] = reaper.containers(Engine(State=state, Labels=owners))
    assert found.in_use is in_use


def test_an_image_is_named_by_its_tags_or_else_its_id() -> None:
    engine = Engine()
    tagged, untagged = reaper.images(engine)
    assert tagged.what == "image validator/a:1, b:2 (3.0 GiB)"
    assert untagged.what == "image sha256:2 (0.5 GiB)"
    assert (tagged.in_use, untagged.in_use) == (False, False)
    untagged.remove()
    assert engine.removed == [("sha256:2", True)]


def test_of_our_paths_those_that_are_there_are_found(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    (folder / "inner").mkdir(parents=True)
    file.touch()
    found = list(reaper.paths([folder, file, tmp_path / "gone"]))
    assert [(each.what, each.in_use) for each in found] == [(f"folder {folder}", False), (f"file {file}", False)]
    for each in found:
        each.remove()
    assert list(tmp_path.iterdir()) == []
