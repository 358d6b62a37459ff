"""What the gallery shares: images made once, a GPU that NVML names and no container gets, and the table that is written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import docker
import pytest
from engines import SecondEngine
from harness import Finished
from table import Row, write

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
#: One GPU with a driver of the CUDA 12.2 branch, as the stand-in for NVML reads it (tests/unit/host/nvml/libnvidia_ml_fake.c).
SCENARIO = """\
driver 535.104.05
cuda 12020
gpu GPU-b7d8c1f2-91d4-4f0e-8a57-6e21c3d4a502 7 5 16106127360 15655239680 -1 1 0 Tesla T4
"""


@pytest.fixture(scope="session")
def gpu_named(tmp_path_factory: pytest.TempPathFactory, unavailable: Callable[[str], NoReturn]) -> dict[str, str]:
    """Environment variables under which NVML names one GPU: a stand-in for the driver's library."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        unavailable("there is no C compiler to make the stand-in for NVIDIA's library")
    folder = tmp_path_factory.mktemp("nvml")
    source = HERE.parent / "unit" / "host" / "nvml" / "libnvidia_ml_fake.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(folder / "libnvidia-ml.so.1"), str(source)], check=True)
    return {"LD_LIBRARY_PATH": str(folder), "FAKE_NVML": SCENARIO}


@pytest.fixture(scope="session")
def bases(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """The image that a base of the gallery stands for, made when it is first asked for."""

    def base(name: str) -> str:
        if name == "plain":
            return str(request.getfixturevalue("base_image"))
        if name == "torch":
            return str(request.getfixturevalue("torch_image"))
        finished: Finished = request.getfixturevalue(f"{name}_started").finish()
        engine: docker.DockerClient = request.getfixturevalue("engine")
        cell = finished.results["cells"][0]  # one environment, opened once for all its targets
        assert cell["environment"]["digest"], cell["reason"]
        return str(engine.images.get(cell["environment"]["digest"]).tags[0])

    return base


@pytest.fixture(scope="session")
def image_of(make_image: Callable[..., str], bases: Callable[[str], str]) -> Callable[[Any], str]:
    """The image of a fault."""

    def make(fault: Any) -> str:
        where = HERE / "images"
        base = bases(fault.base)
        if fault.image == "labelled":
            return base
        if (where / fault.image).is_dir():
            return make_image(fault.image, base, where)
        return make_image(fault.image, base)

    return make


@pytest.fixture(scope="session")
def second_engine(unavailable: Callable[[str], NoReturn]) -> Iterator[Callable[..., SecondEngine]]:
    """Starts engines of the gallery's own, one for each hook; they are gone at the end."""
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        unavailable("a second dockerd is needed, and root to start it")
    started: dict[str | None, SecondEngine] = {}

    def start(hook: str | None = None) -> SecondEngine:
        if hook not in started:
            started[hook] = SecondEngine(hook)
        return started[hook]

    try:
        yield start
    finally:
        for engine in started.values():
            engine.stop()


@pytest.fixture(scope="session")
def rows() -> Iterator[list[Row]]:
    """What was seen of each fault; written to docs/faults.md where that is asked for."""
    seen: list[Row] = []
    yield seen
    if os.environ.get("VALIDATOR_WRITE_FAULTS") == "1":
        write(REPOSITORY / "docs" / "faults.md", seen)
