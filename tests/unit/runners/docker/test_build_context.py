"""The build request and its tar, with no engine at hand."""

from __future__ import annotations

import configparser
import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from validator.base.errors import InvalidInputError, MatrixError
from validator.base.resources import shipped_folder
from validator.model import BuildOptions, BuiltImage, Environment, PackageOptions, Where
from validator.runners.docker import build_context
from validator.runners.docker.build_context import BuildRequest, build_request, write_tar
from validator.runners.packages import channels
from validator.runners.packages import config as package_config

WHEEL_FAMILY = shipped_folder() / "images" / "wheel"
CHANNEL = "https://channel.example/{channel}"


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing configured for pip or uv; the channel is taken to answer, so that no test waits for a network."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name.upper().endswith(("_PROXY", "CERT_FILE", "CA_BUNDLE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    monkeypatch.setattr(package_config, "SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.setattr(channels, "_answers", {CHANNEL.format(channel="cu128"): None, "http://127.0.0.1:1/cu128": "refused"})


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "torch-2.13.0+cu126-cp312-cp312-linux_x86_64.whl").write_bytes(b"wheel")
    (folder / "notes.txt").write_text("not a package")
    return folder


def environment(*requirements: str, context: Path = WHEEL_FAMILY, args: Mapping[str, str] | None = None) -> Environment:
    return Environment(
        id="torch2.13.0-cu128",
        source=BuiltImage(context, args=args or {}, requirements=requirements),
        where=Where("matrix.yaml", 7),
        torch="2.13.0",
        cuda="12.8",
        python="3.11",
    )


def request(
    *requirements: str,
    network: str | None = None,
    context: Path = WHEEL_FAMILY,
    args: Mapping[str, str] | None = None,
    **options: object,
) -> BuildRequest:
    packages = replace(PackageOptions(channel_url=CHANNEL), **options)  # type: ignore[arg-type]
    return build_request(environment(*requirements, context=context, args=args), packages, BuildOptions(network=network))


def packed(wanted: BuildRequest) -> bytes:
    stream = io.BytesIO()
    write_tar(wanted, stream)
    return stream.getvalue()


def content(wanted: BuildRequest) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(packed(wanted))) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def pip_conf(wanted: BuildRequest, name: str = "pip.conf") -> dict[str, str]:
    parser = configparser.RawConfigParser()  # as pip reads it
    parser.read_string(wanted.generated[f"sources/{name}"].decode())
    return dict(parser.items("global"))


def user_folder(tmp_path: Path, dockerfile: str = "FROM scratch\n") -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


# ---------------------------------------------------------------- arguments


def test_the_axes_become_build_arguments() -> None:
    assert request().args == {
        "TORCH": "2.13.0",
        "CUDA": "12.8",
        "CHANNEL": "cu128",
        "PYTHON": "3.11",
        "BASE_IMAGE": "python:3.11-slim",
    }


def test_the_users_own_arguments_win() -> None:
    args = request(args={"BASE_IMAGE": "debian:12", "CUDA": "x", "MINE": "1"}).args
    assert (args["BASE_IMAGE"], args["CUDA"], args["MINE"], args["TORCH"]) == ("debian:12", "x", "1", "2.13.0")


@pytest.mark.parametrize(
    ("dockerfile", "passed"),
    [("FROM a\n", False), ("# ARG BASE_IMAGE\nFROM a\n", False), ("arg BASE_IMAGE=a\nFROM $BASE_IMAGE\n", True)],
)
def test_a_base_image_is_passed_only_to_a_dockerfile_that_declares_it(tmp_path: Path, dockerfile: str, passed: bool) -> None:
    assert ("BASE_IMAGE" in request(context=user_folder(tmp_path, dockerfile)).args) is passed


def test_proxies_are_passed_in_both_spellings_and_do_not_decide_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = request()
    monkeypatch.setenv("https_proxy", "http://u:s3cret@proxy:3128")
    proxied = request()
    assert {proxied.args["HTTPS_PROXY"], proxied.args["https_proxy"]} == {"http://u:s3cret@proxy:3128"}
    assert proxied.key == plain.key
    assert "s3cret" not in repr(proxied)


# ---------------------------------------------------------------- sources/


