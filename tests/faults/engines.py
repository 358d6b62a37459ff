"""Container engines of the gallery's own: a second dockerd on its own socket and data, and what NVIDIA's hook would answer."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import docker
from harness import wait_for

#: A stand-in for nvidia-container-runtime-hook, which dockerd registers as the driver "nvidia" when it finds it in its PATH.
#: It reads NVIDIA_REQUIRE_CUDA out of the container's own configuration, as the real one does, and answers in the words of
#: nvidia-container-cli: there is no GPU and no driver here to have the real one.
HOOK = """\
#!/usr/bin/env python3
import json, os, re, sys

CUDA_DRIVER = (12, 2)
state = json.load(sys.stdin)
with open(os.path.join(state["bundle"], "config.json")) as file:
    env = dict(line.split("=", 1) for line in json.load(file)["process"]["env"])
kind = "%(kind)s"
if kind == "idle":
    sys.exit(0)  # says that all went well, and has put no GPU in
if kind == "broken":
    sys.exit("nvidia-container-cli: ldcache error: process /sbin/ldconfig failed with error code: 1")
wanted = re.search(r"cuda>=(\\d+)\\.(\\d+)", env.get("NVIDIA_REQUIRE_CUDA", ""))
if wanted and tuple(map(int, wanted.groups())) > CUDA_DRIVER:
    sys.exit(
        "nvidia-container-cli: requirement error: unsatisfied condition: %%s, "
        "please update your driver to a newer version, or use an earlier cuda container" %% wanted.group()
    )
"""


class SecondEngine:
    """A dockerd with nothing in it; everything of it is gone after ``stop``."""

    def __init__(self, hook: str | None = None, options: Sequence[str] = ()) -> None:
        self.options = tuple(options)
        """More options of dockerd; what is set here counts from the next ``start`` on."""
        # A short path: the name of a unix socket has room for some hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="validator-engine-"))
        self.socket = self.folder / "docker.sock"
        self.address = f"unix://{self.socket}"
        self._namespace = f"validator-{secrets.token_hex(6)}"
        self._path = os.environ["PATH"]
        if hook is not None:
            file = self.folder / "bin" / "nvidia-container-runtime-hook"
            file.parent.mkdir()
            file.write_text(HOOK % {"kind": hook}, encoding="utf-8")
            file.chmod(0o755)
            self._path = f"{file.parent}:{self._path}"
        self.start()

    def start(self) -> None:
        # In a network of its own: a dockerd without a bridge removes the docker0 that it finds, which would be another engine's.
        command = [
            "unshare", "--net", "--",
            "setpriv", "--pdeathsig", "TERM", "--",  # it must not outlive a suite that is killed
            "dockerd", "--host", self.address, "--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec"),
            "--pidfile", str(self.folder / "pid"), "--bridge", "none", "--iptables=false", "--ip6tables=false",
            "--containerd-namespace", self._namespace, "--containerd-plugins-namespace", f"{self._namespace}-plugins",
            *self.options,
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "PATH": self._path}
            )
        self.client: docker.DockerClient = wait_for("the second engine", self._answering)

    def _answering(self) -> docker.DockerClient | None:
        assert self._process.poll() is None, (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
        with suppress(Exception):  # it does not listen yet
            return docker.DockerClient(self.address, version="auto", timeout=120)
        return None

    def load(self, engine: docker.DockerClient, *images: str) -> None:
        """Copy images of another engine in."""
        archive = engine.api.get_image(list(images) if len(images) > 1 else images[0], chunk_size=1 << 22)
        list(self.client.api.load_image(archive))  # a stream: an image of gigabytes is never held

    def forbid(self) -> None:
        """Give its socket to another user, as that of a stranger's rootless engine."""
        self.socket.chmod(0o600)
        os.chown(self.socket, 65534, 65534)

    def allow(self) -> None:
        """Take the socket back."""
        os.chown(self.socket, 0, 0)

    def kill(self) -> None:
        """End it at once, as a crash does: its containers run on."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Remove its containers, end it, and remove what it kept."""
        try:
            if self._process.poll() is not None:
                self.start()  # only it can remove what it left running
            for container in self.client.containers.list(all=True):
                container.remove(force=True, v=True)
        finally:
            self.client.close()
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            for mount in self._mounts():
                subprocess.run(["umount", mount], check=False)  # noqa: S607 - that of the system
            shutil.rmtree(self.folder)

    def _mounts(self) -> list[str]:
        """What an engine that was killed left mounted in its folder, the deepest first."""
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        return sorted((line.split()[1] for line in lines if line.split()[1].startswith(str(self.folder))), reverse=True)
