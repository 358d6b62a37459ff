"""Virtual environments made by the real uv from indexes on this machine. The packages are tiny; torch is a stand-in."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from validator.base.errors import AcquireError, InterruptedRunError, InvalidInputError
from validator.base.resources import shipped_folder
from validator.base.stopping import Stop
from validator.model import BuiltImage, Environment, HostInterpreter, PackageOptions, PulledImage, Where
from validator.runners.local import uses, venvs
from validator.runners.local.uses import unused
from validator.runners.local.venvs import MadeEnvironment, default_root, ensure
from validator.runners.packages import channels
from validator.runners.packages import config as package_config

WHERE = Where("matrix.yaml", 7)
WHEEL_FAMILY = shipped_folder() / "images" / "wheel"
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No index unless a test names one, an empty cache, and no patience for addresses that do not answer."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name.upper().endswith(("_PROXY", "CERT_FILE", "CA_BUNDLE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setattr(package_config, "SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.setattr(channels, "_answers", {})


def wheel(folder: Path, name: str, version: str, *requires: str, place: str = "", python: str = "py3") -> None:
    """A wheel with one module that says where it was taken from, and a script that prints it."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    with zipfile.ZipFile(folder / f"{name}-{version}-{python}-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", f"PLACE = {place!r}\ndef main():\n    print(PLACE)\n")
        archive.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {python}-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\nshow-{name} = {name}:main\n")
        archive.writestr(f"{info}/RECORD", "")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder served over HTTP; a listing of wheels is a page of a simple index."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def environment(
    *requirements: str, torch: str = "2.13.0", python: str | None = None, context: Path = WHEEL_FAMILY
) -> Environment:
    source = BuiltImage(context, requirements=requirements)
    return Environment(id="torch2.13.0-cu128", source=source, where=WHERE, torch=torch, cuda="12.8", python=python)


def installed(made: MadeEnvironment, *modules: str) -> list[str]:
    """Where each module was taken from, as the environment itself says."""
    code = "import sys, importlib\nfor name in sys.argv[1:]: print(importlib.import_module(name).PLACE)"
    command = [str(made.python), "-I", "-c", code, *modules]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()


def leftovers(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.suffix not in (".lock", ".used")]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A channel, an index and a folder of wheels that all have torch; the other two with builds that sort above the channel's."""
    top = tmp_path / "packages"
    wheel(top / "cu128/torch", "torch", "2.13.0+cu128", "helper", "channelonly", place="channel")
    wheel(top / "cu128/helper", "helper", "1.0", place="channel")
    wheel(top / "cu128/channelonly", "channelonly", "1.0", place="channel")
    wheel(top / "index/torch", "torch", "2.13.0+cu130", "helper", place="index")
    wheel(top / "index/helper", "helper", "2.0", place="index")
    wheel(top / "index/extra", "extra", "1.0", place="index")
    wheel(top / "links", "torch", "2.13.0+cu999", "helper", place="links")
    return top


# ---------------------------------------------------------------- where packages come from


def test_torch_comes_from_the_channel_and_the_rest_from_the_configured_index(packages: Path, tmp_path: Path) -> None:
    root = tmp_path / "envs"
    with served(packages) as url:
        options = PackageOptions(index=f"{url}/index", find_links=(str(packages / "links"),), channel_url=f"{url}/{{channel}}")
        lines: list[str] = []
        made = ensure(environment("extra"), options, root, on_line=lines.append)
    # The channel's old copy of helper does not hide the index's; what lies on the channel alone is found there.
    assert installed(made, "torch", "helper", "extra", "channelonly") == ["channel", "index", "index", "channel"]
    assert (made.notes, made.reused) == ((), False)
    assert any("torch==2.13.0+cu128" in line for line in lines)
    assert leftovers(root) == [made.key]
    # The server is gone: what was made from the channel is used again without asking for it.
    channels._answers.clear()
    assert ensure(environment("extra"), options, root) == replace(made, reused=True)


