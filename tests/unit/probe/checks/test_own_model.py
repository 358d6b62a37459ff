"""``model``: a user's model is trained in float32 and under autocast, and what fails is blamed on what is at fault."""

import math
from types import SimpleNamespace

import pytest
from judging import verdict

from validator.probe import loop, user_code
from validator.probe.checks import own_model, training
from validator.probe.context import Context


@pytest.fixture
def subject(torch, monkeypatch):
    """Runs the check on a model made of ``layers``; the reference net trains unless ``found.reference`` says otherwise."""
    found = SimpleNamespace(reference=[], trained=[], error=None, defaults=[])
    torch.set_default_dtype = found.defaults.append

    def train(_, device, kind, autocast, scaler, quick):
        with autocast() as opened:
            found.trained.append((device, kind, opened.dtype.name, scaler is not None, quick))
        if found.error:
            raise found.error

    monkeypatch.setattr(loop, "train", train)
    monkeypatch.setattr(training, "faults_of", lambda kind, run, dtype: [(said, "a cause") for said in found.reference])

    def run(*layers, loss=None, device="cpu", amp=None):
        context = Context(
            device, None, model={"file": "net.py", "factory": "build", "input": "4", **({"amp": amp} if amp else {})}
        )
        torch.manual_seed(3)
        model = torch.nn.Sequential(*(layers or (torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)))).to(
            context.place
        )

        def load(given):
            assert given is context
            inputs = [torch.rand(2, 4).to(context.place)]
            return user_code.Subject(model, inputs, loss or (lambda result: result.float().pow(2).mean()), 2)

        monkeypatch.setattr(user_code, "load", load)
        found.model = model
        return own_model.run(context)

    found.run = run
    return found


def layer(torch, forward):
    """A layer that does something of its own."""

    class Own(torch.nn.Module):
        def forward(self, values):
            return forward(values)

    return Own()


# ---------------------------------------------------------------- what passes


def test_a_sound_model_passes_with_its_losses(subject, torch):
    result = subject.run()
    assert verdict(result) == ("pass", None)
    metrics = result.metrics
    assert metrics["parameters"] == 4 * 3 + 3 + 3 * 2 + 2
    assert (metrics["batch"], metrics["inputs"], metrics["input_dtypes"]) == (2, ["2, 4"], ["float32"])
    assert len(metrics["fp32.losses"]) == len(metrics["bfloat16.losses"]) == 3
    assert metrics["fp32.losses"][2] < metrics["fp32.losses"][0]  # it learns
    assert metrics["bfloat16.losses"][0] == pytest.approx(metrics["fp32.losses"][0], rel=0.05)
    assert metrics["bfloat16.losses"] != metrics["fp32.losses"]
    assert metrics["bfloat16.layers"] == ["0", "1", "2", "output 1"]
    assert metrics["amp_dtype"] == "bfloat16"
    assert result.message.endswith("and under autocast (bfloat16)")
    assert f"(loss {metrics['fp32.losses'][0]:.4g} → {metrics['fp32.losses'][2]:.4g})" in result.message
    assert torch.threads == 4
    assert subject.trained == []


@pytest.mark.parametrize(
    ("device", "capability", "amp", "dtypes"),
    [
        ("cpu", (9, 0), None, ["bfloat16"]),
        ("cuda", (9, 0), None, ["float16", "bfloat16"]),
        ("cuda", (8, 0), None, ["float16", "bfloat16"]),
        ("cuda", (7, 5), None, ["float16"]),
        ("cuda", (9, 0), "bfloat16", ["bfloat16"]),
        ("cpu", (9, 0), "float16", ["float16"]),
    ],
)
def test_what_autocast_means_on_the_device_is_tried_or_what_was_asked_for(subject, torch, device, capability, amp, dtypes):
    torch.cuda.get_device_capability = lambda _: capability
    result = subject.run(device=device, amp=amp)
    assert verdict(result) == ("pass", None)
    assert [name[: -len(".losses")] for name in result.metrics if name.endswith(".losses")] == ["fp32", *dtypes]
    assert result.message.endswith(f"({'; '.join(dtypes)})")


