"""``amp_agreement``: both nets in both dtypes, layer by layer, on small nets."""

import math

import pytest
from judging import verdict

from validator.probe import amp, layers, nets
from validator.probe.checks import agreement


@pytest.fixture
def small(torch, monkeypatch):
    """Two linear layers for each kind of net."""
    kinds = []

    def build(_, kind, steps):
        kinds.append((kind, steps))
        torch.manual_seed(len(kind))
        return torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Linear(5, 3)), [(torch.randn(4, 6), None)]

    monkeypatch.setattr(nets, "build", build)
    torch.kinds = kinds
    return torch


@pytest.mark.parametrize("where", ["cpu", "gpu"])
def test_layers_that_agree_pass_with_the_worst_of_each_dtype(small, request, where):
    result = agreement.run(request.getfixturevalue(where))
    assert verdict(result) == ("pass", None)
    assert result.message.startswith("bfloat16 within 0.00")
    assert "; float16 within 0.000" in result.message
    assert set(small.kinds) == {("conv", 1), ("block", 1)}
    for dtype in ("float16", "bfloat16"):
        for kind in ("conv", "block"):
            names = [f"{kind} net {name}" for name in ("0", "1", "output 1")]
            assert result.metrics[f"{kind}.{dtype}.layers"] == names
            assert all(0 < error < agreement.TOLERANCE[dtype] for error in result.metrics[f"{kind}.{dtype}.error_ratios"])


def wrong_under_autocast(small, monkeypatch, change, dtype):
    """One layer (the second to last linear one of the block net's kind) gives something else in a dtype."""
    real = small.nn.Linear.forward

    def forward(self, values):
        output = real(self, values)
        return change(output) if output.dtype is dtype and self.in_features == 5 else output

    monkeypatch.setattr(small.nn.Linear, "forward", forward)


def test_a_layer_that_gives_nan_under_autocast_is_named(small, gpu, monkeypatch):
    wrong_under_autocast(small, monkeypatch, lambda output: output * math.nan, small.float16)
    result = agreement.run(gpu)
    assert verdict(result) == ("fail", "fp16_nan")
    assert result.message == "conv net 1 under autocast to float16 gives NaN or Inf where float32 does not (Linear)"


def test_a_layer_that_is_wrong_under_autocast_is_named_with_how_far_and_how_far_it_may_be(small, cpu, monkeypatch):
    wrong_under_autocast(small, monkeypatch, lambda output: output * 1.2, small.bfloat16)
    result = agreement.run(cpu)
    assert verdict(result) == ("fail", "wrong_results")
    assert result.message.split()[1:4] == ["net", "1", "(Linear),"]
    assert "under autocast to bfloat16, differs from float32 by 0.2" in result.message
    assert result.message.endswith(" of its norm; 0.07 is allowed")


@pytest.mark.parametrize(
    ("dtype", "error", "expected"),
    [
        ("float16", 0.009, ("pass", None)),
        ("float16", 0.0091, ("fail", "wrong_results")),
        ("bfloat16", 0.07, ("pass", None)),
        ("bfloat16", 0.071, ("fail", "wrong_results")),
    ],
)
@pytest.mark.parametrize("kind", ["conv", "block"])
def test_each_dtype_has_its_tolerance_in_both_nets(small, cpu, monkeypatch, dtype, error, expected, kind):
    def compare(context, net, given, autocast, metrics):
        return [layers.Difference(net, "Linear", given, error if (given, net) == (dtype, kind) else 0.0, True)]

    monkeypatch.setattr(agreement, "_compare", compare)
    assert verdict(agreement.run(cpu)) == expected


def test_autocast_that_changes_no_layer_has_nothing_to_compare(small, cpu, monkeypatch):
    monkeypatch.setattr(small.autocast, "__enter__", lambda self: self)
    monkeypatch.setattr(small.autocast, "__exit__", lambda *_: None)
    result = agreement.run(cpu)
    assert verdict(result) == ("skip", None)
    assert result.message == (
        "autocast to bfloat16 changes no layer on this device; autocast to float16 changes no layer on this device"
    )


def test_a_dtype_that_is_refused_is_told_beside_the_other(small, cpu, monkeypatch):
    wrong_under_autocast(small, monkeypatch, raising("\"addmm\" not implemented for 'Half'"), small.float16)
    result = agreement.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.message.startswith("bfloat16 within")
    assert result.message.endswith("on this CPU: RuntimeError: \"addmm\" not implemented for 'Half'")


def raising(words):
    def change(_):
        raise RuntimeError(words)

    return change


def test_another_error_is_not_a_refusal(small, cpu, monkeypatch):
    wrong_under_autocast(small, monkeypatch, raising("sick"), small.float16)
    with pytest.raises(RuntimeError, match="sick"):
        agreement.run(cpu)


def test_a_torch_without_autocast_is_skipped_with_the_reason_told_once(small, cpu, monkeypatch):
    del small.autocast
    result = agreement.run(cpu)
    assert verdict(result) == ("skip", None)
    assert result.message == "torch 2.7.1+cu126 has no CPU autocast"


def test_a_dtype_that_is_missing_is_told_beside_the_one_that_is_there(small, gpu, monkeypatch):
    real = amp.autocast

    def autocast(torch, device, dtype):
        if dtype == "bfloat16":
            raise amp.MissingDtype("float16 only")
        return real(torch, device, dtype)

    monkeypatch.setattr(amp, "autocast", autocast)
    result = agreement.run(gpu)
    assert verdict(result) == ("pass", None)
    assert result.message.endswith("; float16 only")


def test_no_gradient_is_kept(small, cpu, monkeypatch):
    kept = []
    real = small.nn.Linear.forward

    def forward(self, values):
        output = real(self, values)
        kept.append(output.requires_grad)
        return output

    monkeypatch.setattr(small.nn.Linear, "forward", forward)
    agreement.run(cpu)
    assert set(kept) == {False}
    assert small.threads == 1
