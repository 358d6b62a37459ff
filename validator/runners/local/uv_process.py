"""One run of uv: its output as it arrives, its deadline, and its failures in words that say what to do."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from validator.base.errors import AcquireError
from validator.base.redact import redact
from validator.base.text import one_line

#: uv's variables that would change what is made behind the caller's back; all of uv's sources are given to it by the caller.
_DROPPED = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX.*|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INSECURE_HOST|TORCH_BACKEND|PYTHON|SYSTEM_PYTHON|CONFIG_FILE|"
    r"PROJECT.*|WORKING_DIR.*|CONSTRAINT|OVERRIDE|BUILD_CONSTRAINT|REQUIRE_HASHES|RESOLUTION|EXCLUDE_NEWER)|VIRTUAL_ENV|CONDA_PREFIX"
)
_TAIL_LINES = 40
_QUOTED_LINES = 12
#: Seconds to wait for more output after uv itself has ended: a build tool it started may hold the pipe open for ever.
_DRAIN_SECONDS = 2.0

#: What uv says, and what to do about it; the first that fits is used.
_HINTS = (
    (r"No interpreter found|no Python (executable|installation)|No download found", "no-python"),
    (r"no wheels? with a matching Python|requires-python|Python (version )?tag|not compatible with|Requires-Python", "tag"),
    (r"No space left|disk quota|\(os error 28\)", "disk"),
    (r"There is no version|no version of|not found in|No solution found|versions? .* (is|are) available", "version"),
    (r"certificate|UnknownIssuer|tls", "tls"),
    (r"dns error|error sending request|Failed to fetch|connect error|Connection|timed out|Network|offline", "network"),
    (r"401|403|credentials|Unauthorized|Forbidden", "credentials"),
    (r"Permission denied", "permission"),
)
_ADVICE = {
    "no-python": "install that Python (`uv python install`), name another with the `python` axis, or use --runner docker",
    "tag": "that version has no wheel for this Python: choose another with the `python` axis",
    "disk": "free some space, or move the cache elsewhere with XDG_CACHE_HOME and UV_CACHE_DIR",
    "version": "correct the version or requirement in matrix.yaml, or add the index or wheel folder that has it under `packages`",
    "tls": "name your certificate authority's bundle with SSL_CERT_FILE",
    "network": "check the network and proxy, or set `packages.index` (a mirror) or `packages.find_links` (a folder of wheels)",
    "credentials": "the index refused access: correct the credentials in its address",
    "permission": "correct the permissions of the named file",
}


def run_uv(
    arguments: Sequence[str], variables: Mapping[str, str], *, what: str, on_line: Callable[[str], None], deadline: float
) -> None:
    """Run uv with these arguments and extra variables until ``deadline`` (of time.monotonic).

    Every process it started is gone afterwards, also when the wait is interrupted. Raises AcquireError with uv's own last lines,
    cleaned and without credentials.
    """
    environ = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    command = [_binary(), *arguments, "--no-config", "--color=never", "--no-progress"]
    try:
        process = subprocess.Popen(
            command,
            env={**environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # a group of its own, to be killed as a whole
        )
    except OSError as error:
        raise AcquireError(f"uv cannot be started to make {what}", why=str(error), hint="reinstall the `uv` package") from error

    def take(line: str) -> None:
        tail.append(line)
        on_line(line)

    try:
        in_time = _follow(process, deadline, take)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if not in_time:
        raise AcquireError(
            f"making the virtual environment of {what} took too long and was stopped",
            why="\n    ".join(["uv's last lines:", *list(tail)[-3:]]) if tail else "uv said nothing",
            hint="check the network and the package index; what was downloaded is kept, so another run goes on from there",
        )
    if process.returncode:
        raise _failure(what, process.returncode, list(tail))


def _binary() -> str:
    try:
        from uv import find_uv_bin
    except ImportError:
        raise AcquireError("uv is not installed", hint="pip install uv, or use --runner docker") from None
    try:
        return os.fspath(find_uv_bin())
    except FileNotFoundError as error:
        raise AcquireError("uv's program is missing", why=str(error), hint="reinstall the `uv` package") from None


def _follow(process: subprocess.Popen[str], deadline: float, take: Callable[[str], None]) -> bool:
    """Hand over each line until uv ends; False when the deadline passed first."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read(stream: IO[str]) -> None:
        with stream:
            for line in stream:
                lines.put(line)
        lines.put(None)

    if process.stdout is not None:
        threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
    ended: float | None = None
    while True:
        if ended is None and process.poll() is not None:
            ended = time.monotonic()
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            if ended is not None and time.monotonic() - ended > _DRAIN_SECONDS:
                return True
        else:
            if line is None:
                break
            if text := redact(one_line(line, 500)):
                take(text)
        if ended is None and time.monotonic() > deadline:
            return False
    try:
        process.wait(max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        return False
    return True


def _failure(what: str, status: int, tail: list[str]) -> AcquireError:
    begin = next((number for number, line in enumerate(tail) if line.startswith("error:")), max(len(tail) - _QUOTED_LINES, 0))
    words = tail[begin:][-_QUOTED_LINES:]
    said = "\n".join(words)
    kind = next((kind for pattern, kind in _HINTS if re.search(pattern, said, re.IGNORECASE)), None)
    return AcquireError(
        f"the virtual environment of {what} could not be made (uv ended with {status})",
        why="\n    ".join(words) or "uv said nothing",
        hint=_ADVICE[kind] if kind else "run again with the same matrix; if it stays, report uv's words above",
    )
