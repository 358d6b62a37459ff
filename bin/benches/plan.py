"""Reading a matrix and judging all its cells."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from benches.versions import CUDA, PYTHON, TORCH

if TYPE_CHECKING:
    from validator.model import HostInfo, Plan


def write_matrix(cells: int) -> tuple[Path, str]:
    """A matrix of so many cells in a folder of its own, and what is in it."""
    from validator.facts import load as load_facts

    # A hundred targets at most, so that a matrix of many cells has many environments too: 1000 × 100 at the largest.
    targets = min(100, max(10, cells // 100))
    environments = -(-cells // targets)
    gpus = list(load_facts().raw["gpus"])
    drivers = ("470.57.02", "535.183.01", "550.54.15", "570.124.06", "580.95.05")
    # As many distinct builds as there are, then the same again in other images: what a large site has.
    images = -(-environments // (len(TORCH) * len(CUDA) * len(PYTHON)))
    rows = list(product(range(images), TORCH, CUDA, PYTHON))[:environments]
    folder = tempfile.mkdtemp(prefix="validator-bench-")
    path = Path(folder, "matrix.yaml")
    written = ["version: 1", "environments:"]
    for image in range(images):
        include = [f"{{torch: {torch!r}, cuda: {cuda!r}, python: {python!r}}}" for at, torch, cuda, python in rows if at == image]
        written.append(f"  - image: example.org/team{image}/torch:{{torch}}-cu{{cuda}}-py{{python}}")
        written.append(f"    name: t{image}-torch{{torch}}-cu{{cuda}}-py{{python}}")
        written.append(f"    include: [{', '.join(include)}]")
    pairs = list(product(gpus, drivers))[:: max(1, len(gpus) * len(drivers) // targets)][:targets]
    written.append("targets:")
    written += [f"  - {{gpu: {json.dumps(gpu)}, driver: {driver!r}}}" for gpu, driver in pairs]
    path.write_text("\n".join(written) + "\n", encoding="utf-8")
    return path, f"{environments} environments x {len(pairs)} targets"


def planned(path: Path) -> tuple[Plan, HostInfo, float]:
    """The plan of a matrix, the machine it is made for, and how many seconds reading the matrix took."""
    from validator.advice import Predictor
    from validator.facts import load as load_facts
    from validator.matrix import load
    from validator.model import EngineInfo, HostInfo, NvmlInfo
    from validator.run import make_plan

    began = time.perf_counter()
    matrix = load(path)
    read = time.perf_counter() - began
    path.unlink()
    host = HostInfo(NvmlInfo(problem="not asked"), EngineInfo(), "", "", 1, None)
    predict = Predictor(load_facts(), host, in_containers=True)
    made = make_plan(matrix, host, runner="docker", runner_reason="", supports=lambda _: None, inspect=False, predict=predict)
    return made, host, read


def plan(cells: int) -> tuple[str, Callable[[], str]]:
    """Reading a matrix of so many cells and judging every one; what `validator plan` does before it prints."""
    path, what = write_matrix(cells)

    def run() -> str:
        made, _, read = planned(path)
        counts = {}
        for cell in made.cells:
            counts[cell.predicted.status.value] = counts.get(cell.predicted.status.value, 0) + 1
        told = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        return f"{len(made.cells)} cells ({told}); reading the matrix took {read:.2f} s of it"

    return what, run