def test_a_torch_without_autocast_is_told_and_the_model_passes(subject, torch):
    del torch.autocast
    result = subject.run()
    assert verdict(result) == ("pass", None)
    assert "bfloat16 not tried: torch 2.7.1+cu126 has no CPU autocast" in result.message
    assert "amp_dtype" not in result.metrics


def test_a_torch_without_a_scaler_tries_bfloat16_alone(subject, torch):
    del torch.amp
    result = subject.run(device="cuda")
    assert verdict(result) == ("pass", None)
    assert "float16 not tried: torch 2.7.1+cu126 has no gradient scaler for the CUDA; bfloat16)" in result.message


def test_a_model_without_weights_or_with_a_loss_that_needs_no_gradient_only_runs(subject, torch):
    result = subject.run(torch.nn.ReLU())
    assert verdict(result) == ("pass", None)
    assert len(set(result.metrics["fp32.losses"])) == 1
    result = subject.run(loss=lambda result: result.detach().float().pow(2).mean())
    assert verdict(result) == ("pass", None)
    assert len(set(result.metrics["fp32.losses"])) == 1


def test_weights_that_are_frozen_stay_as_they_are(subject, torch):
    frozen = torch.nn.Linear(4, 2)
    for weight in frozen.parameters():
        weight.requires_grad = False
    before = frozen.weight.tolist()
    head = torch.nn.Linear(2, 2)
    moved = head.weight.tolist()
    assert subject.run(frozen, head).status == "pass"
    assert frozen.weight.tolist() == before
    assert head.weight.tolist() != moved


def test_dropout_is_left_out_where_layers_are_compared(subject, torch):
    class Halving(torch.nn.Dropout):
        """Gives something else each time, as long as it trains."""

        count = 0

        def forward(self, values):
            Halving.count += self.training
            return values * (1.0 + Halving.count if self.training else 1.0)

    Halving.__name__ = "Dropout2d"
    assert subject.run(torch.nn.Linear(4, 4), Halving(), loss=lambda result: result.float().pow(2).mean() * 0.0).status == "pass"
    assert Halving.count == 6  # three steps in float32, three under autocast


# ---------------------------------------------------------------- the model's own fault


def test_a_model_that_cannot_be_had_is_the_codes_fault(torch, cpu, monkeypatch):
    def load(_):
        raise user_code.Refused("there is no factory", "import", "user_code_error", layer="x")

    monkeypatch.setattr(user_code, "load", load)
    result = own_model.run(cpu)
    assert verdict(result) == ("fail", "user_code_error")
    assert result.message == "there is no factory"
    assert (result.metrics["stage"], result.metrics["blame"], result.metrics["layer"]) == ("import", "code", "x")


def test_a_model_that_fails_in_float32_is_the_codes_fault(subject, torch):
    result = subject.run(torch.nn.Linear(4, 3), torch.nn.Linear(9, 2))
    assert verdict(result) == ("fail", "input_shape_mismatch")
    assert result.message.startswith("your model fails in float32, before AMP comes into play: shape mismatch inside the model")
    assert (result.metrics["stage"], result.metrics["blame"]) == ("fp32", "code")
    assert result.metrics["layer"] == "1 (Linear)"
    assert subject.trained == []


def test_memory_that_runs_out_in_float32_is_the_hardwares(subject, torch):
    result = subject.run(layer(torch, raising("CUDA out of memory. Tried to allocate")))
    assert verdict(result) == ("fail", "out_of_memory")
    assert (result.metrics["stage"], result.metrics["blame"]) == ("fp32", "hardware")


def raising(words):
    def forward(_):
        raise RuntimeError(words)

    return forward


