"""``amp_benefit``: a net that is large enough is found and timed by turns, its memory measured, and the ratios judged."""

from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe import cpu as processor
from validator.probe.checks import benefit
from validator.probe.context import Context


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the steps move."""
    found = SimpleNamespace(now=0.0)

    def seconds(self, work):
        before = found.now
        work()
        return found.now - before

    monkeypatch.setattr(Context, "seconds", seconds)
    return found


@pytest.fixture
def nets(monkeypatch, clock, torch):
    """Nets whose step takes a time and memory by how it is done; every step is noted."""
    found = SimpleNamespace(
        made=[], steps=[], seconds={"float32": 0.1, "tf32": 0.05, "amp": 0.025}, memory={"float32": 800, "amp": 400}, peak=0
    )

    class Net:
        def __init__(self, context, width, images):
            found.made.append((width, images))

        def step(self, autocast=None, scaler=None):
            tf32 = {switch.allow_tf32 for switch in benefit.switches(torch)} == {True}
            kind = "amp" if autocast not in (None, benefit.no_autocast) else "tf32" if tf32 else "float32"
            if kind == "amp":
                with autocast() as opened:
                    found.autocast = (opened.device, opened.dtype.name)
            found.steps.append((kind, scaler is not None))
            found.peak = max(found.peak, found.memory.get(kind, 0))
            clock.now += found.seconds[kind]

    monkeypatch.setattr(benefit, "_Net", Net)
    torch.cuda.mem_get_info = lambda: (1 << 40, 1 << 40)
    torch.cuda.get_device_properties = lambda _: SimpleNamespace(multi_processor_count=108)
    torch.cuda.max_memory_allocated = lambda: found.peak
    torch.cuda.reset_peak_memory_stats = lambda: setattr(found, "peak", 0)
    return found


# ---------------------------------------------------------------- run


def test_on_a_gpu_float16_is_measured_with_a_scaler_against_float32_and_tf32(nets, gpu, torch):
    result = benefit.run(gpu)
    assert verdict(result) == ("pass", None)
    assert {name: pytest.approx(value) if isinstance(value, float) else value for name, value in result.metrics.items()} == {
        "dtype": "float16",
        "width": 32,
        "batch": 8,
        "first_step_seconds": 0.1,
        "fp32_step_seconds": 0.1,
        "amp_step_seconds": 0.025,
        "speed_ratio": 4.0,
        "fp32_memory_bytes": 800,
        "amp_memory_bytes": 400,
        "memory_ratio": 2.0,
        "tf32_step_seconds": 0.05,
        "tf32_speed_ratio": 2.0,
        "amp_over_tf32_speed_ratio": 2.0,
    }
    assert nets.autocast == ("cuda", "float16")
    assert {scaled for kind, scaled in nets.steps if kind == "amp"} == {True}
    assert {scaled for kind, scaled in nets.steps if kind != "amp"} == {False}
    assert torch.backends.cuda.matmul.allow_tf32 is False
    assert "×4.00 as fast as float32 and takes ×0.50 of the memory" in result.message


def test_on_a_cpu_bfloat16_is_measured_without_a_scaler(nets, cpu, monkeypatch):
    monkeypatch.setattr(processor, "describe", lambda: ("A CPU", ["amx_bf16"]))
    result = benefit.run(cpu)
    assert verdict(result) == ("pass", None)
    assert result.metrics["dtype"] == "bfloat16"
    assert nets.autocast == ("cpu", "bfloat16")
    assert {scaled for _, scaled in nets.steps} == {False}
    assert {kind for kind, _ in nets.steps} == {"float32", "amp"}
    assert result.metrics["memory_ratio"] is None  # this torch cannot tell what is kept
    assert "memory" not in result.message


@pytest.mark.parametrize("missing", ["capability", "switches"])
def test_where_there_is_no_tf32_it_is_left_out(nets, gpu, torch, missing):
    if missing == "capability":
        torch.cuda.get_device_capability = lambda _: (7, 5)
    else:
        torch.backends = SimpleNamespace()
    result = benefit.run(gpu)
    assert result.status == "pass"
    assert not any("tf32" in name for name in result.metrics)


def test_tf32_begins_with_8_0(nets, gpu, torch):
    torch.cuda.get_device_capability = lambda _: (8, 0)
    assert "tf32_step_seconds" in benefit.run(gpu).metrics


def test_a_torch_without_autocast_or_a_scaler_is_skipped(nets, gpu, torch):
    del torch.amp.GradScaler
    assert "no gradient scaler" in benefit.run(gpu).message
    del torch.autocast
    result = benefit.run(gpu)
    assert (result.status, "no torch.cuda.amp autocast" in result.message) == ("skip", True)
    assert nets.made == []


def test_a_dtype_that_the_device_refuses_is_skipped_and_another_error_is_not(nets, cpu, monkeypatch):
    real = benefit._memory

    def refuses(words):
        def memory(context, net, *how):
            if how:
                raise RuntimeError(words)
            return real(context, net)

        monkeypatch.setattr(benefit, "_memory", memory)

    refuses("\"conv\" not implemented for 'BFloat16'")
    assert verdict(benefit.run(cpu)) == ("skip", "bf16_unsupported")
    refuses("something else")
    with pytest.raises(RuntimeError, match="something else"):
        benefit.run(cpu)


# ---------------------------------------------------------------- the net


@pytest.mark.parametrize(("where", "enough"), [("gpu", 0.02), ("cpu", 0.04)])
def test_the_net_grows_until_a_step_takes_long_enough(nets, request, where, enough):
    context = request.getfixturevalue(where)
    nets.seconds["float32"] = enough
    _, size, seconds = benefit._sized(context)
    assert (size, seconds) == ((32, 8), pytest.approx(enough))
    nets.made.clear()
    nets.seconds["float32"] = enough - 0.001
    _, size, _ = benefit._sized(context)
    assert size == (512, 256)
    assert nets.made == list(benefit._SIZES)
    assert nets.steps.count(("float32", False)) == 2 * 7  # each once before it is timed


@pytest.mark.parametrize(("spare", "size"), [(0, (64, 16)), (1, (128, 32))])
def test_the_net_grows_no_further_than_a_quarter_of_the_free_memory(nets, gpu, torch, spare, size):
    nets.seconds["float32"] = 0.001
    need = 12 * 4 * 128 * 32 * 32 * 32  # twelve images of the activations of the third size
    torch.cuda.mem_get_info = lambda: (4 * need + spare, 1 << 40)
    assert benefit._sized(gpu)[1] == size


def test_the_smallest_net_is_made_however_little_memory_there_is(nets, gpu, torch):
    torch.cuda.mem_get_info = lambda: (0, 1 << 40)
    assert benefit._sized(gpu)[1] == (32, 8)


def test_a_cpu_has_memory_for_every_net(nets, cpu, torch):
    torch.cuda.mem_get_info = lambda: (0, 0)
    nets.seconds["float32"] = 0.001
    assert benefit._sized(cpu)[1] == (512, 256)


def test_a_torch_that_cannot_tell_the_free_memory_stops_at_a_middling_net(nets, gpu, torch):
    del torch.cuda.mem_get_info
    nets.seconds["float32"] = 0.001
    assert benefit._sized(gpu)[1] == (256, 64)


# ---------------------------------------------------------------- a step


@pytest.fixture
def real_net(torch, gpu):
    """The net itself; its layers are noted and pass on what they get, the last one as one number for each channel."""
    made = []

    def noted(name, forward=lambda values: values):
        class Layer(torch.nn.Module):
            def __init__(self, *sizes, padding=0):
                made.append((name, *sizes, padding))

            def forward(self, values):
                return forward(values)

        return Layer

    for name in ("Conv2d", "BatchNorm2d", "ReLU"):
        setattr(torch.nn, name, noted(name))
    torch.nn.AdaptiveAvgPool2d = noted("AdaptiveAvgPool2d", lambda values: torch.ones(values.shape[0], 4).to(values.device))
    return benefit._Net(gpu, 4, 2), made


def test_the_net_is_three_blocks_of_convolutions_and_a_classifier(real_net, torch):
    net, made = real_net
    block = [("BatchNorm2d", 4, 0), ("ReLU", 0), ("Conv2d", 4, 4, 3, 1)]
    assert made == [("Conv2d", 3, 4, 3, 1), *block * 3, ("AdaptiveAvgPool2d", 1, 0)]
    assert (net.inputs.shape, net.inputs.device) == ((2, 3, 32, 32), "cuda")
    assert (net.labels.shape, net.labels.device, net.labels.dtype) == ((2,), "cuda", torch.int64)
    assert net.head.weight.shape == (8, 4)
    assert set(net.optimizer.param_groups[0]["params"]) == {net.head.weight, net.head.bias}


def test_a_step_forgets_the_last_gradients_and_moves_the_weights(real_net, torch):
    net, _ = real_net
    before = net.head.weight.tolist()
    net.step()
    moved, gradient = net.head.weight.tolist(), net.head.weight.grad.tolist()
    assert moved != before
    net.step()
    assert net.head.weight.grad.tolist() == [pytest.approx(row, rel=0.05) for row in gradient]


def test_a_step_under_autocast_scales_its_loss(real_net, torch):
    net, _ = real_net
    scaler, seen = torch.amp.GradScaler(), []
    for name in ("scale", "step", "update"):
        real = getattr(scaler, name)
        setattr(scaler, name, lambda *of, name=name, real=real: seen.append(name) or real(*of))
    dtypes = []
    forward = net.head.forward
    net.head.forward = lambda values: dtypes.append(forward(values).dtype.name) or forward(values)
    before = net.head.weight.tolist()
    net.step(lambda: torch.autocast("cuda", torch.float16), scaler)
    assert dtypes == ["float16"]
    assert seen == ["scale", "step", "update"]
    assert net.head.weight.tolist() != before


# ---------------------------------------------------------------- times and memory


def timed(clock, context, *seconds, **steps):
    """The fastest of each, where the steps take these seconds one after another."""
    waiting = {name: iter(values) for name, values in steps.items()}
    order = []

    def step(name):
        def run():
            order.append(name)
            clock.now += next(waiting[name])

        return run

    return benefit._times(context, {name: step(name) for name in steps}), order


def test_the_kinds_take_turns_and_the_fastest_counts_but_the_first(clock, gpu):
    best, order = timed(clock, gpu, a=[0.1, 0.5, 0.4, 0.3, 0.4, 0.5], b=[0.7, 0.6, 0.5, 0.6, 0.6, 0.6])
    assert best == {"a": pytest.approx(0.3), "b": pytest.approx(0.5)}
    assert order == ["a", "b"] * 6


def test_a_step_that_takes_seconds_is_not_repeated(clock, gpu):
    best, order = timed(clock, gpu, a=[1.0, 0.5], b=[5.5])
    assert best == {"a": 1.0, "b": 5.5}
    assert order == ["a", "b"]
    best, order = timed(clock, gpu, a=[0.5, 0.25], b=[5.5, 5.0])  # just six seconds: one more round
    assert best == {"a": pytest.approx(0.25), "b": pytest.approx(5.0)}
    assert order == ["a", "b"] * 2


def test_on_a_gpu_the_peak_of_a_second_step_counts(nets, gpu, torch):
    nets.memory = {"float32": 100, "amp": 50}
    net = benefit._Net(gpu, 32, 8)
    steps = []
    real = net.step

    def step(*how):
        steps.append(how)
        real(*how)
        nets.peak += 1000 if len(steps) == 1 else 0  # what the first step makes for good

    net.step = step
    assert benefit._memory(gpu, net, lambda: torch.autocast("cuda"), "scaler") == 50
    assert [how[1] for how in steps] == ["scaler", "scaler"]


def test_on_a_cpu_what_is_kept_for_the_backward_pass_counts_without_the_weights(cpu, torch):
    opened = []

    class Hooks:
        def __init__(self, pack, unpack):
            self.pack, self.unpack = pack, unpack

        def __enter__(self):
            opened.append(self)

        def __exit__(self, *_):
            opened.pop()

    torch.autograd.graph = SimpleNamespace(saved_tensors_hooks=Hooks)
    model = torch.nn.Linear(2, 2)
    kept = torch.ones(3, 4).to(torch.bfloat16)

    class Net:
        def step(self, autocast, scaler):
            (hooks,) = opened
            for tensor in (kept, torch.ones(5), model.weight, kept.detach()):  # the same memory twice counts once
                assert hooks.unpack(hooks.pack(tensor)) is tensor

    net = Net()
    net.model = model
    assert benefit._memory(cpu, net) == 12 * 2 + 5 * 4
    del torch.autograd.graph  # before torch 1.10
    assert benefit._memory(cpu, net) is None


# ---------------------------------------------------------------- the verdict


def measured(speed, memory, seconds=0.1):
    return {"dtype": "float16", "speed_ratio": speed, "memory_ratio": memory, "fp32_step_seconds": seconds}


@pytest.fixture
def card(torch):
    def make(name="NVIDIA A100-SXM4-80GB", capability=(8, 0), processors=108):
        torch.cuda.get_device_name = lambda _: name
        torch.cuda.get_device_capability = lambda _: capability
        torch.cuda.get_device_properties = lambda _: SimpleNamespace(multi_processor_count=processors)

    make()
    return make


@pytest.mark.parametrize(("speed", "memory"), [(2.0, 1.9), (1.1, 1.0), (1.0, 1.1), (0.9, 1.8), (3.0, None)])
def test_a_gain_in_time_or_memory_passes_and_says_both(card, gpu, speed, memory):
    result = benefit.judged(gpu, measured(speed, memory))
    assert verdict(result) == ("pass", None)
    assert f"×{speed:.2f} as fast" in result.message
    assert (f"×{1 / memory:.2f} of the memory" in result.message) if memory else ("memory" not in result.message)


@pytest.mark.parametrize(
    ("gpu_is", "figures", "reason", "cause"),
    [
        ({}, measured(0.89, 1.8), "shared, throttled", "amp_no_benefit"),
        ({}, measured(1.09, 1.09), "shared, throttled", "amp_no_benefit"),
        ({}, measured(1.09, None), "shared, throttled", "amp_no_benefit"),
        ({}, measured(0.8, 1.8, seconds=0.004), "too fast for this net", "amp_no_benefit"),
        ({}, measured(0.8, 1.8, seconds=0.005), "shared, throttled", "amp_no_benefit"),
        ({"processors": 15}, measured(0.8, 1.0), "small (15 multiprocessors)", "amp_no_benefit"),
        ({"processors": 16}, measured(0.8, 1.0), "shared, throttled", "amp_no_benefit"),
        ({"name": "Tesla P100", "capability": (6, 0)}, measured(1.09, 1.8), "Tesla P100 has no tensor cores", "fp16_no_speedup"),
        ({"name": "Tesla V100", "capability": (7, 0)}, measured(0.8, 1.8), "shared, throttled", "amp_no_benefit"),
        (
            {"name": "NVIDIA GeForce GTX 1660", "capability": (7, 5)},
            measured(1.0, 1.8),
            "GTX 1660 has no tensor cores",
            "fp16_no_speedup",
        ),
    ],
)
def test_no_gain_is_a_warning_with_the_likely_reason(card, gpu, gpu_is, figures, reason, cause):
    card(**gpu_is)
    result = benefit.judged(gpu, figures)
    assert verdict(result) == ("warn", cause)
    assert reason in result.message


def test_a_card_without_tensor_cores_that_gains_speed_all_the_same_passes(card, gpu):
    card(name="Tesla P100", capability=(6, 0))
    assert verdict(benefit.judged(gpu, measured(1.1, 1.8))) == ("pass", None)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [(["avx2"], "this CPU has no bfloat16 units"), (["avx2", "amx_bf16"], "does not use its bfloat16 units")],
)
def test_a_cpu_without_bfloat16_units_is_named_as_the_reason(cpu, monkeypatch, flags, reason):
    monkeypatch.setattr(processor, "describe", lambda: ("A CPU", flags))
    result = benefit.judged(cpu, measured(0.3, 1.9))
    assert verdict(result) == ("warn", "amp_no_benefit")
    assert reason in result.message
    assert "of the memory for activations" in result.message
