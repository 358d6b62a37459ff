"""Locks of GPUs: between real processes, threads and users; what a hostile folder can do; what is left of a dead owner's."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from values import T4

from validator.base.resources import PACKAGE
from validator.model import Gpu
from validator.run import locks
from validator.run.locks import GpuLocks, Held, HeldElsewhere, shared_folder

SECOND_T4 = replace(T4, index=1, uuid="GPU-2222")
A100 = Gpu(index=2, uuid="GPU-3333", name="NVIDIA A100-SXM4-80GB", mig_enabled=True, mig_devices=("MIG-1", "MIG-2"))
SLICE_1, SLICE_2 = (replace(A100, mig_devices=(device,)) for device in A100.mig_devices)
WHOLE_A100 = replace(A100, mig_enabled=False, mig_devices=())

NOBODY = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "locks"


@pytest.fixture
def gpu_locks(folder: Path) -> GpuLocks:
    return GpuLocks(folder)


@pytest.fixture
def public(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder that other users can reach, unlike pytest's own."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="validator-locks-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


#: Takes locks as another process and, given a number, as another user: prints what came of it, then holds them until it is told
#: to end.
OTHER = """
import json, os, sys
from pathlib import Path
from validator.model import Gpu
from validator.run.locks import GpuLocks, Held
folder, uid, umask, gpus = json.loads(sys.argv[1])
if uid is not None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
if umask is not None:
    os.umask(umask)
for fields in gpus:
    fields["mig_devices"] = tuple(fields["mig_devices"])
taken = GpuLocks(Path(folder)).take([Gpu(**fields) for fields in gpus])
problem = taken.problem if isinstance(taken, Held) else None
print(json.dumps([isinstance(taken, Held), problem, getattr(taken, "pid", None), getattr(taken, "user", None)]), flush=True)
sys.stdin.read()
"""

Other = Callable[..., "subprocess.Popen[str]"]


def fields(gpu: Gpu) -> dict[str, object]:
    return {
        "index": gpu.index,
        "uuid": gpu.uuid,
        "name": gpu.name,
        "mig_enabled": gpu.mig_enabled,
        "mig_devices": gpu.mig_devices,
    }


@pytest.fixture
def other() -> Iterator[Other]:
    """Starts another process that takes locks; whatever still runs at the end is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, *gpus: Gpu, uid: int | None = None, umask: int | None = None) -> subprocess.Popen[str]:
        asked = json.dumps([str(folder), uid, umask, [fields(gpu) for gpu in gpus]])
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER, asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PACKAGE.parent
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(BrokenPipeError):
            process.communicate()


def said(process: subprocess.Popen[str]) -> list[object]:
    """Whether it has the locks, their problem, and who has them if it has not."""
    assert process.stdout
    return json.loads(process.stdout.readline())


def take(gpu_locks: GpuLocks, *gpus: Gpu) -> Held:
    held = gpu_locks.take(gpus)
    assert isinstance(held, Held)
    assert held.problem is None
    return held


def is_free(gpu_locks: GpuLocks, *gpus: Gpu) -> bool:
    held = gpu_locks.take(gpus)
    if isinstance(held, Held):
        held.release()
    return isinstance(held, Held)


# ---------------------------------------------------------------- who has what


def test_a_gpu_is_had_once_and_again_after_its_release(gpu_locks: GpuLocks) -> None:
    with take(gpu_locks, T4) as held:
        assert held.gpus == (T4,)
        assert gpu_locks.take([T4]) == HeldElsewhere(T4, os.getpid(), "root" if os.geteuid() == 0 else locks._user(os.getpid()))
        assert is_free(gpu_locks, SECOND_T4)
    assert is_free(gpu_locks, T4)
    held.release()
    assert is_free(gpu_locks, T4)


@pytest.mark.parametrize(
    ("one", "another", "both"),
    [
        pytest.param(SLICE_1, SLICE_2, True, id="two MIG devices of one GPU"),
        pytest.param(SLICE_1, SLICE_1, False, id="one MIG device twice"),
        pytest.param(SLICE_1, WHOLE_A100, False, id="a MIG device, then its GPU"),
        pytest.param(WHOLE_A100, SLICE_1, False, id="a GPU, then its MIG device"),
        pytest.param(WHOLE_A100, T4, True, id="two GPUs"),
    ],
)
def test_which_two_can_be_had_together(gpu_locks: GpuLocks, one: Gpu, another: Gpu, both: bool) -> None:
    with take(gpu_locks, one):
        assert is_free(gpu_locks, another) is both
    assert is_free(gpu_locks, another)


