"""Any log as blocks of plain bytes with line numbers: encodings, colours and NULs are dealt with here, in bounded memory."""

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
#: About how much is handed on at once; the first filter looks at a block as a whole.
BLOCK = 1 << 13

#: Colours, cursor movements and titles.
_ANSI = re.compile(rb"\x1b\[[0-?]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b\n]{0,200}(?:\x07|\x1b\\)?")
#: The same where the escape itself was lost on the way (``^[[31m``, U+FFFD, or nothing); a reset tells that there are any.
_ORPHANS = re.compile(rb"(?:\^\[|\xef\xbf\xbd)?\[[0-9;]{1,12}m")
_RESETS = (b"[0m", b"[m", b"[39m", b"[22m")
#: A line break or a tab as another text holds it (JSON, a repr); ``\\torch`` in a path is none.
_BREAK = re.compile(rb"\\{1,8}[nrt](?![a-z])")


def blocks(log: Log) -> Iterator[tuple[int, bytes]]:
    """(number of the first line, some whole lines as UTF-8) in order. Broken UTF-8 is kept as it is and never an error."""
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
    """(line number, line) of a block. The states of a progress bar (ended by CR) are lines of their own with one number."""
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
    """The encoding, and the length of its mark. UTF-16 without a mark is told by where the NULs stand."""
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
