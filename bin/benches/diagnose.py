"""Naming the cause at the end of a log."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path


def diagnose(mebibytes: int) -> tuple[str, Callable[[], str]]:
    """Reading a training log of so many MiB (progress bars, colours, ranks, warnings) and naming the cause at its end."""
    from validator.diagnose import Evidence
    from validator.diagnose import diagnose as name_cause

    # Written beforehand, so that the making of it does not count; read from disk, so that it is never all in memory.
    path = Path(tempfile.mkdtemp(prefix="validator-bench-"), "train.log")
    number = random.Random(1)  # noqa: S311 - the same log every time
    with path.open("w", encoding="utf-8") as stream:
        step = 0
        while stream.tell() < mebibytes << 20:
            step += 1
            stream.write(
                f"2026-01-02 03:04:05,{step % 1000:03d} INFO step {step} loss {number.random():.4f} | {number.random():.3f} s\n"
                f"[rank{step % 8}]: \x1b[32mINFO\x1b[0m saved checkpoint /out/{number.getrandbits(64):x}.pt\n"
                f"WARNING: sample {number.getrandbits(48):x}.jpg ignored, invalid label file, 2 errors\n"
                f"\r{step % 100}%|####      | downloading shard {number.getrandbits(32):x}\r"
            )
        stream.write("\nRuntimeError: CUDA error: no kernel image is available for execution on the device\n")
    size = path.stat().st_size / 2**20

    def run() -> str:
        with path.open("rb") as stream:
            found = name_cause(Evidence(log=stream))
        path.unlink()
        return f"{found.lines:,} lines, {found.cause}"

    return f"{size:.0f} MiB", run
