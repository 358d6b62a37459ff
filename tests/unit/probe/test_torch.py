"""The whole probe on a real torch, on the CPU.

Needs VALIDATOR_TEST_TORCH_PYTHON: interpreters that have torch, separated by ``:``. Any torch since 1.0 will do.
"""

import subprocess

import pytest
from torch_probe import NEEDS_TORCH, PYTHONS, found, probe

from validator import probe_host
from validator.catalogue import checks
from validator.model import CheckStatus
from validator.probe.checks import collectives

pytestmark = NEEDS_TORCH


@pytest.fixture(scope="module", params=PYTHONS or ["none"])
def report(request, tmp_path_factory):
    return probe(request.param, tuple(checks.selected({}, inspect=False)), tmp_path_factory.mktemp("scratch"))


def test_the_report_is_whole(report):
    assert report.complete
    assert report.violations == ()
    assert report.stray == ""


def test_torch_is_imported_and_described(report):
    check = found(report, "import")
    assert check.status in (CheckStatus.PASS, CheckStatus.WARN)
    assert check.metrics["torch_version"][0].isdigit()
    assert (check.status is CheckStatus.PASS) == (check.metrics["numpy_bridge"] is True)


def test_float32_trains_both_nets(report):
    check = found(report, "train_fp32")
    assert check.status is CheckStatus.PASS, check.message
    for net in ("conv", "block"):
        losses = check.metrics[f"{net}.losses"]
        assert len(losses) == len(check.metrics[f"{net}.grad_norms"]) >= 20
        assert losses[-1] < losses[0] / 4
    assert check.metrics["activation_dtypes"] == ["float32"]


@pytest.mark.parametrize(("name", "dtype"), [("train_amp_fp16", "float16"), ("train_amp_bf16", "bfloat16")])
def test_amp_trains_in_its_dtype_or_this_torch_says_it_has_none_for_the_cpu(report, name, dtype):
    check = found(report, name)
    if check.status is CheckStatus.SKIP:
        assert check.message.startswith("torch ")
        return
    assert check.status is CheckStatus.PASS, check.message
    assert check.metrics["activation_dtypes"] == [dtype]
    assert check.metrics["weight_dtype"] == "float32"
    # The dtype changed the arithmetic: a run in float32 under another name would agree to the last bit.
    assert check.metrics["conv.twin_difference_ratio"] > 0
    assert check.metrics["block.twin_difference_ratio"] > 0


def test_the_scaler_left_the_overflowing_step_out_and_went_on(report):
    check = found(report, "train_amp_fp16")
    if check.status is CheckStatus.SKIP:
        pytest.skip(check.message)
    for net in ("conv", "block"):
        scales = check.metrics[f"{net}.scaler_scales"]
        assert check.metrics[f"{net}.overflow_recovered"] is True
        assert scales[-1] == scales[-2] / 2


def test_every_check_ends_without_a_fault_of_its_own(report):
    for check in report.checks:
        assert check.died is None, check
        assert "raised" not in check.metrics, (check.name, check.message, check.metrics)
        assert check.status is not CheckStatus.FAIL, (check.name, check.message)


def test_layers_agree_and_none_is_left_out(report):
    check = found(report, "amp_agreement")
    if check.status is CheckStatus.SKIP:
        pytest.skip(check.message)
    names = check.metrics["conv.bfloat16.layers"]
    assert [name.rsplit(" ", 1)[1] for name in names][:2] == ["features.0", "features.1"]
    errors = dict(zip(names, check.metrics["conv.bfloat16.error_ratios"], strict=True))
    # A convolution rounds to 8 bits of mantissa: its error is of that size, neither zero nor many times that.
    assert 2**-12 < errors["conv net features.0"] < 2**-6


def test_a_checkpoint_is_resumed_from_other_weights_to_the_same_losses(report):
    check = found(report, "checkpoint")
    assert check.status is CheckStatus.PASS, check.message
    assert check.metrics["losses_after_resuming"] == check.metrics["losses_of_the_whole_run"]
    assert check.metrics["scale_restored"] == check.metrics["scale_saved"]


def test_two_runs_of_one_seed_are_the_same(report):
    check = found(report, "determinism")
    assert check.status is CheckStatus.PASS, check.message
    assert check.metrics["float32.largest_difference"] == 0


def test_the_benefit_is_stated_as_ratios_of_what_was_measured(report):
    check = found(report, "amp_benefit")
    if check.status is CheckStatus.SKIP:
        pytest.skip(check.message)
    metrics = check.metrics
    assert metrics["speed_ratio"] == pytest.approx(metrics["fp32_step_seconds"] / metrics["amp_step_seconds"])
    if metrics["memory_ratio"] is not None:
        # Activations of half the size, beside some that stay in float32: between nothing and half is saved.
        assert 1.2 < metrics["memory_ratio"] < 2.5


