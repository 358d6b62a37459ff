"""A machine with NVIDIA GPUs where there are none: a library that takes the place of the driver's, and what it is told to play.

``unit/host/nvml/libnvidia_ml_fake.c`` says what it can play. It is found through LD_LIBRARY_PATH, by this process's children and
by theirs; what it plays stands in a file, so that a test can change it while runs go on.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from validator.model import Gpu, GpuProcess

SOURCE = Path(__file__).parent / "unit" / "host" / "nvml" / "libnvidia_ml_fake.c"
DRIVER = "580.95.05"

_MODES = ("default", "exclusive_thread", "prohibited", "exclusive_process")

#: Two equal GPUs, and one in two MIG devices.
FIRST_T4, SECOND_T4 = (
    Gpu(
        index=index,
        uuid=f"GPU-00000000-0000-4000-8000-00000000000{index + 1}",
        name="Tesla T4",
        compute_capability="7.5",
        memory_total_bytes=16 << 30,
        memory_free_bytes=(16 << 30) - (400 << 20),
        ecc_enabled=True,
        compute_mode="default",
    )
    for index in range(2)
)
SLICED_A100 = Gpu(
    index=2,
    uuid="GPU-00000000-0000-4000-8000-000000000003",
    name="NVIDIA A100-SXM4-80GB",
    compute_capability="8.0",
    memory_total_bytes=80 << 30,
    memory_free_bytes=79 << 30,
    mig_enabled=True,
    mig_devices=("MIG-00000000-0000-5000-8000-000000000001", "MIG-00000000-0000-5000-8000-000000000002"),
    ecc_enabled=True,
    compute_mode="default",
)


def scenario(*gpus: Gpu) -> str:
    """What the stand-in is told so that NVML shows these GPUs, with their MIG devices and their processes."""
    lines = [f"driver {DRIVER}", "cuda 13000"]
    for gpu in gpus:
        major, _, minor = (gpu.compute_capability or "0.0").partition(".")
        numbers = (major, minor, gpu.memory_total_bytes or 0, gpu.memory_free_bytes or 0, _switch(gpu.mig_enabled))
        mode = _MODES.index(gpu.compute_mode or "default")
        lines.append(f"gpu {gpu.uuid} {' '.join(map(str, numbers))} {_switch(gpu.ecc_enabled)} {mode} {gpu.name}")
        lines += [f"mig {slot} {uuid}" for slot, uuid in enumerate(gpu.mig_devices)]
        lines += [_process(process, gpu.mig_devices) for process in gpu.processes]
    named = [process for gpu in gpus for process in gpu.processes if process.name]
    return "\n".join([*lines, *(f"named {process.pid} {process.name}" for process in named)]) + "\n"


def build(folder: Path, *options: str) -> Path:
    """Compile the library into a folder, under the name that the driver's has; skips the test where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler (cc or gcc) to make the stand-in for NVIDIA's library")
    library = str(folder / "libnvidia-ml.so.1")
    subprocess.run([compiler, "-shared", "-fPIC", "-Wall", *options, "-o", library, str(SOURCE)], check=True)
    return folder


@dataclass(frozen=True)
class StandIn:
    """The library in a folder, and what it plays in a file beside it."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, *gpus: Gpu) -> StandIn:
        """Compiled, and playing these GPUs."""
        stand_in = cls(build(folder))
        stand_in.play(scenario(*gpus))
        return stand_in

    def play(self, text: str) -> None:
        """Play this from now on; whoever asks meanwhile gets the one or the other whole."""
        written = self.folder / "scenario.new"
        written.write_text(text, encoding="utf-8")
        written.replace(self.folder / "scenario")

    @property
    def environment(self) -> dict[str, str]:
        """What a process must have in its environment so that it sees these GPUs."""
        return {"LD_LIBRARY_PATH": str(self.folder), "FAKE_NVML": f"@{self.folder / 'scenario'}"}

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process's children see them."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)


def processes(*pids: int, memory_bytes: int | None = 1 << 30, **fields: object) -> tuple[GpuProcess, ...]:
    """Processes of others that compute."""
    return tuple(GpuProcess(pid, f"train-{pid}", memory_bytes, **({"computes": True} | fields)) for pid in pids)  # type: ignore[arg-type]


def _switch(on: bool | None) -> int:
    return -1 if on is None else int(on)


def _process(process: GpuProcess, mig_devices: Iterable[str]) -> str:
    memory = -1 if process.memory_bytes is None else process.memory_bytes
    if process.mig_device is not None:
        return f"migcompute {list(mig_devices).index(process.mig_device)} {process.pid} {memory}"
    return f"{'graphics' if process.computes is False else 'compute'} {process.pid} {memory}"
