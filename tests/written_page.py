"""Pages of docs/ that a suite writes itself: a table with a row for each thing that was set up, and what was seen of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def write_page(path: Path, head: str, rows: Iterable[tuple[str, str | None]]) -> None:
    """Write a page. Each row is its part that follows from the data alone, and the whole line; a line that is None was not seen
    this time, and stays as an earlier writing had it while that part is the same."""
    before = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    lines = []
    for fixed, seen in rows:
        if line := seen or next((line for line in before if line.startswith(fixed)), None):
            lines.append(line)
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
