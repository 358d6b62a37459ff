"""What the installed packages say of themselves, by the standard library alone; nothing on a Python before 3.8."""

import re
from typing import Dict, Optional

try:
    from importlib import metadata
except ImportError:  # Python 3.6 and 3.7
    metadata = None  # type: ignore

_EXACT = re.compile(r"^([A-Za-z0-9._-]+)\s*\(?\s*==\s*([A-Za-z0-9.!+_-]+)\s*\)?\s*(?:;.*)?$")


def version(name: str) -> Optional[str]:
    """The installed version of a distribution; None when it is absent or cannot be read."""
    if metadata is None:
        return None
    try:
        return str(metadata.version(name))
    except Exception:  # noqa: BLE001 - a damaged installation raises whatever it likes; then nothing is known
        return None


def pins(name: str) -> Dict[str, str]:
    """What a distribution demands in one exact version, by name; extras left out."""
    if metadata is None:
        return {}
    try:
        lines = metadata.requires(name) or []
    except Exception:  # noqa: BLE001 - as above
        return {}
    found = (_EXACT.match(line.strip()) for line in lines if "extra ==" not in line)
    return {each.group(1): each.group(2) for each in found if each}


def public(text: str) -> str:
    """A version without its local part: ``2.7.1`` of ``2.7.1+cu126``."""
    return text.split("+")[0]


def same(pinned: str, installed: str) -> bool:
    """Whether an installed version is the pinned one; the local part counts where the pin has one."""
    installed = installed if "+" in pinned else public(installed)
    return _trimmed(pinned) == _trimmed(installed)


def _trimmed(text: str) -> str:
    return re.sub(r"(\.0)+$", "", text)
