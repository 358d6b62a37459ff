"""What is printed and written of a plan: every format, and results.json."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

from benches.plan import planned, write_matrix


def printing(cells: int) -> tuple[str, Callable[[], str]]:
    """Printing a plan of so many cells in every format, the plan being there; what `validator plan` does after `plan`."""
    from validator.report import FORMATS, Forecast, parts
    from validator.verdict.agreement import foretold

    path, what = write_matrix(cells)
    made, host, _ = planned(path)
    shown = Forecast(made, tuple(map(foretold, made.cells)), host, "matrix.yaml", "", "")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def run() -> str:
        told = []
        for name in FORMATS:
            began, size = time.perf_counter(), 0
            for part in parts(name, shown, width=120):
                size += len(part)
            told.append(f"{name} {time.perf_counter() - began:.2f} s, {size / 1e6:.1f} MB")
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
        return f"{'; '.join(told)}; {more:.0f} MiB more than before it"

    return what, run


def results(cells: int) -> tuple[str, Callable[[], str]]:
    """Writing results.json of so many predicted cells to disk and reading it again."""
    from validator.model import Report, RunInfo
    from validator.results import json_v1
    from validator.results.files import write_whole
    from validator.verdict.agreement import foretold

    path, what = write_matrix(cells)
    made, host, _ = planned(path)
    info = RunInfo("bench", "2026-01-01T00:00:00+00:00", 0.0, "docker", "", interrupted=False, matrix="matrix.yaml")
    report = Report(info, {host.id: host}, tuple(map(foretold, made.cells)), "")
    file = path.with_name("results.json")

    def run() -> str:
        began = time.perf_counter()
        write_whole(file, json_v1.parts(report))
        written = time.perf_counter() - began
        size = file.stat().st_size / 1e6
        began = time.perf_counter()
        again = json_v1.load(file.read_text(encoding="utf-8"))
        read = time.perf_counter() - began
        file.unlink()
        return f"{size:.1f} MB; written in {written:.2f} s, {len(again.cells)} cells read in {read:.2f} s"

    return what, run
