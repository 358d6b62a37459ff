"""Who owns a container, and whether that run is still going."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from validator.runners import labels
from validator.runners.labels import Life

HOST = socket.gethostname()
FIRST = "4026531836"


# ---------------------------------------------------------------- this machine


def test_this_process_owns_what_it_makes_and_lives() -> None:
    assert labels.owner_life(labels.owner()) is Life.ALIVE
    assert labels.owner_lives(labels.owner())


def test_an_owner_is_a_process_of_a_machine() -> None:
    host, pid, start, boot, *_ = labels.owner().split(":")
    assert (host, pid) == (HOST, str(os.getpid()))
    assert start.isdigit()
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def test_what_another_version_left_is_found_by_the_same_labels() -> None:
    assert (labels.RUN, labels.CELL, labels.OWNER, labels.BUILT, labels.KEEP) == (
        "validator.run", "validator.cell", "validator.owner", "validator.built", "validator.keep",
    )  # fmt: skip


def test_a_process_that_has_ended_lives_no_more_even_before_anyone_has_noticed() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    named = labels.owner(ended.pid)
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
    assert labels.owner_life(named) is Life.DEAD
    ended.communicate()
    assert labels.owner_life(named) is Life.DEAD


def test_the_machines_id_is_not_told() -> None:
    known = Path("/etc/machine-id")
    if known.exists():
        assert known.read_text(encoding="ascii").strip() not in labels.owner()


# ---------------------------------------------------------------- any machine


class Proc:
    """A /proc with the processes it is given; ``asking`` is the one that asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sys/kernel/random").mkdir(parents=True)
        self.boot("boot-1")

    def boot(self, name: str) -> None:
        (self.folder / "sys/kernel/random/boot_id").write_text(f"{name}\n", encoding="ascii")

    def process(
        self, pid: int, start: int = 500, *, state: str = "S", pids: str = FIRST, inside: str = "", clock: str = "7"
    ) -> None:
        """A process; ``inside`` is its number in a namespace of its own below."""
        folder = self.folder / str(pid)
        (folder / "ns").mkdir(parents=True)
        fields = [state, *["0"] * 18, str(start), "0"]
        (folder / "stat").write_text(f"{pid} (a) b) {' '.join(fields)}\n", encoding="ascii")
        (folder / "status").write_text(f"Name:\ta\nNSpid:\t{pid}\t{inside}\n", encoding="ascii")
        (folder / "ns" / "pid").symlink_to(f"pid:[{pids}]")
        (folder / "ns" / "time").symlink_to(f"time:[{clock}]")

    def hide(self, pid: int) -> None:
        """As ``hidepid`` does for processes of other users."""
        for name in ("stat", "status"):
            (self.folder / str(pid) / name).unlink()

    def end(self, pid: int) -> None:
        (self.folder / str(pid)).rename(self.folder / f"ended-{pid}")


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proc:
    """A machine with a first process, and this one as 100."""
    made = Proc(tmp_path / "proc")

    def kill(pid: int, number: int) -> None:
        assert number == 0
        if not (made.folder / str(pid)).exists():
            raise ProcessLookupError
        if not (made.folder / str(pid) / "stat").exists():
            raise PermissionError

    monkeypatch.setattr(labels, "_PROC", made.folder)
    monkeypatch.setattr(labels, "_machine", lambda: "machine-1")
    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(os, "getpid", lambda: 100)
    monkeypatch.setattr(socket, "gethostname", lambda: "host-1")
    made.process(1)
    made.process(100)
    return made


def test_a_number_that_was_given_again_is_another_process(proc: Proc) -> None:
    proc.process(200, start=900)
    owner = labels.owner(200)
    assert owner == f"host-1:200:900:boot-1:{FIRST}:7:machine-1"
    assert labels.owner_life(owner) is Life.ALIVE
    proc.end(200)
    assert labels.owner_life(owner) is Life.DEAD
    proc.process(200, start=901)
    assert labels.owner_life(owner) is Life.DEAD


@pytest.mark.parametrize(("state", "life"), [("R", Life.ALIVE), ("D", Life.ALIVE), ("T", Life.ALIVE), ("Z", Life.DEAD)])
def test_a_run_that_is_stopped_or_waits_for_a_disk_lives(proc: Proc, state: str, life: Life) -> None:
    proc.process(200, state=state)
    assert labels.owner_life(labels.owner(200)) is life


