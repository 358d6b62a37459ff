"""What an image prints is obeyed by no CI system that reads the job's log: in every format, on both streams, in every file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import IMAGES_FOLDER, NO_ENGINE, Finished, image, run

#: What GitHub (white space before it trimmed), Azure, TeamCity and GitLab look for in a line of a job's log.
COMMANDS = re.compile(r"^\s*::[a-z-]+|##(?:vso|teamcity)?\[|section_(?:start|end):\d", re.IGNORECASE | re.MULTILINE)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
HOSTILE = "::error::x\n ::add-mask::y\nRuntimeError: ##[error]z ##vso[w]\x1b[2J\r##teamcity[v]\x07 section_start:1:u\n"


def obeyed(text: str) -> list[str]:
    return [*COMMANDS.findall(text), *CONTROLS.findall(text)]


def everything(finished: Finished) -> dict[str, str]:
    """All that a run printed and wrote."""
    files = {path.name: path.read_text(encoding="utf-8") for path in (finished.out / "latest").iterdir() if path.suffix}
    return {"stdout": finished.stdout, "stderr": finished.stderr, **files}


@pytest.mark.docker
@pytest.mark.parametrize(("format_name", "verbose"), [("table", False), ("markdown", True), ("json", True)])
def test_an_image_gives_no_commands(
    format_name: str, verbose: bool, tmp_path: Path, make_image: Callable[..., str], base_image: str
) -> None:
    build = {"build": str(IMAGES_FOLDER / "build-hijacks"), "name": "built", "cuda": "cpu", "args": {"BASE_IMAGE": base_image}}
    matrix = {"environments": [image("runs", make_image("hijacks")), build], "pull": "never"}
    (tmp_path / "matrix").mkdir()
    options = ["--runner", "docker", "--format", format_name]
    finished = run(tmp_path / "matrix", matrix, *options, before=["-v"] if verbose else [])
    written = everything(finished)
    assert {name: found for name, text in written.items() if (found := obeyed(text))} == {}
    assert finished.cell("runs")["status"] == "fail", finished.cell("runs")["reason"]
    assert finished.cell("built")["status"] == "error"
    told = "".join(written.values())
    for text in ("from the entrypoint", "from torch", "from the exception", "from the build"):  # shown, not dropped
        assert text in told
    kept = json.dumps(finished.results)  # and kept as it was
    assert "##vso[task.complete" in kept
    assert "::error::from the" in kept


@pytest.mark.parametrize("format_name", ["text", "json"])
def test_a_log_gives_no_commands(format_name: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(HOSTILE * 3, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "validator", "diagnose", "a.log", "--format", format_name],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    text = (done.stdout + done.stderr).decode()
    assert obeyed(text) == []
    assert "Traceback" not in text


def test_an_error_message_gives_no_commands(tmp_path: Path) -> None:
    matrix = {"environments": [{"image": HOSTILE, "cuda": "cpu"}]}
    finished = run(tmp_path, matrix, "--runner", "docker", "-e", HOSTILE, env={**NO_ENGINE, "DOCKER_HOST": "unix:///" + HOSTILE})
    assert obeyed(finished.stdout + finished.stderr) == []
    assert finished.code in (3, 4, 5)
