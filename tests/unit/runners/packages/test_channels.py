"""Why a channel cannot be reached, how it is asked, and what is said of it. The channel's answers are in test_sources."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from values import environment

from validator.model import BuiltImage, PackageOptions
from validator.runners.packages import channels
from validator.runners.packages.channels import Channel, address, channel
from validator.runners.packages.sources import PackageSources

CPU = environment("cpu", source=BuiltImage(Path("images/wheel")), cuda="cpu")


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "_answers", {})


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "name not resolved"),
        (TimeoutError("timed out"), "no answer within 10 s"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError("no number, only words"), "no number, only words"),
        (OSError(), "OSError"),
        ("words of urllib", "words of urllib"),
        (ValueError("https://ci:s3cret@mirror is broken\n"), "https://***@mirror is broken"),
    ],
)
def test_a_reason_is_told_in_a_few_words(reason: object, words: str) -> None:
    assert channels._words(reason) == words


def test_a_certificate_that_is_not_trusted_is_said_to_be_that() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    assert channels._words(error) == "its certificate is not trusted: self-signed certificate"


@pytest.mark.parametrize(
    ("trusted", "checked"), [((), True), (("other",), True), (("mirror",), False), (("mirror:8443",), False)]
)
def test_the_certificate_of_a_trusted_host_is_not_checked(trusted: tuple[str, ...], checked: bool) -> None:
    context = channels._tls("mirror", PackageSources(trusted_hosts=trusted))
    assert (context.verify_mode is ssl.CERT_REQUIRED, context.check_hostname) == (checked, checked)


@contextmanager
def redirecting(to: str) -> Iterator[tuple[str, list[str | None]]]:
    """A server that sends everyone elsewhere, but for the path /here/; yields its address and the credentials it got."""
    credentials: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            credentials.append(self.headers.get("Authorization"))
            here = self.path.endswith("/here/")
            self.send_response(200 if here else 302)
            if not here:
                self.send_header("Location", to)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{httpd.server_port}", credentials
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def test_a_redirect_is_followed_and_gets_no_credentials() -> None:
    with redirecting("/here/") as (host, credentials):
        answer = channel(CPU, PackageOptions(channel_url=f"http://ci%40corp:s3%3Acret@{host}/{{channel}}"), PackageSources())
    assert answer.reachable
    assert credentials == ["Basic Y2lAY29ycDpzMzpjcmV0", None]  # base64 of ci@corp:s3:cret


def test_a_user_without_a_password_is_sent_too() -> None:
    with redirecting("/here/") as (host, credentials):
        channel(CPU, PackageOptions(channel_url=f"http://token@{host}/{{channel}}"), PackageSources())
    assert credentials[0] == "Basic dG9rZW46"  # base64 of token:


def test_a_redirect_to_another_kind_of_address_is_not_followed() -> None:
    with redirecting("ftp://127.0.0.1:1/") as (host, _):
        answer = channel(CPU, PackageOptions(channel_url=f"http://{host}/{{channel}}"), PackageSources())
    assert not answer.reachable
    assert "unknown url type: ftp" in (answer.note or "")


def test_an_https_channel_is_spoken_to_over_tls() -> None:
    with redirecting("/here/") as (host, _):  # which speaks plain HTTP
        answer = channel(CPU, PackageOptions(channel_url=f"https://{host}/{{channel}}"), PackageSources())
    assert not answer.reachable
    assert "SSL" in (answer.note or "") or "ssl" in (answer.note or "")


@pytest.mark.parametrize(
    ("proxies", "used"),
    [
        ({"ALL_PROXY": "{0}"}, True),
        ({"ALL_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "{0}"}, True),
        ({"HTTPS_PROXY": "{0}"}, False),
        ({"HTTP_PROXY": "{0}", "NO_PROXY": "channel.invalid"}, False),
        ({"HTTP_PROXY": "{0}", "NO_PROXY": "other.invalid"}, True),
    ],
)
def test_which_proxy_is_asked(proxies: dict[str, str], used: bool) -> None:
    with redirecting("http://channel.invalid/here/") as (host, asked):
        sources = PackageSources(proxies={name: value.format(f"http://{host}") for name, value in proxies.items()})
        answer = channel(CPU, PackageOptions(channel_url="http://channel.invalid/{channel}"), sources)
    assert (answer.reachable, bool(asked)) == (used, used)


@pytest.mark.parametrize(
    ("options", "sources", "note"),
    [
        (PackageOptions(), PackageSources(), "PyTorch's channel cpu could not be reached (no network); PyPI was used"),
        (
            PackageOptions(channel_url="https://download.pytorch.org/whl/{channel}"),
            PackageSources(),
            "PyTorch's channel cpu could not be reached (no network); PyPI was used",
        ),
        (
            PackageOptions(channel_url="https://mirror/{channel}"),
            PackageSources(),
            "the channel cpu could not be reached (no network); PyPI was used",
        ),
        *(
            (
                PackageOptions(),
                PackageSources(**configured),  # type: ignore[arg-type]
                "PyTorch's channel cpu could not be reached (no network); the configured package sources were used",
            )
            for configured in ({"index": "https://i"}, {"extra_indexes": ("https://e",)}, {"find_links": ("/w",)})
        ),
    ],
)
def test_what_is_said_of_a_channel_that_is_not_used(
    options: PackageOptions, sources: PackageSources, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "_obstacle", lambda url, _: "no network")
    answer = channel(CPU, options, sources)
    assert (answer.used, answer.identity, answer.reachable, answer.note) == (None, None, False, note)


@pytest.mark.parametrize(
    ("template", "url"),
    [
        (None, "https://download.pytorch.org/whl/cpu"),
        ("https://mirror/{channel}/", "https://mirror/cpu"),
        ("https://mirror/all", "https://mirror/all"),
        ("", None),
    ],
)
def test_the_address_of_a_channel(template: str | None, url: str | None) -> None:
    assert address(CPU, PackageOptions(channel_url=template), PackageSources()) == url


def test_a_channel_shows_no_credentials() -> None:
    found = Channel("https://ci:s3cret@mirror/cpu", reachable=True)
    assert found.used == "https://ci:s3cret@mirror/cpu"
    assert found.identity == "https://***@mirror/cpu"
    assert "s3cret" not in repr(found)
