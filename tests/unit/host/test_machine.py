"""What is said of this machine: read from the machine itself, or from files and a command a test puts in their place."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from validator.host import machine as host
from validator.host import nvml
from validator.model import EngineInfo, NvmlInfo

ANSWER = "NVIDIA Container Toolkit CLI version 1.17.4\ncommit: 9b69590c7428470a72f2ae05f826412976af1395\n"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test puts the nvidia-ctk that is found first."""
    path = tmp_path / "bin" / "nvidia-ctk"
    path.parent.mkdir()
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
    return path


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test puts the toolkit's config.toml."""
    path = tmp_path / "config.toml"
    monkeypatch.setattr(host, "_TOOLKIT_CONFIG", path)
    return path


def install(command: Path, script: str) -> None:
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


# ---------------------------------------------------------------- host


def test_host_is_this_machine_with_the_engine_it_was_given() -> None:
    engine = EngineInfo(name="docker", version="28.3.2")

    info = host.read_host(engine, timeout_seconds=60.0)

    assert info.engine == engine
    assert info.nvml.driver_version == nvml.query().driver_version
    assert platform.release() in info.system
    assert platform.machine() in info.system
    assert info.python == platform.python_version()
    assert info.memory_bytes is not None


def test_driver_gets_no_more_time_than_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "query", lambda seconds: NvmlInfo(problem=f"asked for {seconds} s"))

    assert host.read_host(EngineInfo(), timeout_seconds=7.5).nvml.problem == "asked for 7.5 s"


def test_only_the_processors_that_may_be_used_count() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert host.read_host(EngineInfo()).cpu_count == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_where_the_system_does_not_say_which_processors_may_be_used_all_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    for found, counted in ((12, 12), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda found=found: found)
        assert host._cpu_count() == counted


def test_a_machine_that_is_only_described_has_an_engine_that_was_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "query", lambda seconds: NvmlInfo(problem=f"asked for {seconds} s"))
    info = host.read_host()
    assert (info.engine, info.nvml.problem) == (EngineInfo(problem="not asked: nothing is run"), "asked for 20.0 s")


def test_system_without_os_release_is_told_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> dict[str, str]:
        raise FileNotFoundError("/etc/os-release")

    monkeypatch.setattr(platform, "freedesktop_os_release", absent)

    assert host.read_host(EngineInfo()).system == f"Linux {platform.release()}, {platform.machine()}"


@pytest.mark.parametrize(
    ("text", "memory_bytes"),
    [
        ("MemTotal:       65536000 kB\nMemFree:        1024 kB\n", 67_108_864_000),
        ("MemFree:        1024 kB\n", None),
        ("", None),
        (None, None),
    ],
)
def test_memory_is_all_that_the_kernel_has_or_unknown(
    text: str | None, memory_bytes: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    if text is not None:
        meminfo.write_text(text)
    monkeypatch.setattr(host, "_MEMINFO", meminfo)

    assert host.read_host(EngineInfo()).memory_bytes == memory_bytes


# ---------------------------------------------------------------- container toolkit


def test_toolkit_tells_version_and_mode(command: Path, config: Path) -> None:
    install(command, f"cat <<'END'\n{ANSWER}END")
    config.write_text('#debug = "x"\n[nvidia-container-runtime]\nlog-level = "info"\nmode = "auto"\n')

    assert host.toolkit() == ("1.17.4", "auto")


def test_absent_toolkit_is_not_an_error(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert host.toolkit() == (None, None)


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo NVIDIA Container Toolkit CLI version 1.18.0-rc.1", "1.18.0-rc.1"),
        ("echo 'no such flag' >&2; exit 1", None),
        ("printf '\\377\\376version'", None),
        ("kill -SEGV $$", None),
    ],
)
def test_version_is_what_the_command_says_or_unknown(script: str, version: str | None, command: Path, config: Path) -> None:
    install(command, script)

    assert host.toolkit() == (version, None)


def test_command_that_is_no_program_leaves_the_version_unknown(command: Path, config: Path) -> None:
    command.write_bytes(b"\x7fELF but not really")
    command.chmod(0o755)

    assert host.toolkit() == (None, None)


def test_command_that_hangs_is_given_up(command: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(command, "exec sleep 600")
    monkeypatch.setattr(host, "_TOOLKIT_TIMEOUT_SECONDS", 0.2)

    assert host.toolkit() == (None, None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[nvidia-container-runtime]\n",
        b"[nvidia-container-runtime]\nmode = 3\n",
        b'nvidia-container-runtime = "auto"\n',
        b"[nvidia-container-runtime\nmode = ",
        b"\xff\xfe",
    ],
)
def test_mode_is_unknown_where_the_configuration_does_not_say(
    content: bytes, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    config.write_bytes(content)

    assert host.toolkit() == (None, None)


# ---------------------------------------------------------------- kernel modules


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U22)\nGCC", "open"),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n", "proprietary"),
        ("NVRM version: NVIDIA UNIX aarch64 Kernel Module  550.54.15  Tue Mar  5\n", "proprietary"),
        ("something else\n", None),
        (None, None),
    ],
)
def test_which_kernel_modules_are_loaded(
    text: str | None, modules: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "version"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(host, "_DRIVER_VERSION", path)
    assert host._kernel_modules() == modules
