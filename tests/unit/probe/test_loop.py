"""The training loop on a small net: what it does at each step, what it records, and what a broken part looks like."""

import math
from types import SimpleNamespace

import pytest
from small_torch.training import GradScaler

from validator.probe import loop, nets

STEPS = 8


@pytest.fixture
def small(torch, monkeypatch):
    """Nets of one layer that learn at once; images of the one kind, tokens of the other are both eight numbers."""
    built = []

    class Conv2d(torch.nn.Linear):
        """A layer whose dtype is kept, too."""

    def build(given, kind, steps, seed=nets.SEED):
        assert given is torch
        built.append((kind, steps, seed))
        torch.manual_seed(seed)
        model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        torch.manual_seed(1)
        labels = torch.randint(0, 3, (6,))
        patterns = torch.randn(3, 8)
        rows = [value for label in labels.values for value in patterns[label].values]
        return model, [(torch.Tensor(rows, (6, 8)), labels)] * min(steps, STEPS)

    monkeypatch.setattr(nets, "build", build)
    torch.nn.Conv2d = Conv2d
    torch.built = built
    return torch


def autocast_of(torch, dtype, device="cpu"):
    return lambda: torch.autocast(device, dtype)


# ---------------------------------------------------------------- a run


@pytest.mark.parametrize("quick", [False, True], ids=["torch's optimizer", "the plain one"])
def test_a_run_in_float32_learns_and_keeps_what_it_saw(small, quick):
    run = loop.train(small, "cpu", nets.CONV, quick=quick)
    assert len(run.losses) == len(run.grad_norms) == STEPS
    assert run.losses[-1] < run.losses[0] * 0.8
    assert all(norm > 0 for norm in run.grad_norms)
    assert run.activation_dtypes == run.weight_dtypes == {"float32"}
    assert (run.scales, run.skipped, run.bad_gradients, run.overflow) == ([], 0, 0, None)
    assert small.built == [(nets.CONV, nets.QUICK_STEPS if quick else nets.STEPS, nets.SEED)]


def test_the_plain_optimizer_does_what_torchs_does(small):
    plain = loop.train(small, "cpu", nets.CONV, quick=True).losses
    assert plain == pytest.approx(loop.train(small, "cpu", nets.CONV, quick=False).losses, rel=1e-5)


def test_a_seed_of_its_own_makes_another_net(small):
    one, other = (loop.train(small, "cpu", nets.CONV, seed=seed).losses for seed in (1, 2))
    assert one != other
    assert [seed for _, _, seed in small.built] == [1, 2]


def test_everything_goes_to_the_device(small):
    seen = set()
    real = small.nn.functional.cross_entropy
    small.nn.functional.cross_entropy = lambda logits, labels: seen.update({logits.device, labels.device}) or real(logits, labels)
    loop.train(small, "cuda", nets.CONV)
    assert seen == {"cuda"}


def test_a_run_under_autocast_keeps_its_dtype_scale_and_the_overflow_that_it_survived(small):
    run = loop.train(small, "cpu", nets.CONV, autocast_of(small, small.float16), small.amp.GradScaler())
    assert run.activation_dtypes == {"float16"}
    assert run.weight_dtypes == {"float32"}
    assert run.losses[-1] < run.losses[0] * 0.8
    assert run.overflow == ""
    assert len(run.scales) == STEPS + 1
    assert run.scales[-1] == run.scales[-2] / 2
    assert run.bad_gradients == 0


def test_a_step_that_the_scaler_leaves_out_is_done_again_with_the_same_batch(small):
    scaler = small.amp.GradScaler()
    scaler.scale_now = 2.0**130  # overflows float32 until it has come down
    run = loop.train(small, "cpu", nets.CONV, autocast_of(small, small.float32), scaler)
    assert run.skipped >= 2
    assert len(run.losses) == STEPS
    assert run.losses[0] == loop.train(small, "cpu", nets.CONV).losses[0]
    assert run.bad_gradients == 0


