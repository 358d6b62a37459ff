"""YAML as plain text with line numbers: every scalar stays as written, and what a configuration file does not need is refused.

Built on PyYAML's events, so no tag, alias or merge is ever resolved: ``12.10``, ``no`` or ``1_000`` arrive as they stand.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from validator.base.errors import EmptyFileError, MatrixError
from validator.base.text import one_line, quoted

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_NODES = 20_000

Tree = str | list["Tree"] | dict[str, "Tree"]
#: The way to a node from the top: keys and list indexes.
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One YAML document and where its parts stand."""

    file: str
    data: Tree
    lines: Mapping[KeyPath, int]
    """Line (from 1) on which each value begins."""
    key_lines: Mapping[KeyPath, int]
    """The line of the key of each value that has a key."""

    def line(self, place: KeyPath) -> int:
        """Line of the value at a place, or of the nearest part above it that is there."""
        return self.lines[self.known(place)]

    def key_line(self, place: KeyPath) -> int:
        """Line of the key at a place; of the value where it has no key (a list item), or of the nearest part above it."""
        known = self.known(place)
        return self.key_lines.get(known, self.lines[known])

    def known(self, place: KeyPath) -> KeyPath:
        """The place without the steps that the document does not have."""
        known: KeyPath = ()
        for step in place:
            if (*known, step) in self.lines:
                known = (*known, step)
        return known


def read(path: Path) -> Document:
    """Read a YAML file. Raises MatrixError, which says where and why, for anything but one small, plain document."""
    file = one_line(str(path))
    raw = _read_bounded(path, file)
    if len(raw) > MAX_BYTES:
        raise MatrixError(
            f"{file}:1: the file is larger than {MAX_BYTES // 1024} KiB",
            why="no matrix that a person writes is that large; this is probably another file",
            hint="check the path, or split the matrix into several files",
        )
    try:
        text = raw.decode("utf-8")  # a byte order mark is left to PyYAML, which skips it
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise MatrixError(
            f"{file}:{line}: the file is not UTF-8 text (byte 0x{raw[error.start]:02x})",
            why="another encoding, or a binary file, cannot be read without guessing",
            hint="save the file as UTF-8",
        ) from None
    return parse(text, file)


def _read_bounded(path: Path, file: str) -> bytes:
    """At most one byte more than is allowed, and only from a regular file: a pipe or a device could block for ever."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _not_a_file(file)
            with open(descriptor, "rb", closefd=False) as stream:
                return stream.read(MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise MatrixError(f"{file}: there is no such file", hint="check the path, or write one") from None
    except OSError as error:
        raise MatrixError(
            f"{file}: the file cannot be read: {error.strerror}", hint="check the path and the file's permissions"
        ) from None


def _not_a_file(file: str) -> MatrixError:
    return MatrixError(
        f"{file}: this is not a regular file",
        why="a folder, pipe or device cannot be read twice with the same result",
        hint="give the path of a YAML file",
    )


class _Refused(Exception):
    """YAML that is valid but not wanted here."""

    def __init__(self, line: int, what: str, *, why: str, hint: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what
        self.why = why
        self.hint = hint


class _Empty(_Refused):
    """A document without a value in it."""

    def __init__(self) -> None:
        super().__init__(1, "the file is empty", why="there is nothing to do", hint="begin with `version: 1`")


class _Loader(yaml.SafeLoader):
    """PyYAML's own scanner, not the C one (its errors and positions differ), without directives, tags and anchors."""

    def fetch_directive(self) -> NoReturn:
        self._refuse("directives (%) are not used here", "they change how the text is read", "remove the line")

    def fetch_anchor(self) -> NoReturn:
        self._refuse(
            "anchors (&name) and aliases (*name) are not used here",
            "the value of a line would be written somewhere else, and a few aliases can expand without bound",
            "write the values out; quote a text that begins with & or *",
        )

    fetch_alias = fetch_anchor

    def fetch_tag(self) -> NoReturn:
        self._refuse(
            "tags (!name, !!type) are not used here",
            "every value is text and gets its type from its key",
            "leave the tag out; quote it instead where the value itself begins with !",
        )

    def _refuse(self, what: str, why: str, hint: str) -> NoReturn:
        raise _Refused(self.get_mark().line + 1, what, why=why, hint=hint)