def test_a_process_that_proc_hides_may_be_the_one(proc: Proc) -> None:
    proc.process(200)
    owner = labels.owner(200)
    proc.hide(200)
    assert labels.owner_life(owner) is Life.UNKNOWN
    assert labels.owner_lives(owner)


def test_after_the_machine_was_started_anew_nobody_lives(proc: Proc) -> None:
    owner = labels.owner()
    proc.boot("boot-2")
    assert labels.owner_life(owner) is Life.DEAD


@pytest.mark.parametrize(
    "change",
    [
        lambda owner: owner.replace("boot-1", "boot-2").replace("machine-1", "machine-2"),
        # Two machines may have one name, and a container has no machine's id to tell it by.
        lambda owner: owner.replace("boot-1", "boot-2").replace("machine-1", ""),
    ],
    ids=["another machine", "a container of another machine"],
)
def test_another_machine_cannot_be_asked_and_counts_as_alive(proc: Proc, change: Callable[[str], str]) -> None:
    owner = change(labels.owner())
    assert labels.owner_life(owner) is Life.UNKNOWN
    assert labels.owner_lives(owner)


def test_a_machine_that_cannot_be_told_from_others_is_not_this_one(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "_machine", str)
    owner = labels.owner()
    proc.boot("boot-2")
    assert labels.owner_life(owner) is Life.UNKNOWN


def in_container(proc: Proc) -> str:
    """The owner of a run in a container: it is 7 there and 300 here."""
    proc.process(300, start=800, pids="999", inside="7")
    owner = labels.owner(300).split(":")
    return ":".join(["container", "7", *owner[2:]])


def test_a_run_in_a_container_is_seen_from_outside(proc: Proc) -> None:
    owner = in_container(proc)
    proc.process(7)  # the number means another process here
    proc.process(301, start=801, pids="999", inside="7")
    assert labels.owner_life(owner) is Life.ALIVE
    proc.end(300)
    assert labels.owner_life(owner) is Life.DEAD


def test_a_run_in_a_container_that_has_ended_unnoticed_is_dead(proc: Proc) -> None:
    owner = in_container(proc)
    proc.end(300)
    proc.process(300, start=800, state="Z", pids="999", inside="7")
    assert labels.owner_life(owner) is Life.DEAD


def test_where_proc_hides_processes_one_in_a_container_may_be_hidden(proc: Proc) -> None:
    owner = in_container(proc)
    proc.hide(300)
    proc.hide(1)
    assert labels.owner_life(owner) is Life.UNKNOWN


def test_from_inside_a_container_nobody_outside_can_be_seen(proc: Proc) -> None:
    owner = labels.owner()
    beside = in_container(proc)
    proc.end(100)
    proc.end(300)
    proc.process(100, pids="888")
    assert labels.owner_life(owner) is Life.UNKNOWN
    assert labels.owner_life(beside) is Life.UNKNOWN


def test_a_start_by_another_clock_says_nothing(proc: Proc) -> None:
    proc.process(200, start=900, clock="8")
    assert labels.owner_life(labels.owner(200).replace(":900:", ":4:")) is Life.ALIVE


@pytest.mark.parametrize("lacking", ["sys/kernel/random/boot_id", "100/ns/pid"])
def test_without_a_proc_that_says_so_nobody_is_dead(proc: Proc, lacking: str) -> None:
    proc.process(200)
    owner = labels.owner(200)
    proc.end(200)
    (proc.folder / lacking).unlink()
    assert labels.owner_life(owner) is Life.UNKNOWN
    assert labels.owner_life(labels.owner()) is Life.UNKNOWN


# ---------------------------------------------------------------- labels of other versions, and of nobody


def test_of_an_older_version_only_a_number_is_known(proc: Proc) -> None:
    assert labels.owner_life("host-1:200") is Life.DEAD
    proc.process(200)
    assert labels.owner_life("host-1:200") is Life.UNKNOWN
    assert labels.owner_life("host-2:200") is Life.UNKNOWN
    assert labels.owner_life("host-2:300") is Life.UNKNOWN


def test_a_later_version_is_left_alone() -> None:
    assert labels.owner_life(f"{labels.owner()}:more") is Life.UNKNOWN


@pytest.mark.parametrize(
    "owner", ["", ":", ":1", f"{HOST}:", f"{HOST}:x", f"{HOST}:0", f"{HOST}:-1", f"{HOST}:٣", f"{HOST}:{'9' * 50}"]
)
def test_a_label_that_names_nobody_protects_nothing(owner: str) -> None:
    assert labels.owner_life(owner) is Life.DEAD
    assert not labels.owner_lives(owner)
