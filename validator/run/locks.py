"""One cell a GPU, across all processes and users of a machine: advisory locks on one file a GPU.

The lock is ``flock``: the kernel drops it when its owner dies, however that happens, so there is none to clean up. A file is
never removed, since two processes could then each hold a lock of one name on different files.

A whole GPU is locked exclusively. A MIG device is locked exclusively, and the GPU it is a part of shared: so MIG devices of one
GPU go side by side, and none of them beside a cell that has the whole.

The folder is writable for everyone and what lies in it is not trusted: nothing is read or written there, links are not followed,
and whatever is not a plain file is a stated problem. What another user can do is to hold a lock, which is what locks are for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from validator.model import Gpu

#: Of the folders that every user can write to, the first that is there. Nothing in /run/lock ages, and every boot empties it.
_SHARED = (Path("/run/lock"), Path("/tmp"))  # noqa: S108 - one name that all users must find; see above for what is trusted
_NAME = "torch-matrix-validator"
_OPEN_TO_ALL = stat.S_ISVTX | 0o777
#: UUIDs of old drivers had a ``/`` in them.
_UNFIT = re.compile(r"[^A-Za-z0-9-]", re.ASCII)
#: How long what another process is just making may be closed to us: its mode is set a moment after it is there.
_MAKING_SECONDS = 0.5
#: How often a file may be taken away under our hands before that is somebody's purpose.
_TIDIED_AT_MOST = 10
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class HeldElsewhere:
    """A GPU that another run has."""

    gpu: Gpu
    pid: int | None = None
    """The process that holds it; None where this user cannot see which."""
    user: str | None = None

    @property
    def holder(self) -> str:
        """Who it is, in words."""
        process = "another process" if self.pid is None else f"process {self.pid}"
        return f"{process} of {self.user}" if self.user else process


@dataclass
class Held:
    """GPUs that are ours until ``release``, or until this process ends."""

    gpus: tuple[Gpu, ...]
    problem: str | None = None
    """Why they are not locked against other runs after all, as a sentence; None when they are."""
    _descriptors: list[int] = field(default_factory=list, repr=False)

    def release(self) -> None:
        """Give them back; may be called more than once."""
        while self._descriptors:
            descriptor = self._descriptors.pop()
            with contextlib.suppress(OSError):
                # Closing alone would leave the lock to a process that was forked meanwhile and has the descriptor too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class GpuLocks:
    """Takes locks of GPUs in a folder that all users of the machine share. From any thread; each keeps out the others."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or shared_folder()

    @property
    def unavailable(self) -> str | None:
        """Why nothing can be locked, as a sentence: other runs are then not kept from our GPUs, nor we from theirs."""
        try:
            os.close(_patiently(lambda: _open_folder(self.folder)))
        except _Refused as refused:
            return self._nothing(refused)
        return None

    def take(self, gpus: Sequence[Gpu]) -> Held | HeldElsewhere:
        """All of the GPUs, or who has one of them; does not wait.

        Where they cannot be locked they are given all the same, and ``Held.problem`` says why.
        """
        held = Held(tuple(gpus))
        try:
            folder = _patiently(lambda: _open_folder(self.folder))
        except _Refused as refused:
            held.problem = self._nothing(refused)
            return held
        held._descriptors.append(folder)
        try:
            with contextlib.suppress(OSError):  # systemd-tmpfiles leaves a folder alone that is locked, with all in it
                fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
            # In one order, so that of two runs that want the same several, one gets them all.
            for name, (exclusive, gpu) in sorted(_wanted(gpus).items()):
                elsewhere = self._lock(folder, name, exclusive, gpu, held)
                if elsewhere is not None:
                    held.release()
                    return elsewhere
        except BaseException:
            held.release()
            raise
        return held

    def _lock(self, folder: int, name: str, exclusive: bool, gpu: Gpu, held: Held) -> HeldElsewhere | None:
        """Add the lock of one file to what is held, or say who has it."""
        for _ in range(_TIDIED_AT_MOST):
            try:
                descriptor = _patiently(lambda: _open(folder, name))
            except _Refused as refused:
                held.problem = held.problem or f"The lock of a GPU cannot be used: {self.folder / name} {refused}."
                return None
            held._descriptors.append(descriptor)
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = _holder(os.fstat(descriptor))
                return HeldElsewhere(gpu, pid, None if pid is None else _user(pid))
            except OSError as error:
                held.problem = held.problem or f"The lock of a GPU cannot be used: {self.folder}: {error.strerror}."
                return None
            if _is_still(folder, name, descriptor):
                return None
            os.close(held._descriptors.pop())  # someone tidied the folder between opening and locking
        held.problem = held.problem or f"The lock of a GPU cannot be used: {self.folder / name} is replaced again and again."
        return None

    def _nothing(self, refused: _Refused) -> str:
        return f"GPUs cannot be locked against other runs on this machine: {self.folder} {refused}."


