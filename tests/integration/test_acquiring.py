"""Images for many at once, on a real engine and from a real registry: nothing is had twice, and what fails is told apart."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound
from engine_fixtures import Registry
from values import environment, matrix

from validator.base.errors import AcquireError, InterruptedRunError
from validator.base.stopping import Stop
from validator.model import BuildOptions, BuiltImage, Environment, PackageOptions, PulledImage
from validator.runners import RunContext
from validator.runners.docker import room
from validator.runners.docker.runner import DockerRunner

pytestmark = pytest.mark.docker


def runner(of: Environment, stop: Stop | None = None, pull: str = "missing") -> DockerRunner:
    packages = PackageOptions(channel_url="")
    settings = matrix(of, pull=pull, build=BuildOptions(network="host"), packages=packages)
    return DockerRunner(settings, RunContext("r", owner="host:1", stop=stop or Stop()))


def pulled(reference: str) -> Environment:
    return environment(source=PulledImage(reference))


@pytest.fixture
def pushed(engine: docker.DockerClient, registry: Registry, base_image: str, tmp_path: Path) -> str:
    """The reference of a small image that only the registry has."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nLABEL validator.test=suite\nCOPY filling /\n", encoding="utf-8")
    (tmp_path / "filling").write_bytes(os.urandom(3 << 20))
    engine.images.build(path=str(tmp_path), rm=True, tag="validator-test/pushed:latest")
    reference = registry.reference(f"pushed{time.time_ns()}:1")
    registry.push(engine, "validator-test/pushed:latest", reference)
    engine.images.remove("validator-test/pushed:latest")
    return reference


def test_one_reference_is_pulled_once_by_many_threads_of_two_runs(pushed: str) -> None:
    of, lines = pulled(pushed), []  # type: ignore[var-annotated]
    with closing(runner(of)) as one, closing(runner(of)) as other, ThreadPoolExecutor(6) as threads:
        prepared = list(threads.map(lambda each: each.prepare(of, lines.append), [one, other] * 3))
    assert lines.count(f"pulling {pushed}") == 1
    assert any(" of 3 MiB" in line for line in lines), "how far it is, is told in bytes"
    assert len({each.identity for each in prepared}) == 1
    assert sum(not each.was_there for each in prepared) == 3, "it is new to the run that pulled it"


def test_one_reference_is_pulled_once_by_two_processes(pushed: str) -> None:
    program = (
        "import sys; from test_acquiring import *; of = pulled(sys.argv[1]); each = runner(of);"
        "print(each.prepare(of, print).was_there); each.close()"
    )
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {folders!r}; {program}", pushed]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert sum(f"pulling {pushed}\n" in each for each in said) == 1, said
    assert sorted(each.split()[-1] for each in said) == ["False", "True"]


def test_equal_builds_are_built_once(base_image: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        f"FROM {base_image}\nRUN sleep 1; echo {time.time_ns()} > /made\n", encoding="utf-8"
    )
    lines: list[str] = []
    first, second = (environment(name, source=BuiltImage(tmp_path)) for name in ("first", "second"))
    with closing(runner(first)) as one, ThreadPoolExecutor(2) as threads:
        made = list(threads.map(lambda of: one.prepare(of, lines.append), [first, second]))
        assert len({each.identity for each in made}) == 1
        assert sum(line.startswith("building ") for line in lines) == 1
        assert sum(line.startswith("waiting: another cell of this run is at the build of") for line in lines) == 1
        one.discard(made[0])
        assert one._clients.lend().client.inspect_image(made[0].handle), "the other environment still needs it"
        one.discard(made[1])
        with pytest.raises(ImageNotFound):
            one._clients.lend().client.inspect_image(made[0].handle)


def test_only_what_this_run_brought_is_discarded(engine: docker.DockerClient, pushed: str, base_image: str) -> None:
    mine, base = pulled(pushed), pulled(base_image)
    with closing(runner(mine)) as one, closing(runner(mine)) as other:
        ready = one.prepare(mine, print)
        there = one.prepare(base, print)
        assert (ready.was_there, there.was_there) == (False, True)
        one.discard(there)
        assert engine.images.get(base_image)
        other.prepare(mine, print)
        one.discard(ready)
        assert engine.images.get(pushed), "another run uses it"
    with closing(runner(mine)) as again:
        engine.images.remove(pushed)
        again.discard(again.prepare(mine, print))
    with pytest.raises(ImageNotFound):
        engine.images.get(pushed)


def test_an_image_that_does_not_fit_is_not_pulled(
    engine: docker.DockerClient, pushed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_SPARE_BYTES", 1 << 60)
    of = pulled(pushed)
    with closing(runner(of)) as one, pytest.raises(AcquireError) as caught:
        one.prepare(of, print)
    assert caught.value.what == f"{pushed} does not fit on the engine's disk"
    assert "it needs at least" in caught.value.why
    assert "/var/lib/docker has" in caught.value.why
    assert not caught.value.transient
    time.sleep(0.5)
    with pytest.raises(ImageNotFound):
        engine.images.get(pushed)


class Refusing(BaseHTTPRequestHandler):
    """A registry that is there, and answers every question about an image in one way."""

    status = 500

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v2/" else self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}/some/torch:1"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "transient"), [(429, True), (500, True), (502, True), (503, True), (404, False), (403, False)]
)
def test_a_refusal_that_may_pass_is_told_apart(
    refusing: str, status: int, transient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Refusing, "status", status)
    of = pulled(refusing)
    with closing(runner(of)) as one, pytest.raises(AcquireError) as caught:
        one.prepare(of, print)
    assert caught.value.transient is transient, caught.value.why


@pytest.fixture
def silent() -> Iterator[str]:
    """A registry that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}/some/torch:1"


def test_a_pull_is_given_up_when_the_run_is_to_end(silent: str) -> None:
    stop, of = Stop(), pulled(silent)
    threading.Timer(1.0, stop.ask, (3600.0,)).start()
    began = time.monotonic()
    with closing(runner(of, stop)) as one, pytest.raises(InterruptedRunError):
        one.prepare(of, print)
    assert time.monotonic() - began < 30  # the engine itself would wait for longer


def test_a_build_is_given_up_when_the_run_is_to_end(engine: docker.DockerClient, base_image: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {base_image}\nRUN sleep 3602\n", encoding="utf-8")
    stop, of = Stop(), environment("slow", source=BuiltImage(tmp_path))
    threading.Timer(3.0, stop.ask, (3600.0,)).start()
    with closing(runner(of, stop)) as one, pytest.raises(InterruptedRunError):
        one.prepare(of, print)
    end = time.monotonic() + 30
    while any("sleep 3602" in str(each.attrs["Config"]["Cmd"]) for each in engine.containers.list(ignore_removed=True)):
        assert time.monotonic() < end, "the engine still builds"
        time.sleep(0.2)
