"""What the matrix and this machine's configuration of uv and pip add up to, and the answer of PyTorch's channels."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from validator.base.errors import InvalidInputError
from validator.model import BuiltImage, Environment, PackageOptions, Where
from validator.runners.packages import channels
from validator.runners.packages import config as package_config
from validator.runners.packages.channels import channel
from validator.runners.packages.sources import PackageSources, configured, local_folder, torch_requirement

CPU = Environment(id="cpu", source=BuiltImage(Path("images/wheel")), where=Where("matrix.yaml", 3), torch="2.13.0", cuda="cpu")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment variables of a machine on which nothing is configured."""
    monkeypatch.setattr(package_config, "SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr(channels, "_answers", {})
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home")}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# ---------------------------------------------------------------- precedence


def test_nothing_configured_is_pypi_alone(machine: dict[str, str]) -> None:
    assert configured(PackageOptions(), machine) == PackageSources()


def test_the_index_comes_from_the_strongest_place_that_has_one(machine: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    write(tmp_path / "etc/pip.conf", "[global]\nindex-url = https://1\n")
    assert configured(PackageOptions(), machine).index == "https://1"
    write(home / ".config/pip/pip.conf", "[global]\nindex_url = https://2\n")
    assert configured(PackageOptions(), machine).index == "https://2"
    write(tmp_path / "prefix/pip.conf", "[global]\nindex-url = https://3\n")
    assert configured(PackageOptions(), machine).index == "https://3"
    write(tmp_path / "etc/pip.conf", "[install]\nindex-url = https://4\n")
    assert configured(PackageOptions(), machine).index == "https://4"  # [install] wins over [global] of any file
    machine["PIP_INDEX_URL"] = "https://5"
    assert configured(PackageOptions(), machine).index == "https://5"
    write(tmp_path / "etc/uv/uv.toml", 'index-url = "https://6"')
    assert configured(PackageOptions(), machine).index == "https://6"
    write(home / ".config/uv/uv.toml", '[[index]]\nurl = "https://7"\ndefault = true')
    assert configured(PackageOptions(), machine).index == "https://7"
    machine["UV_INDEX_URL"] = "https://8"
    assert configured(PackageOptions(), machine).index == "https://8"
    machine["UV_DEFAULT_INDEX"] = "corp=https://9"
    sources = configured(PackageOptions(), machine)
    assert (sources.index, sources.origins) == ("https://9", ("UV_DEFAULT_INDEX",))
    sources = configured(PackageOptions(index="https://10"), machine)
    assert (sources.index, sources.origins) == ("https://10", ("matrix.yaml",))


def test_extra_indexes_and_find_links_of_all_are_joined_without_duplicates(machine: dict[str, str], tmp_path: Path) -> None:
    write(
        tmp_path / "home/.config/pip/pip.conf", "[global]\nextra-index-url =\n    https://a\n    https://b\nfind-links = wheels\n"
    )
    machine |= {"UV_INDEX": "corp=https://b https://c", "UV_FIND_LINKS": "/w one,https://links", "HOME": machine["HOME"]}
    write(
        tmp_path / "home/.config/uv/uv.toml",
        '[pip]\nextra-index-url = ["https://d"]\n[[index]]\nurl = "/flat"\nformat = "flat"\n',
    )
    sources = configured(PackageOptions(extra_indexes=("https://m",), find_links=("/m",)), machine)
    assert sources.extra_indexes == ("https://m", "https://b", "https://c", "https://d", "https://a")
    # A relative folder keeps pip's meaning: from the current directory.
    assert sources.find_links == ("/m", "/w one", "https://links", "/flat", "wheels")
    assert set(sources.origins) == {"matrix.yaml", "UV_INDEX", "UV_FIND_LINKS", "~/.config/uv/uv.toml", "~/.config/pip/pip.conf"}


def test_indexes_uv_keeps_for_named_packages_are_left_out(machine: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "home/.config/uv/uv.toml", '[[index]]\nname = "x"\nurl = "https://x"\nexplicit = true\n')
    assert configured(PackageOptions(), machine).extra_indexes == ()


@pytest.mark.parametrize(("variable", "value"), [("PIP_CONFIG_FILE", os.devnull), ("UV_NO_CONFIG", "1")])
def test_files_are_left_out_on_request(machine: dict[str, str], tmp_path: Path, variable: str, value: str) -> None:
    name = {"PIP_CONFIG_FILE": "pip/pip.conf", "UV_NO_CONFIG": "uv/uv.toml"}[variable]
    text = {"PIP_CONFIG_FILE": "[global]\nindex-url = https://x", "UV_NO_CONFIG": 'index-url = "https://x"'}[variable]
    write(tmp_path / "home/.config" / name, text)
    assert configured(PackageOptions(), machine).index == "https://x"
    assert configured(PackageOptions(), {**machine, variable: value}).index is None


def test_no_index_is_taken_over_unless_the_matrix_names_an_index(machine: dict[str, str]) -> None:
    machine["PIP_NO_INDEX"] = "true"
    assert configured(PackageOptions(), machine).no_index
    assert not configured(PackageOptions(index="https://m"), machine).no_index
    assert not configured(PackageOptions(), {**machine, "PIP_NO_INDEX": "0"}).no_index


def test_a_percent_sign_in_a_password_is_kept(machine: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "home/.config/pip/pip.conf", "[global]\nindex-url = https://u:p%40s@h/simple\n")
    sources = configured(PackageOptions(), machine)
    assert sources.index == "https://u:p%40s@h/simple"
    assert "p%40s" not in repr(sources) + "".join(sources.identity())


@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="pip, whose reading is compared, is not installed here")
@pytest.mark.parametrize(
    ("files", "variables"),
    [
        ({"xdg": "[global]\nextra-index-url = {0}/1", "user": "[global]\nextra-index-url = {0}/2 {0}/3"}, {}),
        ({"xdg": "[install]\nindex-url = {0}/1", "user": "[global]\nindex-url = {0}/2"}, {}),
        ({"legacy": "[global]\nindex-url = {0}/1", "user": "[global]\nindex_url = {0}/2"}, {"PIP_EXTRA_INDEX_URL": "{0}/3"}),
        ({"user": "[global]\nextra-index-url = {0}/2"}, {"PIP_EXTRA_INDEX_URL": "{0}/3", "PIP_INDEX_URL": "{0}/4"}),
        ({"user": "[global]\nindex-url = {0}/2", "named": "[global]\nindex-url = {0}/5"}, {}),
    ],
)
def test_pip_itself_reads_its_configuration_the_same_way(
    tmp_path: Path, files: dict[str, str], variables: dict[str, str]
) -> None:
    unreachable = "http://127.0.0.1:1"
    places = {
        "xdg": tmp_path / "xdg/pip/pip.conf",
        "legacy": tmp_path / ".pip/pip.conf",
        "user": tmp_path / ".config/pip/pip.conf",
        "named": tmp_path / "named.conf",
    }
    for name, text in files.items():
        write(places[name], text.format(unreachable))
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "PIP_RETRIES": "0", "PATH": os.environ["PATH"]}
    environ |= {name: value.format(unreachable) for name, value in variables.items()}
    if "named" in files:
        environ["PIP_CONFIG_FILE"] = str(places["named"])
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(tmp_path / "t"), "no-such-project"]
    said = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False).stdout
    looked = re.search(r"Looking in indexes: (.*)", said)
    assert looked, said
    sources = configured(PackageOptions(), environ)
    assert looked.group(1).split(", ") == [sources.index or "https://pypi.org/simple", *sources.extra_indexes]


