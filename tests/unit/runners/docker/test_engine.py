"""Finding an engine, describing it, and handing a GPU to it. The engine is an HTTP server that answers as one does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
from docker.errors import APIError

from validator.base.errors import EngineUnavailableError
from validator.model import EngineComponent, EngineInfo
from validator.runners.docker import engine as engines
from validator.runners.docker.engine import connect, engine_words, expected, gpu_mechanism, gpu_obstacle, probe_engine

COMPONENT = {"Name": "Engine", "Version": "29.0.0", "Details": {"GitCommit": "3d4129b"}}
VERSION = {"Version": "29.0.0", "ApiVersion": "1.44", "MinAPIVersion": "1.24", "Components": [COMPONENT]}
INFO = {
    "Runtimes": {"runc": {}, "nvidia": {}},
    "DefaultRuntime": "runc",
    "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
    "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}, {"Source": "other", "ID": "x"}],
}


@pytest.fixture
def docker_host(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@contextmanager
def answering(version: dict[str, Any], info: dict[str, Any]) -> Iterator[str]:
    """An engine; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(version if self.path.endswith("/version") else info).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.fixture
def toolkit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "toolkit", lambda: ("1.17.4", "cdi"))


def found(monkeypatch: pytest.MonkeyPatch, version: dict[str, Any], info: dict[str, Any]) -> EngineInfo:
    with answering(VERSION | version, INFO | info) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        return probe_engine()


@pytest.mark.usefixtures("toolkit")
def test_an_engine_that_answers_is_described(docker_host: pytest.MonkeyPatch) -> None:
    with answering(VERSION, INFO) as address:
        docker_host.setenv("DOCKER_HOST", address)
        client, info = connect()
        assert client.timeout == 60  # more than for the first contact
        client.close()
    assert info == EngineInfo(
        name="docker",
        version="29.0.0",
        api_version="1.44",
        address=address,
        runtimes=("nvidia", "runc"),
        default_runtime="runc",
        cdi_dirs=("/etc/cdi", "/var/run/cdi"),
        cdi_devices=("nvidia.com/gpu=0",),
        toolkit_version="1.17.4",
        toolkit_mode="cdi",
        components=(EngineComponent("Engine", "29.0.0", "3d4129b"),),
    )


def test_an_engine_that_says_little_is_described_by_that(docker_host: pytest.MonkeyPatch) -> None:
    bare = {"Runtimes": None, "DefaultRuntime": "", "CDISpecDirs": None, "DiscoveredDevices": None}
    info = found(docker_host, {"Components": None}, bare)
    assert (info.name, info.runtimes, info.default_runtime, info.cdi_dirs, info.cdi_devices) == ("docker", (), None, (), ())
    assert info.problem is None
    info = found(docker_host, {"Components": [{"Name": "runc", "Version": None}, {"Details": None}]}, bare)
    assert info.components == (EngineComponent("runc", ""), EngineComponent("", ""))


def test_podman_is_told_by_its_components(docker_host: pytest.MonkeyPatch) -> None:
    components = [{"Name": "Conmon"}, {"Name": "Podman Engine"}]
    assert found(docker_host, {"Version": "5.6.0", "Components": components}, {}).name == "podman"


