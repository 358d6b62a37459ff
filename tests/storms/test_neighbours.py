"""Cells that use all they can get, beside one that must not notice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from named_gpus import named_gpus
from runs import matrix_of, run
from storm_engine import StormEngine
from words import DOCKER, Seen

pytestmark = pytest.mark.storm

#: Storm of the image → causes of which one must be named first.
NAMED = {
    "forks": {"pids_limit"},
    "memory": {"killed_by_oom_killer"},
    "shm": {"shm_too_small", "disk_full"},
}
PEAK_MIB = 200


def test_the_neighbour_does_not_notice(sea: StormEngine, tmp_path: Path, seen: Seen) -> None:
    names = {
        "healthy": sea.image("working", 30.0),
        "log": sea.image("log"),
        "log-without-lines": sea.image("log_without_lines"),
        "chatter": sea.image("chatter"),
        "forks": sea.image("forks", 3.0),
        "memory": sea.image("memory"),
        "shm": sea.image("shm"),
    }
    limits = {"timeout": "90s", "memory": "256m", "shm": "64m", "pids": 100}
    began = time.monotonic()
    env = named_gpus(tmp_path / "nvml", "5d000000", len(names), sea)  # a lane for each, on however few processors
    ended = run(tmp_path, matrix_of(names, limits=limits, cuda="12.6"), *DOCKER, env=env, timeout=300)
    took = time.monotonic() - began
    cells, told = ended.cells, []
    assert cells["healthy"]["status"] == "pass", cells["healthy"]["reason"]
    for name in ("log", "log-without-lines", "chatter"):
        # Either the good answer is found behind the flood, or the flood is named.
        flooded = any("flood" in each["cause"] or "log" in each["cause"] for each in cells[name]["findings"])
        assert cells[name]["status"] == "pass" or (cells[name]["status"] == "error" and flooded), cells[name]
    for name, causes in NAMED.items():
        found = [each["cause"] for each in cells[name]["findings"]]
        assert cells[name]["status"] == "fail", (name, cells[name]["reason"])
        assert found, name
        assert found[0] in causes, (name, found, cells[name]["reason"])
    for name, cell in cells.items():
        told.append(f"{name}: {', '.join([cell['status'], *(each['cause'] for each in cell['findings'][:1])])}")
    assert ended.peak_mib < PEAK_MIB
    seen("neighbours", f"{'; '.join(told)}; {took:.0f} s, the validator's own memory at most {ended.peak_mib:.0f} MiB")
