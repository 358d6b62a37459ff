"""``determinism`` and ``checkpoint``: two runs of one seed, and a run that is saved and goes on, on a small net."""

import os
import tempfile

import pytest
from judging import verdict
from small_torch.layers import Module
from small_torch.training import SGD, GradScaler

from validator.probe import nets
from validator.probe.checks import repeat


@pytest.fixture
def small(torch, monkeypatch, tmp_path):
    """A net of one layer for either kind, with a batch of its own for each step; checkpoints go to a folder of the test."""

    def build(given, kind, steps, seed=nets.SEED):
        assert kind in (nets.CONV, nets.BLOCK)
        torch.manual_seed(seed)
        batches = [(torch.randn(4, 5), torch.randint(0, 3, (4,))) for _ in range(steps)]
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(5, 3)), batches

    monkeypatch.setattr(nets, "build", build)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    torch.folder = tmp_path
    return torch


def noisy(torch, size, dtype="float32", from_run=1):
    """Every run after the first ``from_run`` ones has losses that are off by ``size``."""
    runs, real = [], repeat._Training.go

    def go(self, steps):
        losses = real(self, steps)
        runs.append(self)
        off = size if len(runs) > from_run and self._step._torch is torch and kind_of(self) == dtype else 0.0
        return [loss + off for loss in losses]

    def kind_of(training):
        if training._scaler is not None:
            return "float16"
        return "bfloat16" if training._step._autocast is not repeat.loop.no_autocast else "float32"

    return go


# ---------------------------------------------------------------- determinism


def test_two_runs_of_one_seed_are_the_same(small, cpu):
    result = repeat.determinism(cpu)
    assert verdict(result) == ("pass", None)
    assert result.message == "two runs of one seed are the same to the last bit (float32, bfloat16)"
    assert result.metrics == {
        "float32.largest_difference": 0.0,
        "float32.identical": True,
        "bfloat16.largest_difference": 0.0,
        "bfloat16.identical": True,
        "cudnn_benchmark": False,
    }
    assert small.threads == 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("where", "size", "expected"),
    [
        ("cpu", 0.0009, ("pass", None)),
        ("cpu", 0.0011, ("fail", "wrong_results")),
        ("gpu", 0.029, ("pass", None)),
        ("gpu", 0.031, ("fail", "wrong_results")),
        ("cpu", float("nan"), ("fail", "wrong_results")),
    ],
)
def test_runs_may_differ_by_rounding_and_no_more(small, request, monkeypatch, dtype, where, size, expected):
    monkeypatch.setattr(repeat._Training, "go", noisy(small, size, dtype, 1 if dtype == "float32" else 3))
    result = repeat.determinism(request.getfixturevalue(where))
    assert verdict(result) == expected
    assert result.metrics[f"{dtype}.identical"] is False
    if expected[1] is None:
        assert result.metrics[f"{dtype}.largest_difference"] == pytest.approx(size)
        assert "not the same bit for bit" in result.message


def test_a_torch_without_bfloat16_is_judged_by_float32(small, cpu):
    del small.autocast
    result = repeat.determinism(cpu)
    assert verdict(result) == ("pass", None)
    assert "(float32)" in result.message
    assert "bfloat16.identical" not in result.metrics


@pytest.mark.parametrize(
    ("dtype", "words", "raises"),
    [("bfloat16", "not supported", False), ("bfloat16", "sick", True), ("float32", "not supported", True)],
)
def test_a_dtype_that_is_refused_is_left_out_and_another_error_is_not(small, cpu, monkeypatch, dtype, words, raises):
    real = repeat._Training.__init__

    def init(self, context, kind, given, *more):
        if given == dtype:
            raise RuntimeError(words)
        real(self, context, kind, given, *more)

    monkeypatch.setattr(repeat._Training, "__init__", init)
    if raises:
        with pytest.raises(RuntimeError, match=words):
            repeat.determinism(cpu)
    else:
        assert repeat.determinism(cpu).status == "pass"


# ---------------------------------------------------------------- checkpoint


def test_a_saved_run_goes_on_as_if_it_had_not_stopped(small, gpu):
    result = repeat.checkpoint(gpu)
    assert verdict(result) == ("pass", None)
    metrics = result.metrics
    assert metrics["dtype"] == "float16"
    assert metrics["scale_saved"] == metrics["scale_restored"] == 65536.0
    assert metrics["losses_after_resuming"] == metrics["losses_of_the_whole_run"]
    assert len(set(metrics["losses_after_resuming"])) == 8
    assert metrics["largest_difference"] == 0.0
    assert metrics["file_bytes"] > 0
    assert f"with the scaler's state of {metrics['file_bytes'] // 1024} KiB" in result.message
    assert "the same to the last bit" in result.message
    assert os.listdir(small.folder) == []


