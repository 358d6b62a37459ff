"""Real images on a real engine, made once a session and removed at its end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import docker
import pytest
from docker.errors import ImageNotFound
from harness import SUITE_LABEL, Finished, Started, containers, run, wait_for

IMAGES = Path(__file__).parent / "images"
#: Repository of the images that are made from tests/images.
REPOSITORY = "validator-test/broken"


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The engine that the tests look into, apart from the validator's own connection."""
    client = docker.from_env(timeout=300)
    try:
        yield client
        _remove_what_the_suite_made(client)
    finally:
        client.close()


def _remove_what_the_suite_made(client: docker.DockerClient) -> None:
    for container in containers(client, SUITE_LABEL):
        container.remove(force=True, v=True)
    if os.environ.get("VALIDATOR_TEST_KEEP_IMAGES") == "1":
        return
    for found in client.images.list(filters={"label": SUITE_LABEL}):
        for tag in found.tags:
            client.images.remove(tag, force=True)
    # What is left has no name: layers of builds that failed or were cut off, and first stages.
    client.images.prune(filters={"label": SUITE_LABEL, "dangling": True})


@pytest.fixture(scope="session")
def base_image(engine: docker.DockerClient, unavailable: Callable[[str], NoReturn]) -> str:
    """A Debian with Python and venv, with the suite's label on it."""
    name = os.environ.get("VALIDATOR_TEST_BASE", "validator-test/bookworm:latest")
    try:
        engine.images.get(name)
    except ImageNotFound:
        unavailable(f"the engine has no base image {name}; tests/images/make_base.sh makes it")
    return _make(engine, "labelled", name)


def _make(engine: docker.DockerClient, folder: str, base: str, where: Path = IMAGES) -> str:
    tag = f"{REPOSITORY}:{folder}"
    engine.images.build(path=str(where / folder), buildargs={"BASE_IMAGE": base}, tag=tag, rm=True, forcerm=True)
    return tag


@pytest.fixture(scope="session")
def make_image(engine: docker.DockerClient, base_image: str) -> Callable[..., str]:
    """Makes an image from a folder of tests/images, or of another; the engine's build cache makes a second time free."""

    def make(folder: str, base: str = base_image, where: Path = IMAGES) -> str:
        return _make(engine, folder, base, where)

    return make


@pytest.fixture(scope="session")
def build_entry(base_image: str) -> Callable[..., dict[str, Any]]:
    """A matrix with one environment that is built from ``images/wheel``."""

    def entry(torch: str, cuda: str, **more: Any) -> dict[str, Any]:
        folder = Path(__file__).parents[1] / "images" / "wheel"
        return {"build": str(folder), "torch": torch, "cuda": cuda, "args": {"BASE_IMAGE": base_image}, **more}

    return entry


@pytest.fixture(scope="session")
def cpu_run(build_entry: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """torch 2.13.0 for the CPU: built through the product, and measured."""
    matrix = {"environments": [build_entry("2.13.0", "cpu")], "build": {"network": "host"}}
    return run(tmp_path_factory.mktemp("cpu"), matrix, "--runner", "docker")


@pytest.fixture(scope="session")
def torch_image(engine: docker.DockerClient, cpu_run: Finished) -> str:
    """The image that ``cpu_run`` left: a working torch in /opt/venv."""
    digest = cpu_run.cell("torch2.13.0-cpu")["environment"]["digest"]
    assert digest, cpu_run.stderr
    return str(engine.images.get(digest).tags[0])


@pytest.fixture(scope="session")
def old_started(build_entry: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """torch 1.13.1 asked for the CPU, under way."""
    matrix = {"environments": [build_entry("1.13.1", "cpu", requirements=["numpy<2"])], "build": {"network": "host"}}
    with Started(tmp_path_factory.mktemp("old"), matrix, "--runner", "docker") as started:
        yield started


@pytest.fixture(scope="session")
def cuda_started(build_entry: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """torch 2.14.1 for CUDA 13.0, being opened; no target is this machine, so that one with a GPU only opens it, too."""
    matrix = {
        "environments": [build_entry("2.14.1", "13.0")],
        "targets": [
            {"gpu": ["Imaginary GPU", "NVIDIA L4", "Tesla V100-SXM2-16GB"], "driver": "580.95.05"},
            {"gpu": "NVIDIA L4", "driver": "535.183.01"},
        ],
        "build": {"network": "host"},
    }
    with Started(tmp_path_factory.mktemp("cuda"), matrix, "--runner", "docker", "--inspect") as started:
        yield started


@pytest.fixture(autouse=True)
def _long_runs_are_under_way(request: pytest.FixtureRequest) -> None:
    """Starts the runs that download gigabytes with the first test that needs an engine, beside the other tests."""
    if request.node.get_closest_marker("docker"):
        for name in ("old_started", "cuda_started"):
            if any(name in getattr(item, "fixturenames", ()) for item in request.session.items):
                request.getfixturevalue(name)


class Registry:
    """A registry of this machine that can be stopped."""

    def __init__(self, binary: str, folder: Path, htpasswd: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        config = folder / "config.yml"
        auth = ""
        if htpasswd:
            (folder / "htpasswd").write_text(htpasswd, encoding="ascii")
            auth = f"auth: {{htpasswd: {{realm: gallery, path: {folder / 'htpasswd'}}}}}\n"
        config.write_text(
            "version: 0.1\n"
            f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
            f"http: {{addr: '127.0.0.1:{self._port}'}}\n"
            f"{auth}",
            encoding="utf-8",
        )
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [binary, "serve", str(config)], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        wait_for("the registry", self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def reference(self, name: str) -> str:
        return f"127.0.0.1:{self._port}/{name}"

    def push(self, engine: docker.DockerClient, source: str, reference: str) -> str:
        """Push an image of the engine under a reference, forget it there, and return the registry's digest."""
        engine.images.get(source).tag(reference)
        messages = list(engine.api.push(reference, stream=True, decode=True))
        pushed = [message["aux"]["Digest"] for message in messages if "aux" in message]
        assert pushed, messages
        engine.images.remove(reference)
        return str(pushed[0])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


@pytest.fixture
def registry_binary(unavailable: Callable[[str], NoReturn]) -> str:
    """Debian's ``docker-registry``."""
    binary = shutil.which("docker-registry")
    if binary is None:
        unavailable("there is no docker-registry on this machine (Debian's package of that name)")
    return binary


@pytest.fixture
def registry(
    engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory, registry_binary: str
) -> Iterator[Registry]:
    """A real registry on loopback, which engines trust without TLS."""
    registry = Registry(registry_binary, tmp_path_factory.mktemp("registry"))
    try:
        yield registry
    finally:
        registry.stop()
        for found in engine.images.list():
            for tag in found.tags:
                if tag.startswith(registry.reference("")):
                    engine.images.remove(tag)
