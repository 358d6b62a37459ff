"""A run of the validator that a storm can hit: it and whatever it has left behind are known by a mark in their environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Document, wait_for

LAUNCHER = Path(__file__).with_name("launcher.py")
REPOSITORY = Path(__file__).parents[2]
_MARK = "VALIDATOR_STORM"


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    """128 + N, negative as Python has it, where a signal ended it."""
    stdout: str
    stderr: str
    out: Path
    peak_mib: float

    @property
    def cells(self) -> dict[str, dict[str, Any]]:
        """The cells of ``latest/results.json`` by the names of their environments; each is there once."""
        found = results(self.out)["cells"]
        names = Counter(cell["environment"]["id"] for cell in found)
        assert not [name for name, number in names.items() if number > 1], names
        return {cell["environment"]["id"]: cell for cell in found}

    def statuses(self) -> dict[str, str]:
        """What became of each."""
        return {name: cell["status"] for name, cell in self.cells.items()}

    def last_words(self) -> str:
        """What it said last, on one line."""
        return " / ".join(line.strip() for line in self.stderr.strip().splitlines()[-4:])


def results(out: Path) -> dict[str, Any]:
    """What a results folder has as its latest."""
    return dict(json.loads((out / "latest" / "results.json").read_text(encoding="utf-8")))


def recorded(out: Path) -> dict[str, str]:
    """What the history of a folder says of the newest run: environment → status; empty where it has none."""
    done = validator("report", "--out", str(out), "--format", "json")
    if done.returncode == 4:
        return {}
    found = json.loads(done.stdout)
    return {cell["environment"]["id"]: cell["status"] for cell in found["cells"]}


def validator(*words: str, env: Mapping[str, str] | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Any command of the validator, to its end; never a traceback, never a defect of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "validator", *words],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    sound(done.stderr)
    return done


def sound(stderr: str) -> None:
    """An error is told in words, whatever happens."""
    assert "Traceback" not in stderr, stderr
    assert "a defect of the validator itself" not in stderr, stderr


class Run:
    """``validator run`` under way; killed with all that it started at the end of the block, if it has not ended by then."""

    def __init__(
        self,
        folder: Path,
        matrix: Document,
        *options: str,
        env: Mapping[str, str] | None = None,
        die: tuple[str, str, str] | None = None,
        out: Path | None = None,
    ) -> None:
        """``die`` is a transition, ``before`` or ``after`` it, and a word of the call: see launcher.py."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "matrix.yaml"
        file.write_text(json.dumps({"version": "1", **matrix}), encoding="utf-8")  # JSON is YAML
        self.out = out or folder / "out"
        self.mark = uuid.uuid4().hex
        self._files = [folder / f"{self.mark}.{stream}" for stream in ("stdout", "stderr")]
        start = ["-m", "validator"] if die is None else [str(LAUNCHER), *die]
        with self._files[0].open("wb") as stdout, self._files[1].open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, *start, "run", "--out", str(self.out), "-m", str(file), *options],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), _MARK: self.mark, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        self._ended: Ended | None = None
        self._peak_mib = 0.0

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while not self._gone():
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def going(self) -> bool:
        return not self._gone()

    def _gone(self) -> bool:
        """Whether it has ended. Not Popen's own poll, which does not say how much memory was used."""
        if self._process.returncode is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self._peak_mib = usage.ru_maxrss / 1024
        return self._process.returncode is not None

    @property
    def said(self) -> str:
        """Its standard error so far."""
        return self._files[1].read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[int]:
        """It, and every process that it has started and that still lives: each has its mark."""
        mark = f"{_MARK}={self.mark}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal: to this one process."""
        if self.going:
            os.kill(self.pid, number)

    def kill(self, *, reaper: bool = False) -> Ended:
        """SIGKILL, and with ``reaper`` all that it has left behind too, first of all."""
        for pid in self.processes() if reaper else ():
            if pid != self.pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.signal(signal.SIGKILL)
        return self.finish(30)

    def wait(self, what: str, condition: Callable[[], Any], seconds: float = 60) -> Any:
        """What the condition gives once it holds, which must be while the run goes on."""

        def holds() -> Any:
            assert self.going, f"it ended before {what}:\n{self.said[-3000:]}"
            return condition()

        return wait_for(what, holds, seconds)

    def finish(self, timeout: float = 120) -> Ended:
        """Wait for its end."""
        end = time.monotonic() + timeout
        while not self._gone():
            assert time.monotonic() < end, f"it still runs after {timeout:.0f} s; it said:\n{self.said[-3000:]}"
            time.sleep(0.02)
        if self._ended is None:
            stdout, stderr = (file.read_text(encoding="utf-8", errors="replace") for file in self._files)
            self._ended = Ended(self._process.returncode, stdout, stderr, self.out, self._peak_mib)
            sound(stderr)
        return self._ended


def run(folder: Path, matrix: Document, *options: str, timeout: float = 120, **more: Any) -> Ended:
    """A run from its beginning to its end."""
    with Run(folder, matrix, *options, **more) as going:
        return going.finish(timeout)


def matrix_of(images: Mapping[str, str], checks: Sequence[str] = ("import",), **more: Any) -> dict[str, Any]:
    """A matrix of images by the names of their environments, for the CPU unless ``cuda`` says otherwise."""
    from validator.catalogue.checks import registry

    cuda = more.pop("cuda", "cpu")
    return {
        "environments": [{"image": image, "name": name, "cuda": cuda} for name, image in images.items()],
        "checks": {name: "skip" for name in registry() if name not in checks},
        "pull": "never",
        **more,
    }
