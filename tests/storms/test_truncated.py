"""The history is cut off at every 4 KiB: whatever is left of it, there is an answer."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from runs import matrix_of, run, sound, validator
from storm_engine import StormEngine
from words import DOCKER, Seen

pytestmark = pytest.mark.storm

BLOCK = 4096


def test_the_history_is_cut_off(sea: StormEngine, tmp_path: Path, seen: Seen) -> None:
    names = sea.calm("cut0", "cut1", "cut2", seconds=0.2)
    env = {"DOCKER_HOST": sea.address}
    whole = run(tmp_path, matrix_of(names), *DOCKER, "--jobs", "2", env=env)
    assert whole.statuses() == dict.fromkeys(names, "pass"), whole.stderr
    [history] = whole.out.glob("*.sqlite3")
    content = history.read_bytes()
    for beside in whole.out.glob("*.sqlite3-*"):
        beside.unlink()  # a write-ahead log would heal what is cut off
    cuts = range(0, len(content), BLOCK)
    reports: Counter[str] = Counter()
    for cut in cuts:
        out = tmp_path / f"cut{cut}"
        shutil.copytree(whole.out, out)
        (out / history.name).write_bytes(content[:cut])
        done = validator("report", "--out", str(out), timeout=30)
        assert done.returncode in (0, 4), (cut, done)
        if done.returncode == 4:
            assert done.stderr.startswith("error: "), (cut, done.stderr)
            assert "try:" in done.stderr, (cut, done.stderr)
        reports[f"report {'shown' if done.returncode == 0 else 'refused'}"] += 1
    for cut in (cuts[0], cuts[1], cuts[len(cuts) // 2], cuts[-1]):
        out = tmp_path / f"cut{cut}"
        again = run(tmp_path / "again", matrix_of(names), *DOCKER, env=env, out=out)
        sound(again.stderr)
        assert again.code in (0, 4), (cut, again.stderr)
        if again.code == 0:
            assert again.statuses() == dict.fromkeys(names, "pass")
        reports[f"run {'done' if again.code == 0 else 'refused'}"] += 1
    told = ", ".join(f"{what} {number} times" for what, number in sorted(reports.items()))
    seen("truncated", f"{len(content) // 1024} KiB cut at {len(cuts)} places: {told}")
