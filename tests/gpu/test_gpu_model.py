"""A model of the user's own on a real GPU: the same classes as on a CPU, and those that only a GPU has."""
# ruff: noqa: F401, F811 - fixtures are imported and then named as arguments

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from test_gpu import gpu, probed, python

from validator.matrix import user_model
from validator.model import CheckStatus, Gpu, UserModel
from validator.probe_host import CheckEvent

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1200)]

MODELS = Path(__file__).parents[1] / "unit" / "probe" / "models_of_users.py"
ON_GPU = Path(__file__).with_name("models_for_gpus.py")


def answers(python: str, gpu: Gpu, folder: Path, model: UserModel, *names: str) -> Mapping[str, CheckEvent]:
    return {check.name: check for check in probed(python, gpu, folder, "model", *names, model=model).checks}


def test_a_grayscale_detector_is_told_from_a_fault_of_amp(python: str, gpu: Gpu, tmp_path: Path) -> None:
    check = answers(python, gpu, tmp_path, user_model.from_file(MODELS, "grayscale_detector", "3x640x640"))["model"]
    assert "model takes 1 channel, input has 3" in check.message
    assert (check.metrics["cause"], check.metrics["blame"]) == ("input_shape_mismatch", "code")
    check = answers(python, gpu, tmp_path, user_model.from_file(MODELS, "grayscale_detector", "1x640x640"))["model"]
    assert check.status is CheckStatus.PASS, check.message
    assert check.metrics["float16.losses"]


@pytest.mark.parametrize(
    ("file", "factory", "options", "cause", "blame"),
    [
        (MODELS, "overflows_in_half", {}, "fp16_nan", "precision"),
        (MODELS, "hard_half", {}, "amp_dtype_mismatch", "code"),
        (MODELS, "scatters_float32_into_autocast", {}, "device_mismatch", "code"),  # it makes its tensor on the CPU
        (ON_GPU, "unsafe_loss", {}, "amp_op_unsafe", "precision"),
        (ON_GPU, "too_large", {}, "out_of_memory", "hardware"),
        (MODELS, "embedding", {"shape": "12", "dtype": "long:1000"}, "index_out_of_bounds", "code"),
    ],
)
def test_a_fault_is_named_and_the_next_check_is_spared(
    python: str, gpu: Gpu, tmp_path: Path, file: Path, factory: str, options: dict[str, str], cause: str, blame: str
) -> None:
    model = user_model.from_file(file, factory, options.get("shape", "16"), dtype=options.get("dtype"))
    ended = answers(python, gpu, tmp_path, model, "determinism")
    assert ended["model"].status is CheckStatus.FAIL, ended["model"].message
    assert (ended["model"].metrics["cause"], ended["model"].metrics["blame"]) == (cause, blame), ended["model"].message
    assert ended["determinism"].status is CheckStatus.PASS, ended["determinism"].message


def test_a_model_that_goes_to_the_gpu_itself_passes_there(python: str, gpu: Gpu, tmp_path: Path) -> None:
    check = answers(python, gpu, tmp_path, user_model.from_file(MODELS, "hard_cuda", "16"))["model"]
    assert check.status is CheckStatus.PASS, check.message