@pytest.mark.parametrize("step", [0, 2])
def test_a_loss_that_is_not_finite_in_float32_is_the_codes_fault(subject, torch, step):
    count = iter(range(100))
    result = subject.run(loss=lambda result: result.sum() * (math.nan if next(count) == step else 0.0))
    assert verdict(result) == ("fail", "training_broken")
    assert result.message.startswith("your model's loss is nan in float32 already")
    assert (result.metrics["stage"], result.metrics["blame"]) == ("fp32", "code")


# ---------------------------------------------------------------- under autocast


def half_of(torch, then, dtype=None):
    """A layer that does something else with half precision."""
    return layer(torch, lambda values: then(values) if values.dtype is (dtype or torch.bfloat16) else values)


def test_a_model_that_raises_under_autocast_alone_is_at_fault_where_the_reference_net_holds(subject, torch):
    result = subject.run(torch.nn.Linear(4, 3), half_of(torch, raising("\"bessel\" not implemented for 'BFloat16'")))
    assert verdict(result) == ("fail", "amp_op_unsafe")
    assert result.message.startswith('your model trains in float32 and fails under autocast to bfloat16: RuntimeError: "bessel"')
    assert result.message.endswith("; the reference net trains, so the fault is in the model")
    assert (result.metrics["stage"], result.metrics["blame"]) == ("amp", "precision")
    assert subject.trained == [("cpu", "block", "bfloat16", False, True)]
    assert subject.defaults == [torch.float32]


def test_on_a_gpu_the_convolutional_net_is_the_reference_with_a_scaler_for_float16(subject, torch):
    subject.run(torch.nn.Linear(4, 3), half_of(torch, raising("sick"), torch.float16), device="cuda")
    assert subject.trained == [("cuda", "conv", "float16", True, True)]


@pytest.mark.parametrize(
    ("words", "cause", "blame"),
    [
        ("CUDA out of memory. Tried to allocate", "out_of_memory", "hardware"),
        ("CUDA error: an illegal memory access was encountered", "user_code_error", "precision"),
        ("CUDA error: device-side assert triggered", "index_out_of_bounds", "precision"),
    ],
)
def test_after_an_error_of_a_kernel_no_reference_net_can_run(subject, torch, words, cause, blame):
    result = subject.run(torch.nn.Linear(4, 3), half_of(torch, raising(words)))
    assert verdict(result) == ("fail", cause)
    assert (result.metrics["stage"], result.metrics["blame"]) == ("amp", blame)
    assert subject.trained == []


@pytest.mark.parametrize(
    ("faults", "error"),
    [(["the loss became nan", "another"], None), ([], RuntimeError("sick")), ([], "missing")],
)
def test_where_the_reference_net_fails_too_it_is_the_environment(subject, torch, faults, error):
    from validator.probe import amp

    subject.reference, subject.error = faults, amp.Missing("sick") if error == "missing" else error
    result = subject.run(torch.nn.Linear(4, 3), half_of(torch, raising("some words")))
    assert verdict(result) == ("fail", "wrong_results")
    said = faults[0] if faults else "RuntimeError: sick" if error != "missing" else "Missing: sick"
    assert result.message.endswith(f"; the reference net fails too ({said}), so the fault is in the environment or the device")
    assert (result.metrics["stage"], result.metrics["blame"]) == ("amp", "environment")


@pytest.mark.parametrize(("reference", "blame"), [([], "precision"), (["nan too"], "environment")])
def test_a_layer_that_gives_nan_under_autocast_is_named(subject, torch, reference, blame):
    subject.reference = reference
    result = subject.run(torch.nn.Linear(4, 3), half_of(torch, lambda values: values * math.nan), torch.nn.Linear(3, 2))
    assert verdict(result) == ("fail", "fp16_nan")
    assert "under autocast to bfloat16 the layer 1 (Own, bfloat16) gives NaN or Inf" in result.message
    assert (result.metrics["layer"], result.metrics["blame"]) == ("1", blame)


