"""Environments of the local runner: virtual environments made by uv, one for each distinct request, kept for the next run.

torch is installed in two steps: first torch alone from PyTorch's channel alone, then everything with the configured
sources (the channel after them, for what lies nowhere else). In one step neither of uv's index strategies keeps torch on the
channel: with first-index a folder of find-links still wins with a greater local label (2.13.0+cu130 where cu128 was asked),
and the old copies of numpy or requests on the channel hide the index's; with best-match every index is a candidate for torch.
An installed torch that fulfils the requirement is kept by the second step. The same two steps make the images.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from validator.base.errors import AcquireError, InterruptedRunError, InvalidInputError
from validator.base.resources import shipped_folder
from validator.base.stopping import Stop
from validator.model import BuiltImage, Environment, HostInterpreter, PackageOptions
from validator.runners.base import OnLine
from validator.runners.local import contents
from validator.runners.local.uses import use
from validator.runners.local.uv_process import run_uv
from validator.runners.packages.channels import Channel, address, channel
from validator.runners.packages.sources import PackageSources, configured, torch_requirement

_LOCK_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class MadeEnvironment:
    """An environment that is ready."""

    python: Path
    """Its interpreter."""
    key: str
    """Hash of what was asked for; empty for an interpreter of the host."""
    notes: tuple[str, ...]
    """What the report must say about how it was made."""
    reused: bool
    """Whether it was there already."""
    identity: str | None = None
    """A hash of all that is in it and bends what it does; None where that cannot be known."""


def default_root() -> Path:
    """Where environments are kept: ``torch-matrix-validator/envs`` in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "torch-matrix-validator" / "envs"


