"""What layers put out, how far two passes are apart, and which layer is running."""

import math
from collections import UserDict
from dataclasses import dataclass

import pytest

from validator.probe import layers


@dataclass
class Found:
    boxes: object
    name: str = "a name"


@pytest.fixture
def net(torch):
    """A linear layer in a block, and one after it."""

    class Net(torch.nn.Module):
        def __init__(self):
            self.block = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
            self.head = torch.nn.Linear(3, 2)

        def forward(self, values):
            return self.head(self.block(values))

    return Net()


# ---------------------------------------------------------------- outputs


def test_every_innermost_layer_is_kept_in_the_order_it_ran_and_the_result_last(net, torch):
    result, found = layers.outputs(torch, net, lambda: net(torch.ones(2, 4)))
    assert [(each.name, each.kind) for each in found] == [
        ("block.0", "Linear"),
        ("block.1", "ReLU"),
        ("head", "Linear"),
        ("output 1", "the model's result"),
    ]
    assert {each.dtype for each in found} == {"float32"}
    assert found[-1].sample.tolist() == found[-2].sample.tolist() == [value for row in result.tolist() for value in row]
    assert all(each.finite for each in found)


def test_a_sample_is_float32_on_the_cpu_and_the_dtype_is_the_outputs(net, torch):
    with torch.autocast("cuda", torch.bfloat16):
        _, found = layers.outputs(torch, net.to("cuda"), lambda: net(torch.ones(2, 4).to("cuda")))
    assert {each.dtype for each in found} == {"bfloat16"}
    assert {(each.sample.dtype.name, each.sample.device) for each in found} == {("float32", "cpu")}


def test_a_model_that_is_one_layer_is_called_the_model(torch):
    layer = torch.nn.Linear(2, 2)
    _, found = layers.outputs(torch, layer, lambda: layer(torch.ones(1, 2)))
    assert found[0].name == "the model"


def test_no_hook_is_left_on_a_model_even_where_it_raised(net, torch):
    layers.outputs(torch, net, lambda: net(torch.ones(2, 4)))
    with pytest.raises(RuntimeError, match="sick"):
        layers.outputs(torch, net, lambda: (_ for _ in ()).throw(RuntimeError("sick")))
    assert not any(vars(module).get("_after") for module in net.modules())


def test_integers_are_not_compared(torch):
    class Counts(torch.nn.Module):
        def forward(self, values):
            return {"count": torch.arange(3), "values": values, "more": [values, values]}

    net = Counts()
    _, found = layers.outputs(torch, net, lambda: net(torch.ones(2)))
    assert [each.name for each in found] == ["the model"] * 3 + ["output 2", "output 3", "output 4"]


def test_a_large_output_is_sampled_evenly_and_looked_at_whole(torch, monkeypatch):
    monkeypatch.setattr(layers, "_SAMPLE", 4)
    monkeypatch.setattr(layers, "_PART", 3)
    values = torch.arange(10, torch.float32)
    found = layers._output(torch, "x", "Linear", values)
    assert found.sample.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert found.finite is True
    for broken in (math.nan, math.inf):
        values.values[9] = broken  # not in the sample
        assert layers._output(torch, "x", "Linear", values).finite is False
    assert layers._output(torch, "x", "Linear", torch.ones(2)).sample.tolist() == [1.0, 1.0]


def test_an_empty_output_is_finite(torch):
    found = layers._output(torch, "x", "Linear", torch.zeros(0))
    assert (found.finite, found.sample.numel()) == (True, 0)


def test_finite_numbers_whose_sum_overflows_their_dtype_are_finite(torch):
    assert layers._output(torch, "x", "Linear", torch.full((4,), 60000.0).to(torch.float16)).finite is True


def test_of_very_many_layers_the_first_are_kept_and_the_result(net, torch, monkeypatch):
    monkeypatch.setattr(layers, "_LAYERS", 2)
    _, found = layers.outputs(torch, net, lambda: net(torch.ones(2, 4)))
    assert [each.name for each in found] == ["block.0", "block.1", "output 1"]


# ---------------------------------------------------------------- tensors in a result


def test_tensors_are_found_in_whatever_holds_them(torch):
    one, two, three = torch.ones(1), torch.ones(2), torch.ones(3)
    assert layers.tensors(torch, one)[0] is one
    found = layers.tensors(torch, {"a": [one, (two, "text")], "b": UserDict(c=three), "d": 3, "e": None})
    assert list(map(len, found)) == [1, 2, 3]
    assert list(map(len, layers.tensors(torch, Found(boxes=[two])))) == [2]
    assert layers.tensors(torch, "text") == []


def test_a_result_that_holds_itself_comes_to_an_end(torch):
    held = [torch.ones(1)]
    held.append(held)
    assert len(layers.tensors(torch, held)) == 5  # at depths 0 to 4
    deep = torch.ones(1)
    for _ in range(5):
        deep = [deep]
    assert len(layers.tensors(torch, deep)) == 1
    assert layers.tensors(torch, [[deep]]) != layers.tensors(torch, deep)