def test_a_scaler_that_never_finds_its_scale_is_given_up(small):
    scaler = small.amp.GradScaler()
    scaler.scale_now = 2.0**1000
    run = loop.train(small, "cpu", nets.CONV, autocast_of(small, small.float32), scaler)
    assert run.skipped == 12 * STEPS
    assert run.bad_gradients == 0  # they were left out


def test_bad_gradients_that_no_scaler_leaves_out_are_counted(small, monkeypatch):
    monkeypatch.setattr(small.nn.utils, "clip_grad_norm_", lambda *_: small.tensor([math.nan]))
    assert loop.train(small, "cpu", nets.CONV).bad_gradients == STEPS


def test_every_fourth_step_adds_up_two_half_batches(small):
    sizes = []
    real = small.nn.functional.cross_entropy
    small.nn.functional.cross_entropy = lambda logits, labels: sizes.append(len(labels)) or real(logits, labels)
    loop.train(small, "cpu", nets.CONV)
    assert sizes == ([6, 6, 6, 3, 3] * 2)


def test_gradients_are_clipped_to_a_norm_of_one(small, monkeypatch):
    bounds = []
    monkeypatch.setattr(small.nn.utils, "clip_grad_norm_", lambda _, bound: bounds.append(bound) or small.tensor([0.5]))
    run = loop.train(small, "cpu", nets.CONV)
    assert set(bounds) == {1.0}
    assert run.grad_norms == [0.5] * STEPS


@pytest.mark.parametrize("kind", [nets.CONV, nets.BLOCK])
def test_each_net_has_its_learning_rate(small, kind):
    given = []
    small.optim.SGD = lambda weights, lr, momentum: given.append((len(list(weights)), lr, momentum))
    loop.optimizer_of(small, kind, small.nn.Linear(2, 2))
    assert given == [(2, {"conv": 0.1, "block": 0.15}[kind], 0.9)]


def test_no_hook_is_left_on_the_model(small, monkeypatch):
    models = []
    real = nets.build

    def build(*of):
        model, batches = real(*of)
        models.append(model)
        return model, batches

    monkeypatch.setattr(nets, "build", build)
    run = loop.train(small, "cpu", nets.CONV)
    seen = set(run.activation_dtypes)
    with small.autocast("cpu", small.bfloat16):
        models[0](small.ones(1, 8))
    assert run.activation_dtypes == seen


# ---------------------------------------------------------------- the overflow


class Broken(GradScaler):
    """A scaler that does one thing wrong at a step that overflows."""

    def __init__(self, fault):
        super().__init__()
        self.fault, self.overflowed = fault, False

    def unscale_(self, optimizer):
        super().unscale_(optimizer)
        self.overflowed |= self._infinite
        if self.fault == "keeps gradients finite" and self._infinite:
            for weight in optimizer.param_groups[0]["params"]:
                weight.grad.fill_(1.0)

    def step(self, optimizer):
        if self.fault == "steps all the same" or (self.fault == "stops afterwards" and self.overflowed and not self._infinite):
            if self.fault == "steps all the same":
                optimizer.step()
            return
        super().step(optimizer)

    def update(self):
        if self.fault == "keeps its scale":
            return
        super().update()
        if self.fault == "goes on lowering" and self.overflowed:
            self.scale_now *= 0.5


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (None, ""),
        ("keeps gradients finite", "the gradients of a step made to overflow are finite"),
        ("keeps its scale", "the gradient scaler did not lower its scale after an overflow"),
        ("steps all the same", "the gradient scaler let a step with infinite gradients through"),
        ("stops afterwards", "the gradient scaler does not recover from an overflow"),
        ("goes on lowering", "the gradient scaler does not recover from an overflow"),
    ],
)
def test_what_a_scaler_does_wrong_around_an_overflow_is_told(small, fault, said):
    run = loop.train(small, "cpu", nets.CONV, autocast_of(small, small.float16), Broken(fault))
    assert run.overflow == said


