"""What a pull still needs of a disk, as far as the engine has told; never more than it truly does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from validator.base.errors import AcquireError
from validator.runners.docker.room import Pull, Room, data_root

GIB = 1 << 30


def loading(layer: str, current: int, total: int) -> dict[str, Any]:
    return {"status": "Downloading", "id": layer, "progressDetail": {"current": current, "total": total}}


def told(*messages: dict[str, Any]) -> Pull:
    pull = Pull()
    for message in messages:
        pull.take(message)
    return pull


@pytest.mark.parametrize(
    ("messages", "fetched", "total", "wanting"),
    [
        ([], 0, 0, 0),
        ([{"status": "Pulling fs layer", "id": "a"}], 0, 0, 0),
        ([loading("a", 0, 1000)], 0, 1000, 1900),
        ([loading("a", 400, 1000)], 400, 1000, 1500),
        ([loading("a", 400, 1000), loading("b", 0, 10)], 400, 1010, 1519),
        ([loading("a", 400, 1000), {"status": "Download complete", "id": "a"}], 1000, 1000, 900),
        ([loading("a", 400, 1000), {**loading("a", 1, 9), "status": "Extracting"}], 1000, 1000, 0),
        ([loading("a", 400, 1000), {"status": "Pull complete", "id": "a"}], 1000, 1000, 0),
        ([{"status": "Already exists", "id": "a"}], 0, 0, 0),
        ([{"status": "Pulling from x", "id": "1"}, {"status": "Digest: sha256:1"}, {"id": 7}], 0, 0, 0),
    ],
)
def test_a_pull_as_it_goes_on(messages: list[dict[str, Any]], fetched: int, total: int, wanting: int) -> None:
    pull = told(*messages)
    assert (pull.fetched, pull.total, pull.wanting) == (fetched, total, wanting)


@pytest.mark.parametrize(
    "detail",
    [None, [], {}, {"current": "1", "total": "2"}, {"current": -1, "total": -5}, {"total": 1 << 60}, {"total": True}],
)
def test_nonsense_counts_for_nothing(detail: Any) -> None:
    assert told({"status": "Downloading", "id": "a", "progressDetail": detail}).wanting == 0


def test_a_size_is_news_once() -> None:
    pull = Pull()
    assert [pull.take(loading("a", at, 100)) for at in (0, 10, 100)] == [True, False, False]
    assert pull.take(loading("b", 0, 5))


@pytest.mark.parametrize(("free", "fits"), [(20 * GIB, True), (19 * GIB + (256 << 20), True), (19 * GIB, False)])
def test_what_does_not_fit_is_refused(free: int, fits: bool) -> None:
    room = Room(Path("/data"), lambda path: free)
    pull = room.begin()
    pull.take(loading("a", 0, 10 * GIB))
    if fits:
        room.check("x", pull)
        return
    with pytest.raises(AcquireError) as caught:
        room.check("x", pull)
    assert caught.value.what == "x does not fit on the engine's disk"
    assert caught.value.why == (
        "it needs at least 19.0 GiB more (10.0 GiB of layers as sent, times 1.9 unpacked), and /data has 19.0 GiB free"
    )
    assert "--prune" in caught.value.hint


def test_pulls_beside_it_count_until_they_have_ended() -> None:
    room = Room(Path("/data"), lambda path: 3 * GIB)
    beside, pull = room.begin(), room.begin()
    beside.take(loading("b", 0, GIB))
    pull.take(loading("a", 0, GIB))
    with pytest.raises(AcquireError, match=r"; other pulls of this run still need 1\.9 GiB"):
        room.check("x", pull)
    room.end(beside)
    room.check("x", pull)


def gone(path: Path) -> int:
    raise OSError


@pytest.mark.parametrize("room", [Room(None), Room(Path("/data"), gone)])
def test_where_the_disk_cannot_be_seen_nothing_is_refused(room: Room) -> None:
    pull = room.begin()
    pull.take(loading("a", 0, 1 << 49))
    room.check("x", pull)


@pytest.mark.parametrize(
    ("address", "info", "seen"),
    [
        ("unix:///run/docker.sock", {"DockerRootDir": "{here}"}, True),
        ("tcp://other:2375", {"DockerRootDir": "{here}"}, False),
        (None, {"DockerRootDir": "{here}"}, False),
        ("unix:///run/docker.sock", {"DockerRootDir": "{here}/none"}, False),
        ("unix:///run/docker.sock", {"DockerRootDir": "relative"}, False),
        ("unix:///run/docker.sock", {}, False),
    ],
)
def test_an_engines_disk_is_looked_at_only_where_it_is_this_machines(
    address: str | None, info: dict[str, str], seen: bool, tmp_path: Path
) -> None:
    told = {key: value.format(here=tmp_path) for key, value in info.items()}
    assert data_root(told, address) == (tmp_path if seen else None)
