"""PyTorch's wheel channels (``cpu``, ``cu128`` …): asked once per process whether they can be reached."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from validator.base.errors import InvalidInputError
from validator.base.redact import redact
from validator.base.text import one_line
from validator.base.versions import PYTORCH_CHANNELS
from validator.model import Environment, PackageOptions
from validator.runners.packages.sources import PackageSources

_SECONDS = 10.0

_lock = threading.Lock()
_answers: dict[str, str | None] = {}


@dataclass(frozen=True)
class Channel:
    """The channel an environment asks for."""

    url: str | None = field(default=None, repr=False)
    """May hold credentials. None where no channel is asked for."""
    reachable: bool = False
    note: str | None = None
    """The sentence for the report when the channel was asked for and is not used."""

    @property
    def used(self) -> str | None:
        """Its URL when torch comes from it. May hold credentials."""
        return self.url if self.reachable else None

    @property
    def identity(self) -> str | None:
        """What decides which packages are found there, without secrets; for cache keys. None where it is not used."""
        return redact(self.url) if self.url and self.reachable else None


def address(environment: Environment, options: PackageOptions, sources: PackageSources) -> str | None:
    """URL of the channel for an environment.

    None where the matrix names no build of torch or sets an empty ``channel_url``, and where no index may be used.
    """
    template = _template(options)
    if not template or environment.channel is None or sources.no_index:
        return None
    return template.replace("{channel}", environment.channel).rstrip("/")


def channel(environment: Environment, options: PackageOptions, sources: PackageSources) -> Channel:
    """The channel for an environment, after one quick request for its page of torch, made once per process.

    Without a good answer the channel is not used, and the note says why; nothing is raised.
    """
    url = address(environment, options, sources)
    if url is None:
        return Channel()
    with _lock:  # held while asking, so that environments made side by side ask once
        if url not in _answers:
            _answers[url] = _obstacle(f"{url}/torch/", sources)
        obstacle = _answers[url]
    if obstacle is None:
        return Channel(url, reachable=True)
    whose = "PyTorch's channel" if _template(options) == PYTORCH_CHANNELS else "the channel"
    instead = (
        "the configured package sources were used"
        if sources.index or sources.extra_indexes or sources.find_links
        else "PyPI was used"
    )
    return Channel(url, note=f"{whose} {environment.channel} could not be reached ({obstacle}); {instead}")


def _template(options: PackageOptions) -> str:
    return PYTORCH_CHANNELS if options.channel_url is None else options.channel_url


def _obstacle(url: str, sources: PackageSources) -> str | None:
    """Why a page cannot be fetched, in a few words; None when it can."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "it is not an http or https address"
        address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        request = urllib.request.Request(address, headers={"User-Agent": "torch-matrix-validator"})  # noqa: S310 - checked above
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            # Unredirected: a redirect may lead to another host, which must not get the credentials.
            request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
        with _opener(parts.hostname, sources).open(request, timeout=_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        with error:
            return f"HTTP {error.code} {error.reason}".strip()
    except urllib.error.URLError as error:
        return _words(error.reason)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _words(error)


def _opener(host: str, sources: PackageSources) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    bypassed = urllib.request.proxy_bypass(host, {"no": sources.proxies.get("NO_PROXY", "")})
    proxies = {
        scheme: address
        for scheme in ("http", "https")
        if (address := sources.proxies.get(f"{scheme.upper()}_PROXY") or sources.proxies.get("ALL_PROXY"))
    }
    for handler in (
        urllib.request.ProxyHandler({} if bypassed else proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=_tls(host, sources)),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _tls(host: str, sources: PackageSources) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=sources.certificate)
    except ssl.SSLError as error:
        raise InvalidInputError(
            f"{sources.certificate} is not a bundle of certificates",
            why=str(error),
            hint="PIP_CERT, SSL_CERT_FILE or pip's `cert` must name a file of PEM certificates",
        ) from None
    if sources.client_certificate is not None:
        try:
            context.load_cert_chain(sources.client_certificate)
        except OSError as error:  # ssl.SSLError among them
            raise InvalidInputError(
                f"{sources.client_certificate} is not a usable client certificate",
                why=str(error),
                hint="pip's `client-cert` must name a PEM file with the private key and the certificate",
            ) from None
    if host in {trusted.partition(":")[0] for trusted in sources.trusted_hosts}:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _words(reason: object) -> str:
    if isinstance(reason, socket.gaierror):
        return "name not resolved"
    if isinstance(reason, TimeoutError):
        return f"no answer within {_SECONDS:.0f} s"
    if isinstance(reason, ConnectionRefusedError):
        return "connection refused"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {reason.verify_message}"
    if isinstance(reason, OSError) and reason.strerror:
        return one_line(redact(reason.strerror))
    return one_line(redact(str(reason))) or type(reason).__name__
