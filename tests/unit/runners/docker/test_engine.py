"""Finding an engine that is not there, and handing a GPU to one that is."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from validator.base.errors import EngineUnavailableError
from validator.model import EngineInfo
from validator.runners.docker.engine import connect, gpu_mechanism, gpu_obstacle, probe_engine


@pytest.fixture
def docker_host(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def why_not(monkeypatch: pytest.MonkeyPatch, address: str) -> str:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineUnavailableError) as caught:
        connect()
    assert caught.value.hint
    return caught.value.why


def test_an_address_without_a_socket_is_named(docker_host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/none.sock"
    assert why_not(docker_host, address) == f"{address}: there is no such socket"


def test_a_socket_nobody_listens_on_is_said_to_be_that(docker_host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert "nothing listens there" in why_not(docker_host, f"unix://{path}")


@pytest.mark.parametrize(
    "address", ["nonsense", "foo://bar", "tcp://", "tcp://localhost:port", "tcp://[::1", "ssh://nobody@127.0.0.1:1"]
)
def test_an_address_that_makes_no_sense_is_named_too(docker_host: pytest.MonkeyPatch, address: str) -> None:
    assert why_not(docker_host, address).startswith(f"{address}: ")


def test_an_absent_engine_is_a_described_one(docker_host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    docker_host.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    info = probe_engine()
    assert info.name is None
    assert "no such socket" in (info.problem or "")


@pytest.mark.parametrize(
    ("engine", "mechanism"),
    [
        (EngineInfo(name="docker"), "nvidia"),
        (EngineInfo(name="docker", cdi_devices=("nvidia.com/gpu=0",)), "cdi"),
        (EngineInfo(name="docker", cdi_devices=("vendor.example/net=0", "nvidia.com/mig=0")), "nvidia"),
        (EngineInfo(name="podman"), "cdi"),
        (EngineInfo(), "nvidia"),
    ],
)
def test_how_a_gpu_is_handed_over(engine: EngineInfo, mechanism: str) -> None:
    assert gpu_mechanism(engine) == mechanism


@pytest.mark.parametrize(
    ("engine", "obstacle"),
    [
        (EngineInfo(name="podman", version="4.9.4"), True),
        (EngineInfo(name="podman", version="5.3.2"), True),
        (EngineInfo(name="podman", version="5.4.0"), False),
        (EngineInfo(name="podman", version="5.10.0"), False),
        (EngineInfo(name="podman", version="5.4.0-dev"), False),
        (EngineInfo(name="podman", version="4.9.4-rhel"), True),
        (EngineInfo(name="podman", version="unknown"), False),
        (EngineInfo(name="podman"), False),
        (EngineInfo(name="docker", version="20.10.24+dfsg1"), False),
    ],
)
def test_a_podman_that_cannot_be_handed_a_gpu_is_told_apart(engine: EngineInfo, obstacle: bool) -> None:
    words = gpu_obstacle(engine)
    assert (words is not None) is obstacle
    assert not obstacle or (engine.version or "?") in (words or "")
