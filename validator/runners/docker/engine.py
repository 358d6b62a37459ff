"""Finding and describing the container engine: Docker, or Podman through its Docker-compatible socket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, StreamParseError

from validator.base.errors import EngineUnavailableError
from validator.base.text import one_line
from validator.base.versions import Dotted
from validator.host import toolkit
from validator.model import EngineComponent, EngineInfo

#: Seconds the engine may take to answer one call. Pulls, builds, logs and waits stream and have their own limits.
CALL_SECONDS = 60
#: Seconds for the first contact: an engine that is up answers in milliseconds.
_CONNECT_TIMEOUT = 10

#: What a broken connection looks like through requests and docker-py.
CONNECTION_ERRORS = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,  # streams that break off: docker-py reads them past requests
    ConnectionError,
    TimeoutError,
    StreamParseError,  # an answer in pieces that ends within one
)


class _Client(docker.APIClient):
    """docker-py's client, which remembers what it is being told bit by bit."""

    streaming: requests.Response | None = None

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """As ``requests.Session`` has it; an answer that streams is remembered."""
        response = super().send(request, **options)
        if options.get("stream"):
            self.streaming = response
        return response



def break_off(client: docker.APIClient) -> None:
    """End what an engine tells bit by bit now, for whoever waits for more of it. The client is to be closed then."""
    response = getattr(client, "streaming", None)
    with suppress(AttributeError, ValueError, RuntimeError, OSError):  # it has ended; or urllib3 is older than 2.3
        response.raw.shutdown()  # type: ignore[union-attr]


def connect(only: str | None = None) -> tuple[docker.APIClient, EngineInfo]:
    """A client of the first engine that answers, and what it says of itself.

    ``only`` is the only address to try. Without it, ``DOCKER_HOST`` alone is tried where it is set; otherwise the current docker
    context, then the usual sockets of Docker and Podman.
    Raises EngineUnavailableError naming every address tried and why it did not answer.
    """
    failures = []
    for address in [only] if only else _addresses():
        try:
            client = _Client(base_url=address, version="auto", timeout=_CONNECT_TIMEOUT, **_tls(address))
            info = _describe(client, address)
        except (DockerException, ValueError, *CONNECTION_ERRORS) as error:  # ValueError: an address that is no URL
            failures.append(f"{address}: {_why(error)}")
            continue
        client.timeout = CALL_SECONDS
        return client, info
    raise EngineUnavailableError(
        "no container engine answers",
        why="; ".join(failures) or "no socket of Docker or Podman was found on this machine",
        hint="start Docker (`systemctl start docker`) or Podman's socket (`systemctl --user start podman.socket`), "
        "or set DOCKER_HOST to where one listens (unix:///path, tcp://host:port)",
    )


def expected() -> str | None:
    """The first address that would be tried, without trying it; None where nothing on this machine points to an engine."""
    return next(iter(_addresses()), None)


def engine_words(error: Exception) -> str:
    """What the engine said, in its own words, on one line."""
    if isinstance(error, APIError) and error.explanation:
        return one_line(str(error.explanation), 500)
    return one_line(str(error), 500) or type(error).__name__


def probe_engine() -> EngineInfo:
    """What engine there is, or why there is none; never raises for an absent one."""
    try:
        client, info = connect()
    except EngineUnavailableError as error:
        version, mode = toolkit()
        return EngineInfo(problem=error.why or error.what, toolkit_version=version, toolkit_mode=mode)
    client.close()
    return info


def _addresses() -> Iterator[str]:
    if host := os.environ.get("DOCKER_HOST"):
        yield host
        return
    if context := _context_address():
        yield context
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    sockets = [Path("/var/run/docker.sock"), Path("/run/podman/podman.sock")]
    if runtime:
        sockets[1:1] = [Path(runtime, "docker.sock"), Path(runtime, "podman", "podman.sock")]
    for socket in sockets:
        address = f"unix://{socket}"
        if socket.exists() and address != context:
            yield address


