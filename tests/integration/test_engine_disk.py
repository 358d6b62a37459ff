"""An engine on a disk that is too small for what it is asked to pull, and one that goes away while it pulls and builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import docker
import pytest
from docker.errors import ImageNotFound
from engine_fixtures import Registry
from second_engine import SecondEngine
from values import environment, matrix

from validator.base.errors import AcquireError
from validator.model import BuildOptions, BuiltImage, EngineInfo, Environment, PackageOptions, PulledImage
from validator.runners import RunContext
from validator.runners.docker.runner import DockerRunner

pytestmark = pytest.mark.docker
MIB = 1 << 20


def runner(of: Environment, engine: SecondEngine) -> DockerRunner:
    settings = matrix(of, build=BuildOptions(network="host"), packages=PackageOptions(channel_url=""))
    return DockerRunner(settings, RunContext("r", owner="host:1", engine=EngineInfo(address=engine.address)))


def pushed(engine: docker.DockerClient, registry: Registry, folder: Path, *layers: int) -> Environment:
    """An image of layers of so many bytes that no compression makes smaller, in the registry only."""
    folder.mkdir()
    for number, size in enumerate(layers):
        (folder / f"layer{number}").write_bytes(os.urandom(size))
    copies = "".join(f"COPY layer{number} /\n" for number in range(len(layers)))
    (folder / "Dockerfile").write_text(f"FROM scratch\nLABEL validator.test=suite\n{copies}", encoding="utf-8")
    engine.images.build(path=str(folder), rm=True, tag="validator-test/pushed:latest")
    reference = registry.reference(f"pushed{time.time_ns()}:1")
    registry.push(engine, "validator-test/pushed:latest", reference)
    engine.images.remove("validator-test/pushed:latest")
    return environment(source=PulledImage(reference))


@pytest.fixture
def small_engine(tmp_path: Path, unavailable: Callable[[str], NoReturn]) -> Iterator[SecondEngine]:
    """An engine whose data lie on a file system of 100 MiB."""
    if os.geteuid() or not all(map(shutil.which, ("dockerd", "ip", "mkfs.ext4", "mount"))):
        unavailable("an engine on a disk of its own needs root, dockerd, ip, mkfs.ext4 and mount")
    disk, folder = tmp_path / "disk", tmp_path / "mounted"
    folder.mkdir()
    with disk.open("wb") as file:
        file.truncate(100 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(disk)], check=True)  # noqa: S607
    if subprocess.run(["mount", "-o", "loop", str(disk), str(folder)], check=False).returncode:  # noqa: S607
        unavailable("this machine mounts no loop file system")
    small = SecondEngine(folder / "engine")
    try:
        yield small.start()
    finally:
        small.close()
        subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: S607


def test_what_does_not_fit_is_refused_before_the_disk_is_full(
    small_engine: SecondEngine,
    engine: docker.DockerClient,
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("validator.runners.docker.room._SPARE_BYTES", 4 * MIB)
    large = pushed(engine, registry, tmp_path / "large", 40 * MIB, 30 * MIB)
    free = shutil.disk_usage(tmp_path / "mounted").free
    with closing(runner(large, small_engine)) as one, pytest.raises(AcquireError) as caught:
        one.prepare(large, print)
    assert caught.value.what.endswith("does not fit on the engine's disk")
    assert "it needs at least" in caught.value.why
    assert f"{tmp_path / 'mounted' / 'engine' / 'data'} has" in caught.value.why
    assert not caught.value.transient
    end = time.monotonic() + 30
    while shutil.disk_usage(tmp_path / "mounted").free < free - 4 * MIB:
        assert time.monotonic() < end, "what was fetched of it stayed"
        time.sleep(0.2)
    small = pushed(engine, registry, tmp_path / "small", 20 * MIB)
    with closing(runner(small, small_engine)) as one:
        ready = one.prepare(small, print)
        one.discard(ready)
        with closing(small_engine.client()) as client, pytest.raises(ImageNotFound):
            client.images.get(ready.handle)


@pytest.mark.parametrize("back", [True, False])
def test_an_engine_that_goes_away_in_a_build_may_come_back(second_engine: SecondEngine, tmp_path: Path, back: bool) -> None:
    (tmp_path / "Dockerfile").write_text("FROM validator-test/broken:labelled\nRUN sleep 3603\n", encoding="utf-8")
    of = environment("slow", source=BuiltImage(tmp_path))

    def restart() -> None:
        second_engine.kill()
        if back:
            second_engine.start()

    timer = threading.Timer(3.0, restart)
    timer.start()
    with closing(runner(of, second_engine)) as one, pytest.raises(AcquireError) as caught:
        one.prepare(of, print)
    timer.join()
    assert caught.value.transient, caught.value


def test_an_engine_that_goes_away_in_a_pull_may_come_back(
    second_engine: SecondEngine, engine: docker.DockerClient, registry: Registry, tmp_path: Path
) -> None:
    of = pushed(engine, registry, tmp_path / "large", *[4 * MIB] * 12)
    begun = threading.Event()

    def kill() -> None:
        assert begun.wait(60)
        second_engine.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    with closing(runner(of, second_engine)) as one, pytest.raises(AcquireError) as caught:
        one.prepare(of, lambda line: begun.set() if " MiB" in line else None)
    thread.join()
    assert caught.value.transient, caught.value