def test_a_gpu_is_held_until_the_last_of_its_mig_devices_is_given_back(gpu_locks: GpuLocks) -> None:
    first, second = take(gpu_locks, SLICE_1), take(gpu_locks, SLICE_2)
    first.release()
    assert not is_free(gpu_locks, WHOLE_A100)
    second.release()
    assert is_free(gpu_locks, WHOLE_A100)


@pytest.mark.parametrize("taken", [T4, SECOND_T4])
def test_of_several_all_are_had_or_none(gpu_locks: GpuLocks, taken: Gpu) -> None:
    free = SECOND_T4 if taken is T4 else T4
    with take(gpu_locks, taken):
        elsewhere = gpu_locks.take([T4, SECOND_T4])
        assert isinstance(elsewhere, HeldElsewhere)
        assert elsewhere.gpu == taken
        assert is_free(gpu_locks, free)
    with take(gpu_locks, SECOND_T4, T4):
        assert not is_free(gpu_locks, T4)
        assert not is_free(gpu_locks, SECOND_T4)


def test_several_can_be_mig_devices_of_one_gpu_and_the_gpu_itself(gpu_locks: GpuLocks) -> None:
    with take(gpu_locks, SLICE_1, SLICE_2, T4):
        assert not is_free(gpu_locks, WHOLE_A100)
    for both in ([SLICE_1, WHOLE_A100], [WHOLE_A100, SLICE_1]):
        with take(gpu_locks, *both):
            assert not is_free(gpu_locks, SLICE_2)


def test_none_at_all_is_had_by_everyone(gpu_locks: GpuLocks) -> None:
    with take(gpu_locks), take(gpu_locks):
        pass


def test_of_many_threads_one_has_it(gpu_locks: GpuLocks) -> None:
    barrier, taken = threading.Barrier(8), []

    def contend() -> None:
        barrier.wait()
        taken.append(gpu_locks.take([T4, SLICE_1]))

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, Held) and one.problem is None for one in taken) == 1
    assert len(taken) == 8


def test_a_uuid_of_an_old_driver_is_no_path(gpu_locks: GpuLocks, folder: Path) -> None:
    old = replace(SLICE_1, mig_devices=("MIG-GPU-5a1f/../../3/0",))
    with take(gpu_locks, old):
        assert not is_free(gpu_locks, old)
    assert sorted(path.name for path in folder.iterdir()) == ["gpu-GPU-3333.lock", "gpu-MIG-GPU-5a1f_______3_0.lock"]


# ---------------------------------------------------------------- other processes


def test_another_process_is_kept_out_and_named(gpu_locks: GpuLocks, folder: Path, other: Other) -> None:
    holder = other(folder, T4)
    assert said(holder)[0] is True
    elsewhere = gpu_locks.take([T4])
    assert isinstance(elsewhere, HeldElsewhere)
    assert elsewhere.pid == holder.pid
    assert elsewhere.holder == f"process {holder.pid} of {elsewhere.user}"
    with take(gpu_locks, SECOND_T4):
        assert said(other(folder, SECOND_T4)) == [False, None, os.getpid(), elsewhere.user]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_dead_owner_is_void(gpu_locks: GpuLocks, folder: Path, other: Other, number: int) -> None:
    holder = other(folder, T4, SLICE_1)
    said(holder)
    assert not is_free(gpu_locks, T4)
    holder.send_signal(number)
    holder.wait()
    assert is_free(gpu_locks, T4, WHOLE_A100)


def test_a_process_that_was_started_meanwhile_does_not_keep_it(gpu_locks: GpuLocks) -> None:
    with take(gpu_locks, T4):
        child = subprocess.Popen(["/bin/sleep", "60"], close_fds=False)
    try:
        assert is_free(gpu_locks, T4)
    finally:
        child.kill()
        child.wait()


def test_nor_does_one_that_was_forked(gpu_locks: GpuLocks) -> None:
    held = take(gpu_locks, T4)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    held.release()
    assert is_free(gpu_locks, T4)
    os.close(write)
    os.waitpid(child, 0)
    os.close(read)


