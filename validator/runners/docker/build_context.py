"""What is sent to an engine to build an image: a folder with a Dockerfile, and ``sources/`` made for it here.

The request is a value that needs no engine; ``write_tar`` turns it into the same bytes every time. Credentials go to
``sources/pip.conf`` and the engine's predefined proxy arguments only: never to notes, errors or the key.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from validator.base.errors import AcquireError, InvalidInputError, MatrixError
from validator.base.redact import redact
from validator.model import BuildOptions, BuiltImage, Environment, PackageOptions
from validator.runners.packages.channels import channel
from validator.runners.packages.sources import PackageSources, configured, local_folder, torch_requirement

#: Folder of the generated files, in the context and (by agreement with the Dockerfiles) at the root of the build stage.
SOURCES = "sources"
_DOCKERFILE = "Dockerfile"
_WHEEL_SUFFIXES = (".whl", ".tar.gz", ".zip")
_WHEELS_BOUND = 8 << 30
#: The end of a wheel or archive holds the checksums of its content (a zip's directory, a gzip's trailer).
_TAIL_BYTES = 1 << 16
_BASE_IMAGE_DECLARED = re.compile(r"^\s*ARG\s+BASE_IMAGE\b", re.IGNORECASE | re.MULTILINE)
_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")


@dataclass(frozen=True)
class BuildRequest:
    """Everything an engine needs to build one image."""

    dockerfile: str
    """Path of the Dockerfile in the context."""
    args: Mapping[str, str] = field(repr=False)
    """Build arguments; the proxies among them may hold credentials."""
    key: str
    """SHA-256 of everything that decides the content, without secrets."""
    notes: tuple[str, ...]
    """What the report must say about how it was made."""
    network: str | None
    """Network mode of the build; None leaves it to the engine."""
    files: Mapping[str, Path] = field(repr=False)
    """Files taken from this machine, by their path in the context."""
    generated: Mapping[str, bytes] = field(repr=False)
    """Files made here, by their path in the context."""


def build_request(environment: Environment, options: PackageOptions, build: BuildOptions) -> BuildRequest:
    """The request for an environment whose source is a BuiltImage.

    Raises MatrixError for a folder that cannot be built, InvalidInputError for package sources that cannot be used.
    """
    if not isinstance(environment.source, BuiltImage):
        raise AcquireError(f"{environment.id} is not built from a folder")
    source = environment.source
    context = _context_files(environment, source.context)
    sources = configured(options)
    found = channel(environment, options, sources)
    notes = [found.note] if found.note else []
    wheels = _wheels(sources.find_links)
    torch = torch_requirement(environment, sources, channel_used=found.used is not None)
    generated = _generated(torch, source.requirements, sources, found.used, notes)
    if build.network != "host":
        notes.extend(_loopback_notes(sources, found.used))
    files = {
        **context,
        **{f"{SOURCES}/wheels/{name}": path for name, path in wheels.items()},
    }
    for name, path in (("ca.crt", sources.certificate), ("client.pem", sources.client_certificate)):
        if path is not None:
            files[f"{SOURCES}/{name}"] = path
    args = _args(environment, source, (source.context / _DOCKERFILE).read_text(encoding="utf-8", errors="replace"))
    content = {
        "args": args,
        "context": {name: _identity(path) for name, path in context.items()},
        "wheels": {name: _tail_digest(path) for name, path in wheels.items()},
        "torch": torch,
        "requirements": source.requirements,
        "sources": sources.identity(),
        "torch from": found.identity,
    }
    return BuildRequest(
        dockerfile=_DOCKERFILE,
        args={**_proxy_args(sources), **args},
        key=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        notes=tuple(notes),
        network=build.network,
        files=files,
        generated=generated,
    )


def write_tar(request: BuildRequest, stream: BinaryIO) -> None:
    """Write the build context as a tar: sorted, without times and owners, so that equal requests give equal bytes."""
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(request.files.keys() | request.generated.keys()):
            content = request.generated.get(name)
            if content is not None:
                tar.addfile(_member(name, size=len(content)), io.BytesIO(content))
                continue
            path = request.files[name]
            # A link of the user's folder stays a link; what is taken from elsewhere is taken by its content.
            if path.is_symlink() and not name.startswith(f"{SOURCES}/"):
                tar.addfile(_member(name, link=os.readlink(path)))
                continue
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                tar.addfile(_member(name, size=status.st_size, executable=bool(status.st_mode & stat.S_IXUSR)), file)


def _member(name: str, *, size: int = 0, executable: bool = False, link: str | None = None) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)  # its time and owner are 0
    member.size = size
    member.mode = 0o755 if executable else 0o644
    if link is not None:
        member.type, member.linkname = tarfile.SYMTYPE, link
    return member


# ---------------------------------------------------------------- the folder


def _context_files(environment: Environment, folder: Path) -> dict[str, Path]:
    """The files of the user's folder, without those that its .dockerignore names."""
    if not (folder / _DOCKERFILE).is_file():
        raise MatrixError(
            f"{environment.where}: {folder} holds no Dockerfile"
            if folder.is_dir()
            else f"{environment.where}: there is no folder {folder}",
            hint="`build` names a folder that holds a Dockerfile, such as images/wheel",
        )
    if os.path.lexists(folder / SOURCES):
        raise MatrixError(
            f"{environment.where}: {folder} holds {SOURCES}/",
            why="the validator puts the package sources there",
            hint="rename yours",
        )
    from docker.utils.build import exclude_paths  # heavy: imported where it is needed

    ignore = folder / ".dockerignore"
    patterns = ignore.read_text(encoding="utf-8", errors="replace").splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    names = sorted(exclude_paths(str(folder), patterns, dockerfile=_DOCKERFILE))
    return {Path(name).as_posix(): folder / name for name in names if (folder / name).is_symlink() or (folder / name).is_file()}


