"""The disk of the results folder is filled up while cells run, and emptied again."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from disks import disk, fill
from runs import Run, matrix_of, recorded, run
from storm_engine import StormEngine
from words import DOCKER, Seen

pytestmark = pytest.mark.storm


def test_the_disk_of_the_results_is_full(sea: StormEngine, tmp_path: Path, seen: Seen) -> None:
    names = sea.calm(*(f"disk{n}" for n in range(12)), seconds=1.0)
    env = {"DOCKER_HOST": sea.address}
    with disk(tmp_path) as place:
        out = place / "out"
        with Run(tmp_path, matrix_of(names), *DOCKER, "--jobs", "2", env=env, out=out) as going:
            going.wait("a cell to be finished", lambda: "pass" in recorded(out).values())
            ballast = fill(place)
            began = time.time()
            ended = going.finish(120)
        assert ended.code == 4, ended.stderr
        assert "full" in ended.stderr or "space" in ended.stderr, ended.stderr
        kept = [name for name in names if name in ended.stdout]
        assert "disk0" in kept, "what is measured is printed"
        after = [cell for cell in sea.started(began) if cell.startswith("disk")]
        assert len(after) < len(names) - 2, "no new cell is started"
        ballast.unlink()
        for file in out.rglob("*.sqlite3"):
            with closing(sqlite3.connect(file)) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        before = recorded(out)
        began = time.time()
        again = run(tmp_path, matrix_of(names), *DOCKER, "--jobs", "2", "--resume", env=env, out=out)
        assert again.statuses() == dict.fromkeys(names, "pass"), again.stderr
        twice = [cell for cell in sea.started(began) if before.get(cell.removesuffix("@host")) == "pass"]
        assert twice == []
    assert not [each for each in sea.there() if each.cell.startswith("disk")]
    kept_number = sum(status == "pass" for status in before.values())
    seen(
        "disk-full",
        f"exit 4: {ended.last_words()}; {len(after)} of 12 cells were started after that; {kept_number} results kept, "
        f"the history is whole; `--resume` measured the other {12 - kept_number}",
    )