# ---------------------------------------------------------------- differences


def output(torch, name, values, dtype="float16", finite=True):
    return layers.Output(name, "Linear", dtype, torch.tensor(values), finite)


def test_an_error_is_the_norm_of_the_difference_as_a_share_of_the_references(torch):
    reference = [output(torch, "a", [3.0, 4.0], "float32"), output(torch, "b", [0.0, 0.0], "float32")]
    other = [output(torch, "a", [3.0, 4.5]), output(torch, "b", [0.0, 0.25])]
    assert layers.differences(reference, other) == [
        layers.Difference("a", "Linear", "float16", 0.1, True),
        layers.Difference("b", "Linear", "float16", 0.25, True),  # nothing to be a share of
    ]


def test_a_layer_that_is_broken_only_in_the_second_pass_is_infinitely_far(torch):
    (found,) = layers.differences([output(torch, "a", [1.0])], [output(torch, "a", [math.nan], finite=False)])
    assert found == layers.Difference("a", "Linear", "float16", math.inf, False)


@pytest.mark.parametrize("change", ["name", "shape", "broken before"])
def test_layers_that_cannot_be_compared_are_left_out(torch, change):
    before = output(torch, "a", [1.0], finite=change != "broken before")
    after = output(torch, "b" if change == "name" else "a", [1.0, 2.0] if change == "shape" else [1.0])
    kept = output(torch, "z", [1.0])
    assert [each.name for each in layers.differences([before, kept], [after, kept])] == ["z"]


def different(name, error, finite=True):
    return layers.Difference(name, "Linear", "float16", error, finite)


def test_the_layer_to_name_is_the_first_broken_one_else_the_worst():
    assert layers.worst([different("a", 0.1), different("b", 0.3), different("c", 0.2)]).name == "b"
    broken = [different("a", 0.1), different("b", math.inf, False), different("c", math.inf, False)]
    assert layers.worst(broken).name == "b"
    assert layers.worst([]) is None


def test_a_comparison_is_summed_up():
    found = layers.summary([different("a", 0.123456789), different("b", 0.3)], "conv.float16")
    assert found == {
        "conv.float16.layers": ["a", "b"],
        "conv.float16.error_ratios": [0.1234568, 0.3],
        "conv.float16.worst_layer": "b (Linear)",
        "conv.float16.worst_error_ratio": 0.3,
    }
    many = layers.summary([different("a", 0.1)] * 100, "x")
    assert len(many["x.layers"]) == len(many["x.error_ratios"]) == 64
    assert layers.summary([], "x") == {"x.layers": [], "x.error_ratios": [], "x.worst_layer": None, "x.worst_error_ratio": None}


# ---------------------------------------------------------------- the layer that is running


class Anonymous:
    """No layer that is known."""


def test_the_innermost_layer_that_did_not_end_is_the_one_that_raised():
    tracker = layers.Tracker(None)
    outer, inner = Anonymous(), Anonymous()
    tracker._stack = [layers.Running("outer", outer, None, None), layers.Running("outer.a", inner, None, None)]
    assert tracker.current.name == "outer.a"
    tracker._leave(inner)
    assert tracker.current.name == "outer"
    tracker._leave(outer)
    assert tracker.current is None


def test_leaving_a_layer_leaves_what_is_still_open_within_it():
    tracker = layers.Tracker(None)
    outer = Anonymous()
    tracker._stack = [layers.Running("outer", outer, None, None), layers.Running("outer.a", Anonymous(), None, None)]
    tracker._leave(outer)
    assert tracker.current is None


def test_a_layer_that_raises_is_known_with_what_came_in(net, torch):
    net.head = torch.nn.Linear(9, 2)
    tracker = layers.Tracker(net)
    with pytest.raises(RuntimeError, match="cannot be multiplied"), tracker:
        net(torch.ones(2, 4))
    assert tracker.current == layers.Running("head", net.head, (2, 3), "float32")
    assert tracker.first == "block.0"


def test_after_a_pass_no_layer_is_running_and_no_hook_is_left(net, torch):
    tracker = layers.Tracker(net)
    with tracker:
        net(torch.ones(2, 4))
    assert tracker.current is None
    assert tracker.first == "block.0"
    net(torch.ones(2, 4))
    assert not any(vars(module).get(kind) for module in net.modules() for kind in ("_before", "_after"))


def test_a_layer_without_a_tensor_to_take_is_known_all_the_same(torch):
    class Wants(torch.nn.Module):
        def forward(self, number):
            raise ValueError(number)

    net = Wants()
    tracker = layers.Tracker(net)
    with pytest.raises(ValueError, match="3"), tracker:
        net(3)
    assert tracker.current == layers.Running("", net, None, None)