def test_gradients_that_stay_infinite_afterwards_are_no_going_on(small, monkeypatch):
    model, batches = nets.build(small, nets.CONV, 1)
    scaler = small.amp.GradScaler()
    step = loop.Step(small, model, loop.optimizer_of(small, nets.CONV, model), loop.no_autocast, scaler)
    norms = iter([math.inf, math.inf])
    monkeypatch.setattr(loop.Step, "_clip", lambda self: next(norms))
    assert step.overflow(batches[0]) == "the gradient scaler does not recover from an overflow"


# ---------------------------------------------------------------- a step and its parts


def test_the_loss_of_two_halves_is_that_of_the_whole_and_so_are_the_gradients(small):
    model, (batch, *_) = nets.build(small, nets.CONV, 1)
    step = loop.Step(small, model, loop.PlainSgd(model.parameters(), 0.1, 0.9), loop.no_autocast, None)
    whole = step.forward_backward([batch])
    gradients = [weight.grad.tolist() for weight in model.parameters()]
    assert step.forward_backward(loop.halves(batch)) == pytest.approx(whole, rel=1e-5)
    for weight, before in zip(model.parameters(), gradients, strict=True):
        assert weight.grad.tolist() == [pytest.approx(each, abs=1e-5) for each in before]


def test_halves_of_a_batch_are_its_first_and_its_last_rows(small):
    inputs, labels = small.arange(12).reshape(6, 2), small.arange(6)
    (first, one), (second, other) = loop.halves((inputs, labels))
    assert (one.tolist(), other.tolist()) == ([0, 1, 2], [3, 4, 5])
    assert (first.tolist(), second.tolist()) == ([[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]])


def test_the_plain_optimizer_leaves_alone_what_has_no_gradient_and_forgets_gradients(small):
    weight, other = small.nn.Parameter(small.ones(2)), small.nn.Parameter(small.ones(2))
    optimizer = loop.PlainSgd(iter([weight, other]), lr=0.5, momentum=0.5)
    for expected in (0.5, -0.25):  # 1 − 0.5·1, then 0.5 − 0.5·(1 + 0.5·1)
        weight.grad = small.ones(2)
        optimizer.step()
        assert weight.tolist() == [expected, expected]
    assert other.tolist() == [1.0, 1.0]
    optimizer.zero_grad()
    assert weight.grad is None


# ---------------------------------------------------------------- what is told of a run


def test_the_final_loss_is_the_mean_of_the_last_five():
    run = loop.Run()
    run.losses = [10.0, 9.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert run.final_loss == 3.0
    assert run.ratio == 0.3
    assert run.first_bad_step is None
    run.losses[3:5] = [math.inf, math.nan]
    assert run.first_bad_step == 3


def test_metrics_of_a_run_have_the_nets_name_and_short_numbers():
    run = loop.Run()
    run.losses, run.grad_norms = [1.23456789, math.nan, 1.0, 1.0, 1.0, 1.0, 1.0], [0.12345678]
    run.activation_dtypes = {"float32", "bfloat16"}
    found = loop.metrics(run, "conv")
    assert found["conv.losses"][0] == 1.234568
    assert math.isnan(found["conv.losses"][1])
    assert found["conv.grad_norms"] == [0.123457]
    assert found["conv.loss_ratio"] == pytest.approx(1 / 1.23456789)
    assert found["conv.activation_dtypes"] == ["bfloat16", "float32"]
    assert not any("scaler" in name for name in found)
    run.scales, run.skipped, run.overflow = [4.0, 2.0], 3, ""
    found = loop.metrics(run, "block")
    assert (found["block.scaler_scales"], found["block.scaler_skipped_steps"]) == ([4.0, 2.0], 3)
    assert found["block.overflow_recovered"] is True
    run.overflow = "let it through"
    assert loop.metrics(run, "block")["block.overflow_recovered"] is False


def test_a_dtype_is_told_without_torchs_name():
    assert loop.dtype_of(SimpleNamespace(dtype="torch.float16")) == "float16"
