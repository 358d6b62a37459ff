"""Any log as blocks of plain bytes with line numbers, in bounded memory. Encodings, colours and NULs end here."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from validator.diagnose.evidence import Log

#: Bytes read at a time.
CHUNK = 1 << 20
#: A line longer than this is cut into pieces that share its number.
MAX_LINE = 1 << 16
#: About how many bytes are handed on at once; the matcher's first filter looks at a block as a whole.
BLOCK = 1 << 13

#: Escape sequences: colours, cursor movements and window titles.
_ANSI = re.compile(rb"\x1b\[[0-?]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b\n]{0,200}(?:\x07|\x1b\\)?")
#: Colours whose escape character was lost on the way (``^[``, U+FFFD or nothing is left of it). Looked for only where one of
#: the usual resets shows that there are any.
_ORPHANS = re.compile(rb"(?:\^\[|\xef\xbf\xbd)?\[[0-9;]{1,12}m")
_RESETS = (b"[0m", b"[m", b"[39m", b"[22m")
#: A line break or a tab as it is written inside another text (JSON, a repr); not the ``\t`` of ``C:\torch``.
_BREAK = re.compile(rb"\\{1,8}[nrt](?![a-z])")


def blocks(log: Log) -> Iterator[tuple[int, bytes]]:
    """(number of the first line, some whole lines as UTF-8), in order. Broken UTF-8 is passed on as it is, and is no error."""
    number = 1
    rest = b""
    for chunk in _utf8(log):
        data = rest + chunk
        cut = data.rfind(b"\n") + 1
        if not cut:
            if len(data) < MAX_LINE:
                rest = data
                continue
            cut = len(data) - len(data) % MAX_LINE
        whole, rest = data[:cut], data[cut:]
        yield from _blocks(number, whole)
        number += whole.count(b"\n")
    if rest:
        yield from _blocks(number, rest)


def lines(number: int, block: bytes) -> Iterator[tuple[int, bytes]]:
    """(line number, line) of a block. The states of a progress bar (each ended by CR) are lines that share a number."""
    for offset, line in enumerate(block.split(b"\n")):
        for state in line.split(b"\r"):
            for start in range(0, len(state), MAX_LINE):
                yield number + offset, state[start : start + MAX_LINE]


def _blocks(number: int, whole: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(whole):
        end = whole.find(b"\n", start + BLOCK) + 1 or len(whole)
        raw = whole[start:end]
        yield number, _plain(raw)
        number += raw.count(b"\n")
        start = end


def _plain(raw: bytes) -> bytes:
    if b"\x1b" in raw:
        raw = _ANSI.sub(b"", raw)
    if any(reset in raw for reset in _RESETS):
        raw = _ORPHANS.sub(b"", raw)
    if b"\\" in raw:
        raw = _BREAK.sub(b" ", raw)
    return raw.replace(b"\0", b"") if b"\0" in raw else raw


def _utf8(log: Log) -> Iterator[bytes]:
    chunks = _chunks(log)
    first = next(chunks, b"")
    encoding, skip = _encoding(first)
    if encoding == "utf-8":
        yield first[skip:]
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(first[skip:]).encode("utf-8", "replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")


def _chunks(log: Log) -> Iterator[bytes]:
    if isinstance(log, str):
        log = log.encode("utf-8", "replace")
    if isinstance(log, bytes):
        log = io.BytesIO(log)
    if isinstance(log, Iterable) and not hasattr(log, "read"):
        for line in log:
            yield (str(line).rstrip("\n") + "\n").encode("utf-8", "replace")
        return
    stream: BinaryIO = log  # type: ignore[assignment]
    while chunk := stream.read(CHUNK):
        yield chunk


def _encoding(first: bytes) -> tuple[str, int]:
    """The encoding and the length of its byte order mark. UTF-16 without a mark is recognised by where its NULs are."""
    if first.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and (b"\0" in first[:4096] or len(first) < 4):
        return ("utf-16-le" if first.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"), 2
    head = first[:4096]
    half = len(head) // 2
    if half >= 4 and head[1::2].count(0) > 0.6 * half and head[0::2].count(0) < 0.1 * half:
        return "utf-16-le", 0
    if half >= 4 and head[0::2].count(0) > 0.6 * half and head[1::2].count(0) < 0.1 * half:
        return "utf-16-be", 0
    return "utf-8", 0
