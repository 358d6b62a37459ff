"""The validator as its users run it: a subprocess, a matrix file, an exit code, results.json."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.models.containers import Container

from validator.runners import labels

#: No engine has ever listened there.
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
#: The suite's own images, and what is made of them, carry this label (tests/images/labelled).
SUITE_LABEL = "validator.test=suite"
#: Images that are made for single tests, a folder each.
IMAGES_FOLDER = Path(__file__).parent / "images"

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Finished:
    """A run of the validator that has ended."""

    code: int
    stdout: str
    stderr: str
    out: Path

    @property
    def results(self) -> dict[str, Any]:
        file = self.out / "latest" / "results.json"
        assert file.is_file(), f"no results.json; exit {self.code}, stderr:\n{self.stderr}"
        return dict(json.loads(file.read_text(encoding="utf-8")))

    def cell(self, environment: str) -> dict[str, Any]:
        """The cell of an environment on this machine."""
        return next(cell for cell in self.results["cells"] if cell["id"] == f"{environment}@host")

    def check(self, environment: str, name: str) -> dict[str, Any]:
        return next(check for check in self.cell(environment)["checks"] if check["name"] == name)


class Started:
    """A run of the validator that is under way; ended at the end of the block if it has not ended by then."""

    def __init__(self, folder: Path, matrix: Document, *options: str, env: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        # Files, not pipes: nobody reads while it runs, and a full pipe would stop it.
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                _command(folder, matrix, options),
                cwd=folder,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        self.pid = self._process.pid
        self.owner = labels.owner(self.pid)

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def stderr(self) -> str:
        """What it has said so far."""
        return (self._folder / "stderr").read_text(encoding="utf-8")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this one process."""
        self._process.send_signal(number)

    def send(self, number: signal.Signals) -> Finished:
        """Send a signal to this one process and see it end."""
        self.signal(number)
        return self.finish(60)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def finish(self, timeout: float = 540) -> Finished:
        """Wait for its end."""
        code = self._process.wait(timeout)
        stdout, stderr = ((self._folder / name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
        assert "Traceback" not in stderr, stderr
        return Finished(code, stdout, stderr, self._folder / "out")


def run(
    folder: Path,
    matrix: Document | None,
    *options: str,
    env: Mapping[str, str] | None = None,
    timeout: float = 540,
    through: Sequence[str] = (),
    before: Sequence[str] = (),
) -> Finished:
    """``validator run`` on a matrix, in a folder; without one, on the shipped matrix.

    ``through`` is a command that starts it, ``before`` are options of every command.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*through, *_command(folder, matrix, options, before)],
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Finished(done.returncode, done.stdout, done.stderr, folder / "out")


def _command(folder: Path, matrix: Document | None, options: Sequence[str], before: Sequence[str] = ()) -> list[str]:
    command = [sys.executable, "-m", "validator", *before, "run", "--out", str(folder / "out"), *options]
    if matrix is not None:
        file = folder / "matrix.yaml"
        file.write_text(json.dumps({"version": "1", **matrix}), encoding="utf-8")  # JSON is YAML
        command += ["-m", str(file)]
    return command


def image(name: str, reference: str, **more: Any) -> dict[str, Any]:
    """A matrix entry of an image that the engine holds; ``cpu``, so that it is measured on any machine."""
    return {"image": reference, "name": name, "cuda": "cpu", **more}


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What the condition gives once it holds. The limit only guards against a hang."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


def containers(engine: DockerClient, label: str) -> list[Container]:
    """Containers in any state that carry a label."""
    return list(engine.containers.list(all=True, filters={"label": label}, ignore_removed=True))


def containers_of(engine: DockerClient, finished: Finished) -> list[Container]:
    """What a run left in the engine."""
    return containers(engine, f"{labels.RUN}={finished.results['run']['id']}")
