"""A Docker engine of the suite's own, which may be killed, stopped and started again without harm to the machine's.

It has its own data, state, socket, containerd and bridge. Wanted: root, ``dockerd`` and ``ip`` on the PATH.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import docker
import pytest

#: Seconds that an engine may take until it answers, on a busy machine.
_UP_SECONDS = 60.0


class SecondEngine:
    """One dockerd with a folder of its own; ended, and its containers with it, by ``close``."""

    def __init__(self, folder: Path, *, live_restore: bool = False) -> None:
        """``folder`` is where its data lie; it is removed by ``close``."""
        self.live_restore = live_restore
        self._folder = folder
        # A socket's path has room for 107 bytes, which pytest's folders can exceed.
        self._short = Path(tempfile.mkdtemp(prefix="dockerd-"))
        self._process: subprocess.Popen[bytes] | None = None
        # An engine without a bridge (--bridge=none) deletes docker0, which is the machine's engine's.
        number = next(n for n in range(256) if not Path(f"/sys/class/net/vt{n}").exists())
        self._bridge = f"vt{number}"
        for words in (f"link add {self._bridge} type bridge", f"addr add 10.213.{number}.1/24 dev {self._bridge}"):
            subprocess.run(["ip", *words.split()], check=True, capture_output=True)  # noqa: S607
        self.socket = self._short / "docker.sock"

    @property
    def address(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def log(self) -> str:
        """What the engine has said so far."""
        return (self._folder / "dockerd.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> SecondEngine:
        """Start it, or start it again, and wait until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "daemon.json"
        config.write_text("{}", encoding="ascii")  # not the machine's own /etc/docker/daemon.json
        command = ["dockerd", f"--data-root={self._folder / 'data'}", f"--exec-root={self._short / 'exec'}",
                   f"--pidfile={self._short / 'pid'}", f"--host={self.address}", f"--config-file={config}",
                   f"--bridge={self._bridge}", "--iptables=false", "--ip-forward=false", "--ip-masq=false",
                   *(["--live-restore"] if self.live_restore else [])]  # fmt: skip
        (self._short / "pid").unlink(missing_ok=True)  # of an engine that was killed
        with (self._folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + _UP_SECONDS
        while not self.answers():
            assert self._process.poll() is None, self.log[-3000:]
            assert time.monotonic() < end, f"no answer in {_UP_SECONDS:.0f} s:\n{self.log[-3000:]}"
            time.sleep(0.05)
        return self

    def answers(self) -> bool:
        """Whether it answers now."""
        try:
            with contextlib.closing(self.client(5)) as client:
                return bool(client.ping())
        except Exception:  # noqa: BLE001 - whatever it is: no answer
            return False

    def client(self, timeout: float = 60) -> docker.DockerClient:
        """A client of it, to be closed by who asked."""
        return docker.DockerClient(base_url=self.address, version="auto", timeout=int(timeout))

    def kill(self) -> None:
        """SIGKILL. Containers go on until the engine starts again, which ends them unless it is to restore them."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        # Its containerd dies with it, but a moment later: an engine that starts meanwhile would take it for a living one.
        file = self._short / "exec" / "containerd" / "containerd.pid"
        with contextlib.suppress(OSError, ValueError):
            pid = int(file.read_text())
            os.kill(pid, signal.SIGKILL)
            while (self._short / "exec").exists() and Path(f"/proc/{pid}").exists():
                time.sleep(0.02)
        file.unlink(missing_ok=True)

    def freeze(self) -> None:
        """It answers nothing any more, and breaks no connection, until ``thaw``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """As ``systemctl stop docker`` does: SIGTERM, and its containers are ended first unless they are to be restored."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def load(self, source: docker.DockerClient, *names: str) -> None:
        """Copy images of another engine into it."""
        with contextlib.closing(self.client(300)) as client:
            for name in names:
                client.images.load(b"".join(source.api.get_image(name)))

    def close(self) -> None:
        """End everything that was started for it, and remove its files."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        # What outlives an engine that was killed: its containerd, the shims, their containers. All name this folder.
        for _ in range(3):
            for pid in self._processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        for place in reversed(self._mounts()):
            subprocess.run(["umount", "-l", place], check=False, capture_output=True)  # noqa: S607
        subprocess.run(["ip", "link", "delete", self._bridge], check=False, capture_output=True)  # noqa: S607
        shutil.rmtree(self._short, ignore_errors=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _processes(self) -> list[int]:
        """Processes of its containerd and shims, with their children, the containers' processes."""
        parents: dict[int, int] = {}
        ours: set[int] = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    if str(self._short).encode() in (entry / "cmdline").read_bytes():
                        ours.add(int(entry.name))
        while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
            ours |= more
        return sorted(ours - {os.getpid()})

    def _mounts(self) -> list[str]:
        places = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
        return [place for place in places if place.startswith((str(self._folder), str(self._short)))]


@pytest.fixture(scope="session")
def _second_engine(
    tmp_path_factory: pytest.TempPathFactory,
    engine: docker.DockerClient,
    base_image: str,
    unavailable: Callable[[str], NoReturn],
) -> Iterator[SecondEngine]:
    if os.geteuid() or not (shutil.which("dockerd") and shutil.which("ip")):
        unavailable("an engine of the suite's own needs root, dockerd and ip")
    second = SecondEngine(tmp_path_factory.mktemp("engine"))
    try:
        second.start()
        second.load(engine, base_image)
        yield second
    finally:
        second.close()


@pytest.fixture
def second_engine(_second_engine: SecondEngine, request: pytest.FixtureRequest) -> Iterator[SecondEngine]:
    """An engine of the suite's own that runs, with the suite's base image in it and no container; whether it is to restore its
    containers is the fixture's parameter (``@pytest.mark.parametrize("second_engine", [True], indirect=True)``)."""
    second, live_restore = _second_engine, bool(getattr(request, "param", False))
    if second.live_restore != live_restore and second.answers():
        second.stop()
    second.live_restore = live_restore
    if not second.answers():
        second.start()
    try:
        yield second
    finally:
        if not second.answers():
            second.start()
        with contextlib.closing(second.client()) as client:
            for container in client.containers.list(all=True):
                container.remove(force=True, v=True)
