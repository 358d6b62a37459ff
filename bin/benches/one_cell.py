"""One cell on the container engine: through the validator, and by the engine's calls alone."""

from __future__ import annotations

import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
#: What a torch is installed on top of; tests/images/make_base.sh makes it.
BASE = os.environ.get("VALIDATOR_TEST_BASE", "validator-test/bookworm:latest")
#: As the engine frames what a container writes: the stream, and how many bytes follow.
_HEADER = struct.Struct(">BxxxI")


def one_cell(times: int) -> tuple[str, Callable[[], str]]:
    """The full probe on the CPU, by turns through the validator (request, run, verdict, history) and by the bare calls."""
    from benches.silent import Silent
    from validator.matrix import load
    from validator.model import RunInfo
    from validator.results import Store
    from validator.run import execute, make_plan
    from validator.runners import RunContext, choose
    from validator.runners.labels import owner

    folder = Path(tempfile.mkdtemp(prefix="validator-bench-"))
    entry = {"build": str(REPOSITORY / "images" / "wheel"), "torch": "2.13.0", "cuda": "cpu", "args": {"BASE_IMAGE": BASE}}
    written = {"version": "1", "environments": [entry], "build": {"network": "host"}}
    (folder / "matrix.yaml").write_text(json.dumps(written), encoding="utf-8")
    matrix = load(folder / "matrix.yaml")
    runner, reason = choose("docker", matrix, RunContext("bench", owner()))
    host = runner.host()
    plan = make_plan(matrix, host, runner="docker", runner_reason=reason, supports=runner.supports, inspect=False)
    prepared = runner.prepare(matrix.environments[0], lambda _: None)

    def through(at: int) -> float:
        store = Store(folder / f"out{at}")
        store.begin_run(RunInfo("bench", "2026-01-01T00:00:00+00:00", 0.0, "docker", reason, False, "m"), host, plan.cells)
        began = time.monotonic()
        [result] = execute(plan, matrix, runner, store, Silent(), host).results
        took = time.monotonic() - began
        store.close()
        assert result.checks, result.reason  # noqa: S101 - the cell was measured
        return took

    def bare() -> float:
        request = runner.request(plan.cells[0], prepared)
        began = time.monotonic()
        complete = by_bare_calls(request.payload, request.name + "-bare", request.plan.nonce)
        took = time.monotonic() - began
        assert complete  # noqa: S101 - both did the same
        return took

    def start_up() -> float:
        words = ["-q", "run", "-m", str(folder / "matrix.yaml"), "--out", str(folder / "run")]
        env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        for _ in range(2):  # the second time there is nothing to measure
            began = time.monotonic()
            subprocess.run([sys.executable, "-m", "validator", *words], env=env, capture_output=True, check=False)
        return time.monotonic() - began

    def run() -> str:
        pairs = [(through(at), bare()) for at in range(times)]
        ratio = statistics.median(one / other for one, other in pairs)
        ratios = ", ".join(f"{one / other:.3f}" for one, other in pairs)
        least = min(one for one, _ in pairs) / min(other for _, other in pairs)
        told = (
            f"through the validator over the bare calls: {ratio:.3f} in the middle ({ratios}), {least:.3f} of the fastest; "
            f"the bare calls took {statistics.median(other for _, other in pairs):.1f} s; "
            f"a whole `validator run` with nothing to measure {start_up():.2f} s"
        )
        runner.discard(prepared)  # the image stays if it was there before
        runner.close()
        return told

    return "torch 2.13.0 for the CPU", run


def by_bare_calls(body: dict[str, Any], name: str, nonce: str) -> bool:
    """What a person would write: create, attach, start, answer the probe, wait, remove. Whether the probe came to its end."""
    import docker

    from validator import probe_host

    client = docker.APIClient(version="auto")
    client.create_container_from_config(body, name)
    try:
        out = client.attach_socket(name, params={"stdout": 1, "stderr": 1, "stream": 1})
        into = client.attach_socket(name, params={"stdin": 1, "stream": 1})
        client.start(name)
        complete, line = False, b""
        for part in _parts(out._sock):
            line += part
            *lines, line = line.split(b"\n")
            for each in lines:
                event = _event(each)
                if each == probe_host.READY:
                    into._sock.sendall(probe_host.answer("nonce", nonce))
                elif event.get("event") == "turn":
                    into._sock.sendall(probe_host.answer("turn", str(event.get("check"))))
                complete = complete or event.get("event") == "end"
        client.wait(name)
        return complete
    finally:
        client.remove_container(name, force=True, v=True)
        client.close()


def _event(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _parts(socket: Any) -> Any:
    """What a container writes on standard output, piece by piece."""
    buffer = bytearray()
    while data := socket.recv(1 << 16):
        buffer += data
        while len(buffer) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(buffer)
            if len(buffer) < _HEADER.size + length:
                break
            part = bytes(buffer[_HEADER.size : _HEADER.size + length])
            del buffer[: _HEADER.size + length]
            if stream == 1:
                yield part
