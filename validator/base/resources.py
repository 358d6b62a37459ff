"""Files that ship with the package: the shipped matrix, its images, the schema, the check registry, the probe's sources."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
DATA = PACKAGE / "data"
PROBE = PACKAGE / "probe"


def shipped_folder() -> Path:
    """The folder that holds the shipped ``matrix.yaml`` and ``images/``: inside the wheel, or the top level of a checkout."""
    packed = DATA / "shipped"
    return packed if packed.is_dir() else PACKAGE.parent