def test_one_address_is_asked_where_only_one_is_to_be(docker_host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    docker_host.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with answering(VERSION, INFO) as address:
        client, info = connect(address)
        client.close()
    assert info.address == address


def test_the_next_address_is_asked_where_one_does_not_answer(docker_host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with answering(VERSION, INFO) as address:
        docker_host.setattr(engines, "_addresses", lambda: iter([f"unix://{tmp_path}/none.sock", address]))
        assert probe_engine().address == address


def test_an_engine_that_is_only_described_is_left_again(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    client = SimpleNamespace(close=lambda: closed.append(True))
    monkeypatch.setattr(engines, "connect", lambda: (client, EngineInfo(name="docker")))
    assert (probe_engine().name, closed) == ("docker", [True])


def test_every_address_that_does_not_answer_is_named(docker_host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    docker_host.setattr(engines, "_addresses", lambda: iter([f"unix://{tmp_path}/a.sock", f"unix://{tmp_path}/b.sock"]))
    problem = probe_engine().problem or ""
    assert problem.count("there is no such socket") == 2
    assert f"unix://{tmp_path}/a.sock: " in problem


# ---------------------------------------------------------------- where an engine is looked for


@pytest.fixture
def sockets(docker_host: pytest.MonkeyPatch, tmp_path: Path) -> set[str]:
    """The sockets that are on this machine; a test names them."""
    there: set[str] = set()
    for name in ("DOCKER_HOST", "XDG_RUNTIME_DIR"):
        docker_host.delenv(name, raising=False)
    docker_host.setattr(Path, "exists", lambda self: str(self) in there)
    docker_host.setattr(engines, "_context_address", lambda: None)
    return there


EVERY = {"/var/run/docker.sock", "/run/podman/podman.sock", "/run/user/1/docker.sock", "/run/user/1/podman/podman.sock"}


@pytest.mark.parametrize(
    ("variables", "context", "there", "address"),
    [
        ({}, None, set(), None),
        ({}, None, EVERY, "unix:///var/run/docker.sock"),
        ({}, None, EVERY - {"/var/run/docker.sock"}, "unix:///run/podman/podman.sock"),
        ({"XDG_RUNTIME_DIR": "/run/user/1"}, None, EVERY - {"/var/run/docker.sock"}, "unix:///run/user/1/docker.sock"),
        ({"XDG_RUNTIME_DIR": "/run/user/1"}, None, {"/run/user/1/podman/podman.sock"}, "unix:///run/user/1/podman/podman.sock"),
        ({}, "unix:///colima.sock", EVERY, "unix:///colima.sock"),
        ({"DOCKER_HOST": "tcp://192.0.2.1:2375"}, "unix:///colima.sock", EVERY, "tcp://192.0.2.1:2375"),
    ],
)
def test_where_an_engine_is_expected(
    variables: dict[str, str],
    context: str | None,
    there: set[str],
    address: str | None,
    sockets: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sockets |= there
    monkeypatch.setattr(engines, "_context_address", lambda: context)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert expected() == address


def test_places_are_asked_in_order_each_once_and_docker_host_alone_where_it_is_set(
    sockets: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets |= EVERY
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    monkeypatch.setattr(engines, "_context_address", lambda: "unix:///run/podman/podman.sock")
    assert list(engines._addresses()) == [
        "unix:///run/podman/podman.sock",
        "unix:///var/run/docker.sock",
        "unix:///run/user/1/docker.sock",
        "unix:///run/user/1/podman/podman.sock",
    ]
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    assert list(engines._addresses()) == ["tcp://192.0.2.1:2375"]


@pytest.mark.parametrize(
    ("context", "address"),
    [
        (SimpleNamespace(name="colima", Host="unix:///colima.sock"), "unix:///colima.sock"),
        (SimpleNamespace(name="default", Host="unix:///var/run/docker.sock"), None),
        (SimpleNamespace(name="broken", Host=None), None),
        (None, None),
        (OSError("~/.docker cannot be read"), None),
        (KeyError("Endpoints"), None),
    ],
)
def test_the_endpoint_of_the_docker_context(context: object, address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def current() -> object:
        if isinstance(context, Exception):
            raise context
        return context

    monkeypatch.setattr(docker.ContextAPI, "get_current_context", current)
    assert engines._context_address() == address


@pytest.mark.parametrize(
    ("address", "verify", "folder", "used"),
    [
        ("tcp://host:2376", "1", "/certs", "/certs"),
        ("tcp://host:2376", "1", "", "~/.docker"),
        ("tcp://host:2375", "", "/certs", None),
        ("unix:///run/docker.sock", "1", "/certs", None),
    ],
)
def test_client_certificates_go_with_tls_over_tcp(
    address: str, verify: str, folder: str, used: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker.tls, "TLSConfig", lambda **given: given)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", verify)
    monkeypatch.setenv("DOCKER_CERT_PATH", folder)
    where = used and str(Path(used).expanduser())
    assert engines._tls(address) == (
        {"tls": {"client_cert": (f"{where}/cert.pem", f"{where}/key.pem"), "ca_cert": f"{where}/ca.pem", "verify": True}}
        if where
        else {}
    )


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (APIError("500 Server Error", explanation="no space\nleft"), "no space left"),
        (APIError("500 Server Error"), "500 Server Error"),
        (RuntimeError(), "RuntimeError"),
        (RuntimeError("x" * 600), "x" * 499 + "…"),
        (APIError("500", explanation="y" * 600), "y" * 499 + "…"),
    ],
)
def test_what_the_engine_says_is_told_in_one_line(error: Exception, words: str) -> None:
    assert engine_words(error) == words


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied"), "permission denied; add yourself to the group"),
        (RuntimeError("('Connection aborted.', PermissionError(13, 'x'))"), "permission denied"),
        (FileNotFoundError(2, "No such file or directory"), "there is no such socket"),
        (RuntimeError("FileNotFoundError(2)"), "there is no such socket"),
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens there"),
        (RuntimeError("ConnectionRefusedError(111)"), "nothing listens there"),
        (RuntimeError("Read Timed Out."), "no answer within 10 s"),
        (RuntimeError("bad certificate"), "bad certificate"),
    ],
)
def test_why_an_address_does_not_answer(error: Exception, said: str) -> None:
    assert engines._why(error).startswith(said)


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
    docker_host.setattr(engines, "toolkit", lambda: ("1.17.4", "cdi"))
    info = probe_engine()
    assert "no such socket" in (info.problem or "")
    # What of the container toolkit is on this machine is known all the same.
    assert info == EngineInfo(problem=info.problem, toolkit_version="1.17.4", toolkit_mode="cdi")


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
