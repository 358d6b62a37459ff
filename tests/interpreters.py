"""The Pythons of this machine, old ones too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def interpreters() -> list[Any]:
    """A parameter for each Python since 3.6, in pyenv or on the PATH; None for one that is not here."""
    return list(_each())


def _each() -> Iterator[Any]:
    for minor in range(6, 14):
        name = f"python3.{minor}"
        found = next((str(path) for path in Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/{name}")), None)
        yield pytest.param(found or shutil.which(name), id=name)
