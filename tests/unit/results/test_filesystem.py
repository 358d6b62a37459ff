"""Which file system a folder lies on, and whether SQLite's log is sound there."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from validator.results import filesystem

_MOUNTS = r"""22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /net rw - nfs4 server:/export rw,vers=4.2
31 30 0:26 / /net/deeper rw shared:7 master:2 - tmpfs tmpfs rw
32 22 0:27 / /with\040space rw - btrfs /dev/sdb rw
33 22 0:28 / /over rw - ext4 /dev/sdc rw
34 33 0:29 / /over rw - fuse.sshfs far:/ rw
garbage
35 22
"""


@pytest.fixture(name="mounts")
def mounts_of_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mountinfo").write_text(_MOUNTS, encoding="utf-8")
    monkeypatch.setattr(filesystem, "_MOUNTS", tmp_path / "mountinfo")
    monkeypatch.setattr(os.path, "realpath", str)
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_frsize=4096))


@pytest.mark.parametrize(
    ("folder", "kind", "sound"),
    [
        ("/", "ext4", True),
        ("/home/me/.validator", "ext4", True),
        ("/net", "nfs4", False),
        ("/net/work", "nfs4", False),
        ("/network", "ext4", True),
        ("/net/deeper/x", "tmpfs", True),
        ("/with space/x", "btrfs", False),
        ("/over/x", "fuse.sshfs", False),
    ],
)
@pytest.mark.usefixtures("mounts")
def test_a_folder_lies_on_the_innermost_mount(folder: str, kind: str, sound: bool) -> None:
    assert filesystem.kind_of(Path(folder)) == kind
    assert filesystem.carries_wal(Path(folder)) is sound


@pytest.mark.usefixtures("mounts")
def test_blocks_too_small_to_be_there_as_a_whole_carry_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_frsize=1024))
    assert not filesystem.carries_wal(Path("/"))


def test_where_nothing_is_known_there_is_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "_MOUNTS", tmp_path / "none")
    assert filesystem.kind_of(tmp_path) is None
    assert not filesystem.carries_wal(tmp_path)
    assert not filesystem.carries_wal(tmp_path / "nowhere")


def test_this_machine_says_of_its_own_folders() -> None:
    assert filesystem.kind_of(Path("/proc")) == "proc"
