"""``validator run`` once more, with nothing changed: every result is used again."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any


def rerun(cells: int) -> tuple[str, Callable[[], str]]:
    """``validator run`` of a matrix of which every cell was measured before; the runner is simulated, all else is as it is."""
    from benches.simulated import Simulated, machine
    from validator import runners
    from validator.cli import cli
    from validator.cli import run as command
    from validator.runners.base import RunContext

    folder = Path(tempfile.mkdtemp(prefix="validator-bench-"))
    # A hundred environments an entry: so a matrix of many has a size that a person could have written.
    torch = ", ".join(f"2.{minor}.0" for minor in range(10))
    python = ", ".join(f"3.{minor}" for minor in range(8, 18))
    entries = [
        f"  - {{image: 'example.org/team{at}:{{torch}}-{{python}}', name: 't{at}-{{torch}}-{{python}}', "
        f"torch: [{torch}], python: [{python}], cuda: cpu}}"
        for at in range(cells // 100)
    ]
    (folder / "matrix.yaml").write_text("\n".join(["version: 1", "environments:", *entries]) + "\n", encoding="utf-8")
    host = machine()

    def choose(_: str, matrix: Any, context: RunContext, **__: Any) -> runners.Chosen:
        return runners.Chosen(Simulated(matrix, context, host, lambda _: 0.0), "simulated")

    command.choose = choose  # type: ignore[assignment]

    def once() -> str:
        shown = io.StringIO()
        words = ["--quiet", "run", "-m", str(folder / "matrix.yaml"), "--out", str(folder / "out"), "--jobs", "4"]
        with redirect_stdout(shown), redirect_stderr(shown), suppress(SystemExit):
            cli.main(words, standalone_mode=False)
        return shown.getvalue()

    began = time.monotonic()
    once()
    first = time.monotonic() - began

    def run() -> str:
        shown = once()
        return f"the first time took {first:.2f} s; {shown.count('cached')} lines say cached, {len(shown):,} characters shown"

    return "one target, environments that are at hand", run
