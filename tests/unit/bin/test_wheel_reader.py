"""Reading what a wheel is built for: from a small wheel made here, by file and over HTTP by ranges."""

from __future__ import annotations

import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import wheel_reader

ARCH = b"\0sm_75 sm_80 sm_86 sm_120\0"
#: Longer than what is read at a time, so that the list may lie across two reads.
FILLER = wheel_reader._BLOCK


def wheel(folder: Path, library: bytes, cuda: str = "cuda: Optional[str] = '13.0'", name: str = "torch/version.py") -> Path:
    path = folder / "torch-2.14.1-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, f"__version__ = '2.14.1+cu130'\n{cuda}\nhip: Optional[str] = None\n")
        file.writestr("torch/lib/libtorch_python.so", library)
        file.writestr("torch/lib/libtorch_cuda.so", b"x" * 1000)
    return path


@pytest.mark.parametrize("before", [0, FILLER - 12, FILLER, 2 * FILLER - 1])
def test_version_cuda_and_arch_list_are_read_wherever_they_stand(tmp_path: Path, before: int) -> None:
    found = wheel_reader.read(wheel(tmp_path, b"a" * before + ARCH + b"b" * 100).as_uri())
    assert (found.version, found.cuda, found.arch) == ("2.14.1+cu130", "13.0", ("sm_75", "sm_80", "sm_86", "sm_120"))


@pytest.mark.parametrize(
    ("line", "cuda"), [("cuda = '11.7'", "11.7"), ("cuda = None", None), ("cuda: Optional[str] = None", None)]
)
def test_the_spellings_of_older_and_of_cpu_builds(tmp_path: Path, line: str, cuda: str | None) -> None:
    assert wheel_reader.read(wheel(tmp_path, ARCH, line).as_uri()).cuda == cuda


def test_a_message_that_names_one_architecture_is_no_list(tmp_path: Path) -> None:
    library = b"sm_80 is needed\0 compute_90\0" + ARCH
    assert wheel_reader.read(wheel(tmp_path, library).as_uri()).arch == ("sm_75", "sm_80", "sm_86", "sm_120")


def test_two_lists_are_refused_and_none_is_empty(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="several lists"):
        wheel_reader.read(wheel(tmp_path, ARCH + b"sm_50 sm_60\0").as_uri())
    assert wheel_reader.read(wheel(tmp_path, b"nothing").as_uri()).arch == ()


def test_what_is_no_torch_wheel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a torch wheel"):
        wheel_reader.read(wheel(tmp_path, ARCH, name="other/version.py").as_uri())
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ValueError, match="not a torch wheel"):
        wheel_reader.read((tmp_path / "text").as_uri())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A server of one file that knows ranges, and the ranges it was asked for."""
    asked: list[str] = []
    data = wheel(tmp_path, b"a" * 3 * FILLER + ARCH).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if wanted is None or self.path == "/whole":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(data)
                return
            asked.append(wanted[0])
            part = data[int(wanted[1]) : int(wanted[2]) + 1]
            self.send_response(206)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Content-Range", f"bytes {wanted[1]}-{wanted[2]}/{len(data)}")
            self.end_headers()
            self.wfile.write(part)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_http_only_ranges_are_fetched(server: tuple[str, list[str]]) -> None:
    url, asked = server
    found = wheel_reader.read(f"{url}/torch.whl")
    assert (found.cuda, found.arch[-1]) == ("13.0", "sm_120")
    assert asked
    assert found.fetched_bytes > 0


def test_a_server_without_ranges_is_an_error_not_a_download(server: tuple[str, list[str]]) -> None:
    with pytest.raises(OSError, match="cannot be read in parts"):
        wheel_reader.read(f"{server[0]}/whole")
