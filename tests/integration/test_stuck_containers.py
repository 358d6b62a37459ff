"""A container with a process in uninterruptible sleep: no signal ends it, and nobody waits for it for ever.

Its own file system is frozen while it writes there, as a GPU's driver or a network disk that hangs would hold it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from second_engine import SecondEngine
from values import cell, cpu_environment, matrix

from validator.model import EngineInfo, Limits
from validator.runners import Prepared, RunContext
from validator.runners.docker import runner as runners
from validator.runners.docker.runner import DockerRunner

pytestmark = pytest.mark.docker


@pytest.fixture
def freezable(tmp_path: Path, unavailable: Callable[[str], NoReturn]) -> Iterator[Path]:
    """A small file system of its own, thawed and unmounted at the end."""
    if os.geteuid() or not all(map(shutil.which, ("fsfreeze", "mkfs.ext4", "mount"))):
        unavailable("a file system to freeze needs root, mkfs.ext4, mount and fsfreeze")
    disk, folder = tmp_path / "disk", tmp_path / "mounted"
    folder.mkdir()
    with disk.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(disk)], check=True)  # noqa: S607
    if subprocess.run(["mount", "-o", "loop", str(disk), str(folder)], check=False).returncode:  # noqa: S607
        unavailable("this machine mounts no loop file system")
    try:
        yield folder
    finally:
        subprocess.run(["fsfreeze", "-u", str(folder)], check=False, capture_output=True)  # noqa: S607
        end = time.monotonic() + 30
        while subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode:  # noqa: S607
            assert time.monotonic() < end
            time.sleep(0.2)


def test_a_container_that_nothing_ends_is_stuck_and_the_run_goes_on(
    second_engine: SecondEngine, freezable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "GRACE_SECONDS", 1.0)
    of = cell(cpu_environment())
    settings = matrix(of.environment, limits=Limits(timeout_seconds=3))
    context = RunContext(f"r{time.time_ns()}", owner="host:1", engine=EngineInfo(address=second_engine.address))
    with closing(DockerRunner(settings, context)) as runner:
        request = runner.request(of, Prepared("validator-test/broken:labelled"))
        writes = {"Entrypoint": ["sh", "-c", "echo begun; touch /held/x; echo thawed"], "Cmd": []}
        payload: dict[str, Any] = {**request.payload, **writes}
        payload["HostConfig"] = {**payload["HostConfig"], "Binds": [f"{freezable}:/held"]}
        subprocess.run(["fsfreeze", "-f", str(freezable)], check=True)  # noqa: S607
        began = time.monotonic()
        outcome = runner.run(replace(request, payload=payload), lambda event: None)
        took = time.monotonic() - began
    assert (outcome.timed_out, outcome.stuck, outcome.report.stray) == (True, True, "begun")
    assert "could not be ended" in (outcome.engine_problem or "")
    assert took < 3 + 1 + 60