def _identity(path: Path) -> str:
    if path.is_symlink():
        return f"link {os.readlink(path)}"
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return f"{digest.hexdigest()} {bool(path.stat().st_mode & stat.S_IXUSR)}"


def _args(environment: Environment, source: BuiltImage, dockerfile: str) -> dict[str, str]:
    """Build arguments from the axes; those the user sets win."""
    axes = {
        "TORCH": environment.torch,
        "CUDA": environment.cuda,
        "CHANNEL": environment.channel,
        "PYTHON": environment.python,
        "BASE_IMAGE": f"python:{environment.python}-slim"
        if environment.python and _BASE_IMAGE_DECLARED.search(dockerfile)
        else None,
    }
    return {**{name: value for name, value in axes.items() if value}, **source.args}


def _proxy_args(sources: PackageSources) -> dict[str, str]:
    # The engine predefines both spellings, and leaves them out of the image and its history.
    return {spelling: value for name, value in sources.proxies.items() for spelling in (name, name.lower())}


# ---------------------------------------------------------------- sources/


def _wheels(find_links: tuple[str, ...]) -> dict[str, Path]:
    """The packages in local folders of find-links, by file name; the first folder that has a name gives it."""
    wheels: dict[str, Path] = {}
    for link in find_links:
        folder = local_folder(link)
        for path in sorted(folder.iterdir()) if folder is not None else ():
            if path.name.endswith(_WHEEL_SUFFIXES) and path.is_file():
                wheels.setdefault(path.name, path)
    total = sum(path.stat().st_size for path in wheels.values())
    if total > _WHEELS_BOUND:
        raise InvalidInputError(
            f"the folders of wheels hold {total / 2**30:.1f} GiB, and a build copies at most {_WHEELS_BOUND / 2**30:.0f} GiB",
            why=f"find-links: {', '.join(redact(link) for link in find_links)}",
            hint="give a folder with only what torch and the requirements need, or serve it over http and name that address",
        )
    return wheels


def _tail_digest(path: Path) -> str:
    """Size and hash of a package's end, which holds its content's checksums: read quickly even for gigabytes."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _TAIL_BYTES, 0))
        return f"{size} {hashlib.sha256(file.read()).hexdigest()}"


def _generated(
    torch: str, requirements: tuple[str, ...], sources: PackageSources, channel_url: str | None, notes: list[str]
) -> dict[str, bytes]:
    """The files of sources/ that are written here; adds a note for each configured source that a build cannot see."""
    left_out = [
        url
        for url in (sources.index, *sources.extra_indexes, *sources.find_links)
        if url and not _is_web(url) and not (url in sources.find_links and local_folder(url))
    ]
    if left_out:
        notes.append(f"not used in the build, which cannot see this machine's files: {', '.join(map(redact, left_out))}")
    common = {
        "trusted-host": " ".join(sources.trusted_hosts),
        "cert": f"/{SOURCES}/ca.crt" if sources.certificate else "",
        "client-cert": f"/{SOURCES}/client.pem" if sources.client_certificate else "",
    }
    links = [link for link in sources.find_links if _is_web(link)]
    if any(local_folder(link) for link in sources.find_links):
        links.insert(0, f"/{SOURCES}/wheels")
    extra = [url for url in sources.extra_indexes if _is_web(url)]
    everything = {
        **common,
        "index-url": sources.index if sources.index and _is_web(sources.index) else "",
        # The channel comes last: it is for what lies nowhere else, such as the triton of a nightly torch.
        "extra-index-url": " ".join([*extra, *([channel_url] if channel_url else [])]),
        "find-links": " ".join(links),
        "no-index": "true" if sources.no_index else "",
    }
    torch_alone = {**common, "index-url": channel_url} if channel_url else everything
    return {
        f"{SOURCES}/torch.txt": f"{torch}\n".encode(),
        f"{SOURCES}/requirements.txt": "".join(f"{line}\n" for line in (torch, *requirements)).encode(),
        f"{SOURCES}/torch.conf": _pip_conf(torch_alone),
        f"{SOURCES}/pip.conf": _pip_conf(everything),
    }


def _pip_conf(options: Mapping[str, str]) -> bytes:
    return "".join(["[global]\n", *(f"{name} = {value}\n" for name, value in options.items() if value)]).encode()


def _is_web(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https")


def _loopback_notes(sources: PackageSources, channel_url: str | None) -> Iterator[str]:
    """A build has its own loopback unless it shares the host's network."""
    urls = (sources.index, *sources.extra_indexes, *sources.find_links, channel_url, *sources.proxies.values())
    local = sorted({redact(url) for url in urls if url and _is_web(url) and _LOOPBACK.fullmatch(urlsplit(url).hostname or "")})
    if local:
        yield f"{', '.join(local)} is this machine's own address, which a build reaches only with `build: {{network: host}}`"