# ---------------------------------------------------------------- certificates, proxies


def test_the_first_certificate_bundle_that_is_set_is_used(machine: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = write(tmp_path / "a.pem", ""), write(tmp_path / "b.pem", "")
    write(tmp_path / "home/.config/pip/pip.conf", f"[global]\ncert = {theirs}\n")
    assert configured(PackageOptions(), machine).certificate == theirs
    assert configured(PackageOptions(), {**machine, "SSL_CERT_FILE": str(ours)}).certificate == ours
    assert configured(PackageOptions(), {**machine, "SSL_CERT_FILE": str(ours), "PIP_CERT": str(theirs)}).certificate == theirs


def test_a_certificate_bundle_that_is_not_there_is_named(machine: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError, match=r"SSL_CERT_FILE names /nowhere\.pem") as caught:
        configured(PackageOptions(), {**machine, "SSL_CERT_FILE": "/nowhere.pem"})
    assert "SSL_CERT_FILE" in caught.value.hint


def test_proxies_come_from_either_spelling_and_pip_overrides_them(machine: dict[str, str]) -> None:
    machine |= {"https_proxy": "http://low:1", "HTTPS_PROXY": "http://UP:1", "NO_PROXY": "internal"}
    assert configured(PackageOptions(), machine).proxies == {"HTTPS_PROXY": "http://low:1", "NO_PROXY": "internal"}
    machine["PIP_PROXY"] = "corp:3128"
    assert configured(PackageOptions(), machine).proxies == {
        "HTTP_PROXY": "http://corp:3128",
        "HTTPS_PROXY": "http://corp:3128",
        "NO_PROXY": "internal",
    }


# ---------------------------------------------------------------- files that cannot be read


@pytest.mark.parametrize(
    ("file", "content", "place"),
    [
        ("pip/pip.conf", b"[global]\nindex-url\n", ":2:"),
        ("pip/pip.conf", b"index-url = https://x\n", ":1:"),
        ("pip/pip.conf", b"[global]\nno-index = 1\nno-index = 0\n", ":3:"),
        ("pip/pip.conf", b"[global]\n\xff = 1\n", ":2:"),
        ("uv/uv.toml", b'index-url = "https://x"\nfind-links = [\n"a" "b"]\n', ":3:"),
        ("uv/uv.toml", b"index-url = 3\n", ""),
        ("uv/uv.toml", b'index = "https://x"\n', ""),
        ("uv/uv.toml", b'pip = "x"\n', ""),
    ],
)
def test_a_broken_configuration_file_is_named_with_its_line(
    machine: dict[str, str], tmp_path: Path, file: str, content: bytes, place: str
) -> None:
    path = write(tmp_path / "home/.config" / file, "")
    path.write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        configured(PackageOptions(), machine)
    assert f"{path}{place}" in caught.value.what
    assert caught.value.why
    assert caught.value.hint


def test_an_address_that_would_be_two_lines_of_a_pip_conf_is_refused_without_its_password(machine: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        configured(PackageOptions(index="https://u:s3cret@h/simple\nno-index = true"), machine)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("option", ["index", "extra_indexes", "find_links"])
@pytest.mark.parametrize("value", ["https://h/a b", "/w\nno-index = true", "/w\x1b[31m"])
def test_no_address_may_hold_what_cannot_be_one_line(machine: dict[str, str], option: str, value: str) -> None:
    options = {option: value if option == "index" else ("https://fine", value)}
    with pytest.raises(InvalidInputError, match="is not the address of a package source") as caught:
        configured(PackageOptions(**options), machine)  # type: ignore[arg-type]
    assert "matrix.yaml" in caught.value.why


def test_a_folder_may_have_a_space_in_its_name_and_a_tilde_in_front(
    machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    sources = configured(PackageOptions(find_links=("/with space", "~/wheels", "./~odd")), machine)
    assert sources.find_links == ("/with space", f"{tmp_path}/wheels", "./~odd")


# ---------------------------------------------------------------- what is shown, what is a key


def test_no_part_of_the_sources_shows_its_credentials(machine: dict[str, str]) -> None:
    secret = "https://ci:s3cret@mirror"
    sources = PackageSources(index=secret, extra_indexes=(secret,), find_links=(secret,), proxies={"HTTP_PROXY": secret})
    assert "s3cret" not in repr(sources) + "".join(sources.identity())


def test_everything_that_decides_which_packages_are_found_is_in_the_key() -> None:
    variants = [
        PackageSources(),
        PackageSources(index="https://i"),
        PackageSources(extra_indexes=("https://i",)),
        PackageSources(find_links=("https://i",)),
        PackageSources(no_index=True),
    ]
    assert len({variant.identity() for variant in variants}) == len(variants)
    # How they are reached is not what is found there.
    reached = PackageSources(certificate=Path("/ca"), trusted_hosts=("h",), origins=("uv",))
    assert reached.identity() == PackageSources().identity()


def test_an_index_that_is_also_an_extra_one_is_asked_once(machine: dict[str, str]) -> None:
    sources = configured(PackageOptions(index="https://i", extra_indexes=("https://i", "https://e")), machine)
    assert sources.extra_indexes == ("https://e",)


def test_certificates_and_hosts_of_pip_are_taken_over(machine: dict[str, str], tmp_path: Path) -> None:
    client = tmp_path / "client.pem"
    machine |= {"PIP_CLIENT_CERT": str(client), "PIP_TRUSTED_HOST": "a b", "UV_INSECURE_HOST": "c a"}
    sources = configured(PackageOptions(), machine)
    assert sources.client_certificate == client
    assert sources.trusted_hosts == ("c", "a", "b")  # uv's go first
    assert sources.origins == ("UV_INSECURE_HOST", "PIP_TRUSTED_HOST", "PIP_CLIENT_CERT")


def test_a_folder_of_certificates_is_left_to_the_tools(machine: dict[str, str], tmp_path: Path) -> None:
    file = write(tmp_path / "ca.pem", "")
    machine |= {"SSL_CERT_FILE": str(tmp_path), "REQUESTS_CA_BUNDLE": str(file)}
    sources = configured(PackageOptions(), machine)
    assert (sources.certificate, sources.origins) == (file, ("REQUESTS_CA_BUNDLE",))
    del machine["REQUESTS_CA_BUNDLE"]
    assert configured(PackageOptions(), machine).certificate is None


def test_the_switch_of_uv_goes_before_that_of_pip(machine: dict[str, str]) -> None:
    assert configured(PackageOptions(), {**machine, "UV_NO_INDEX": "1", "PIP_NO_INDEX": "0"}).no_index
    assert not configured(PackageOptions(), {**machine, "UV_NO_INDEX": "0", "PIP_NO_INDEX": "1"}).no_index


def test_a_proxy_of_pip_with_its_scheme_is_taken_as_it_is(machine: dict[str, str]) -> None:
    machine |= {"PIP_PROXY": "https://corp:3128", "all_proxy": "socks5://s:1"}
    assert configured(PackageOptions(), machine).proxies == {
        "HTTP_PROXY": "https://corp:3128",
        "HTTPS_PROXY": "https://corp:3128",
        "ALL_PROXY": "socks5://s:1",
    }


@pytest.mark.parametrize(
    ("link", "is_folder"),
    [
        ("{0}", True),
        ("file://{0}", True),
        ("{0}/gone", False),
        ("file://{0}/gone", False),
        ("https://mirror{0}", False),
        ("{0}/page.html", False),
    ],
)
def test_a_folder_of_this_machine_is_told_from_a_page(tmp_path: Path, link: str, is_folder: bool) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    (folder / "page.html").touch()
    quoted = str(folder).replace(" ", "%20") if link.startswith("file:") else str(folder)
    assert local_folder(link.format(quoted)) == (folder if is_folder else None)


# ---------------------------------------------------------------- torch's requirement


@pytest.mark.parametrize(
    ("wheels", "cuda", "torch", "channel_used", "requirement"),
    [
        ([], "cpu", "2.13.0", False, "torch==2.13.0"),
        (["2.13.0+cpu", "2.13.0+cu128"], "cpu", "2.13.0", False, "torch==2.13.0+cpu"),
        (["2.13.0+cpu", "2.13.0+cu128"], "12.8", "2.13.0", False, "torch==2.13.0+cu128"),
        (["2.13.0+cpu", "2.13.0+cu128"], "12.6", "2.13.0", False, "torch==2.13.0"),
        (["2.13.0+cpu"], "cpu", "2.13.0", True, "torch==2.13.0"),
        (["2.13.0+cpu"], None, "2.13.0", False, "torch==2.13.0"),
        (["2.13.0+cpu"], "cpu", "2.13.0+cpu.local", False, "torch==2.13.0+cpu.local"),
        (["2.13.0+cpu"], "cpu", None, False, "torch"),
    ],
)
def test_of_several_builds_in_a_folder_the_one_asked_for_is_named(
    tmp_path: Path, wheels: list[str], cuda: str | None, torch: str | None, channel_used: bool, requirement: str
) -> None:
    for version in wheels:
        write(tmp_path / f"torch-{version}-cp311-cp311-linux_x86_64.whl", "")
    write(tmp_path / "torch-not-a-wheel.whl", "")
    environment = Environment(id="e", source=CPU.source, where=CPU.where, torch=torch, cuda=cuda)
    sources = PackageSources(find_links=(f"file://{tmp_path}", "https://elsewhere"))
    assert torch_requirement(environment, sources, channel_used) == requirement


# ---------------------------------------------------------------- channels


@contextmanager
def server(status: int = 200) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """An HTTP server that answers everything with one status; yields its address and the requests it got."""
    requests: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{httpd.server_port}", requests
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.mark.usefixtures("machine")
def test_a_channel_that_answers_is_used_and_asked_once() -> None:
    with server() as (address, requests):
        options = PackageOptions(channel_url=f"http://{address}/whl/{{channel}}")
        answers = [channel(CPU, options, PackageSources()) for _ in range(2)]
    assert requests == [("/whl/cpu/torch/", None)]
    assert {answer.used for answer in answers} == {f"http://{address}/whl/cpu"}
    assert {answer.note for answer in answers} == {None}


@pytest.mark.usefixtures("machine")
def test_credentials_of_a_channel_are_sent_and_never_shown() -> None:
    with server(status=403) as (address, requests):
        options = PackageOptions(channel_url=f"http://ci:s3cret@{address}/{{channel}}")
        answer = channel(CPU, options, PackageSources())
    assert requests == [("/cpu/torch/", "Basic Y2k6czNjcmV0")]  # base64 of ci:s3cret
    assert answer.note == "the channel cpu could not be reached (HTTP 403 Forbidden); PyPI was used"
    assert "s3cret" not in repr(answer)


@pytest.mark.usefixtures("machine")
def test_the_configured_proxy_is_asked_for_the_channel_unless_its_host_is_excepted() -> None:
    options = PackageOptions(channel_url="http://channel.invalid/{channel}")
    with server() as (address, requests):
        proxies = {"HTTP_PROXY": f"http://{address}"}
        assert channel(CPU, options, PackageSources(proxies=proxies)).reachable
        assert requests == [("http://channel.invalid/cpu/torch/", None)]
        channels._answers.clear()
        assert not channel(CPU, options, PackageSources(proxies={**proxies, "NO_PROXY": ".invalid"})).reachable
        assert len(requests) == 1


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/{channel}", "connection refused"),
        ("https://channel.invalid/{channel}", "name not resolved"),
        ("file:///mirror/{channel}", "it is not an http or https address"),
        ("mirror", "it is not an http or https address"),
    ],
)
def test_a_channel_that_cannot_be_reached_is_noted_with_the_reason(url: str, reason: str) -> None:
    answer = channel(CPU, PackageOptions(channel_url=url), PackageSources(index="https://mirror"))
    assert answer.used is None
    assert answer.note == f"the channel cpu could not be reached ({reason}); the configured package sources were used"


@pytest.mark.usefixtures("machine")
def test_a_channel_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never says a word
        options = PackageOptions(channel_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        note = channel(CPU, options, PackageSources()).note
    assert note
    assert "no answer within" in note


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("environment", "options", "sources"),
    [
        (CPU, PackageOptions(channel_url=""), PackageSources()),
        (CPU, PackageOptions(channel_url="http://127.0.0.1:1"), PackageSources(no_index=True)),
        (
            Environment(id="any", source=CPU.source, where=CPU.where, torch="2.13.0"),
            PackageOptions(channel_url="http://127.0.0.1:1"),
            PackageSources(),
        ),
    ],
    ids=["none wanted", "no index", "no build named"],
)
def test_no_channel_is_asked_where_none_applies(
    environment: Environment, options: PackageOptions, sources: PackageSources
) -> None:
    answer = channel(environment, options, sources)
    assert (answer.url, answer.note) == (None, None)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("field", ["certificate", "client_certificate"])
def test_a_file_that_is_no_certificate_is_named(tmp_path: Path, field: str) -> None:
    path = write(tmp_path / "broken.pem", "not a certificate")
    with pytest.raises(InvalidInputError, match=re.escape(str(path))):
        channel(CPU, PackageOptions(channel_url="https://127.0.0.1:1"), PackageSources(**{field: path}))
