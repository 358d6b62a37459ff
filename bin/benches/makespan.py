"""A whole matrix of which a third is to be pulled, a third to be built, and a third at hand."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

REPOSITORY = Path(__file__).parents[2]
STUB = REPOSITORY / "tests" / "storms" / "image"
BASE = os.environ.get("VALIDATOR_TEST_BASE", "validator-test/bookworm:latest")
NAME = "validator-bench/makespan"
LANES = 2
#: Seconds that a cell's check takes and that a build takes, and what the registry gives: bytes a second, bytes an image.
CELL, BUILD, RATE, LAYER = 4.0, 3.0, 4 << 20, 12 << 20


def makespan(environments: int) -> tuple[str, Callable[[], str]]:
    """Images pulled from a registry on loopback at 4 MiB/s, built, and at hand, on 2 lanes: over the bound and --jobs 1."""
    if shutil.which("docker-registry") is None:
        sys.exit("makespan: there is no docker-registry on this machine (Debian's package of that name)")
    engine = docker.from_env(timeout=300)
    third = environments // 3
    mark = secrets.token_hex(4)

    def run() -> str:
        folder = Path(tempfile.mkdtemp(prefix="validator-bench-"))
        with registry(folder) as (port, throttled):
            try:
                entries = _entries(engine, folder, third, mark, port, throttled)
                together = _measured(folder, engine, entries, mark, "together", LANES)
                alone = _measured(folder, engine, entries, mark, "alone", 1)
            finally:
                _forget(engine, mark)
        bound = _bound(alone.cells, third)
        one_by_one = sum(_acquire(cell) + _on_lane(cell) for cell in alone.cells)
        return (
            f"{together.seconds:.1f} s, {together.seconds / bound:.3f} of the bound of {bound:.1f} s; "
            f"with --jobs 1 {alone.seconds:.1f} s; one thing after the other {one_by_one:.1f} s, "
            f"of which this is {together.seconds / one_by_one:.2f}"
        )

    return f"{third} pulled, {third} built, {third} at hand; {LANES} lanes", run


class Ran:
    """A run from outside: its seconds and its cells."""

    def __init__(self, seconds: float, cells: list[dict[str, Any]]) -> None:
        self.seconds, self.cells = seconds, cells


def _measured(folder: Path, engine: docker.DockerClient, entries: list[dict[str, Any]], mark: str, name: str, jobs: int) -> Ran:
    """``validator run`` on the matrix, with what it pulls and builds not at hand."""
    _forget(engine, mark, at_hand=True)
    for entry in entries:
        if "args" in entry:
            entry["args"] = {**entry["args"], "SALT": f"{mark}-{name}"}  # no layer of an earlier build
    from validator.catalogue.checks import registry as checks

    matrix = {
        "version": "1",
        "environments": entries,
        "checks": {check: "skip" for check in checks() if check != "import"},
    }
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps(matrix), encoding="utf-8")
    out, env = folder / name, {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    words = ["-q", "run", "-m", str(file), "--out", str(out), "--runner", "docker", "--jobs", str(jobs)]
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "validator", *words], env=env, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr  # noqa: S101 - every cell passes
    return Ran(seconds, json.loads((out / "latest" / "results.json").read_text(encoding="utf-8"))["cells"])


def _acquire(cell: dict[str, Any]) -> float:
    return float(cell["seconds"]["acquire"] or 0.0)


def _on_lane(cell: dict[str, Any]) -> float:
    return float(cell["seconds"]["start"] or 0.0) + float(cell["seconds"]["probe"] or 0.0)


def _bound(cells: list[dict[str, Any]], third: int) -> float:
    """What no order can undercut, by what each part took where nothing else was made ready beside it.

    The lanes' work shared out evenly; everything made ready, as many at once as are asked for, and then a cell; everything that
    comes over the one line of the registry, and then a cell; the longest way of one environment.
    """
    shortest = min(_on_lane(cell) for cell in cells)
    line = third * LAYER / RATE
    return max(
        sum(_on_lane(cell) for cell in cells) / LANES,
        sum(_acquire(cell) for cell in cells) / LANES + shortest,
        line + shortest,
        max(_acquire(cell) + _on_lane(cell) for cell in cells),
    )


# ------------------------------------------------------------ what is run


def _entries(
    engine: docker.DockerClient, folder: Path, third: int, mark: str, port: int, throttled: int
) -> list[dict[str, Any]]:
    """The environments: stubs of torch, whose import takes as long as a cell is to take."""

    def stub(tag: str, seconds: float) -> str:
        arguments = {"BASE_IMAGE": BASE, "SECONDS": f"{seconds:.2f}"}
        labels = {"validator.bench": mark}
        engine.images.build(path=str(STUB), buildargs=arguments, tag=f"{NAME}:{mark}-{tag}", labels=labels, rm=True, forcerm=True)
        return f"{NAME}:{mark}-{tag}"

    common = {"cuda": "cpu"}
    entries: list[dict[str, Any]] = []
    for at in range(third):
        base = stub(f"here{at}", CELL + at / 100)
        entries.append({"image": base, "name": f"here{at}", **common})
        layer = folder / f"layer{at}"
        layer.mkdir()
        (layer / "random").write_bytes(os.urandom(LAYER))
        (layer / "Dockerfile").write_text(f"FROM {base}\nCOPY random /random\n", encoding="utf-8")
        reference = f"127.0.0.1:{port}/bench:{mark}-{at}"
        engine.images.build(path=str(layer), tag=reference, labels={"validator.bench": mark}, rm=True, forcerm=True)
        list(engine.api.push(reference, stream=True, decode=True))
        engine.images.remove(reference, force=True)
        entries.append({"image": f"127.0.0.1:{throttled}/bench:{mark}-{at}", "name": f"pulled{at}", **common})
        context = folder / f"build{at}"
        context.mkdir()
        (context / "Dockerfile").write_text(
            f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nARG SALT\nLABEL validator.bench={mark}\n"
            f'RUN sleep {BUILD} && echo "$SALT" > /salt\n',
            encoding="utf-8",
        )
        entries.append({"build": str(context), "name": f"built{at}", "torch": "2.7.1", "args": {"BASE_IMAGE": base}, **common})
    return entries


def _forget(engine: docker.DockerClient, mark: str, *, at_hand: bool = False) -> None:
    """Remove what was made for the bench; with ``at_hand`` all but what is to be there."""
    for image in engine.images.list(filters={"label": f"validator.bench={mark}"}):
        kept = [tag for tag in image.tags if tag.startswith(f"{NAME}:{mark}-here")]
        if not (at_hand and kept):
            engine.images.remove(image.id, force=True)


# ------------------------------------------------------------ where images come from


@contextmanager
def registry(folder: Path) -> Iterator[tuple[int, int]]:
    """A registry on loopback: its port, and another port of it that gives RATE bytes a second to all its clients together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
        encoding="utf-8",
    )
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S607
    line = Line(port)
    try:
        _wait_for(port)
        yield port, line.port
    finally:
        line.close()
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the registry did not come up")


class Line:
    """A slow line to a port: what comes back over it is counted, and held back to RATE."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._lock = threading.Lock()
        self._free_at = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, True), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, slow: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if slow:
                    self._pass(len(data))
                target.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, target):
                each.close()

    def _pass(self, size: int) -> None:
        """Wait until so many bytes have their turn on the line."""
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size / RATE
            until = self._free_at
        time.sleep(max(0.0, until - now))
