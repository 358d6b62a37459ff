"""One run of uv: its output as it arrives, its deadline, and its failures in words that say what to do."""

from __future__ import annotations

import enum
import os
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from validator.base.errors import AcquireError, InterruptedRunError
from validator.base.interrupts import held_back
from validator.base.redact import redact
from validator.base.stopping import Stop
from validator.base.text import one_line
from validator.runners.local.guarded import Guarded

#: uv's variables that would change what is made behind the caller's back; all of uv's sources are given to it by the caller.
_DROPPED = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX.*|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INSECURE_HOST|TORCH_BACKEND|PYTHON|SYSTEM_PYTHON|CONFIG_FILE|"
    r"PROJECT.*|WORKING_DIR.*|CONSTRAINT|OVERRIDE|BUILD_CONSTRAINT|REQUIRE_HASHES|RESOLUTION|EXCLUDE_NEWER)|VIRTUAL_ENV|CONDA_PREFIX"
)
_TAIL_LINES = 40
_QUOTED_LINES = 12
_LOOK_SECONDS = 0.2
_TICK_SECONDS = 0.02

#: What uv says, and what to do about it; the first that fits is used.
_HINTS = (
    (r"No interpreter found|no Python (executable|installation)|No download found", "no-python"),
    (r"no wheels? with a matching Python|requires-python|Python (version )?tag|not compatible with|Requires-Python", "tag"),
    (r"No space left|disk quota|\(os error 28\)", "disk"),
    (r"There is no version|no version of|not found in|No solution found|versions? .* (is|are) available", "version"),
    (r"certificate|UnknownIssuer|tls", "tls"),
    (r"status server error|\b(429|50[0234])\b", "busy"),
    (r"dns error|error sending request|Failed to fetch|connect error|Connection|timed out|Network|offline", "network"),
    (r"401|403|credentials|Unauthorized|Forbidden", "credentials"),
    (r"Permission denied", "permission"),
)
#: What may be gone in a moment, and is tried again.
_TRANSIENT = ("busy", "network")
_ADVICE = {
    "no-python": "install that Python (`uv python install`), name another with the `python` axis, or use --runner docker",
    "tag": "that version has no wheel for this Python: choose another with the `python` axis",
    "disk": "free some space, or move the cache elsewhere with XDG_CACHE_HOME and UV_CACHE_DIR",
    "version": "correct the version or requirement in matrix.yaml, or add the index or wheel folder that has it under `packages`",
    "tls": "name your certificate authority's bundle with SSL_CERT_FILE",
    "network": "check the network and proxy, or set `packages.index` (a mirror) or `packages.find_links` (a folder of wheels)",
    "busy": "the index has too much to do or is out of order: run again later, or set `packages.index` (a mirror)",
    "credentials": "the index refused access: correct the credentials in its address",
    "permission": "correct the permissions of the named file",
}


def run_uv(
    arguments: Sequence[str],
    variables: Mapping[str, str],
    *,
    what: str,
    on_line: Callable[[str], None],
    deadline: float,
    run_id: str = "",
    stop: Stop | None = None,
) -> None:
    """Run uv with these arguments and extra variables until ``deadline`` (of time.monotonic), or until the run is to end.

    Every process it started is gone afterwards, also when the wait is interrupted. Raises AcquireError with uv's own last lines,
    cleaned and without credentials, and InterruptedRunError.
    """
    environ = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    command = [_binary(), *arguments, "--no-config", "--color=never", "--no-progress"]
    process: Guarded | None = None

    def take(line: str) -> None:
        tail.append(line)
        on_line(line)

    try:
        try:
            with held_back():  # a process that was started and not yet noted would be left
                process = Guarded(command, {**environ, **variables}, run_id=run_id, part=f"uv {what}")
        except OSError as error:
            raise _unstartable(what, str(error)) from error
        ended = _follow(process, deadline, take, stop or Stop())
    finally:
        with held_back():
            if process is not None:
                process.end()
    if refused := process.refused:
        raise _unstartable(what, refused)
    if ended is _Ended.ON_STOP:
        raise InterruptedRunError(f"making the virtual environment of {what} was given up", why="the run is to end")
    if ended is _Ended.AT_DEADLINE:
        raise AcquireError(
            f"making the virtual environment of {what} took too long and was stopped",
            why="\n    ".join(["uv's last lines:", *list(tail)[-3:]]) if tail else "uv said nothing",
            hint="check the network and the package index; what was downloaded is kept, so another run goes on from there",
        )
    if process.code:
        raise _failure(what, process.code, list(tail))


def _unstartable(what: str, why: str) -> AcquireError:
    return AcquireError(f"uv cannot be started to make {what}", why=why, hint="reinstall the `uv` package")


def _binary() -> str:
    try:
        from uv import find_uv_bin
    except ImportError:
        raise AcquireError("uv is not installed", hint="pip install uv, or use --runner docker") from None
    try:
        return os.fspath(find_uv_bin())
    except FileNotFoundError as error:
        raise AcquireError("uv's program is missing", why=str(error), hint="reinstall the `uv` package") from None


class _Ended(enum.Enum):
    """Why it was no longer listened to."""

    BY_ITSELF = enum.auto()
    AT_DEADLINE = enum.auto()
    ON_STOP = enum.auto()


def _follow(process: Guarded, deadline: float, take: Callable[[str], None], stop: Stop) -> _Ended:
    """Hand over each line until uv ends, and all that it started with it."""
    lines: queue.Queue[bytes | None] = queue.Queue()

    def read(stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
    line: bytes | None = b""
    while line is not None:
        try:
            line = lines.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if process.code is not None:
                break  # something that got away holds the pipe open
            line = b""
        if text := redact(one_line((line or b"").decode("utf-8", "replace"), 500)):
            take(text)
        if (ended := _due(process, deadline, stop)) is not None:
            return ended
    while process.code is None:  # it closed its output and goes on
        if (ended := _due(process, deadline, stop)) is not None:
            return ended
        stop.wait(_TICK_SECONDS)
    return _Ended.BY_ITSELF


def _due(process: Guarded, deadline: float, stop: Stop) -> _Ended | None:
    if process.code is None and time.monotonic() > deadline:
        return _Ended.AT_DEADLINE
    return _Ended.ON_STOP if stop.asked else None


def _failure(what: str, status: int, tail: list[str]) -> AcquireError:
    begin = next((number for number, line in enumerate(tail) if line.startswith("error:")), max(len(tail) - _QUOTED_LINES, 0))
    words = tail[begin:][-_QUOTED_LINES:]
    said = "\n".join(words)
    kind = next((kind for pattern, kind in _HINTS if re.search(pattern, said, re.IGNORECASE)), None)
    return AcquireError(
        f"the virtual environment of {what} could not be made (uv ended with {status})",
        why="\n    ".join(words) or "uv said nothing",
        hint=_ADVICE[kind] if kind else "run again with the same matrix; if it stays, report uv's words above",
        transient=kind in _TRANSIENT,
    )
