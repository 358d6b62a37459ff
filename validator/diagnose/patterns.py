"""The pattern language of signatures: literal text with gaps and named values, matched in linear time.

``*`` is any text on the same line; ``{name}`` takes a value that starts there, ``{name:kind}`` says of which kind. Letters are
lower case, every quotation mark is ``'``, and any run of white space is one space; ``normal`` brings lines to that form first.
A pattern that begins or ends with a letter or a digit matches whole words there. ``^`` in front ties it to the beginning of the
line (after time stamps and the like), ``$`` behind it to the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from validator.diagnose.prefixes import without_prefix

#: How many characters of a line are looked at, half from its beginning and half from its end; no message is longer.
MAX_LOOKED_AT = 4000
#: How often the first literal is looked for in a line, where what follows it does not fit.
_TRIES = 12

_KINDS: Mapping[str, str] = {
    "word": r"[^\s'\",;()\[\]{}]{1,120}",
    "version": r"v?[0-9][0-9a-z.+_-]{0,40}",
    "release": r"v?[0-9][0-9a-z._-]{0,40}",
    "number": r"[0-9][0-9.,]{0,20}",
    "path": r"[^\s'\"]{1,200}",
    "size": r"[0-9][0-9.]{0,12} ?[kmgt]?i?b(?:ytes)?",
    "text": r"[^'\"\n]{1,120}",
    "list": r"[0-9][^()\n]{0,4000}",
    "weights": r"[^\s'\",]{1,200}\.(?:pt|pth|safetensors|ckpt|bin|onnx|h5|zip|tar\.gz)",
}
_PART = re.compile(r"\{([a-z_]+)(?::([a-z]+))?\}|\*")
_QUOTES = str.maketrans(dict.fromkeys('"`´‘’“”″', "'") | dict.fromkeys("│┃║╭╮╰╯─━❱\t\xa0\u200b\ufeff", " "))
_SPACES = re.compile(r"\s+")
#: A quotation mark inside another text (JSON, a repr).
_ESCAPED = re.compile(r"\\+[\"']")


@dataclass(frozen=True)
class MessagePattern:
    """One pattern, taken apart. ``parts`` are literals (str), values (name, compiled kind) and gaps (None)."""

    text: str
    parts: tuple[str | tuple[str, re.Pattern[str]] | None, ...]
    at_start: bool = False
    at_end: bool = False

    @property
    def literals(self) -> tuple[str, ...]:
        """Its literal parts."""
        return tuple(part for part in self.parts if isinstance(part, str))

    @property
    def has_gap(self) -> bool:
        """Whether anything may stand between its parts."""
        return None in self.parts

    def match(self, line: str) -> dict[str, str] | None:
        """The values it takes from a normalised line, or None where the line does not contain it."""
        head = self.parts[0]
        if not isinstance(head, str):
            return None
        if self.at_start:
            line = without_prefix(line)
        start = 0
        for _ in range(_TRIES):
            at = line.find(head, start)
            if at < 0 or (self.at_start and at):
                return None
            whole = not (head[0].isalnum() and at and line[at - 1].isalnum())
            found = self._rest(line, at + len(head)) if whole else None
            if found is not None:
                return found
            start = at + 1
        return None

    def _rest(self, line: str, position: int) -> dict[str, str] | None:
        values: dict[str, str] = {}
        gap = False
        for part in self.parts[1:]:
            if part is None:
                gap = True
            elif isinstance(part, str):
                at = line.find(part, position) if gap else (position if line.startswith(part, position) else -1)
                if at < 0:
                    return None
                position, gap = at + len(part), False
            else:
                name, kind = part
                hit = kind.search(line, position) if gap else kind.match(line, position)
                if hit is None:
                    return None
                values[name], position, gap = hit.group().rstrip(".,:;"), hit.start() + len(hit.group().rstrip(".,:;")), False
        if self.at_end and position != len(line):
            return None
        last = self.parts[-1]
        if isinstance(last, str) and last[-1].isalnum() and position < len(line) and line[position].isalnum():
            return None
        return values


def parse(text: str) -> MessagePattern:
    """A pattern from its text. Raises ValueError for an unknown kind, text that is not normal, or a missing first literal."""
    parts: list[str | tuple[str, re.Pattern[str]] | None] = []
    end = 0
    whole, at_start, at_end = text, text.startswith("^"), text.endswith("$")
    text = text[at_start : len(text) - at_end]
    for hit in _PART.finditer(text):
        if hit.start() > end:
            parts.append(text[end : hit.start()])
        if hit.group() == "*":
            parts.append(None)
        else:
            kind = hit.group(2) or "word"
            if kind not in _KINDS:
                raise ValueError(f"{text!r}: there is no kind {kind!r}, only {', '.join(_KINDS)}")
            parts.append((hit.group(1), re.compile(_KINDS[kind])))
        end = hit.end()
    if end < len(text):
        parts.append(text[end:])
    if not parts or not isinstance(parts[0], str):
        raise ValueError(f"{text!r} does not begin with literal text")
    if normal(text) != text:
        raise ValueError(f"{text!r} is not in normal form, which would be {normal(text)!r}")
    return MessagePattern(whole, tuple(parts), at_start, at_end)


def normal(line: str) -> str:
    """A line in the form that patterns are written in: lower case, one kind of quote, single spaces, bounded length."""
    if len(line) > MAX_LOOKED_AT:
        line = line[: MAX_LOOKED_AT // 2] + " … " + line[-MAX_LOOKED_AT // 2 :]
    if "\\" in line:
        line = _ESCAPED.sub("'", line)
    return _SPACES.sub(" ", line.lower().translate(_QUOTES)).strip()
