"""A model of the user's own in matrix.yaml: its file travels into a container that nothing is mounted into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import Finished, image, run

from validator.catalogue.checks import registry

pytestmark = [pytest.mark.docker, pytest.mark.heavy]

MODELS = Path(__file__).parents[1] / "unit" / "probe" / "models_of_users.py"
#: What the model needs and nothing else, for the time it takes.
ONLY = {name: "skip" for name in registry() if name not in ("import", "device", "train_fp32", "model")}


def trained(folder: Path, torch_image: str, **model: Any) -> Finished:
    matrix = {
        "environments": [image("ours", torch_image)],
        "pull": "never",
        "checks": ONLY,
        "model": {"file": str(MODELS), "factory": "grayscale_detector", **model},
    }
    return run(folder, matrix, "--runner", "docker")


def test_a_grayscale_detector_fed_with_colour_fails_for_its_input_and_passes_with_grayscale(
    tmp_path: Path, torch_image: str
) -> None:
    finished = trained(tmp_path / "colour", torch_image, input="3x640x640")
    assert finished.code == 1
    cell = finished.cell("ours")
    assert cell["status"] == "fail"
    assert "model takes 1 channel, input has 3" in cell["reason"]
    assert [finding["cause"] for finding in cell["findings"]] == ["input_shape_mismatch"]
    assert "input_shape_mismatch" in finished.stdout

    finished = trained(tmp_path / "gray", torch_image, input="1x640x640")
    assert finished.code == 0
    cell = finished.cell("ours")
    assert (cell["status"], cell["reason"]) == ("pass", "trains: fp32, your model")
