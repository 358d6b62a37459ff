"""The machine of a run in a line each."""

from __future__ import annotations

import pytest
from values import HOSTILE

from validator.model import EngineInfo, Gpu, NvmlInfo
from validator.report.view.host import engine_line, gpus_line

A100 = Gpu(0, "GPU-1", "A100", "8.0", 40 << 30)


@pytest.mark.parametrize(
    ("nvml", "line"),
    [
        (NvmlInfo("580", "13.0", (A100,)), "driver 580, CUDA driver version 13.0, A100 (compute capability 8.0, 40 GiB)"),
        (NvmlInfo(gpus=(Gpu(3, None, None),)), "GPU 3"),
        (NvmlInfo(gpus=(Gpu(3, None, "L4"), A100)), "L4, A100 (compute capability 8.0, 40 GiB)"),
        (NvmlInfo(gpus=(Gpu(0, None, "A100", mig_enabled=True, mig_devices=("a", "b")),)), "A100 (MIG, 2 devices)"),
        (NvmlInfo(gpus=(Gpu(0, None, "A100", mig_enabled=False, problem="it is lost"),)), "A100 (it is lost)"),
        (NvmlInfo(gpus=(Gpu(3, None, "L4"),), problem="one did not answer"), "L4, one did not answer"),
        (NvmlInfo("580", problem="no answer"), "driver 580, none: no answer"),
        (NvmlInfo("580"), "driver 580, none: the driver lists no GPU"),
    ],
)
def test_gpus(nvml: NvmlInfo, line: str) -> None:
    assert gpus_line(nvml) == line


@pytest.mark.parametrize(
    ("engine", "line"),
    [
        (
            EngineInfo("docker", "27.1", toolkit_version="1.17", toolkit_mode="cdi"),
            "docker 27.1, NVIDIA Container Toolkit 1.17 (mode cdi)",
        ),
        (EngineInfo("docker", toolkit_version="1.17"), "docker of unknown version, NVIDIA Container Toolkit 1.17"),
        (EngineInfo("podman", "5.4", problem="slow"), "podman 5.4, slow"),
        (EngineInfo(problem="nothing listens"), "none: nothing listens"),
        (EngineInfo(), "none: not looked for"),
    ],
)
def test_the_engine(engine: EngineInfo, line: str) -> None:
    assert engine_line(engine) == line


def test_hostile_names_are_cleaned_and_bounded() -> None:
    for line in (gpus_line(NvmlInfo(gpus=(Gpu(0, None, HOSTILE * 9),))), engine_line(EngineInfo("docker", HOSTILE * 9))):
        assert not set("\x1b\n\u202e") & set(line)
        assert len(line) == 1000