@root_only
@pytest.mark.parametrize("first", [0, NOBODY])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_another_user_is_kept_out_too_whoever_came_first(public: Path, other: Other, first: int, umask: int) -> None:
    os.chmod(public, 0o1777)
    folder = public / "locks"
    second = NOBODY - first
    holder = other(folder, T4, SLICE_1, uid=first, umask=umask)
    assert said(holder)[:2] == [True, None]
    who = "root" if first == 0 else locks._user(holder.pid)
    assert said(other(folder, T4, uid=second)) == [False, None, holder.pid, who]
    assert said(other(folder, WHOLE_A100, uid=second))[0] is False
    assert said(other(folder, SLICE_2, SECOND_T4, uid=second, umask=umask))[:2] == [True, None]
    assert said(other(folder, SECOND_T4, uid=first))[:2] == [False, None]
    holder.kill()
    holder.wait()
    assert said(other(folder, T4, uid=second))[:2] == [True, None]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("", id="nothing is shown"),
        pytest.param("1: FLOCK  ADVISORY  WRITE 0 {at} 0 EOF", id="a process of another PID namespace"),
        pytest.param("1: FLOCK  ADVISORY  WRITE 4194305 {at} 0 EOF", id="a process that is gone"),
        pytest.param("1: POSIX  ADVISORY  WRITE {pid} {at} 0 EOF", id="another kind of lock"),
        pytest.param("1: -> FLOCK  ADVISORY  WRITE {pid} {at} 0 EOF", id="one that waits"),
        pytest.param("1: FLOCK  ADVISORY  WRITE {pid} 00:01:1 0 EOF\nnonsense", id="another file"),
    ],
)
def test_a_holder_that_cannot_be_seen_is_not_named(
    gpu_locks: GpuLocks, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str
) -> None:
    with take(gpu_locks, T4):
        status = (folder / "gpu-GPU-1111.lock").stat()
        at = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        (tmp_path / "proc-locks").write_text(lines.format(at=at, pid=os.getpid()))
        for path in (tmp_path / "proc-locks", tmp_path / "absent"):
            monkeypatch.setattr(locks, "_LOCKS", path)
            elsewhere = gpu_locks.take([T4])
            assert elsewhere == HeldElsewhere(T4)
            assert elsewhere.holder == "another process"


def test_a_holder_in_proc_locks_is_the_one_of_the_file(
    gpu_locks: GpuLocks, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with take(gpu_locks, T4):
        status = (folder / "gpu-GPU-1111.lock").stat()
        at = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        (tmp_path / "proc-locks").write_text(
            f"7: FLOCK  ADVISORY  WRITE 1 {at}9 0 EOF\n8: FLOCK ADVISORY READ {os.getppid()} {at} 0 EOF"
        )
        monkeypatch.setattr(locks, "_LOCKS", tmp_path / "proc-locks")
        assert gpu_locks.take([T4]) == HeldElsewhere(T4, os.getppid(), locks._user(os.getppid()))


# ---------------------------------------------------------------- the folder


def test_nothing_is_in_the_way_of_a_folder_that_is_not_there(gpu_locks: GpuLocks, folder: Path) -> None:
    assert gpu_locks.unavailable is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert gpu_locks.unavailable is None


def test_its_lock_keeps_tmpfiles_away(gpu_locks: GpuLocks, folder: Path) -> None:
    with take(gpu_locks, T4):
        descriptor = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert isinstance(gpu_locks.take([T4]), Held)  # and one who locks the folder does not keep us from our locks
    os.close(descriptor)


def test_no_descriptor_is_left_open(gpu_locks: GpuLocks, folder: Path) -> None:
    with take(gpu_locks, T4):  # the first time makes the files
        is_free(gpu_locks, T4, SECOND_T4, SLICE_1)
    (folder / "gpu-GPU-2222.lock").unlink(missing_ok=True)
    (folder / "gpu-GPU-2222.lock").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    with take(gpu_locks, T4):
        for _ in range(3):
            gpu_locks.take([SECOND_T4, T4])
            is_free(gpu_locks, SECOND_T4)
            assert gpu_locks.unavailable is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_was_tidied_away_is_not_the_lock_any_more(
    gpu_locks: GpuLocks, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = folder / "gpu-GPU-1111.lock", []
    real = locks._open

    def tidied(descriptor: int, name: str) -> int:
        opened.append(real(descriptor, name))
        if len(opened) == 1:
            path.unlink()
        if len(opened) == 2:
            path.unlink()
            path.touch()
        return opened[-1]

    monkeypatch.setattr(locks, "_open", tidied)
    with take(gpu_locks, T4):
        assert len(opened) == 3
        monkeypatch.setattr(locks, "_open", real)
        assert not is_free(gpu_locks, T4)


def in_place_of_the_file(kind: str, path: Path, elsewhere: Path) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "second name":
        elsewhere.touch()
        os.link(elsewhere, path)
    else:
        if kind == "link":
            elsewhere.touch()
        path.symlink_to(elsewhere)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "dangling link", "second name"])
