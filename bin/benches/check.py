"""Asking the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice, product

from benches.versions import CUDA, TORCH


def check(questions: int) -> tuple[str, Callable[[], str]]:
    """Asking the rules so many questions, the facts still being on disk; what `validator check` does before it prints."""
    from validator.facts import load
    from validator.rules import Judge, Place, Subject

    gpus = ("T4", "V100", "A100", "L4", "RTX 3090", "RTX 5090", "GTX 1080", "H100")
    drivers = ("470.57.02", "535.183.01", "550.54.15", "570.124.06", "580.95.05")
    asked = list(islice(product(TORCH, CUDA, gpus, drivers), 0, None, 7))[:questions]

    def run() -> str:
        judge = Judge(load())
        statuses = [
            judge(Subject(torch=torch, cuda=cuda), Place(gpu=gpu, driver=driver)).status for torch, cuda, gpu, driver in asked
        ]
        told = ", ".join(f"{number} {status.value}" for status, number in Counter(statuses).most_common())
        return f"{len(asked)} answers ({told})"

    return "one environment on one target each", run