def test_scripts_work_after_the_folder_was_renamed(packages: Path, tmp_path: Path) -> None:
    options = PackageOptions(find_links=(str(packages / "links"), str(packages / "index/helper")))
    made = ensure(environment(), options, tmp_path / "envs")
    script = made.python.parent / "show-torch"
    assert subprocess.run([str(script)], capture_output=True, text=True, check=True, timeout=60).stdout == "links\n"


def test_without_the_channel_the_configured_index_is_used_and_the_report_says_so(packages: Path, tmp_path: Path) -> None:
    with served(packages) as url:
        options = PackageOptions(index=f"{url}/index", channel_url="http://127.0.0.1:1/{channel}")
        made = ensure(environment(), options, tmp_path / "envs")
    assert installed(made, "torch") == ["index"]
    assert made.notes == (
        "the channel cu128 could not be reached (connection refused); the configured package sources were used",
    )


def test_an_offline_folder_of_wheels_is_enough_and_gives_the_build_that_was_asked_for(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(packages / "links", "torch", "2.13.0+cu128", "helper", place="asked")
    wheel(packages / "links", "helper", "1.0", place="links")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages / "links"))
    made = ensure(environment(), PackageOptions(), tmp_path / "envs")
    assert installed(made, "torch", "helper") == ["asked", "links"]
    assert made.notes == ()


def test_what_was_asked_decides_which_environment_it_is_and_credentials_do_not(packages: Path, tmp_path: Path) -> None:
    root = tmp_path / "envs"

    def make(host: str, *requirements: str) -> MadeEnvironment:
        links = (str(packages / "links"), str(packages / "index/helper"), str(packages / "index/extra"))
        index = f"{host}/index"
        return ensure(environment(*requirements), PackageOptions(index=index, find_links=links, channel_url=""), root)

    with served(packages) as url:
        first = make(url.replace("//", "//ci:one@"))
        same = make(url.replace("//", "//ci:two@"))
        other = make(url, "extra")
    assert (same.key, same.reused) == (first.key, True)
    assert (other.key != first.key, other.reused) == (True, False)


def test_a_dockerfile_of_the_users_own_is_not_silently_ignored(packages: Path, tmp_path: Path) -> None:
    options = PackageOptions(find_links=(str(packages / "links"), str(packages / "index/helper")), channel_url="")
    made = ensure(environment(context=tmp_path / "mine"), options, tmp_path / "envs")
    assert made.notes == (
        f"a virtual environment with torch and the requirements was made; the Dockerfile in {tmp_path / 'mine'} was not used",
    )


