"""What is installed, as one hash: the same where nothing changed, another with any change that a probe could notice."""

from __future__ import annotations

import os
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from validator.runners.local import contents


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if contents._BENDING.fullmatch(name):
            monkeypatch.delenv(name)


def installed(site: Path, name: str = "torch", version: str = "2.13.0", body: str = "x") -> Path:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text(f"{name}/__init__.py,sha256={body},3\n{info.name}/RECORD,,\n{info.name}/INSTALLER,sha256=i,2\n")
    return info


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A virtual environment with one package."""
    folder = tmp_path / "env"
    venv.create(folder, symlinks=True, with_pip=False)
    installed(site_of(folder))
    return folder


def site_of(folder: Path) -> Path:
    return next(folder.glob("lib/python*/site-packages"))


def test_it_is_reckoned_once_and_then_read(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = contents.of_environment(made)
    assert first is not None
    assert first.startswith("sha256:")
    reckoned: list[object] = []
    monkeypatch.setattr(contents, "_contents", lambda sites: reckoned.append(sites) or iter(()))
    assert contents.of_environment(made) == first
    assert reckoned == []
    installed(site_of(made), "numpy")
    assert contents.of_environment(made) != first
    assert reckoned


def test_the_same_content_in_another_place_at_another_time_is_the_same(made: Path, tmp_path: Path) -> None:
    first = contents.of_environment(made)
    other = tmp_path / "elsewhere" / "other"
    other.parent.mkdir()
    made.rename(other)
    (other / contents._KEPT).unlink()
    record = site_of(other) / "torch-2.13.0.dist-info" / "RECORD"
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(reversed(lines)).replace("INSTALLER,sha256=i", "INSTALLER,sha256=other"))
    os.utime(record, (1, 1))
    assert contents.of_environment(other) == first


def upgraded(folder: Path) -> None:
    (site_of(folder) / "torch-2.13.0.dist-info").rename(site_of(folder) / "torch-2.13.1.dist-info")


def rebuilt(folder: Path) -> None:
    record = site_of(folder) / "torch-2.13.0.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("sha256=x", "sha256=y"))


def linked(folder: Path) -> None:
    (site_of(folder) / "more.pth").write_text("/elsewhere\n")


def linked_elsewhere(folder: Path) -> None:
    (site_of(folder) / "there.pth").write_text("/another\n")


def shadowed(folder: Path) -> None:
    (site_of(folder) / "torch.py").write_text("")


def of_another_python(folder: Path) -> None:
    settings = folder / "pyvenv.cfg"
    settings.write_text(settings.read_text().replace("version = 3.", "version = 4."))


def unrecorded(folder: Path) -> None:
    (site_of(folder) / "torch-2.13.0.dist-info" / "RECORD").unlink()


@pytest.mark.parametrize("change", [upgraded, rebuilt, linked, linked_elsewhere, shadowed, of_another_python, unrecorded])
def test_any_change_of_what_is_installed_is_another_content(made: Path, change: Callable[[Path], None]) -> None:
    (site_of(made) / "there.pth").write_text("/one\n")
    first = contents.of_environment(made)
    change(made)
    assert contents.of_environment(made) not in (first, None)


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONHASHSEED", "OMP_NUM_THREADS", "TORCH_LOGS", "CUDA_LAUNCH_BLOCKING", "CXX"])
def test_a_variable_that_bends_results_is_part_of_it(made: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    first = contents.of_environment(made)
    monkeypatch.setenv(name, "1")
    second = contents.of_environment(made)
    assert second not in (first, None)
    monkeypatch.setenv(name, "2")
    assert contents.of_environment(made) not in (first, second)


@pytest.mark.parametrize("name", ["CUDA_VISIBLE_DEVICES", "HOME", "TERM", "MY_TORCH_LOGS"])
def test_a_variable_that_does_not_is_none(made: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    first = contents.of_environment(made)
    monkeypatch.setenv(name, "other")
    assert contents.of_environment(made) == first


def test_the_compiler_that_is_found_is_part_of_it_and_the_order_of_the_path_is_not(
    made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    first = contents.of_environment(made)
    monkeypatch.setenv("PATH", "/nowhere/else")
    assert contents.of_environment(made) == first
    (tmp_path / "g++").write_text("#!/bin/sh\n")
    (tmp_path / "g++").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert contents.of_environment(made) != first


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_modules_from_anywhere_cannot_be_known(made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "src"
    source.mkdir() if kind == "folder" else source.write_bytes(b"PK")
    monkeypatch.setenv("PYTHONPATH", str(source))
    assert contents.of_environment(made) is None
    assert contents.of_interpreter(made / "bin" / "python") is None


def test_what_was_kept_and_is_damaged_is_reckoned_again(made: Path) -> None:
    first = contents.of_environment(made)
    for text in ("", "{", "[]", "{}", '{"glance": 1, "contents": 2}', "\udcff"):
        (made / contents._KEPT).write_bytes(text.encode("utf-8", "surrogateescape"))
        assert contents.of_environment(made) == first


def test_an_environment_that_cannot_be_written_is_read_all_the_same(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(contents, "_keep", read_only)
    assert contents.of_environment(made) is not None
    assert not (made / contents._KEPT).exists()


def test_an_environment_that_is_none_has_no_content(tmp_path: Path) -> None:
    assert contents.of_environment(tmp_path) is None


# ---------------------------------------------------------------- interpreters of the host


def test_an_interpreter_is_known_by_what_is_installed_for_it(made: Path) -> None:
    python = made / "bin" / "python"
    first = contents.of_interpreter(python)
    assert first is not None
    assert contents.of_interpreter(python) == first
    installed(site_of(made), "numpy")
    second = contents.of_interpreter(python)
    assert second not in (first, None)
    upgraded(made)
    assert contents.of_interpreter(python) not in (first, second, None)


def test_a_package_that_somebody_works_on_cannot_be_known(made: Path) -> None:
    direct = site_of(made) / "torch-2.13.0.dist-info" / "direct_url.json"
    direct.write_text('{"url": "file:///src", "dir_info": {}}')
    assert contents.of_interpreter(made / "bin" / "python") is not None
    direct.write_text('{"url": "file:///src", "dir_info": {"editable": true}}')
    assert contents.of_interpreter(made / "bin" / "python") is None


def test_modules_from_a_folder_that_no_installer_fills_cannot_be_known(made: Path, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (site_of(made) / "src.pth").write_text(f"{tmp_path}/src\n")
    assert contents.of_interpreter(made / "bin" / "python") is None


@pytest.mark.parametrize("body", ["exit 1", "echo nothing", "echo [1]", 'echo "{}"', "exec sleep 60"])
def test_an_interpreter_that_does_not_answer_has_no_content(tmp_path: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_ASK_SECONDS", 1.0)
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    assert contents.of_interpreter(script) is None


def test_what_an_interpreter_prints_when_it_starts_does_not_matter(made: Path) -> None:
    first = contents.of_interpreter(made / "bin" / "python")
    (site_of(made) / "sitecustomize.py").write_text("print('hello from here')\n")
    assert contents.of_interpreter(made / "bin" / "python") not in (first, None)
