"""Where packages come from: what the matrix says and what this machine has configured for uv and pip, as one value.

A company mirror, an offline folder of wheels, a proxy or a private certificate that works for the person who runs the
validator must work for the environments it makes. The index comes from the first that has one; extra indexes and
find-links of all are joined:

    matrix.yaml `packages`  >  uv's environment  >  uv.toml  >  pip's environment  >  pip's files
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from validator.base.errors import InvalidInputError
from validator.base.redact import redact
from validator.base.text import quoted
from validator.base.versions import torch_version
from validator.model import Environment, PackageOptions
from validator.runners.packages import config as package_config
from validator.runners.packages.config import Setting, is_true

_MATRIX = "matrix.yaml"
_CERTIFICATE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class PackageSources:
    """Package sources in effect. URLs may hold credentials: pass them on, never show them without ``redact``."""

    index: str | None = field(default=None, repr=False)
    """Main index; None is PyPI."""
    extra_indexes: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    """Folders or pages of wheels; a relative path counts from the current directory, as for pip."""
    trusted_hosts: tuple[str, ...] = ()
    """Hosts whose certificate is not checked."""
    certificate: Path | None = None
    """Bundle of certificate authorities."""
    client_certificate: Path | None = None
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Upper-case names: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY."""
    no_index: bool = False
    """Only find-links are used."""
    origins: tuple[str, ...] = ()
    """Where each came from, for the report."""

    def identity(self) -> tuple[str, ...]:
        """What decides which packages are found, without secrets; for cache keys."""
        named = (f"index {self.index or 'PyPI'}", *self.extra_indexes, "find-links", *self.find_links)
        return (*map(redact, named), f"no-index {self.no_index}")


def configured(options: PackageOptions, environ: Mapping[str, str] = os.environ) -> PackageSources:
    """The package sources for a matrix on this machine.

    Raises InvalidInputError naming file and line for a configuration file that cannot be read, and for a value that cannot be
    an address.
    """
    uv, pip = package_config.of_uv(environ), package_config.of_pip(environ)
    origins: list[str] = []

    def used(setting: Setting | None) -> tuple[str, ...]:
        if setting is None:
            return ()
        origins.extend(setting.origins)
        return setting.values

    def joined(ours: Iterable[str], option: str) -> tuple[str, ...]:
        ours = tuple(ours)
        origins.extend([_MATRIX] if ours else [])
        return tuple(dict.fromkeys([*ours, *used(uv.get(option)), *used(pip.get(option))]))

    index: tuple[str, ...]
    if options.index:
        index, no_index = (options.index,), False
        origins.append(_MATRIX)
    else:
        index = used(uv.get("index-url") or pip.get("index-url"))
        switch = used(uv.get("no-index") or pip.get("no-index"))
        no_index = bool(switch) and is_true(switch[0])
    extra_indexes = joined(options.extra_indexes, "extra-index-url")
    find_links = tuple(map(_expanded, joined(options.find_links, "find-links")))
    trusted_hosts = joined((), "trusted-host")
    for value in (*index, *extra_indexes, *find_links):
        _check_address(value, origins)
    certificate = _certificate(environ, pip.get("cert"), origins)
    client_certificate = used(pip.get("client-cert"))
    return PackageSources(
        index=index[0] if index else None,
        extra_indexes=tuple(url for url in extra_indexes if url not in index),
        find_links=find_links,
        trusted_hosts=trusted_hosts,
        certificate=certificate,
        client_certificate=Path(client_certificate[0]).expanduser() if client_certificate else None,
        proxies=_proxies(environ, used(pip.get("proxy"))),
        no_index=no_index,
        origins=tuple(dict.fromkeys(origins)),
    )


def _expanded(link: str) -> str:
    return os.path.expanduser(link) if link.startswith("~") else link


def _check_address(value: str, origins: Iterable[str]) -> None:
    # These values become lines of a pip.conf: one with a line break would be two settings.
    if not value.isprintable() or ("://" in value and " " in value):
        raise InvalidInputError(
            f"{quoted(value)} is not the address of a package source",
            why=f"it holds a space or a character that cannot be shown; set in one of: {', '.join(origins)}",
            hint="write it as https://host/simple, file:///folder or a path",
        )


def _certificate(environ: Mapping[str, str], pip: Setting | None, origins: list[str]) -> Path | None:
    """The first certificate bundle that is set; a folder of certificates is left to the tools themselves."""
    named = [(variable, environ[variable]) for variable in _CERTIFICATE_VARIABLES if environ.get(variable)]
    if pip is not None:
        named.append((pip.origins[0], pip.value))
    for origin, value in named:
        path = Path(value).expanduser()
        if path.is_dir():
            continue
        if not path.is_file():
            raise InvalidInputError(
                f"{origin} names {value} as the certificate bundle, and there is no such file",
                hint=f"correct or unset {origin}",
            )
        origins.append(origin)
        return path
    return None


def _proxies(environ: Mapping[str, str], pip: tuple[str, ...]) -> dict[str, str]:
    found = {name: environ.get(name.lower()) or environ.get(name, "") for name in _PROXY_VARIABLES}
    if pip:  # pip's own setting wins over the environment's, as in pip
        proxy = pip[0] if "://" in pip[0] else f"http://{pip[0]}"
        found |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    return {name: value for name, value in found.items() if value}


# ---------------------------------------------------------------- what is asked of them


def local_folder(link: str) -> Path | None:
    """The folder a find-links or index names on this machine; None for a web address or a page."""
    parts = urlsplit(link)
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(link)
    return path if "://" not in str(path) and path.is_dir() else None


def torch_requirement(environment: Environment, sources: PackageSources, channel_used: bool) -> str:
    """The requirement for torch: ``torch==2.13.0``, which any build of that version fulfils.

    A folder of wheels may hold several builds of a version (2.13.0+cpu, 2.13.0+cu128), and installers take the greatest
    local label, whatever was asked. Where PyTorch's channel does not decide it, the build that was asked for is named if a
    folder has it.
    """
    if environment.torch is None:
        return "torch"
    plain = f"torch=={environment.torch}"
    wanted = torch_version(environment.torch)
    if channel_used or environment.channel is None or wanted.local:
        return plain
    labelled = f"{environment.torch}+{environment.channel}"
    for link in sources.find_links:
        folder = local_folder(link)
        if folder is not None and any(_is_torch(file.name, labelled) for file in folder.glob("torch-*.whl")):
            return f"torch=={labelled}"
    return plain


def _is_torch(name: str, version: str) -> bool:
    try:
        return parse_wheel_filename(name)[1] == torch_version(version)
    except InvalidWheelFilename:
        return False