def parse(text: str, file: str) -> Document:
    """Parse the text of one YAML document. Raises MatrixError as ``read`` does."""
    try:
        loader = _Loader(text)
        builder = _Builder(iter(loader.get_event, None))
        data = builder.document()
    except _Refused as refusal:
        kind = EmptyFileError if isinstance(refusal, _Empty) else MatrixError
        raise kind(f"{file}:{refusal.line}: {refusal.what}", why=refusal.why, hint=refusal.hint) from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, file) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MatrixError(
            f"{file}:{line}: the character U+{int(error.character):04X} is not allowed in YAML",
            why="control characters cannot be seen and do not belong in a text file",
            hint="remove it",
        ) from None
    except (ValueError, OverflowError):  # PyYAML hands the number of a \\U escape to chr() unchecked
        line = loader.get_mark().line + 1
        raise MatrixError(f"{file}:{line}: an escape in this quoted text names no character", hint="correct it") from None
    return Document(file, data, builder.lines, builder.key_lines)


def _syntax_error(error: yaml.MarkedYAMLError, file: str) -> MatrixError:
    """The scanner's own words, with the line of the error and the line on which the broken part begins."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    context = error.context or ""
    if context and error.context_mark and error.context_mark.line + 1 != line:
        context += f" that begins on line {error.context_mark.line + 1}"
    words = one_line(", ".join(part for part in (context, error.problem) if part))
    return MatrixError(
        f"{file}:{line}: not valid YAML: {words}",
        hint="indent with spaces only, close every bracket and quote, and quote text that holds ': ' or ' #'",
    )


class _Builder:
    """Makes plain values of events; MAX_DEPTH bounds the recursion."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.key_lines: dict[KeyPath, int] = {}
        self._events = events
        self._nodes = 0

    def document(self) -> Tree:
        """The only document of the stream."""
        next(self._events)  # stream start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise _Empty
        first = next(self._events)
        if isinstance(first, yaml.ScalarEvent) and first.implicit[0] and not first.value:
            raise _Empty
        data = self._value(first, ())
        next(self._events)  # document end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise _Refused(
                _line(event),
                "a second document begins here",
                why="a file has one document",
                hint="remove the line --- or ..., or put the second document into a file of its own",
            )
        return data

    def _value(self, event: yaml.Event, place: KeyPath) -> Tree:
        self._count(event)
        self.lines[place] = _line(event)
        if isinstance(event, yaml.ScalarEvent):
            # The first flag of `implicit` says that the scalar is plain, that is, not in quotes.
            if not event.value and event.implicit[0]:
                raise _Refused(
                    _line(event),
                    f"{_name(place)} has no value",
                    why="nothing, an empty text and a default are three different things",
                    hint='write a value, write "" for an empty text, or remove it; quote a text such as "{torch}"',
                )
            return _text(event)
        if len(place) >= MAX_DEPTH:
            raise _Refused(
                _line(event),
                f"nested deeper than {MAX_DEPTH} levels",
                why="a matrix needs no more than six",
                hint="check the brackets and the indentation",
            )
        return self._list(place) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(place)

    def _list(self, place: KeyPath) -> list[Tree]:
        items: list[Tree] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items))))
        return items

    def _mapping(self, place: KeyPath) -> dict[str, Tree]:
        entries: dict[str, Tree] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            here = (*place, key)
            if key in entries:
                raise _Refused(
                    _line(event),
                    f"the key {quoted(key)} stands twice: it is already on line {self.key_lines[here]}",
                    why="only one of the two could count",
                    hint="remove or rename one of them",
                )
            self.key_lines[here] = _line(event)
            entries[key] = self._value(next(self._events), here)
        return entries

    def _key(self, event: yaml.Event) -> str:
        self._count(event)
        if not isinstance(event, yaml.ScalarEvent) or not event.value:
            raise _Refused(_line(event), "a key must be text", why="it names the value after it", hint="write `name: value`")
        if event.value == "<<":
            raise _Refused(
                _line(event),
                "merge keys (<<) are not used here",
                why="the value of a line would be written somewhere else",
                hint="write the keys out",
            )
        return _text(event)

    def _count(self, event: yaml.Event) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _Refused(
                _line(event),
                f"more than {MAX_NODES:,} values and keys",
                why="no matrix that a person writes is that large",
                hint="let axes multiply, or split the matrix into several files",
            )


def _text(event: yaml.ScalarEvent) -> str:
    """The text of a scalar. An escape can spell half a surrogate pair, which is not text."""
    text = str(event.value)
    if any("\ud800" <= char <= "\udfff" for char in text):
        what = "an escape in this quoted text names half a character (a surrogate)"
        raise _Refused(_line(event), what, why="it cannot be written as UTF-8", hint="write the character itself")
    return text


def _name(place: KeyPath) -> str:
    """How a message names a place."""
    if place and isinstance(place[-1], str):
        return f"the key {quoted(place[-1])}"
    return "this list item"


def _line(event: yaml.Event) -> int:
    """The line of an event, from 1; the pure Python parser marks every event."""
    return event.start_mark.line + 1 if event.start_mark else 1