def _context_address() -> str | None:
    """The endpoint of the docker CLI's current context, unless that is the default one."""
    try:
        context = docker.ContextAPI.get_current_context()
    except (DockerException, OSError, ValueError, KeyError, TypeError):
        return None  # an unreadable ~/.docker is the CLI's problem; the usual sockets are tried
    if context is None or context.name == "default":
        return None
    host = context.Host
    return str(host) if host else None


def _tls(address: str) -> dict[str, Any]:
    """The client certificates of DOCKER_CERT_PATH, for an engine reached over TLS."""
    if not address.startswith("tcp:") or not os.environ.get("DOCKER_TLS_VERIFY"):
        return {}
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    return {
        "tls": docker.tls.TLSConfig(
            client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")), ca_cert=str(folder / "ca.pem"), verify=True
        )
    }


def _describe(client: docker.APIClient, address: str) -> EngineInfo:
    version, info = client.version(), client.info()
    components = tuple(map(_component, version.get("Components") or ()))
    podman = any("podman" in part.name.lower() for part in components)
    toolkit_version, toolkit_mode = toolkit()
    return EngineInfo(
        name="podman" if podman else "docker",
        version=one_line(str(version.get("Version", ""))),
        api_version=one_line(str(version.get("ApiVersion", ""))),
        address=address,
        runtimes=tuple(sorted(one_line(str(name)) for name in info.get("Runtimes") or {})),
        default_runtime=one_line(str(info.get("DefaultRuntime") or "")) or None,
        cdi_dirs=tuple(one_line(str(folder)) for folder in info.get("CDISpecDirs") or ()),
        cdi_devices=tuple(
            one_line(str(device.get("ID", "")))
            for device in info.get("DiscoveredDevices") or ()
            if device.get("Source") == "cdi"
        ),
        toolkit_version=toolkit_version,
        toolkit_mode=toolkit_mode,
        components=components,
    )


def _component(part: dict[str, Any]) -> EngineComponent:
    details = part.get("Details") or {}
    said = (part.get("Name"), part.get("Version"), details.get("GitCommit"))
    return EngineComponent(*(one_line(str(text or "")) for text in said))


def _why(error: Exception) -> str:
    words = str(error)
    if "Permission denied" in words or "PermissionError" in words:
        return "permission denied; add yourself to the group that owns the socket (usually `docker`), or run as root"
    if "No such file" in words or "FileNotFoundError" in words:
        return "there is no such socket"
    if "Connection refused" in words or "ConnectionRefusedError" in words:
        return "nothing listens there; the engine is not running"
    if "timed out" in words.lower():
        return f"no answer within {_CONNECT_TIMEOUT} s"
    return engine_words(error)


def gpu_mechanism(engine: EngineInfo) -> str:
    """How this engine is handed a GPU: ``cdi`` or ``nvidia``.

    Podman takes CDI names only (its API ignores NVIDIA device requests; it honours CDI ones since 5.4). Docker takes them once
    it has discovered NVIDIA's CDI devices; else the request goes to the NVIDIA runtime hook.
    """
    if engine.name == "podman" or any(name.startswith("nvidia.com/gpu=") for name in engine.cdi_devices):
        return "cdi"
    return "nvidia"


#: First Podman whose Docker-compatible API honours CDI device requests (containers/podman pull request 25171).
_PODMAN_CDI = Dotted("5.4.0")


def gpu_obstacle(engine: EngineInfo) -> str | None:
    """Why this engine cannot be handed a GPU, where that can be said beforehand; None where it may work."""
    if engine.name == "podman" and engine.version:
        numbers = engine.version.split("-")[0]
        try:
            if Dotted(numbers) < _PODMAN_CDI:
                return (
                    f"Podman {engine.version} cannot be handed a GPU over its Docker-compatible API; "
                    f"{_PODMAN_CDI} or newer is needed"
                )
        except ValueError:
            return None
    return None
