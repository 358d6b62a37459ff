"""``--model`` on a real torch: data, code, precision and environment are told apart, by the words and the cause of the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch_probe import NEEDS_TORCH, PYTHONS, found, probe

from validator.catalogue import checks
from validator.matrix import user_model
from validator.model import CheckStatus, UserModel
from validator.probe_host import CheckEvent

pytestmark = NEEDS_TORCH

MODELS = Path(__file__).with_name("models_of_users.py")
#: The check and no other: what it needs is tested elsewhere, and a torch that trains is what these tests begin with.
MODEL = [replace(checks.registry()["model"], needs=())]


def model(factory: str, shape: str = "16", **options: str | None) -> UserModel:
    return user_model.from_file(MODELS, factory, shape, **options)


def answer(of: UserModel, folder: Path, **variables: str) -> CheckEvent:
    return found(probe(PYTHONS[-1], MODEL, folder, model=of, variables=variables), "model")


def test_a_grayscale_detector_fed_with_colour_is_an_input_mismatch_and_no_fault_of_amp(tmp_path: Path) -> None:
    check = answer(model("grayscale_detector", "3x640x640"), tmp_path)
    assert check.status is CheckStatus.FAIL
    assert "model takes 1 channel, input has 3" in check.message
    assert "in float32, before AMP comes into play" in check.message
    assert check.metrics["cause"] == "input_shape_mismatch"
    assert (check.metrics["stage"], check.metrics["blame"]) == ("fp32", "code")
    assert (check.metrics["expected"], check.metrics["got"]) == ("1 channel", "3 channels")
    assert "(models_of_users.py, line " in check.message


def test_the_same_detector_passes_with_grayscale(tmp_path: Path) -> None:
    check = answer(model("grayscale_detector", "1x640x640"), tmp_path)
    assert check.status is CheckStatus.PASS, check.message
    assert check.metrics["bfloat16.losses"] != check.metrics["fp32.losses"]
    # Nine convolutional layers deep in a list of outputs: all of them were compared.
    assert "output 3" in check.metrics["bfloat16.layers"]


@pytest.mark.parametrize(
    ("factory", "options"),
    [
        ("mapping_of_outputs", {}),
        ("own_loss_in_a_mapping", {}),
        ("data_class_of_outputs", {}),
        ("no_parameters", {}),
        ("embedding", {"dtype": "long:100", "shape": "12"}),
        ("dropped_out", {}),
        ("dropped_out", {"batch_size": "0"}),
        ("dropped_out", {"loss": "half_loss"}),
        ("dropped_out", {"loss": "cross_entropy"}),
        ("two_inputs", {"shape": "16,5", "dtype": "float32,long:9"}),
        ("torch_module", {}),
    ],
)
def test_a_sound_model_passes(factory: str, options: dict[str, str], tmp_path: Path) -> None:
    options = dict(options)
    shape = options.pop("shape", "16")
    if factory == "torch_module":
        of = user_model.from_module("torch.nn", "Identity", shape, **options)
    else:
        of = model(factory, shape, **options)
    check = answer(of, tmp_path)
    assert check.status is CheckStatus.PASS, check.message
    assert "cause" not in check.metrics


FAULTS = {
    # factory: (words, cause, blame, stage, options)
    "linear_of_another_size": ("the layer 2 takes 9 features, it got 8", "input_shape_mismatch", "code", "fp32", {}),
    "wants_targets": ("let the factory return one that makes its targets itself", "user_code_error", "code", "fp32", {}),
    "raises": ("raised FileNotFoundError: no weights at yolo.pt", "user_code_error", "code", "build", {}),
    "leaves_python": ("raised SystemExit: usage", "user_code_error", "code", "build", {}),
    "no_module": ("returned a function, not a torch.nn.Module", "user_code_error", "code", "build", {}),
    "classifier": ("Target 9 is out of bounds", "index_out_of_bounds", "code", "fp32", {"loss": "label_loss"}),
    "lazy": ("let the factory run it once on an input", "user_code_error", "code", "build", {}),
    "hard_half": ("weights are in half precision (weight is float16)", "amp_dtype_mismatch", "code", "build", {}),
    "hard_cuda": ("it asks for a GPU itself (.cuda())", "device_mismatch", "code", "build", {}),
    "half_in_forward": ("its weights are float32, its input is float16", "amp_dtype_mismatch", "code", "fp32", {}),
    "diverges": ("your model's loss is nan in float32 already", "training_broken", "code", "fp32", {}),
    "embedding": ("looks up integers and got float32: give --dtype long", "user_code_error", "code", "fp32", {}),
    "two_inputs": ("", "index_out_of_bounds", "code", "fp32", {"shape": "16,5", "dtype": "float32,long:1000"}),
    "scatters_float32_into_autocast": ("under autocast to bfloat16", "amp_dtype_mismatch", "precision", "amp", {}),
    "no_kernel_for_half": ("not implemented for 'BFloat16'", "amp_op_unsafe", "precision", "amp", {}),
    "overflows_in_half": ("under autocast to float16", "fp16_nan", "precision", "amp", {"amp": "float16"}),
    "cancels": ("the layer 0 (Far), under autocast", "amp_disagrees", "precision", "amp", {}),
}


@pytest.mark.parametrize("factory", FAULTS)
def test_a_fault_is_named_and_blamed(factory: str, tmp_path: Path) -> None:
    words, cause, blame, stage, options = FAULTS[factory]
    shape = options.get("shape", "16")
    check = answer(model(factory, shape, **{name: value for name, value in options.items() if name != "shape"}), tmp_path)
    assert check.status is CheckStatus.FAIL, check.message
    assert words in check.message.replace("your model's layer", "the layer")
    assert (check.metrics["cause"], check.metrics["blame"], check.metrics["stage"]) == (cause, blame, stage), check.message


@pytest.mark.parametrize(
    ("source", "said", "cause"),
    [
        ("import no_such_part\ndef build(): ...", "there is no module no_such_part in this environment", "python_module_missing"),
        (
            "def build(): ...\nraise RuntimeError('licence missing')",
            "RuntimeError: licence missing (net.py, line 2)",
            "user_code_error",
        ),
        (
            "import sys\ndef build(): ...\nsys.exit(3)",
            "your net.py cannot be imported: SystemExit: 3 (net.py, line 3)",
            "user_code_error",
        ),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_as_the_users(source: str, said: str, cause: str, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(source)
    check = answer(user_model.from_file(file, "build", "16"), tmp_path)
    assert check.status is CheckStatus.FAIL
    assert said in check.message
    assert (check.metrics["cause"], check.metrics["stage"]) == (cause, "import")


def test_what_lies_beside_the_file_is_found_where_the_folder_is_there(tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text("from torch import nn\ndef head():\n    return nn.Linear(16, 4)\n")
    (tmp_path / "net.py").write_text("from parts import head as build\n")
    of = user_model.from_file(tmp_path / "net.py", "build", "16")
    assert answer(of, tmp_path).metrics["missing_module"] == "parts"
    assert answer(replace(of, folder=str(tmp_path)), tmp_path).status is CheckStatus.PASS


def test_what_a_model_sets_for_all_of_torch_is_gone_before_the_next_check(tmp_path: Path) -> None:
    specs = [*MODEL, replace(checks.registry()["determinism"], needs=())]
    report = probe(PYTHONS[-1], specs, tmp_path, model=model("sets_a_default"))
    assert found(report, "model").status is CheckStatus.PASS, found(report, "model").message
    assert found(report, "determinism").status is CheckStatus.PASS, found(report, "determinism").message


def test_a_torch_that_is_broken_under_autocast_is_blamed_on_the_environment(tmp_path: Path) -> None:
    broken = (
        "import sys\n"
        "if sys.argv[1:2] == ['worker']:\n"
        "    import torch\n"
        "    forward = torch.nn.Linear.forward\n"
        "    def linear(self, x):\n"
        "        y = forward(self, x)\n"
        "        return y * float('nan') if y.dtype == torch.bfloat16 else y\n"
        "    torch.nn.Linear.forward = linear\n"
    )
    (tmp_path / "sitecustomize.py").write_text(broken)
    check = answer(model("dropped_out"), tmp_path, PYTHONPATH=str(tmp_path))
    assert check.status is CheckStatus.FAIL
    assert (check.metrics["blame"], check.metrics["cause"]) == ("environment", "fp16_nan")
    assert "the reference net fails too" in check.message