def test_what_is_no_lock_file_is_a_stated_problem(gpu_locks: GpuLocks, folder: Path, tmp_path: Path, kind: str) -> None:
    assert gpu_locks.unavailable is None
    in_place_of_the_file(kind, folder / "gpu-GPU-1111.lock", tmp_path / "elsewhere")
    held = gpu_locks.take([T4, SECOND_T4])
    assert isinstance(held, Held)
    assert held.gpus == (T4, SECOND_T4)
    assert str(folder / "gpu-GPU-1111.lock") in (held.problem or "")
    assert "replaced" not in (held.problem or "")
    assert not is_free(gpu_locks, SECOND_T4)  # what can be locked is
    held.release()
    assert kind != "dangling link" or not (tmp_path / "elsewhere").exists()


def test_a_file_that_is_replaced_again_and_again_is_a_stated_problem(
    gpu_locks: GpuLocks, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = locks._open

    def replaced(descriptor: int, name: str) -> int:
        opened = real(descriptor, name)
        (folder / name).unlink()
        return opened

    monkeypatch.setattr(locks, "_open", replaced)
    before = len(os.listdir("/proc/self/fd"))
    held = gpu_locks.take([T4])
    assert isinstance(held, Held)
    assert "replaced again and again" in (held.problem or "")
    held.release()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "not sticky"])
def test_what_is_no_folder_for_locks_is_a_stated_problem(
    folder: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    if kind == "file":
        folder.touch()
    elif kind == "not sticky":
        folder.mkdir()
        folder.chmod(0o777)
        monkeypatch.setattr(os, "geteuid", lambda: 4711)  # our own would be mended
    else:
        folder.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "absent"))
    gpu_locks = GpuLocks(folder)
    held = gpu_locks.take([T4])
    assert isinstance(held, Held)
    assert held.problem == gpu_locks.unavailable
    assert str(folder) in (held.problem or "")
    held.release()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "absent").exists()


def test_our_own_folder_with_another_mode_is_mended(gpu_locks: GpuLocks, folder: Path) -> None:
    folder.mkdir(0o700)
    assert gpu_locks.unavailable is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777


@root_only
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_folder_that_is_closed_to_this_user_is_a_stated_problem(public: Path, other: Other, mode: int) -> None:
    folder = public / "locks"
    folder.mkdir()
    folder.chmod(mode)
    got, problem, *_ = said(other(folder, T4, uid=NOBODY))
    assert got is True
    assert "is closed to this user" in str(problem)


@root_only
def test_so_is_a_file(public: Path, other: Other) -> None:
    folder = public / "locks"
    assert GpuLocks(folder).unavailable is None
    (folder / "gpu-GPU-1111.lock").touch(0o600)
    got, problem, *_ = said(other(folder, T4, uid=NOBODY))
    assert got is True
    assert f"{folder}/gpu-GPU-1111.lock is closed to this user" in str(problem)


def test_where_nothing_can_be_made_is_a_stated_problem() -> None:
    held = GpuLocks(Path("/proc/locks-of-gpus")).take([T4])
    assert isinstance(held, Held)
    assert "/proc/locks-of-gpus cannot be opened" in (held.problem or "")


def test_a_file_system_without_locks_is_a_stated_problem(gpu_locks: GpuLocks, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    held = gpu_locks.take([T4])
    assert isinstance(held, Held)
    assert "Function not implemented" in (held.problem or "")
    held.release()


@pytest.mark.parametrize(
    ("mode", "chosen"), [(0o1777, "first"), (0o777, "second"), (0o1775, "second"), (None, "second"), ("link", "second")]
)
def test_the_folder_is_the_first_that_every_user_can_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int | str | None, chosen: str
) -> None:
    first = tmp_path / "first"
    if mode == "link":
        first.symlink_to("/tmp")
    elif mode is not None:
        first.mkdir()
        first.chmod(mode)
    monkeypatch.setattr(locks, "_SHARED", (first, tmp_path / "second"))
    assert shared_folder() == tmp_path / chosen / "torch-matrix-validator"
    assert GpuLocks().folder == shared_folder()
