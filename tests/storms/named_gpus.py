"""GPUs that are only named: NVML shows them, an engine takes requests for them, and nothing is behind them. Each is a lane."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nvml_stand_in import FIRST_T4, StandIn
from storm_engine import StormEngine


def named_gpus(folder: Path, family: str, number: int, engine: StormEngine) -> dict[str, str]:
    """Variables under which a run sees so many equal GPUs, and the engine (with ``hook="idle"``); their UUIDs begin alike."""
    folder.mkdir(parents=True, exist_ok=True)
    gpus = (replace(FIRST_T4, index=at, uuid=f"GPU-{family}-0000-4000-8000-{at:012}") for at in range(number))
    return {**StandIn.made(folder, *gpus).environment, "DOCKER_HOST": engine.address}
