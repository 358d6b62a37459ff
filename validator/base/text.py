"""Untrusted text made safe to keep and to show: no control characters, no bidirectional overrides, bounded length."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

#: ANSI escape sequences: CSI, OSC (ended by BEL or ST) and two-character escapes.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_KEPT_CONTROLS = frozenset("\n\t")
#: Categories that change how neighbouring text is shown, or show nothing: control, format (bidi, zero width), surrogate,
#: private use, unassigned, line and paragraph separator.
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, limit: int | None = None) -> str:
    """Text without escapes and invisible characters (each replaced by U+FFFD), cut to its last ``limit`` characters.

    The end is kept because the end of an output is what tells the cause. Newlines and tabs stay.
    """
    if limit is not None and len(text) > 4 * limit:
        text = text[-4 * limit :]
    text = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    if not text.isprintable():
        text = "".join(
            c if c in _KEPT_CONTROLS or unicodedata.category(c) not in _REFUSED else "\ufffd" for c in text
        )
    if limit is not None and len(text) > limit:
        text = "…" + text[-(limit - 1) :]
    return text


def clean_tree(value: Any) -> Any:
    """A tree of plain values with every text in it cleaned, keys included."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): clean_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean_tree(item) for item in value]
    return value


def one_line(text: str, limit: int = 200) -> str:
    """Cleaned text folded to a single line, cut at its end."""
    line = " ".join(clean(text[: 8 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