def test_a_loss_that_becomes_nan_under_autocast_is_told_with_its_step(subject, torch):
    count = iter(range(100))

    def loss(result):
        return result.float().pow(2).mean() * (math.nan if next(count) == 4 else 1.0)

    result = subject.run(loss=loss)
    assert verdict(result) == ("fail", "fp16_nan")
    assert "under autocast to bfloat16 its loss becomes nan at step 2" in result.message
    assert "layer" not in result.metrics


def test_a_layer_that_disagrees_is_named_with_how_far(subject, torch):
    result = subject.run(torch.nn.Linear(4, 3), half_of(torch, lambda values: values * 1.5))
    assert verdict(result) == ("fail", "amp_disagrees")
    assert "your model's layer 1 (Own), under autocast to bfloat16, differs from float32 by 0.5 of its norm" in result.message
    assert "; 0.25 is allowed" in result.message
    assert (result.metrics["layer"], result.metrics["blame"]) == ("1", "precision")


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 0.05), ("bfloat16", 0.25)])
@pytest.mark.parametrize("beyond", [False, True])
def test_each_dtype_has_its_tolerance_for_layers_and_the_loss(subject, torch, monkeypatch, dtype, tolerance, beyond):
    from validator.probe import layers

    off = tolerance + (0.001 if beyond else 0)
    found = [layers.Difference("a", "Linear", dtype, 0.0, True), layers.Difference("b", "Linear", dtype, off, True)]
    with monkeypatch.context() as patched:
        patched.setattr(own_model, "_differing", lambda *_: found)
        assert (subject.run(amp=dtype).status == "fail") is beyond
    losses = iter([[1.0, 1.0, 1.0], [1.0 + tolerance * (1.01 if beyond else 0.99)] * 3])
    monkeypatch.setattr(own_model, "_train", lambda *_: next(losses))
    result = subject.run(amp=dtype)
    assert verdict(result) == (("fail", "amp_disagrees") if beyond else ("pass", None))
    assert ("your model's first loss is" in result.message) is beyond


@pytest.mark.parametrize(("other", "status"), [(0.0002, "pass"), (0.0003, "fail")])
def test_a_first_loss_near_zero_may_differ_by_a_share_of_a_thousandth(subject, monkeypatch, other, status):
    losses = iter([[0.0, 0.0, 0.0], [other] * 3])
    monkeypatch.setattr(own_model, "_train", lambda *_: next(losses))
    assert subject.run().status == status


def test_the_first_dtype_that_fails_is_told(subject, torch):
    result = subject.run(torch.nn.Linear(4, 3), half_of(torch, lambda values: values * 1.5, torch.float16), device="cuda")
    assert "under autocast to float16" in result.message
    assert "bfloat16.losses" not in result.metrics
    assert result.metrics["amp_dtype"] == "float16"


def test_every_training_begins_with_the_models_own_weights(subject, torch):
    starts = []
    first = torch.nn.Linear(4, 3)

    def watch(values):
        starts.append(tuple(first.weight.values))
        return values

    subject.run(first, layer(torch, watch))
    # Three steps in float32, two passes that are compared, three steps under autocast.
    assert len(starts) == 8
    assert starts[0] == starts[3] == starts[4] == starts[5] != starts[1]


def test_float16_is_trained_with_a_scaler_that_keeps_its_state_over_the_steps(subject, torch, monkeypatch):
    updates = []
    real = torch.amp.GradScaler.update
    monkeypatch.setattr(torch.amp.GradScaler, "update", lambda self: updates.append(self) or real(self))
    result = subject.run(amp="float16")
    assert result.status == "pass"
    assert len(updates) == 3
    assert len(set(map(id, updates))) == 1
    assert result.metrics["float16.losses"][2] < result.metrics["float16.losses"][0]
