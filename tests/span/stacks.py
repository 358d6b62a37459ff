"""The stacks of ``stacks.yaml``, and one run of the validator on each, in an environment that is made for it and removed."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.errors import APIError, BuildError

ROOT = Path(__file__).resolve().parents[2]
#: On everything made in the engine for a stack, with the stack's id; images inherit it from their base, first stages too.
LABEL = "validator.span"


class Unavailable(Exception):
    """A stack cannot be made on this machine; the text says what is missing."""


@dataclass(frozen=True)
class Stack:
    """One torch in one Python."""

    id: str
    torch: str
    numpy: str
    """Requirement that is installed beside torch."""
    base: str | None = None
    """Debian suite of the container; None for an interpreter of this machine."""
    python: str | None = None
    """Version of this machine's interpreter, such as 3.6."""


def load() -> list[Stack]:
    """Every stack of the list, in its order."""
    rows = yaml.safe_load((Path(__file__).parent / "stacks.yaml").read_text(encoding="utf-8"))
    return [Stack(id=name, **row) for name, row in rows.items()]


def chosen(globs: tuple[str, ...]) -> list[Stack]:
    """The stacks whose id or torch version matches any of the globs; without globs all."""
    return [
        stack
        for stack in load()
        if not globs or any(fnmatchcase(name, glob) for glob in globs for name in (stack.id, stack.torch))
    ]


def measure(stack: Stack, folder: Path, runner: str, *, keep: bool) -> Mapping[str, Any]:
    """results.json of the validator's run on one stack. Raises Unavailable, or RuntimeError with the validator's words."""
    local = runner == "local" and stack.python is None
    make = _image(stack, keep) if stack.base and not local else _interpreter(stack, folder, keep)
    with make as environment:
        matrix = {
            "version": "1",
            "environments": [{"name": stack.id, "cuda": "cpu", **environment}],
            "build": {"network": "host"},
            # The index's own builds are asked for, on machines that reach PyTorch's channel, too.
            "packages": {"channel_url": ""},
            "limits": {"timeout": "15m"},
        }
        file = folder / "matrix.yaml"
        file.write_text(json.dumps(matrix), encoding="utf-8")
        command = [sys.executable, "-m", "validator", "run", "-m", str(file), "--out", str(folder / "out")]
        command += ["--runner", "docker" if "build" in environment else "local"]
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        results = folder / "out" / "latest" / "results.json"
        if not results.is_file():
            raise RuntimeError(f"no results.json; exit {done.returncode}: {done.stderr[-2000:]}")
        return dict(json.loads(results.read_text(encoding="utf-8")))


@contextmanager
def _image(stack: Stack, keep: bool) -> Iterator[Mapping[str, Any]]:
    """An entry of a matrix that builds the stack on its suite; every layer made for it is removed afterwards."""
    client = docker.from_env(timeout=300)
    tag = f"validator-span/base:{stack.id}"
    _build(client, tag, f"FROM {_suite(client, str(stack.base))}\nLABEL {LABEL}={stack.id}\n")
    try:
        yield {
            "build": str(Path(__file__).parent / "image"),
            "torch": stack.torch,
            "args": {"BASE_IMAGE": tag},
            "requirements": [stack.numpy],
        }
    finally:
        # Layers of failed builds have no name and go always. One that another client removes at this moment is gone as well.
        mine = {"label": f"{LABEL}={stack.id}"}
        found = client.images.list(filters=mine) if not keep else client.images.list(filters={**mine, "dangling": True})
        for name in [name for image in found for name in image.tags or [image.id]]:
            with suppress(APIError):
                client.images.remove(name, force=True)
        client.close()


def _suite(client: docker.DockerClient, name: str) -> str:
    """A Debian suite with Python, venv and what torch.compile needs: a compiler and Python's headers. Made once, and kept."""
    subprocess.run([str(ROOT / "tests" / "images" / "make_base.sh"), name], check=True, stdin=subprocess.DEVNULL)
    install = "apt-get update -q && apt-get install -y -q --no-install-recommends g++ python3-dev && rm -rf /var/lib/apt/lists/*"
    tag = f"validator-span/suite:{name}"
    _build(client, tag, f"FROM validator-test/{name}:latest\nRUN {install}\n")
    return tag


def _build(client: docker.DockerClient, tag: str, dockerfile: str) -> None:
    try:
        client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=tag, rm=True, forcerm=True, network_mode="host")
    except (APIError, BuildError) as error:
        raise RuntimeError(f"{tag} could not be built: {error}") from error


@contextmanager
def _interpreter(stack: Stack, folder: Path, keep: bool) -> Iterator[Mapping[str, Any]]:
    """An entry of a matrix that names an interpreter of this machine with the stack in it."""
    base = _find_python(stack.python or f"{sys.version_info.major}.{sys.version_info.minor}")
    venv = folder / "venv"
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        shutil.rmtree(venv, ignore_errors=True)
        _run([base, "-m", "venv", str(venv)])
        # Old pips know neither today's wheel tags nor a proxy's certificates; 21.3 is the last for Python 3.6.
        _run([str(python), "-m", "pip", "install", "--quiet", "--upgrade", "pip<22" if stack.python else "pip"])
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-cache-dir", f"torch=={stack.torch}", stack.numpy])
        (venv / "complete").touch()
    try:
        yield {"interpreter": str(python)}
    finally:
        if not keep:
            shutil.rmtree(venv, ignore_errors=True)


def _find_python(version: str) -> str:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = next((str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"))), None)
    found = found or shutil.which(f"python{version}")
    if found is None:
        raise Unavailable(f"this machine has no python{version}, on the PATH or in pyenv")
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