@pytest.fixture
def asked_of_uv(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """What uv is asked to do, arguments and variables, in place of doing it: only the interpreter appears."""
    asked: list[tuple[list[str], dict[str, str]]] = []

    def record(arguments: tuple[str, ...], variables: dict[str, str], **_: object) -> None:
        asked.append((list(arguments), dict(variables)))
        if arguments[0] == "venv":
            python = Path(arguments[-1], "bin", "python")
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(venvs, "run_uv", record)
    return asked


def test_torch_alone_from_the_channel_then_everything_from_everywhere(
    asked_of_uv: list[tuple[list[str], dict[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").touch()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("PIP_CLIENT_CERT", "/me.pem")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "h1 h2")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setattr(channels, "_answers", {"https://c/cu128": None})
    options = PackageOptions(
        index="https://i", extra_indexes=("https://e",), find_links=("/w one", "/w2"), channel_url="https://c/{channel}"
    )
    made = ensure(environment("numpy", "six"), options, tmp_path / "envs")
    partial = str(tmp_path / "envs" / f"{made.key}.partial")
    install = ["pip", "install", "--python", f"{partial}/bin/python"]
    common = {
        "HTTPS_PROXY": "http://proxy:3128",
        "UV_INSECURE_HOST": "h1 h2",
        "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        "SSL_CLIENT_CERT": "/me.pem",
    }
    everywhere = {"UV_DEFAULT_INDEX": "https://i", "UV_INDEX": "https://e https://c/cu128", "UV_FIND_LINKS": "/w one,/w2"}
    assert asked_of_uv == [
        (["venv", "--relocatable", "--python", sys.executable, partial], common),
        ([*install, "--no-deps", "torch==2.13.0"], common | {"UV_DEFAULT_INDEX": "https://c/cu128"}),
        ([*install, "--index-strategy=unsafe-best-match", "torch==2.13.0", "numpy", "six"], common | everywhere),
    ]


def test_without_a_channel_and_an_index_there_is_one_step_and_it_may_use_no_index(
    asked_of_uv: list[tuple[list[str], dict[str, str]]], tmp_path: Path
) -> None:
    ensure(environment(python="3.12"), PackageOptions(), tmp_path / "envs")  # PIP_NO_INDEX is set
    made, step = asked_of_uv
    assert made[0][:4] == ["venv", "--relocatable", "--python", "3.12"]
    assert step[0][-3:] == ["--index-strategy=unsafe-best-match", "--no-index", "torch==2.13.0"]
    assert step[1] == {}


@pytest.mark.usefixtures("asked_of_uv")
def test_everything_that_decides_the_content_decides_which_environment_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setattr(channels, "_answers", {"https://c/cu128": None, "https://d/cu128": "refused"})

    def key(*requirements: str, torch: str = "2.13.0", python: str | None = None, **options: object) -> str:
        packages = PackageOptions(**({"channel_url": ""} | options))  # type: ignore[arg-type]
        return ensure(environment(*requirements, torch=torch, python=python), packages, tmp_path / "envs").key

    keys = [
        key(),
        key("numpy"),
        key(torch="2.12.0"),
        key(python="3.12"),
        key(index="https://i"),
        key(channel_url="https://c/{channel}"),
    ]
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    keys.append(key())
    assert len(set(keys)) == len(keys)
    # A channel that is not used decides nothing.
    assert key(channel_url="https://d/{channel}") == keys[-1]


@pytest.mark.usefixtures("asked_of_uv")
def test_a_folder_of_the_shipped_family_needs_no_note(tmp_path: Path) -> None:
    assert ensure(environment(), PackageOptions(), tmp_path / "envs").notes == ()


# ---------------------------------------------------------------- whole or not at all


def test_what_an_interrupted_run_left_is_cleared_away(packages: Path, tmp_path: Path) -> None:
    root = tmp_path / "envs"
    options = PackageOptions(find_links=(str(packages / "links"), str(packages / "index/helper")), channel_url="")
    made = ensure(environment(), options, root)
    partial = made.python.parent.parent.with_suffix(".partial")
    partial.mkdir()
    made.python.unlink()
    made.python.symlink_to(tmp_path / "python-that-was-removed")
    again = ensure(environment(), options, root)
    assert (again.key, again.reused) == (made.key, False)
    assert installed(again, "torch") == ["links"]
    assert not partial.exists()


def test_an_interrupt_ends_uv_and_leaves_nothing(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "envs"
    started: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def recorded(*arguments: object, **options: object) -> subprocess.Popen[str]:
        started.append(popen(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", recorded)
    with pytest.raises(KeyboardInterrupt):
        ensure(environment(), PackageOptions(find_links=(str(packages / "links"),), channel_url=""), root, on_line=interrupt)
    assert leftovers(root) == []
    assert [process.returncode is not None for process in started] == [True]


def test_a_making_that_takes_too_long_is_stopped_and_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "envs"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an index that accepts, and never says a word
        options = PackageOptions(index=f"http://127.0.0.1:{silent.getsockname()[1]}/simple", channel_url="")
        with pytest.raises(AcquireError, match="took too long"):
            ensure(environment(), options, root, timeout_seconds=3)
    assert leftovers(root) == []


def test_an_environment_that_was_made_or_found_is_in_use_from_then_on(packages: Path, tmp_path: Path) -> None:
    options = PackageOptions(find_links=(str(packages / "links"), str(packages / "index/helper")), channel_url="")
    for root in (tmp_path / "made", tmp_path / "found"):
        made = ensure(environment(), options, root)
        with pytest.raises(BlockingIOError), unused(root / made.key):
            pass
    # As another process would find it, which has made nothing itself.
    uses._used.pop(root / made.key).close()
    with unused(root / made.key):
        pass
    assert ensure(environment(), options, root).reused
    with pytest.raises(BlockingIOError), unused(root / made.key):
        pass


def test_two_runs_do_not_make_the_same_environment_at_once(packages: Path, tmp_path: Path) -> None:
    root = tmp_path / "envs"
    options = PackageOptions(find_links=(str(packages / "links"), str(packages / "index/helper")), channel_url="")
    made = ensure(environment(), options, root)
    lines: list[str] = []
    with (root / f"{made.key}.lock").open() as other_run:
        fcntl.flock(other_run, fcntl.LOCK_EX)
        with pytest.raises(AcquireError, match="being made by another run"):
            ensure(environment(), options, root, on_line=lines.append, timeout_seconds=0)
    assert lines == ["another run is making the environment of torch2.13.0-cu128; waiting for it"]
    assert ensure(environment(), options, root).reused


@pytest.mark.usefixtures("asked_of_uv")
def test_a_run_that_waited_uses_what_the_other_one_made_and_says_once_that_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venvs, "_LOCK_POLL_SECONDS", 0.01)
    root, options = tmp_path / "envs", PackageOptions(channel_url="")
    made = ensure(environment(), options, root)
    lines: list[str] = []
    with (root / f"{made.key}.lock").open() as other_run:
        fcntl.flock(other_run, fcntl.LOCK_EX)
        with pytest.raises(AcquireError, match="not ready in time"):
            ensure(environment(), options, root, on_line=lines.append, timeout_seconds=0.2)
        assert len(lines) == 1
        waited = ensure(environment(), options, root, on_line=lambda _: fcntl.flock(other_run, fcntl.LOCK_UN))
    assert (waited.key, waited.reused) == (made.key, True)


def test_threads_that_want_the_same_environment_make_it_once(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venvs, "_LOCK_POLL_SECONDS", 0.05)
    options = PackageOptions(find_links=(str(packages / "links"), str(packages / "index/helper")), channel_url="")
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: ensure(environment(), options, tmp_path / "envs", run_id="run-t"), range(3)))
    assert sorted(each.reused for each in made) == [False, True, True]
    assert len({(each.key, each.identity) for each in made}) == 1
    assert made[0].identity is not None


def test_threads_that_want_different_environments_make_them_side_by_side(packages: Path, tmp_path: Path) -> None:
    options = PackageOptions(find_links=(str(packages / "links"), str(packages / "index/helper"), str(packages / "index/extra")))
    wanted = [environment(), environment("extra")]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda each: ensure(each, options, tmp_path / "envs"), wanted))
    assert [each.reused for each in made] == [False, False]
    assert made[0].identity != made[1].identity
    assert installed(made[1], "extra") == ["index"]


@pytest.mark.usefixtures("asked_of_uv")
def test_a_run_that_is_to_end_does_not_wait_for_another(tmp_path: Path) -> None:
    root, options, stop = tmp_path / "envs", PackageOptions(channel_url=""), Stop()
    made = ensure(environment(), options, root)
    with (root / f"{made.key}.lock").open() as other_run:
        fcntl.flock(other_run, fcntl.LOCK_EX)
        with pytest.raises(InterruptedRunError, match=r"waiting for the virtual environment of torch2\.13\.0-cu128 was given up"):
            ensure(environment(), options, root, on_line=lambda _: stop.ask(3600), stop=stop)


def test_an_environment_keeps_its_identity_from_one_run_to_the_next(packages: Path, tmp_path: Path) -> None:
    options = PackageOptions(find_links=(str(packages / "links"), str(packages / "index/helper")), channel_url="")
    first = ensure(environment(), options, tmp_path / "envs")
    second = ensure(environment(), options, tmp_path / "envs")
    assert second == replace(first, reused=True)
    elsewhere = ensure(environment(), options, tmp_path / "others")
    assert elsewhere.identity == first.identity, "the same packages in another place are the same"


# ---------------------------------------------------------------- what can go wrong


def failure(tmp_path: Path, made: Environment, options: PackageOptions) -> AcquireError:
    root = tmp_path / "envs"
    with pytest.raises(AcquireError) as caught:
        ensure(made, options, root)
    assert leftovers(root) == []
    return caught.value


def test_a_version_that_does_not_exist_is_said_in_uvs_words(packages: Path, tmp_path: Path) -> None:
    with served(packages) as url:
        error = failure(tmp_path, environment(torch="9.9"), PackageOptions(index=f"{url}/index", channel_url=""))
    assert "torch==9.9" in error.why
    assert "correct the version" in error.hint


def test_a_version_the_channel_lacks_is_an_error_and_not_taken_from_elsewhere(packages: Path, tmp_path: Path) -> None:
    wheel(packages / "index/torch", "torch", "2.12.0", place="index")
    with served(packages) as url:
        options = PackageOptions(index=f"{url}/index", channel_url=f"{url}/{{channel}}")
        error = failure(tmp_path, environment(torch="2.12.0"), options)
    assert "torch==2.12.0" in error.why


def test_a_version_without_a_wheel_for_this_python_says_to_choose_another(tmp_path: Path) -> None:
    wheel(tmp_path / "links", "torch", "2.13.0", python="cp27")
    error = failure(tmp_path, environment(), PackageOptions(find_links=(str(tmp_path / "links"),)))
    assert "cp27" in error.why
    assert "`python` axis" in error.hint


def test_a_python_that_is_not_here_says_how_to_get_it(tmp_path: Path) -> None:
    error = failure(tmp_path, environment(python="3.99"), PackageOptions(channel_url=""))
    assert "3.99" in error.why
    assert "uv python install" in error.hint


def test_an_index_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    error = failure(tmp_path, environment(), PackageOptions(index="http://ci:s3cret@127.0.0.1:1/simple", channel_url=""))
    assert "127.0.0.1:1/simple" in error.why
    assert "s3cret" not in str(error)
    assert "packages.index" in error.hint


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    root = tmp_path / "envs"
    root.write_text("a file where the folder should be")
    with pytest.raises(AcquireError) as caught:
        ensure(environment(), PackageOptions(channel_url=""), root)
    assert str(root) in caught.value.what
    assert caught.value.why == os.strerror(errno.EEXIST)


def test_a_missing_uv_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    error = failure(tmp_path, environment(), PackageOptions(channel_url=""))
    assert "pip install uv" in error.hint


# ---------------------------------------------------------------- other sources


def test_an_interpreter_of_the_host_is_used_as_it_stands(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    named = Environment(id="mine", source=HostInterpreter(link), where=WHERE)
    # The link itself, not what it points to: the interpreter of a virtual environment is a link.
    made = ensure(named, PackageOptions(), tmp_path / "envs")
    assert (made.python, made.key, made.notes, made.reused) == (link, "", (), True)
    assert not (tmp_path / "envs").exists()


@pytest.mark.parametrize(
    ("kind", "problem"), [("missing", "does not exist"), ("folder", "is not a file"), ("text", "is not executable")]
)
def test_an_interpreter_that_cannot_be_one_is_refused_with_its_place_in_the_matrix(
    tmp_path: Path, kind: str, problem: str
) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("no program")
    with pytest.raises(InvalidInputError, match=rf"matrix\.yaml:7: the interpreter .* {problem}"):
        ensure(Environment(id="mine", source=HostInterpreter(path), where=WHERE), PackageOptions(), tmp_path)


def test_an_image_is_not_for_the_local_runner(tmp_path: Path) -> None:
    with pytest.raises(AcquireError, match="is an image"):
        ensure(Environment(id="i", source=PulledImage("pytorch/pytorch"), where=WHERE), PackageOptions(), tmp_path)


def test_environments_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert default_root() == Path("/c/torch-matrix-validator/envs")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert venvs.default_root() == Path("/h/.cache/torch-matrix-validator/envs")