def test_torch_comes_from_the_channel_alone_and_the_rest_from_everywhere(wheels: Path) -> None:
    built = request(
        "numpy",
        "foo>=1; python_version < '3.12'",
        index="https://i/simple",
        extra_indexes=("https://e",),
        find_links=(str(wheels),),
    )
    assert built.generated["sources/torch.txt"] == b"torch==2.13.0\n"
    assert built.generated["sources/requirements.txt"] == b"torch==2.13.0\nnumpy\nfoo>=1; python_version < '3.12'\n"
    assert pip_conf(built, "torch.conf") == {"index-url": "https://channel.example/cu128"}
    assert pip_conf(built) == {
        "index-url": "https://i/simple",
        "extra-index-url": "https://e https://channel.example/cu128",
        "find-links": "/sources/wheels",
    }
    assert built.notes == ()


def test_without_the_channel_torch_comes_from_the_configured_sources() -> None:
    built = request(channel_url="http://127.0.0.1:1/{channel}", index="https://i/simple")
    assert pip_conf(built, "torch.conf") == pip_conf(built) == {"index-url": "https://i/simple"}
    assert built.notes == ("the channel cu128 could not be reached (refused); the configured package sources were used",)


def test_an_offline_folder_needs_no_index(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{wheels} https://links")
    built = request()
    expected = {"find-links": "/sources/wheels https://links", "no-index": "true"}
    assert pip_conf(built) == pip_conf(built, "torch.conf") == expected


def test_certificates_travel_with_the_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, name in (("PIP_CERT", "ca.pem"), ("PIP_CLIENT_CERT", "me.pem")):
        (tmp_path / name).write_text(name)
        monkeypatch.setenv(variable, str(tmp_path / name))
    # A link is sent as what it points to: the build could not follow it.
    (tmp_path / "link.pem").symlink_to("ca.pem")
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "link.pem"))
    built = request()
    for file in ("pip.conf", "torch.conf"):
        assert (pip_conf(built, file)["cert"], pip_conf(built, file)["client-cert"]) == ("/sources/ca.crt", "/sources/client.pem")
    assert (content(built)["sources/ca.crt"], content(built)["sources/client.pem"]) == (b"ca.pem", b"me.pem")


def test_only_packages_of_a_wheel_folder_are_copied_and_the_first_folder_wins(tmp_path: Path, wheels: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    name = "torch-2.13.0+cu126-cp312-cp312-linux_x86_64.whl"
    (other / name).write_bytes(b"another")
    (other / "helper-1.tar.gz").write_bytes(b"source")
    copied = {
        file: data for file, data in content(request(find_links=(f"file://{wheels}", str(other)))).items() if "/wheels/" in file
    }
    assert copied == {f"sources/wheels/{name}": b"wheel", "sources/wheels/helper-1.tar.gz": b"source"}


def test_wheel_folders_too_large_to_copy_are_refused(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_context, "_WHEELS_BOUND", 4)  # the folder holds 5 bytes of packages
    with pytest.raises(InvalidInputError, match="at most") as caught:
        request(find_links=(str(wheels),))
    assert str(wheels) in caught.value.why
    assert caught.value.hint


def test_what_a_build_cannot_see_is_left_out_and_noted(tmp_path: Path) -> None:
    built = request(
        index="file:///srv/simple", extra_indexes=("file:///srv/more", "https://e"), find_links=(str(tmp_path / "gone"),)
    )
    assert pip_conf(built) == {"extra-index-url": "https://e https://channel.example/cu128"}
    assert built.notes == (
        "not used in the build, which cannot see this machine's files: "
        f"file:///srv/simple, file:///srv/more, {tmp_path / 'gone'}",
    )


@pytest.mark.parametrize("url", ["http://localhost:3141/simple", "http://ci:s3cret@127.0.0.1/simple", "http://[::1]/simple"])
def test_an_address_of_this_machine_itself_needs_the_hosts_network(url: str) -> None:
    (note,) = request(index=url).notes
    assert "network: host" in note
    assert "s3cret" not in note
    assert request(index=url, network="host").notes == ()


# ---------------------------------------------------------------- secrets


def test_credentials_are_in_pip_conf_alone_and_do_not_decide_the_key() -> None:
    def with_password(password: str) -> BuildRequest:
        return request(index=f"https://ci:{password}@mirror/simple")

    built = with_password("s3cret")
    holders = [name for name, data in content(built).items() if b"s3cret" in data]
    assert holders == ["sources/pip.conf"]
    assert "s3cret" not in repr((built, built.args, built.notes))
    assert built.key == with_password("0ther").key


# ---------------------------------------------------------------- key


def test_the_key_follows_everything_that_decides_the_content(tmp_path: Path, wheels: Path) -> None:
    folder = user_folder(tmp_path)
    (folder / "setup.sh").write_text("one")

    def key(*requirements: str, **options: object) -> str:
        return request(*requirements, context=folder, **options).key  # type: ignore[arg-type]

    first = key()
    assert key() == first
    assert key(network="host") == first  # how it is reached is not what is reached
    keys = [first, key("numpy"), key(index="https://i"), key(args={"A": "1"}), key(find_links=(str(wheels),))]
    next(wheels.glob("*.whl")).write_bytes(b"WHEEL")  # the same size
    keys.append(key(find_links=(str(wheels),)))
    keys.append(key(channel_url="http://127.0.0.1:1/{channel}"))
    (folder / "setup.sh").write_text("two")
    keys.append(key())
    (folder / "setup.sh").chmod(0o755)
    keys.append(key())
    for to in ("setup.sh", "Dockerfile"):
        (folder / "link").unlink(missing_ok=True)
        (folder / "link").symlink_to(to)
        keys.append(key())
    assert len(set(keys)) == len(keys)


# ---------------------------------------------------------------- the folder and the tar


def test_the_tar_is_the_same_whenever_and_by_whomever_it_is_made(tmp_path: Path) -> None:
    folder = user_folder(tmp_path)
    (folder / "sub").mkdir()
    (folder / "sub/run.sh").write_text("#!/bin/sh\n")
    (folder / "sub/run.sh").chmod(0o700)
    first = packed(request(context=folder))
    os.utime(folder / "Dockerfile", (1, 1))
    (folder / "Dockerfile").chmod(0o600)
    assert packed(request(context=folder)) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}
    assert {member.name: oct(member.mode) for member in members if "/" not in member.name or "sub" in member.name} == {
        "Dockerfile": "0o644",
        "sub/run.sh": "0o755",
    }