def shared_folder() -> Path:
    """Where all users of this machine look for locks: it depends on nothing that differs between them."""
    *preferred, last = _SHARED
    for folder in preferred:
        with contextlib.suppress(OSError):
            mode = os.lstat(folder).st_mode
            if stat.S_ISDIR(mode) and mode & _OPEN_TO_ALL == _OPEN_TO_ALL:
                return folder / _NAME
    return last / _NAME


class _Refused(Exception):
    """Something in the way that is not as it must be. Its text goes on after the name of it."""


class _Closed(_Refused):
    """It is there, and not open to this user; perhaps it is only just being made."""


def _patiently(open_it: Callable[[], int]) -> int:
    """What ``open_it`` gives, where it is closed to us asked again for a moment."""
    until = time.monotonic() + _MAKING_SECONDS
    while True:
        try:
            return open_it()
        except _Closed:
            if time.monotonic() > until:
                raise
        time.sleep(0.01)


def _open_folder(path: Path) -> int:
    """The folder, made where it is not there."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            folder = os.open(path, flags)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
            folder = os.open(path, flags)
    except PermissionError:
        raise _Closed("is closed to this user") from None
    except NotADirectoryError:
        raise _Refused("is a link, or no folder") from None
    except OSError as error:
        raise _Refused(f"cannot be opened ({error.strerror})") from None
    try:
        status = os.fstat(folder)
        mode = stat.S_IMODE(status.st_mode)
        if mode != _OPEN_TO_ALL and status.st_uid == os.geteuid():
            os.fchmod(folder, _OPEN_TO_ALL)
        elif mode & 0o002 and not mode & stat.S_ISVTX:
            raise _Refused("is open to all without the sticky bit, so that anyone can take a lock away (`chmod 1777` mends it)")
    except BaseException:
        os.close(folder)
        raise
    return folder


def _wanted(gpus: Sequence[Gpu]) -> dict[str, tuple[bool, Gpu]]:
    """Names of files: whether each is to be locked exclusively, and the GPU it is for."""
    wanted: dict[str, tuple[bool, Gpu]] = {}
    for gpu in gpus:
        if gpu.in_slices:
            wanted.setdefault(_file(gpu.uuid), (False, gpu))
        wanted[_file(gpu.device_uuid)] = (True, gpu)
    return wanted


def _file(uuid: str | None) -> str:
    return f"gpu-{_UNFIT.sub('_', uuid or '')[:200]}.lock"


def _open(folder: int, name: str) -> int:
    """The file, made where it is not there. Only for reading, which is enough for ``flock`` whoever owns the file."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            descriptor = os.open(name, flags, dir_fd=folder)
        except FileNotFoundError:
            # Never O_CREAT on what is there: the kernel refuses that for another's file (fs.protected_regular).
            descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
            os.fchmod(descriptor, 0o644)  # whatever the umask
    except (PermissionError, FileExistsError):
        raise _Closed("is closed to this user") from None
    except OSError as error:
        raise _Refused(f"cannot be opened ({error.strerror})") from None
    status = os.fstat(descriptor)
    # A second name could make us hold the lock of something that has nothing to do with GPUs.
    if stat.S_ISREG(status.st_mode) and status.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise _Refused("is not a plain file of one name")


def _is_still(folder: int, name: str, descriptor: int) -> bool:
    """Whether what was locked is what others will find under the name."""
    try:
        named = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


def _holder(status: os.stat_result) -> int | None:
    """The process that has a lock on a file, from /proc/locks: ``1: FLOCK ADVISORY WRITE 4711 fe:00:1507397 0 EOF``."""
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    try:
        lines = _LOCKS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()  # one that waits for a lock has an arrow in the second place
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == f"{device}:{status.st_ino}":
            pid = int(words[4]) if words[4].isdecimal() else 0
            if pid and Path(f"/proc/{pid}").exists():  # 0: of another PID namespace; gone: a child of it holds on
                return pid
    return None


def _user(pid: int) -> str | None:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
