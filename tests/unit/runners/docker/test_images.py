"""When an image is pulled or built, and that a failed pull is never answered by an older image.

The engine here is a stand-in that knows one image and can refuse pulls and builds: a truth table needs no engine. Real pulls,
from a real registry, and real builds are in tests/integration.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest
import requests
from docker.errors import APIError, ImageNotFound, StreamParseError
from values import environment, matrix

from validator.base.errors import AcquireError, InterruptedRunError
from validator.base.stopping import Stop
from validator.model import BuildOptions, BuiltImage, HostInterpreter, PackageOptions, PulledImage
from validator.runners.base import Prepared
from validator.runners.docker.images import Images, described

REFERENCE = "registry.example:5000/team/torch:2.7.1"
STALE = {"Id": "sha256:old", "RepoDigests": ["registry.example:5000/team/torch@sha256:beef"]}
FRESH = {
    "Id": "sha256:new",
    "RepoDigests": ["registry.example:5000/team/torch@sha256:cafe"],
    "Config": {"Entrypoint": ["/go", "-x"]},
}


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@dataclass
class EngineStandIn:
    """The calls of docker.APIClient that a pull makes."""

    image: dict[str, Any] | None = None
    """What the engine has under any reference; None is nothing."""
    refusal: Exception | str | None = None
    """Raised by a pull, or, as text, told in its stream, which is how an engine reports what went wrong half-way."""
    pulls: list[tuple[str, str]] = field(default_factory=list)
    said: tuple[dict[str, Any], ...] = ()
    """What the stream of a build brings."""
    builds: list[dict[str, Any]] = field(default_factory=list)
    closed: int = 0
    removed: list[tuple[str, bool]] = field(default_factory=list)
    base_url: str = "http+docker://localhost"
    address: str | None = "tcp://engine:2375"
    root: str = "/var/lib/docker"

    def lend(self) -> nullcontext[Any]:
        """As Clients does."""
        return nullcontext(SimpleNamespace(client=self))

    def info(self) -> dict[str, Any]:
        return {"DockerRootDir": self.root}

    def remove_image(self, image: str, *, force: bool, noprune: bool) -> None:
        assert not force
        self.removed.append((image, noprune))
        if self.refusal is not None:
            assert isinstance(self.refusal, Exception)
            raise self.refusal

    def build(self, *, fileobj: BinaryIO, **options: Any) -> EngineStandIn:
        with tarfile.open(fileobj=fileobj) as tar:
            self.builds.append({"files": tar.getnames(), **options})
        return self

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self.said
        self.image = FRESH

    def close(self) -> None:
        self.closed += 1

    def inspect_image(self, reference: str) -> dict[str, Any]:
        if self.image is None:
            raise ImageNotFound(f"No such image: {reference}")
        return self.image

    def pull(self, repository: str, tag: str, stream: bool, decode: bool) -> Iterator[dict[str, Any]]:
        assert stream
        assert decode
        self.pulls.append((repository, tag))
        if isinstance(self.refusal, Exception):
            raise self.refusal
        return self._progress()

    def _progress(self) -> Iterator[dict[str, Any]]:
        yield {"status": "Pulling from team/torch", "id": "2.7.1"}
        yield {"status": "Downloading", "id": "a1b2", "progress": "[=>  ]"}
        yield {"status": "Pull complete", "id": "a1b2"}
        if self.refusal is not None:
            yield {"error": self.refusal}
            return
        self.image = FRESH


def acquire(engine: EngineStandIn, policy: str, reference: str = REFERENCE, lines: list[str] | None = None) -> Prepared:
    of = environment(source=PulledImage(reference))
    images = Images(engine, matrix(of, pull=policy), "host:1", Stop())  # type: ignore[arg-type]
    return images.acquire(of, (lines if lines is not None else []).append)


@pytest.mark.parametrize(
    ("policy", "present", "handle", "pulls"),
    [
        ("missing", STALE, "sha256:old", 0),
        ("missing", None, "sha256:new", 1),
        ("always", STALE, "sha256:new", 1),
        ("always", None, "sha256:new", 1),
        ("never", STALE, "sha256:old", 0),
    ],
)
def test_an_image_is_pulled_as_the_policy_says(policy: str, present: dict[str, Any] | None, handle: str, pulls: int) -> None:
    engine = EngineStandIn(present)
    assert acquire(engine, policy).handle == handle
    assert len(engine.pulls) == pulls


def test_never_pulling_what_is_absent_is_an_error_that_says_what_to_do() -> None:
    engine = EngineStandIn()
    with pytest.raises(AcquireError) as caught:
        acquire(engine, "never")
    assert engine.pulls == []
    assert REFERENCE in caught.value.what
    assert "pull: never" in caught.value.why
    assert "docker pull" in caught.value.hint


@pytest.mark.parametrize("refusal", [APIError("500", explanation="denied: no access"), "denied: no access"])
@pytest.mark.parametrize(("policy", "present"), [("always", STALE), ("always", None), ("missing", None)])
def test_a_pull_that_fails_is_an_error_and_never_the_stale_image(
    policy: str, present: dict[str, Any] | None, refusal: Exception | str
) -> None:
    with pytest.raises(AcquireError) as caught:
        acquire(EngineStandIn(present, refusal), policy)
    assert caught.value.what == f"{REFERENCE} could not be pulled"
    assert "denied: no access" in caught.value.why
    assert "docker login" in caught.value.hint


def test_an_engine_that_goes_away_in_a_pull_is_an_error() -> None:
    with pytest.raises(AcquireError, match="stopped answering"):
        acquire(EngineStandIn(refusal=requests.exceptions.ConnectionError("reset")), "missing")


def test_an_environment_without_an_image_is_an_error() -> None:
    of = environment(source=HostInterpreter(Path("/usr/bin/python3")))
    with pytest.raises(AcquireError, match="has no image"):
        Images(EngineStandIn(), matrix(of), "host:1", Stop()).acquire(of, print)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reference", "asked"),
    [
        ("python", ("python", "latest")),  # never every tag of the repository
        ("python:3.12-slim", ("python", "3.12-slim")),
        (REFERENCE, ("registry.example:5000/team/torch", "2.7.1")),
        ("localhost:5000/torch", ("localhost:5000/torch", "latest")),
        ("python@sha256:cafe", ("python", "sha256:cafe")),
        ("localhost:5000/torch:2.7.1@sha256:cafe", ("localhost:5000/torch", "sha256:cafe")),
    ],
)
def test_one_image_is_asked_for(reference: str, asked: tuple[str, str]) -> None:
    engine = EngineStandIn()
    acquire(engine, "missing", reference)
    assert engine.pulls == [asked]


def test_what_is_known_of_the_image_afterwards() -> None:
    prepared = acquire(EngineStandIn(), "missing")
    assert prepared.digest == "sha256:cafe"
    assert prepared.entrypoint == ("/go", "-x")


@pytest.mark.parametrize("digests", [{}, {"RepoDigests": []}, {"RepoDigests": None}])
def test_an_image_from_no_registry_is_known_by_its_id(digests: dict[str, Any]) -> None:
    assert acquire(EngineStandIn({"Id": "sha256:own", **digests}), "never").digest == "sha256:own"


def test_progress_is_told_in_bytes_and_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    def progress(self: EngineStandIn) -> Iterator[dict[str, Any]]:
        for done in range(0, 64 << 20, 1 << 20):
            yield {"status": "Downloading", "id": "a1b2", "progressDetail": {"current": done, "total": 64 << 20}}
        self.image = FRESH

    monkeypatch.setattr(EngineStandIn, "_progress", progress)
    lines: list[str] = []
    acquire(EngineStandIn(), "missing", lines=lines)
    assert lines == [f"pulling {REFERENCE}", f"pulling {REFERENCE}: 0 of 64 MiB"]


def test_a_pull_that_brings_no_image_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineStandIn, "_progress", lambda self: iter([]))
    with pytest.raises(AcquireError, match="ended without an image") as caught:
        acquire(EngineStandIn(), "missing")
    assert caught.value.transient


@pytest.mark.parametrize(
    ("words", "transient"),
    [
        ("toomanyrequests: You have reached your pull rate limit", True),
        ("received unexpected HTTP status: 503 Service Unavailable", True),
        ("read tcp 10.0.0.5:41234->104.18.1.1:443: read: connection reset by peer", True),
        ("unexpected EOF", True),
        ("net/http: TLS handshake timeout", True),
        ("manifest unknown", False),
        ("denied: no access", False),
        ("no space left on device", False),
        ("dial tcp: lookup registry.example: no such host", False),
    ],
)
@pytest.mark.parametrize("in_stream", [True, False])
def test_what_may_pass_is_told_apart_from_what_will_not(words: str, transient: bool, in_stream: bool) -> None:
    with pytest.raises(AcquireError) as caught:
        acquire(EngineStandIn(refusal=words if in_stream else APIError("500", explanation=words)), "missing")
    assert caught.value.transient is transient


@pytest.mark.parametrize("error", [requests.exceptions.ConnectionError("reset"), StreamParseError("half a message")])
def test_an_engine_that_went_away_may_come_back(error: Exception) -> None:
    with pytest.raises(AcquireError) as caught:
        acquire(EngineStandIn(refusal=error), "missing")
    assert caught.value.transient


def test_an_image_that_does_not_fit_is_refused_with_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=3 << 30))
    told = {"status": "Downloading", "id": "a1b2", "progressDetail": {"current": 0, "total": 4 << 30}}
    monkeypatch.setattr(EngineStandIn, "_progress", lambda self: iter([told, {"error": "not reached"}]))
    engine = EngineStandIn(address="unix:///run/docker.sock", root=str(tmp_path))
    with pytest.raises(AcquireError) as caught:
        acquire(engine, "missing")
    assert caught.value.what == f"{REFERENCE} does not fit on the engine's disk"
    assert caught.value.why == (
        f"it needs at least 7.6 GiB more (4.0 GiB of layers as sent, times 1.9 unpacked), and {tmp_path} has 3.0 GiB free"
    )
    assert not caught.value.transient


# ---------------------------------------------------------------- many at once, and afterwards


def images_of(engine: EngineStandIn, policy: str = "missing", stop: Stop | None = None) -> Images:
    settings = matrix(environment(source=PulledImage(REFERENCE)), pull=policy)
    return Images(engine, settings, "host:1", stop or Stop())  # type: ignore[arg-type]


OF = environment(source=PulledImage(REFERENCE))


def test_always_is_once_in_a_run() -> None:
    engine = EngineStandIn(STALE)
    images = images_of(engine, "always")
    assert [images.acquire(OF, print).was_there for _ in range(3)] == [False] * 3
    assert len(engine.pulls) == 1


@pytest.mark.parametrize(("policy", "there"), [("missing", True), ("always", False)])
def test_whether_it_was_there_before(policy: str, there: bool) -> None:
    prepared = images_of(EngineStandIn(STALE), policy).acquire(OF, print)
    assert (prepared.was_there, prepared.identity) == (there, prepared.handle)


def test_an_image_that_is_up_to_date_already_is_not_this_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineStandIn, "_progress", lambda self: iter([{"status": "Image is up to date"}]))
    engine = EngineStandIn(STALE)
    images = images_of(engine, "always")
    prepared = images.acquire(OF, print)
    assert prepared.was_there
    images.discard(prepared)
    assert engine.removed == []


def test_what_this_run_pulled_is_discarded_when_all_are_done_with_it() -> None:
    engine = EngineStandIn()
    images = images_of(engine)
    first, second = (images.acquire(OF, print) for _ in range(2))
    images.discard(first)
    assert engine.removed == []
    images.discard(second)
    assert engine.removed == [(REFERENCE, False)]
    images.discard(second)
    assert len(engine.removed) == 1


def test_what_another_run_of_this_user_uses_stays() -> None:
    engine = EngineStandIn()
    images, other = images_of(engine), images_of(engine)
    prepared = images.acquire(OF, print)
    other.acquire(OF, print)
    images.discard(prepared)
    assert engine.removed == []
    other.close()


@pytest.mark.parametrize("refusal", [APIError("409", explanation="in use"), requests.exceptions.ConnectionError("gone")])
def test_what_cannot_be_discarded_stays_and_nothing_is_said(refusal: Exception) -> None:
    engine = EngineStandIn()
    images = images_of(engine)
    prepared = images.acquire(OF, print)
    engine.refusal = refusal
    images.discard(prepared)
    assert len(engine.removed) == 1


def test_nothing_is_fetched_once_the_run_is_to_end() -> None:
    stop = Stop()
    stop.ask(60.0)
    with pytest.raises(InterruptedRunError):
        images_of(EngineStandIn(), stop=stop).acquire(OF, print)


def test_volumes_are_known_and_told() -> None:
    prepared = acquire(EngineStandIn({"Id": "sha256:v", "Config": {"Volumes": {"/data": {}, "/models": {}}}}), "never")
    assert prepared.volumes == ("/data", "/models")
    assert prepared.notes == ("the image's volumes (/data, /models) are empty folders in memory here",)
    many = {f"/v{number}": {} for number in range(1000)}
    assert len(acquire(EngineStandIn({"Id": "sha256:v", "Config": {"Volumes": many}}), "never").volumes) == 64


# ---------------------------------------------------------------- builds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    return tmp_path


def build(engine: EngineStandIn, folder: Path, *, policy: str = "missing", lines: list[str] | None = None) -> Prepared:
    of = environment("mine", source=BuiltImage(folder))
    images = Images(
        engine,  # type: ignore[arg-type]
        matrix(of, pull=policy, build=BuildOptions(network="host"), packages=PackageOptions(channel_url="")),
        "host:1",
        Stop(),
    )
    return images.acquire(of, (lines if lines is not None else []).append)


@pytest.mark.parametrize(
    ("policy", "present", "handle", "builds"),
    [
        ("missing", STALE, "sha256:old", 0),
        ("missing", None, "sha256:new", 1),
        ("always", STALE, "sha256:new", 1),
        ("never", None, "sha256:new", 1),
    ],
)
def test_an_image_is_built_unless_the_same_one_is_there(
    policy: str, present: dict[str, Any] | None, handle: str, builds: int, folder: Path
) -> None:
    engine = EngineStandIn(present)
    assert build(engine, folder, policy=policy).handle == handle
    assert len(engine.builds) == builds


@pytest.mark.parametrize("policy", ["missing", "always"])
def test_what_a_build_asks_of_the_engine(policy: str, folder: Path) -> None:
    engine, lines = EngineStandIn(said=({"stream": "Step 1/1 : FROM scratch\n"}, {"stream": "\n"}, {"aux": {}})), []  # type: ignore[var-annotated]
    build(engine, folder, policy=policy, lines=lines)
    (asked,) = engine.builds
    tag = asked.pop("tag")
    assert tag.startswith("validator/env:")
    assert len(tag.partition(":")[2]) == 32
    assert {"Dockerfile", "sources/pip.conf"} <= set(asked.pop("files"))
    assert asked == {
        "custom_context": True,
        "dockerfile": "Dockerfile",
        "buildargs": {},
        "labels": {"validator.built": "mine", "validator.owner": "host:1"},
        "network_mode": "host",
        "rm": True,
        "forcerm": True,
        "pull": policy == "always",
        "decode": True,
        "timeout": 1800,
    }
    assert lines == ["building mine", "Step 1/1 : FROM scratch"]
    assert engine.closed == 1


def test_a_build_that_fails_quotes_its_last_lines_without_passwords(folder: Path) -> None:
    said = [{"stream": f"line {number}\n"} for number in range(20)] + [{"stream": "Looking in https://ci:s3cret@mirror/simple\n"}]
    engine = EngineStandIn(said=(*said, {"error": "pip ended with 1: https://ci:s3cret@mirror"}))
    with pytest.raises(AcquireError) as caught:
        build(engine, folder)
    assert caught.value.what.startswith("the image of mine could not be built: pip ended with 1")
    assert "s3cret" not in str(caught.value)
    quoted = caught.value.why.splitlines()
    assert quoted[:2] == ["the build's last lines:", "    line 9"]
    assert len(quoted) == 1 + 12
    assert "packages.index" in caught.value.hint
    assert engine.closed == 1  # which tells the engine to give the build up


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        ("received unexpected HTTP status: 503 Service Unavailable", True),  # while the base image was pulled
        ("The command '/bin/sh -c pip install torch==429 || echo connection reset' returned a non-zero code: 1", False),
    ],
)
def test_only_the_engines_own_trouble_in_a_build_may_pass(error: str, transient: bool, folder: Path) -> None:
    with pytest.raises(AcquireError) as caught:
        build(EngineStandIn(said=({"error": error},)), folder)
    assert caught.value.transient is transient


def test_a_build_that_fails_at_once_has_nothing_to_quote(folder: Path) -> None:
    with pytest.raises(AcquireError) as caught:
        build(EngineStandIn(said=({"error": "no base image"},)), folder)
    assert caught.value.why == ""


@pytest.mark.parametrize("name", ["/tmp/validator-context-x", None])
def test_a_context_that_cannot_be_made_is_told_with_its_file(
    name: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", name)

    monkeypatch.setattr("validator.runners.docker.images.write_tar", full)
    with pytest.raises(AcquireError) as caught:
        build(EngineStandIn(), folder)
    assert caught.value.why == f"{name or 'its temporary file'}: No space left on device"
    assert "TMPDIR" in caught.value.hint


# ---------------------------------------------------------------- what an image says of itself


def test_platform_and_what_decides_about_gpus_are_read_from_an_image_and_nothing_else() -> None:
    config = {
        "Env": [
            "NVIDIA_REQUIRE_CUDA=cuda>=12.6 brand=tesla,driver>=535,driver<536",
            "NVIDIA_DISABLE_REQUIRE=1",
            "CUDA_VERSION=12.6.3",
            "LD_LIBRARY_PATH=/usr/local/cuda/compat:/usr/lib",
            "SECRET_TOKEN=abc",
            "PATH=/bin",
            "broken",
        ],
        "Labels": {"maintainer": "someone", "com.nvidia.cudnn.version": "9", "org.torch.version": "2.7.1"},
    }
    found = described({"Os": "linux", "Architecture": "arm64", "Config": config})
    assert found.platform == "linux/arm64"
    assert dict(found.variables) == {
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.6 brand=tesla,driver>=535,driver<536",
        "NVIDIA_DISABLE_REQUIRE": "1",
        "CUDA_VERSION": "12.6.3",
        "LD_LIBRARY_PATH": "/usr/local/cuda/compat:/usr/lib",
    }
    assert dict(found.labels) == {"com.nvidia.cudnn.version": "9", "org.torch.version": "2.7.1"}
    assert found.from_image


@pytest.mark.parametrize("image", [{}, {"Config": None}, {"Config": {"Env": None, "Labels": None}}])
def test_an_image_that_says_nothing(image: dict[str, Any]) -> None:
    found = described(image)
    assert (found.platform, dict(found.variables), dict(found.labels), found.from_image) == (None, {}, {}, True)


def test_what_an_image_says_is_bounded_and_cleaned() -> None:
    hostile = {"Env": [f"NVIDIA_A{n}_VERSION=\x1b[31m{'x' * 20_000}\n" for n in range(100)]}
    found = described({"Config": hostile})
    assert len(found.variables) == 32
    for value in found.variables.values():
        assert len(value) == 8000
        assert "\x1b" not in value
        assert "\n" not in value