def test_a_dockerignore_is_honoured_and_links_stay_links(tmp_path: Path) -> None:
    folder = user_folder(tmp_path)
    (folder / ".dockerignore").write_text("# big things\ndata\n*.log\n\n")
    (folder / "data").mkdir()
    (folder / "data/huge.bin").write_text("x")
    (folder / "a.log").write_text("x")
    (folder / "kept.txt").write_text("x")
    (folder / "link").symlink_to("kept.txt")
    with tarfile.open(fileobj=io.BytesIO(packed(request(context=folder)))) as tar:
        own = {member.name: member.linkname for member in tar if not member.name.startswith("sources/")}
    assert own == {".dockerignore": "", "Dockerfile": "", "kept.txt": "", "link": "kept.txt"}


def test_a_dockerignore_that_names_everything_leaves_the_dockerfile(tmp_path: Path) -> None:
    folder = user_folder(tmp_path)
    (folder / ".dockerignore").write_text("*\n")
    (folder / "data").write_text("x")
    own = [name for name in content(request(context=folder)) if not name.startswith("sources/")]
    assert "Dockerfile" in own
    assert "data" not in own


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        (lambda folder: None, "there is no folder"),
        (lambda folder: folder.mkdir(), "holds no Dockerfile"),
        (lambda folder: [(folder / "sources").mkdir(parents=True), (folder / "Dockerfile").touch()], "holds sources/"),
    ],
)
def test_a_folder_that_cannot_be_built_is_refused_with_its_place_in_the_matrix(tmp_path: Path, prepare, problem: str) -> None:  # type: ignore[no-untyped-def]
    prepare(tmp_path / "mine")
    with pytest.raises(MatrixError, match=f"matrix.yaml:7: .*{problem}") as caught:
        request(context=tmp_path / "mine")
    assert caught.value.hint


def test_the_shipped_family_is_for_the_classic_builder_and_keeps_its_sources_out_of_the_image() -> None:
    instructions = [line for line in (WHEEL_FAMILY / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    assert not any("--mount" in line or "<<" in line for line in instructions)
    last = max(number for number, line in enumerate(instructions) if line.startswith("FROM "))
    assert not any("sources" in line for line in instructions[last:])
    # Every file the stage reads is one that is made.
    read = {word for line in instructions for word in line.replace("=", " ").split() if word.startswith("/sources/")} - {
        "/sources/"
    }
    assert read == {f"/{name}" for name in request().generated}
