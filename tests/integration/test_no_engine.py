"""A machine where no container engine answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from harness import NO_ENGINE, run

from validator.results import json_v1


def test_docker_asked_for_and_absent_ends_with_what_was_tried(tmp_path: Path) -> None:
    matrix = {"environments": [{"image": "debian:bookworm", "cuda": "cpu"}]}
    finished = run(tmp_path, matrix, "--runner", "docker", env=NO_ENGINE)
    assert finished.code == 4
    assert finished.stdout == ""
    assert "no container engine answers" in finished.stderr
    assert NO_ENGINE["DOCKER_HOST"] in finished.stderr
    assert "there is no such socket" in finished.stderr
    assert "--runner local" in finished.stderr


def test_auto_falls_back_to_this_machine_and_says_why(tmp_path: Path) -> None:
    matrix = {
        "environments": [
            {"interpreter": sys.executable, "name": "here", "cuda": "cpu"},
            {"image": "debian:bookworm", "name": "pulled", "cuda": "cpu"},
        ]
    }
    finished = run(tmp_path, matrix, env=NO_ENGINE)
    assert finished.results["run"]["runner"] == "local"
    assert "no container engine answers" in finished.results["run"]["runner_reason"]
    assert finished.cell("here")["basis"] == "measured"
    assert finished.cell("pulled")["status"] == "skip"
    assert "needs a container engine" in finished.cell("pulled")["reason"]


@pytest.mark.heavy
def test_the_shipped_matrix_measures_its_cpu_environment_without_an_engine(tmp_path: Path) -> None:
    finished = run(tmp_path, None, env={**NO_ENGINE, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert finished.code == 0, finished.stderr
    assert "the one shipped with validator" in finished.stderr
    measured = [cell for cell in finished.results["cells"] if cell["basis"] == "measured"]
    # degraded: by torch.compile on a machine that has no compiler.
    assert [cell["status"] for cell in measured if cell["environment"]["cuda"] == "cpu"] in (["pass"], ["degraded"])
    text = (finished.out / "latest" / "results.json").read_text(encoding="utf-8")
    assert json.loads(json_v1.dump(json_v1.load(text))) == json.loads(text), "the reader accepts what was written"
