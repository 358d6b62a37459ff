"""Untrusted text made safe to keep and to show, and the words for a name that is not known.

Safe means: no control characters, no bidirectional overrides, bounded length; and where a text is printed or put on a page,
nothing that a CI system which reads the job's log would obey (``inert``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from validator.base.redact import redact

#: ANSI escape sequences: CSI, OSC (ended by BEL or ST) and two-character escapes.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
#: Names that a word is compared with at most: each costs some ten microseconds.
_COMPARED = 1000
_KEPT_CONTROLS = frozenset("\n\t")
#: Categories that change how neighbouring text is shown, or show nothing: control, format (bidi, zero width), surrogate,
#: private use, unassigned, line and paragraph separator.
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: What CI systems obey when a line of a job's log has it: ``::error::`` of GitHub at the start of a line, white space before it
#: apart; ``##[error]``, ``##vso[`` and ``##teamcity[`` of Azure, GitHub and TeamCity anywhere; the sections of GitLab. A layout
#: may begin a line at any word, so the start of every word counts as one.
_CI_COMMAND = re.compile(r"(?<!\S):(?=:[a-z])|#(?=#[a-z]*\[)|section_(?=(?:start|end):[0-9])", re.IGNORECASE)
#: Stands in place of what was taken out or broken up.
_MARK = "\ufffd"


def clean(text: str, limit: int | None = None) -> str:
    """Text without escapes and invisible characters (each replaced by U+FFFD), cut to its last ``limit`` characters.

    The end is kept because the end of an output is what tells the cause. Newlines and tabs stay.
    """
    if limit is not None and len(text) > 4 * limit:
        text = text[-4 * limit :]
    text = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    if not text.replace("\n", "").replace("\t", "").isprintable():
        text = "".join(c if c in _KEPT_CONTROLS or unicodedata.category(c) not in _REFUSED else _MARK for c in text)
    if limit is not None and len(text) > limit:
        text = "…" + text[-(limit - 1) :]
    return text


def inert(text: str) -> str:
    """Cleaned text in which no CI system finds a command: the first character of its marker is U+FFFD, as wide as it was.

    For text that is printed or put on a page; JSON has ``inert_json``. What was made inert stays as it is when it is made so
    again, and texts of the validator's own hold no such marker.
    """
    return _CI_COMMAND.sub(lambda found: _MARK + found[0][1:], text)


def inert_json(text: str) -> str:
    """JSON text in which no CI system finds a command, and which says the same: the marker's first character is escaped.

    Only what occurs within a line is looked for: a line of JSON begins with a bracket, a quotation mark, a number or a word.
    """
    if "##" not in text and "section_" not in text:
        return text
    return _CI_COMMAND.sub(lambda found: f"\\u{ord(found[0][0]):04x}{found[0][1:]}", text)


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


def quoted(value: str) -> str:
    """A value that someone gave, fit for a message: in quotes, on one line, bounded, with credentials masked."""
    return repr(one_line(redact(value), 100))


def similar(word: str, known: Iterable[str], *, most: int = 1, cutoff: float = 0.6) -> list[str]:
    """The known names that a word may have been meant for, the most similar first; looked for among the first thousand."""
    from difflib import get_close_matches  # only errors need it

    return get_close_matches(word[:100], list(islice(known, _COMPARED)), n=most, cutoff=cutoff)


def did_you_mean(names: Sequence[str]) -> str:
    """The question ``did you mean 'a', 'b' or 'c'?``; empty without names."""
    if not names:
        return ""
    *others, last = map(quoted, names)
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"


def suggestion(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """What follows a statement that a word is not known: ``; did you mean 'torch'?``, or nothing if no name is similar."""
    names = similar(word, known, cutoff=cutoff)
    return f"; {did_you_mean(names)}" if names else ""
