"""What a run has left: found by its labels, with what removes it, and never what is still in use or not ours."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from validator.run import reaper
from validator.run.claim import claim
from validator.runners import labels

DEAD, ELSEWHERE = f"{socket.gethostname()}:999999999", "another-machine:1"
NOW = 1_800_000_000
DAY = 86400


class RefusedError(Exception):
    """What an engine says, as docker-py tells it."""

    def __init__(self, status_code: int) -> None:
        super().__init__(f"{status_code} of the engine")
        self.status_code = status_code


class Engine:
    """An engine with containers and two images of ours; it only knows what it was asked."""

    def __init__(self, *containers: dict[str, Any], **image: Any) -> None:
        self.rows = containers
        self.image = image
        self.removed: list[tuple[object, ...]] = []
        self.refuses: dict[str, Exception] = {}
        self.stuck = threading.Event()
        self.lists = 0

    def containers(self, *, all: bool, filters: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        assert (all, filters) == (True, {"label": labels.RUN})  # one that has ended is shown with `all` alone
        self.lists += 1
        return self.rows

    def images(self, *, filters: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        assert filters == {"label": labels.BUILT}
        some = {"Labels": {labels.BUILT: "a"}, "Created": NOW, **self.image}
        return [
            {**some, "Id": "sha256:1", "RepoTags": ["validator/a:1", "<none>:<none>", "b:2"], "Size": 3 << 30},
            {**some, "Id": "sha256:2", "RepoTags": None, "Size": 1 << 29},
        ]

    def kill(self, container: str) -> None:
        self._refuse(container)
        self.removed.append(("killed", container))

    def remove_container(self, container: str, *, force: bool, v: bool) -> None:
        self._refuse(container)
        self.removed.append((container, force, v))

    def remove_image(self, image: str, *, force: bool) -> None:
        self.removed.append((image, force))

    def _refuse(self, container: str) -> None:
        if container == "stuck":
            self.stuck.wait(60)
        if container in self.refuses:
            raise self.refuses[container]


def row(name: str = "c1", owner: str | None = DEAD, *, state: str = "exited", run: str = "r", **more: Any) -> dict[str, Any]:
    """A container as an engine lists it."""
    found = {labels.RUN: run, **({labels.OWNER: owner} if owner else {})}
    some = {"Names": [f"/validator-{name}"], "Status": "Exited (0)", "State": state, "Id": name, "Created": NOW}
    return {**some, "Labels": found, **more}


def kept(name: str, **more: Any) -> dict[str, Any]:
    """One that is to be kept."""
    made = row(name, **more)
    return {**made, "Labels": {**made["Labels"], labels.KEEP: "yes"}}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: float(NOW))


def test_a_container_is_named_and_goes_with_its_volumes() -> None:
    engine = Engine(row())
    [found] = reaper.containers(engine)
    assert (found.what, found.in_use) == ("container validator-c1 (Exited (0))", "")
    assert engine.removed == []
    found.remove()
    assert engine.removed == [("c1", True, True)]


@pytest.mark.parametrize("names", [None, []])
def test_one_that_is_just_being_removed_has_an_id_alone(names: list[str] | None) -> None:
    [found] = reaper.containers(Engine(row("0123456789abcdef", Names=names)))
    assert found.what == "container 0123456789ab (Exited (0))"


@pytest.mark.parametrize("state", ["created", "running", "paused", "restarting", "removing", "exited", "dead"])
@pytest.mark.parametrize(
    ("owner", "in_use"),
    [(labels.owner(), reaper.GOING), (DEAD, ""), (None, "")],
    ids=["of a living run", "of a dead run", "of nobody"],
)
def test_a_container_is_in_use_in_any_state_while_its_owner_lives(state: str, owner: str | None, in_use: str) -> None:
    [found] = reaper.containers(Engine(row(owner=owner, state=state)))
    assert found.in_use == in_use


@pytest.mark.parametrize(("age", "in_use"), [(0, True), (6.9 * DAY, True), (7.1 * DAY, False)])
def test_of_one_that_cannot_be_asked_for_age_decides(age: float, in_use: bool) -> None:
    [found] = reaper.containers(Engine(row(owner=ELSEWHERE, Created=NOW - age)))
    assert found.in_use == ("its run may be going elsewhere; it is taken for dead after 7 days" if in_use else "")


def test_a_run_that_another_process_has_taken_up_is_going() -> None:
    run = f"taken-up-{os.getpid()}"
    held = claim(run)
    assert held is not None
    try:
        engine = Engine(row("of it", run=run), row("of another"))
        assert [found.in_use for found in reaper.containers(engine)] == [reaper.GOING, ""]
        assert reaper.sweep(engine).ended == ("validator-of another",)
    finally:
        held.close()


@pytest.mark.parametrize("status", [404, 409])
def test_what_another_process_removes_is_gone(status: int) -> None:
    engine = Engine(row())
    engine.refuses["c1"] = RefusedError(status)
    [found] = reaper.containers(engine)
    with pytest.raises(reaper.GoneError):
        found.remove()
    engine.refuses["c1"] = RefusedError(500)
    with pytest.raises(RefusedError):
        found.remove()


# ---------------------------------------------------------------- swept up


def test_a_sweep_takes_what_belongs_to_nobody_beyond_doubt() -> None:
    engine = Engine(
        row("dead"),
        row("created", state="created"),
        row("runs", state="running"),
        row("living", labels.owner(), state="created"),
        row("elsewhere", ELSEWHERE, Created=NOW - 100 * DAY),
        row("unlabelled", None),
    )
    swept = reaper.sweep(engine)
    assert swept == reaper.Swept(("validator-dead", "validator-created", "validator-runs"))
    assert sorted(engine.removed) == [("created", True, True), ("dead", True, True), ("runs", True, True)]
    assert engine.lists == 1


def test_a_sweep_stops_what_is_to_be_kept_and_leaves_it_there() -> None:
    engine = Engine(kept("ended"), kept("runs", state="running"), kept("created", state="created"))
    assert reaper.sweep(engine).ended == ("validator-runs", "validator-created")
    assert sorted(engine.removed, key=str) == [("created", True, True), ("killed", "runs")]


def test_a_sweep_says_what_it_could_not_remove_and_does_not_wait_for_it() -> None:
    engine = Engine(row("stuck"), row("busy"), row("gone"), row("dead"))
    engine.refuses = {"busy": RefusedError(500), "gone": RefusedError(404)}
    try:
        swept = reaper.sweep(engine, seconds=0.5)
    finally:
        engine.stuck.set()
    assert swept == reaper.Swept(("validator-gone", "validator-dead"), left=("validator-stuck", "validator-busy"))


# ---------------------------------------------------------------- images and files


def test_an_image_is_named_by_its_tags_or_else_its_id() -> None:
    engine = Engine()
    tagged, untagged = reaper.images(engine)
    assert tagged.what == "image validator/a:1, b:2 (3.0 GiB)"
    assert untagged.what == "image sha256:2 (0.5 GiB)"
    assert (tagged.in_use, untagged.in_use) == ("", "")
    untagged.remove()
    assert engine.removed == [("sha256:2", True)]


def test_an_image_is_in_use_while_the_run_lives_that_built_it() -> None:
    built = {labels.BUILT: "a", labels.OWNER: labels.owner()}
    assert [found.in_use for found in reaper.images(Engine(Labels=built))] == [reaper.GOING] * 2
    assert [found.in_use for found in reaper.images(Engine(Labels={**built, labels.OWNER: DEAD}))] == [""] * 2


class Hold:
    """Keeps something from being used, unless it is."""

    def __init__(self) -> None:
        self.in_use = False
        self.held = 0
        self.asked: list[str] = []

    @contextmanager
    def __call__(self, what: str = "") -> Iterator[None]:
        self.asked.append(what)
        if self.in_use:
            raise reaper.InUseError("a run uses it")
        self.held += 1
        yield
        self.held -= 1


def test_an_image_is_kept_from_being_used_while_it_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, hold = Engine(), Hold()
    held: list[int] = []
    monkeypatch.setattr(engine, "remove_image", lambda image, force: held.append(hold.held))
    first, second = reaper.images(engine, hold)
    assert (hold.held, hold.asked) == (0, ["sha256:1", "sha256:2"])
    first.remove()
    assert held == [1]
    hold.in_use = True
    with pytest.raises(reaper.InUseError):
        second.remove()
    assert held == [1]
    assert [found.in_use for found in reaper.images(engine, hold)] == ["a run uses it"] * 2


def test_a_folder_that_is_in_use_stays(tmp_path: Path) -> None:
    hold = Hold()
    hold.in_use = True
    [found] = reaper.paths([tmp_path], hold)
    assert found.in_use == "a run uses it"
    with pytest.raises(reaper.InUseError):
        found.remove()
    assert tmp_path.exists()


def test_of_a_link_the_link_goes(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "broken").symlink_to("nowhere")
    for found in reaper.paths([tmp_path / "link", tmp_path / "broken"]):
        found.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_of_our_paths_those_that_are_there_are_found(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    (folder / "inner").mkdir(parents=True)
    file.touch()
    found = list(reaper.paths([folder, file, tmp_path / "gone"]))
    assert [(each.what, each.in_use) for each in found] == [(f"folder {folder}", ""), (f"file {file}", "")]
    for each in found:
        each.remove()
    assert list(tmp_path.iterdir()) == []