def test_the_short_answer_trains_the_same_net_in_the_same_way(report, tmp_path):
    names = ["import", "train_amp_bf16"]
    short = probe(PYTHONS[-1], checks.chosen(names, checks.selected({}, inspect=False)), tmp_path, quick=True)
    losses = found(short, "train_fp32").metrics["block.losses"]
    assert len(losses) == 20
    # The optimizer of the short answer is not torch's own, and must do the same.
    assert losses == pytest.approx(found(report, "train_fp32").metrics["block.losses"][:20], rel=1e-3)


# ---------------------------------------------------------------- a real torch with one part broken

#: name: (what sitecustomize does to torch, the check that must find it, words of its message, its cause)
BROKEN = {
    "autocast that does nothing": (
        "import contextlib\ntorch.autocast = lambda *_, **__: contextlib.nullcontext()",
        "train_amp_bf16",
        "autocast to bfloat16 was not active",
        "autocast_inactive",
    ),
    "an optimizer that never moves": (
        "import torch.optim\ntorch.optim.SGD.step = lambda self, closure=None: None",
        "train_fp32",
        "did not fall enough",
        "training_broken",
    ),
    "a half convolution that gives NaN in training, as on a GTX 1650": (
        "forward = torch.nn.Conv2d.forward\n"
        "def broken(self, x):\n"
        "    y = forward(self, x)\n"
        "    return y * float('nan') if y.dtype in (torch.float16, torch.bfloat16) and len(x) >= 8 else y\n"
        "torch.nn.Conv2d.forward = broken",
        "train_amp_bf16",
        "the loss of the conv net became nan at step 1",
        "fp16_nan",
    ),
    "a linear layer that is wrong in half precision": (
        "forward = torch.nn.Linear.forward\n"
        "def broken(self, x):\n"
        "    y = forward(self, x)\n"
        "    return y * 1.2 if y.dtype == torch.bfloat16 else y\n"
        "torch.nn.Linear.forward = broken",
        "amp_agreement",
        "block net",
        "wrong_results",
    ),
    "a gradient scaler that lets an overflow through": (
        "def step(self, optimizer):\n    optimizer.step()\ntorch.amp.GradScaler.step = step",
        "train_amp_fp16",
        "let a step with infinite gradients through",
        "training_broken",
    ),
    "a gradient scaler that forgets its state": (
        "torch.amp.GradScaler.load_state_dict = lambda self, state: None\n"
        "torch.amp.GradScaler.state_dict = lambda self: {'scale': 1.0}\n"
        "old = torch.amp.GradScaler.get_scale\n"
        "import itertools\n"
        "count = itertools.count()\n"
        "def init(self, *args, **more):\n"
        "    first(self, *args, init_scale=2.0 ** (10 + next(count)), **more)\n"
        "first = torch.amp.GradScaler.__init__\n"
        "torch.amp.GradScaler.__init__ = init",
        "checkpoint",
        "scale was",
        "training_broken",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_part_is_found_by_its_check(fault, tmp_path):
    source, name, said, cause = BROKEN[fault]
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nif sys.argv[1:2] == ['worker']:\n  exec({('import torch' + chr(10) + source)!r}, globals())\n"
    )
    specs = tuple(checks.chosen([name], checks.selected({}, inspect=False)))
    check = found(probe(PYTHONS[-1], specs, tmp_path, variables={"PYTHONPATH": str(tmp_path)}), name)
    if check.status is CheckStatus.SKIP:
        pytest.skip(check.message)
    assert check.status is CheckStatus.FAIL, check.message
    assert said in check.message
    assert check.metrics["cause"] == cause


@pytest.mark.parametrize("python", PYTHONS)
def test_ranks_in_new_interpreters_do_not_take_their_modules_from_the_folder_they_run_in(python, tmp_path):
    archive, here = tmp_path / "probe.zip", tmp_path / "project"
    archive.write_bytes(probe_host.pack())
    here.mkdir()
    (here / "torch.py").write_text("raise RuntimeError('a file of the project')\n")
    ranks = []
    for rank in range(2):
        _, option, source, _, store, number = collectives._fresh_rank(None, str(tmp_path / "store"), rank)
        source = source.replace("validator.probe.checks", "validator_probe.checks")  # its name in the archive
        command = [python, option, source, str(archive), store, number]
        ranks.append(subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    for process in ranks:
        said, errors = process.communicate(timeout=120)
        assert said.splitlines()[-1:] == ["=3.0"], errors
