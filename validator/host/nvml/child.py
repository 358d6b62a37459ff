"""NVML asked in a child process, and what is made of its answer, its crash or its silence."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile

from validator.base.resources import PACKAGE
from validator.base.text import one_line
from validator.model import NvmlInfo

#: Bytes the child may write; a thousand processes on sixteen GPUs stay far below.
OUTPUT_LIMIT_BYTES = 4 << 20
_KILL_GRACE_SECONDS = 2.0


def query(timeout_seconds: float = 20.0) -> NvmlInfo:
    """Ask NVML in a child process. Past the time limit it is killed, or left behind where even that does not end it."""
    try:
        # Files, not pipes: a process that the library leaves behind may hold a pipe open for ever.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(
                [sys.executable, "-m", "validator.host.nvml"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=PACKAGE.parent,  # -m looks here first: nothing in the user's folder can take the place of a module
                start_new_session=True,
            )
            code = None
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = child.wait(timeout_seconds)
            finally:  # an interrupt must not leave the child behind either
                ended = code is not None or _kill(child)
            output.seek(0)
            errors.seek(0)
            said = output.read(OUTPUT_LIMIT_BYTES), errors.read(OUTPUT_LIMIT_BYTES)
    except OSError as error:
        return NvmlInfo(problem=f"The query of NVML could not be started: {error}.", problem_kind="unknown")
    if code is not None:
        return _interpret(code, *said)
    stuck = "" if ended else f" Process {child.pid}, which asked, cannot be killed: it is stuck in the kernel."
    return NvmlInfo(
        problem=f"NVML did not answer within {timeout_seconds:g} s: the driver hangs.{stuck} Look for Xid lines in "
        "`sudo dmesg`, then reboot.",
        problem_kind="timeout",
    )


def _kill(child: subprocess.Popen[bytes]) -> bool:
    """Kill the child and what it started; False when it is still there after a moment, in uninterruptible sleep."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    try:
        child.wait(_KILL_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _interpret(code: int, output: bytes, errors: bytes) -> NvmlInfo:
    if code < 0:
        name = next((known.name for known in signal.Signals if known == -code), "unknown")
        return NvmlInfo(
            problem=f"The driver's library crashed while it was asked: signal {-code} ({name}). If `nvidia-smi` "
            "crashes too, reinstall the driver, so that its library and its kernel module match.",
            problem_kind="crashed",
        )
    try:
        return from_json(output)
    except ValueError:
        said = one_line((errors.decode(errors="replace").strip().splitlines() or ["nothing"])[-1])
        return NvmlInfo(
            problem=f"The query of NVML gave no answer that can be read (exit code {code}; it said: {said}). "
            f"Run `{sys.executable} -m validator.host.nvml` to see all of it.",
            problem_kind="unknown",
        )


def to_json(info: NvmlInfo) -> str:
    """One JSON document of ASCII characters, read back by ``from_json``."""
    return json.dumps(dataclasses.asdict(info))


def from_json(text: str | bytes) -> NvmlInfo:
    """Read what ``to_json`` wrote. Raises ValueError when it is not that, down to the type of every field."""
    from pydantic import TypeAdapter

    return TypeAdapter(NvmlInfo).validate_json(text, strict=True)
