"""This machine: its system, its processors and memory, its NVIDIA driver and container toolkit."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from validator.base.text import one_line
from validator.host import nvml
from validator.model import EngineInfo, HostInfo

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The engine of a machine that is only described: no engine is asked where nothing will run.
NOT_ASKED = EngineInfo(problem="not asked: nothing is run")

_DRIVER_VERSION = Path("/proc/driver/nvidia/version")
_MEMINFO = Path("/proc/meminfo")
_TOOLKIT_CONFIG = Path("/etc/nvidia-container-runtime/config.toml")
_TOOLKIT_TIMEOUT_SECONDS = 10.0


def read_host(engine: EngineInfo = NOT_ASKED, *, timeout_seconds: float = 20.0) -> HostInfo:
    """Describe this machine; NVML has ``timeout_seconds`` to answer. What cannot be read is stated, never raised."""
    return HostInfo(
        id=one_line(platform.node(), 100) or HostInfo.id,
        nvml=nvml.query(timeout_seconds),
        engine=engine,
        system=_system(),
        python=platform.python_version(),
        cpu_count=_cpu_count(),
        memory_bytes=_memory_bytes(),
        kernel_modules=_kernel_modules(),
    )


def toolkit() -> tuple[str | None, str | None]:
    """Version and mode of the NVIDIA Container Toolkit on this machine; each None where it does not say."""
    return _toolkit_version(), _toolkit_mode()


def _system() -> str:
    try:
        distribution = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        distribution = None
    kernel = f"{platform.system()} {platform.release()}"
    return ", ".join(one_line(part) for part in (distribution, kernel, platform.machine()) if part)


def _cpu_count() -> int:
    """The processors this process may use, which a cpuset or taskset makes fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int | None:
    try:
        found = re.search(r"^MemTotal:\s+(\d+) kB$", _MEMINFO.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _kernel_modules() -> str | None:
    """``NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05 …``; the proprietary ones leave out the word Open."""
    try:
        text = _DRIVER_VERSION.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"^NVRM version: NVIDIA UNIX (Open )?(?:\S+ )?Kernel Module", text, re.MULTILINE)
    return None if found is None else "open" if found[1] else "proprietary"


def _toolkit_version() -> str | None:
    command = shutil.which("nvidia-ctk")
    if command is None:
        return None
    try:
        answer = subprocess.run(
            [command, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TOOLKIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(rb"\bversion v?([0-9][0-9A-Za-z.+~-]{0,63})", answer.stdout)
    return found[1].decode("ascii") if found else None


def _toolkit_mode() -> str | None:
    try:
        config = tomllib.loads(_TOOLKIT_CONFIG.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent, closed to this user, not UTF-8, not TOML
        return None
    section = config.get("nvidia-container-runtime")
    mode = section.get("mode") if isinstance(section, dict) else None
    return one_line(mode) if isinstance(mode, str) else None