def ensure(
    environment: Environment,
    options: PackageOptions,
    root: Path,
    *,
    on_line: OnLine | None = None,
    timeout_seconds: float = 3600,
    run_id: str = "",
    stop: Stop | None = None,
) -> MadeEnvironment:
    """The environment's interpreter: the one the matrix names, or that of a virtual environment under ``root``.

    A virtual environment is made under another name and renamed when complete, so any that exists is whole; a lock keeps two
    runs, or two threads, from making the same one. ``on_line`` gets each line of progress. Raises AcquireError when it cannot
    be made within ``timeout_seconds``, InterruptedRunError once ``stop`` is asked, and InvalidInputError for an interpreter that
    is not one or a configuration that cannot be read.
    """
    source = environment.source
    if isinstance(source, HostInterpreter):
        interpreter = _interpreter(environment, source)
        return MadeEnvironment(interpreter, "", notes=(), reused=True, identity=contents.of_interpreter(interpreter))
    if not isinstance(source, BuiltImage):
        raise AcquireError(f"{environment.id} is an image", hint="measure it with --runner docker")
    report, stop = on_line or (lambda line: None), stop or Stop()
    deadline = time.monotonic() + timeout_seconds
    sources = configured(options)
    # One whose torch came from the channel is used again without asking the channel, and so without a network.
    recipe = _Recipe(environment, source, sources, Channel(address(environment, options, sources), reachable=True))
    if not _python(root / recipe.key()).exists():
        recipe = _Recipe(environment, source, sources, channel(environment, options, sources))
    notes = recipe.notes()
    folder = root / recipe.key()
    python = _python(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock"), deadline, environment, report, stop):
            if python.exists():  # False also for a link to a base interpreter that is gone
                use(folder)
                return MadeEnvironment(python, folder.name, notes, reused=True, identity=contents.of_environment(folder))
            partial = folder.with_suffix(".partial")
            for leftover in (partial, folder):
                _remove(leftover)
            try:
                recipe.make(partial, report, deadline, run_id, stop)
                partial.rename(folder)
                use(folder)
            finally:
                _remove(partial)
            identity = contents.of_environment(folder)
    except OSError as error:
        raise AcquireError(
            f"the virtual environment of {environment.id} cannot be kept under {root}",
            why=error.strerror or str(error),
            hint="free some space or correct the folder's permissions; XDG_CACHE_HOME moves it elsewhere",
        ) from error
    return MadeEnvironment(python, folder.name, notes, reused=False, identity=identity)


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _interpreter(environment: Environment, source: HostInterpreter) -> Path:
    # abspath, not resolve: the interpreter of a virtual environment is a link, and is that environment by its own name only.
    path = Path(os.path.abspath(source.path.expanduser()))
    if not path.is_file():
        problem = "is not a file" if path.exists() else "does not exist"
    elif not os.access(path, os.X_OK):
        problem = "is not executable"
    else:
        return path
    raise InvalidInputError(
        f"{environment.where}: the interpreter {path} {problem}",
        hint="name a Python interpreter of this machine, such as /usr/bin/python3 or .venv/bin/python",
    )


@dataclass(frozen=True)
class _Recipe:
    """What goes into a virtual environment, and from where."""

    environment: Environment
    source: BuiltImage
    sources: PackageSources
    channel: Channel

    @property
    def python(self) -> str:
        return self.environment.python or sys.executable

    @property
    def torch(self) -> str:
        return torch_requirement(self.environment, self.sources, channel_used=self.channel.used is not None)

    def key(self) -> str:
        """Hash of everything that decides the content, without secrets."""
        content = {
            "torch": self.torch,
            "channel": self.environment.channel,
            "torch from": self.channel.identity,
            "python": self.environment.python or [platform.python_version(), sys.base_prefix],
            "requirements": self.source.requirements,
            "sources": self.sources.identity(),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def notes(self) -> tuple[str, ...]:
        notes = [self.channel.note] if self.channel.note else []
        if not self.source.context.is_relative_to(shipped_folder()):
            notes.append(
                "a virtual environment with torch and the requirements was made; "
                f"the Dockerfile in {self.source.context} was not used"
            )
        return tuple(notes)

    def make(self, folder: Path, on_line: OnLine, deadline: float, run_id: str, stop: Stop) -> None:
        """Make it in ``folder``, which may be renamed afterwards."""

        def uv(*arguments: str, index: Mapping[str, str]) -> None:
            run_uv(
                arguments,
                self._variables(index),
                what=self.environment.id,
                on_line=on_line,
                deadline=deadline,
                run_id=run_id,
                stop=stop,
            )

        # --relocatable: scripts find the interpreter beside them, so that the folder can be renamed.
        uv("venv", "--relocatable", "--python", self.python, str(folder), index={})
        install = ("pip", "install", "--python", str(_python(folder)))
        extra = list(self.sources.extra_indexes)
        if self.channel.used:
            uv(*install, "--no-deps", self.torch, index={"UV_DEFAULT_INDEX": self.channel.used})
            extra.append(self.channel.used)
        index = {
            "UV_DEFAULT_INDEX": self.sources.index or "",
            "UV_INDEX": " ".join(extra),
            "UV_FIND_LINKS": ",".join(self.sources.find_links),
        }
        uv(
            *install,
            "--index-strategy=unsafe-best-match",  # all sources are equal, as for pip
            *(["--no-index"] if self.sources.no_index else []),  # a switch: not every uv has a variable for it
            self.torch,
            *self.source.requirements,
            index=index,
        )

    def _variables(self, index: Mapping[str, str]) -> dict[str, str]:
        """uv's environment. Sources go in it rather than on the command line, which every user of the machine can read."""
        sources = self.sources
        variables = {
            **index,
            **sources.proxies,
            "UV_INSECURE_HOST": " ".join(sources.trusted_hosts),
            "SSL_CERT_FILE": str(sources.certificate or ""),
            "SSL_CLIENT_CERT": str(sources.client_certificate or ""),
        }
        return {name: value for name, value in variables.items() if value}


@contextmanager
def _locked(file: Path, deadline: float, environment: Environment, on_line: OnLine, stop: Stop) -> Iterator[None]:
    """Hold the lock of one environment, which the kernel drops when the process ends, however it ends."""
    with file.open("a") as handle:
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop.asked:
                    raise InterruptedRunError(
                        f"waiting for the virtual environment of {environment.id} was given up", why="the run is to end"
                    ) from None
                if not told:
                    on_line(f"another run is making the environment of {environment.id}; waiting for it")
                    told = True
                if time.monotonic() > deadline:
                    raise AcquireError(
                        f"the virtual environment of {environment.id} is being made by another run, and was not ready in time",
                        hint="wait for the other run, or end it",
                    ) from None
                stop.wait(_LOCK_POLL_SECONDS)
        yield


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