@pytest.mark.parametrize("missing", ["autocast", "amp"])
@pytest.mark.parametrize("where", ["cpu", "gpu"])
def test_a_torch_without_the_means_goes_on_in_float32(small, request, missing, where):
    delattr(small, missing)
    result = repeat.checkpoint(request.getfixturevalue(where))
    assert verdict(result) == ("pass", None)
    assert result.metrics["dtype"] == "float32"
    assert result.metrics["scale_saved"] is result.metrics["scale_restored"] is None
    assert "scaler" not in result.message


def test_a_cpu_that_cannot_do_float16_goes_on_in_float32_and_a_gpu_must(small, cpu, gpu, monkeypatch):
    real = repeat._Training.go

    def go(self, steps):
        if self._scaler is not None:
            raise RuntimeError("not implemented for 'Half'")
        return real(self, steps)

    monkeypatch.setattr(repeat._Training, "go", go)
    assert repeat.checkpoint(cpu).metrics["dtype"] == "float32"
    with pytest.raises(RuntimeError, match="Half"):
        repeat.checkpoint(gpu)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Module, "goes on differently: by"),
        (SGD, "goes on differently: by"),
        (GradScaler, "the gradient scaler's scale was 2.0 when it was saved and is 65536.0 after reading it back"),
    ],
)
def test_a_part_that_does_not_take_its_state_back_is_caught(small, gpu, monkeypatch, kind, said):
    monkeypatch.setattr(kind, "load_state_dict", lambda self, state: None)
    if kind is GradScaler:
        monkeypatch.setattr(kind, "update", lambda self: setattr(self, "scale_now", 2.0))
    result = repeat.checkpoint(gpu)
    assert verdict(result) == ("fail", "training_broken")
    assert said in result.message
    assert os.listdir(small.folder) == []


def test_a_run_that_goes_on_with_the_first_batches_is_caught(small, cpu, monkeypatch):
    real = repeat._Training.restore
    monkeypatch.setattr(repeat._Training, "restore", lambda self, state: real(self, {**state, "done": 0}))
    assert verdict(repeat.checkpoint(cpu)) == ("fail", "training_broken")


@pytest.mark.parametrize(
    ("where", "size", "expected"),
    [("cpu", 0.0009, "pass"), ("cpu", 0.0011, "fail"), ("gpu", 0.029, "pass"), ("gpu", 0.031, "fail")],
)
def test_a_run_may_go_on_with_the_rounding_of_its_device(small, request, monkeypatch, where, size, expected):
    monkeypatch.setattr(repeat._Training, "go", noisy(small, size, "float16", 2))
    result = repeat.checkpoint(request.getfixturevalue(where))
    assert result.status == expected
    assert result.metrics["largest_difference"] == pytest.approx(size)
    if expected == "pass":
        assert f"within {size:.1g}" in result.message


def test_the_file_is_read_to_the_device_and_gone_even_where_it_cannot_be_read(small, gpu, monkeypatch):
    places = []

    def load(path, map_location):
        places.append((os.path.dirname(path), map_location))
        raise OSError("weights only")

    small.load = load
    with pytest.raises(OSError, match="weights only"):
        repeat.checkpoint(gpu)
    assert places == [(str(small.folder), "cuda")]
    assert os.listdir(small.folder) == []


def test_a_resumed_run_begins_with_other_weights_on_the_same_batches(small, cpu):
    one, other = (repeat._Training(cpu, nets.BLOCK, "float32", seed=seed) for seed in (nets.SEED, nets.SEED + 1))
    first, second = (training._model.state_dict()["0.weight"].tolist() for training in (one, other))
    assert first != second
    assert [inputs.tolist() for inputs, _ in one._batches] == [inputs.tolist() for inputs, _ in other._batches]
    assert len(one._batches) == 16


def test_the_largest_difference_counts_and_what_is_not_finite_is_infinite():
    assert repeat._apart([1.0, 2.0, 3.0], [1.0, 2.5, 2.9]) == 0.5
    assert repeat._apart([1.0, float("nan")], [1.0, 1.0]) == float("inf")
