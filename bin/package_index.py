"""What the configured package index says of torch, asked through pip: which wheels there are, and the metadata of one.

pip's own settings decide which index that is. Constraints, links and further indexes of this machine are left out: they would
mix other people's builds into the facts. No wheel is downloaded: metadata comes alone where the index offers that (PEP 658).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

_SECONDS = 300
#: Settings of pip that say where the index is and how it is reached.
_KEPT = ("index-url", "cert", "client-cert", "trusted-host", "proxy", "timeout")
_PLATFORMS = tuple(f"manylinux{tag}_x86_64" for tag in ("1", "2010", "2014", "_2_17", "_2_28"))
_WHEEL = re.compile(r"/(torch-(?P<version>[0-9][\w.]*)(?:-[0-9]\w*)?-(?P<python>\w+)-(?P<abi>\w+)-(?P<platform>[\w.]+)\.whl)\b")


class IndexFailed(Exception):
    """The index could not be asked; in pip's own words."""


@dataclass(frozen=True)
class Wheel:
    """One wheel of torch, by its file name."""

    version: str
    python: str
    """``3.11``; ``3.14t`` for the free-threaded one."""
    platform: str
    """The platform tag, such as ``manylinux_2_28_x86_64``."""


@dataclass(frozen=True)
class Metadata:
    """What one wheel says of itself, and where it lies."""

    url: str
    version: str
    requires: tuple[str, ...]


def wheels() -> list[Wheel]:
    """Every wheel of torch that the index lists. Raises IndexFailed."""
    return list(dict.fromkeys(parse_listing(_pip("index", "versions", "torch", "-vvv", "--no-color"))))


def parse_listing(text: str) -> Iterator[Wheel]:
    """The wheels named in pip's most talkative listing, those it skips for this Python included."""
    for found in _WHEEL.finditer(text):
        python = re.fullmatch(r"cp(\d)(\d+)", found["python"])
        if python:
            free_threaded = "t" if found["abi"].endswith("t") else ""
            yield Wheel(found["version"], f"{python[1]}.{python[2]}{free_threaded}", found["platform"])


def metadata(version: str, python: str) -> Metadata:
    """The Linux wheel of a version for one Python. Raises IndexFailed."""
    with tempfile.TemporaryDirectory() as target:
        platforms = [part for platform in _PLATFORMS for part in ("--platform", platform)]
        text = _pip(
            "install", "--dry-run", "--quiet", "--no-deps", "--ignore-installed", "--only-binary", ":all:", "--report", "-",
            "--python-version", python, *platforms, "--target", target, f"torch=={version}",
        )  # fmt: skip
    (item,) = json.loads(text)["install"]
    return parse_item(item)


def parse_item(item: Mapping[str, Any]) -> Metadata:
    """One entry of pip's installation report."""
    described = item["metadata"]
    return Metadata(item["download_info"]["url"], described["version"], tuple(described.get("requires_dist", ())))


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    try:
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise IndexFailed(f"pip did not answer within {_SECONDS} s") from None
    if done.returncode:
        raise IndexFailed(done.stderr.strip()[-2000:] or f"pip ended with status {done.returncode}")
    return done.stdout


@cache
def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    kept |= {"PIP_CONFIG_FILE": os.devnull, "PIP_CONSTRAINT": ""}
    for setting in _KEPT:
        variable = f"PIP_{setting.upper().replace('-', '_')}"
        value = os.environ.get(variable) or _configured(setting)
        if value:
            kept[variable] = value
    return kept


def _configured(setting: str) -> str:
    """A setting of pip's configuration files; empty where there is none."""
    for section in ("install", "global"):
        command = [sys.executable, "-m", "pip", "config", "get", f"{section}.{setting}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    return ""
