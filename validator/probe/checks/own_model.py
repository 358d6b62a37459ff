"""``model``: the user's own model is built, trained a few steps in float32, then under autocast.

Three classes are told apart by construction. The reference nets train (this check needs them to) and the user's model fails in
float32 already: its code or its data. Float32 holds and autocast does not: the model's handling of precision. The reference net
fails under autocast too: the environment or the hardware, whatever the model.
"""

import math
from typing import Any, Dict, List, Optional

from .. import amp, layers, loop, nets, user_code, user_errors
from ..context import Context, Result, headline

_STEPS = 3
_LEARNING_RATE = 1e-3
#: How far a layer of a user's model may differ under autocast from float32, as a share of its norm. A reference net of two layers
#: is within 0.001 (float16) and 0.009 (bfloat16) of it; roundings of one layer after the other add up like the square root of
#: their number, so a hundred layers come to 0.007 and 0.06. Seven and four times that is more than rounding.
TOLERANCE = {"float16": 0.05, "bfloat16": 0.25}
#: How far the first loss may be, as a share of itself.
LOSS_TOLERANCE = {"float16": 0.05, "bfloat16": 0.25}


def run(context: Context) -> Result:
    """Build, train in float32, compare layer by layer, train under autocast."""
    context.steady(threads=4)
    try:
        subject = user_code.load(context)
    except user_code.Refused as refused:
        return Result("fail", str(refused), dict(refused.metrics, stage=refused.stage, blame="code"))
    metrics: Dict[str, Any] = {
        "parameters": subject.parameters,
        "batch": subject.batch,
        "inputs": [", ".join(map(str, tensor.shape)) for tensor in subject.inputs],
        "input_dtypes": [loop.dtype_of(tensor) for tensor in subject.inputs],
    }
    tracker = layers.Tracker(subject.model)
    try:
        with tracker:
            losses = _train(context, subject)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        return _in_float32(context, tracker, error, metrics)
    metrics["fp32.losses"] = losses
    if not all(map(math.isfinite, losses)):
        metrics.update(stage="fp32", blame="code", cause="training_broken")
        broken = next(loss for loss in losses if not math.isfinite(loss))
        said = "your model's loss is {} in float32 already, before AMP comes into play: look at its weights and the loss"
        return Result("fail", said.format(broken), metrics)
    told: List[str] = []
    for dtype in _dtypes(context):
        failed = _under_autocast(context, subject, dtype, metrics)
        if failed is not None and failed.status == "fail":
            return failed
        told.append(failed.message if failed is not None else dtype)
    said = "your model trains in float32 (loss {:.4g} → {:.4g}) and under autocast ({})"
    return Result("pass", said.format(losses[0], losses[-1], "; ".join(told)), metrics)


def _dtypes(context: Context) -> List[str]:
    asked = context.model.get("amp")
    if asked:
        return [asked]
    if not context.on_gpu:
        return ["bfloat16"]  # what autocast means on a CPU; float16 is slow there
    return ["float16", "bfloat16"] if context.capability >= (8, 0) else ["float16"]


def _in_float32(context: Context, tracker: Any, error: BaseException, metrics: Dict[str, Any]) -> Result:
    found = user_errors.classify(context, tracker, error, metrics)
    metrics.update(stage="fp32", blame="hardware" if found.cause == "out_of_memory" else "code")
    said = "your model fails in float32, before AMP comes into play: {}{}"
    return Result("fail", said.format(found.said, found.place), metrics)


def _under_autocast(context: Context, subject: Any, dtype: str, metrics: Dict[str, Any]) -> Optional[Result]:
    """None where the model holds under autocast; otherwise a skip with its reason, or the failure."""
    torch = context.torch
    try:
        autocast = amp.autocast(torch, context.place, dtype)
        scaler = amp.grad_scaler(torch, context.place) if dtype == "float16" else None
    except amp.Missing as missing:
        return Result("skip", "{} not tried: {}".format(dtype, missing), {})
    metrics["amp_dtype"] = dtype
    tracker = layers.Tracker(subject.model)
    try:
        with tracker:
            differing = _differing(context, subject, autocast)
            losses = _train(context, subject, autocast, scaler)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        found = user_errors.classify(context, tracker, error, metrics)
        said = "your model trains in float32 and fails under autocast to {}: {}{}".format(dtype, found.said, found.place)
        if found.cause == "out_of_memory" or "CUDA error" in str(error):
            # After a kernel's error nothing runs in this process any more, not even the reference net.
            metrics.update(stage="amp", blame="hardware" if found.cause == "out_of_memory" else "precision")
            return Result("fail", said, metrics)
        return _blamed(context, dtype, said, metrics)
    metrics.update(layers.summary(differing, dtype))
    metrics["{}.losses".format(dtype)] = losses
    tolerance = TOLERANCE[dtype]
    bad = next((each for each in differing if not each.error <= tolerance), None)
    broken = next((loss for loss in losses if not math.isfinite(loss)), None)
    if bad is not None and not bad.finite:
        metrics.update(cause="fp16_nan", layer=bad.name)
        said = "your model trains in float32; under autocast to {} the layer {} ({}, {}) gives NaN or Inf"
        return _blamed(context, dtype, said.format(dtype, bad.name, bad.kind, bad.dtype), metrics)
    if broken is not None:
        metrics["cause"] = "fp16_nan"
        said = "your model trains in float32; under autocast to {} its loss becomes {} at step {}"
        return _blamed(context, dtype, said.format(dtype, broken, losses.index(broken) + 1), metrics)
    first = metrics["fp32.losses"][0]
    if bad is not None:
        metrics.update(cause="amp_disagrees", layer=bad.name)
        numbers = (bad.name, bad.kind, dtype, bad.error, tolerance)
        said = "your model's layer {} ({}), under autocast to {}, differs from float32 by {:.2g} of its norm; {:g} is allowed"
        return _blamed(context, dtype, said.format(*numbers), metrics)
    if abs(losses[0] - first) > LOSS_TOLERANCE[dtype] * max(abs(first), 1e-3):
        metrics["cause"] = "amp_disagrees"
        said = "your model's first loss is {:.4g} under autocast to {} and {:.4g} in float32"
        return _blamed(context, dtype, said.format(losses[0], dtype, first), metrics)
    return None


def _blamed(context: Context, dtype: str, said: str, metrics: Dict[str, Any]) -> Result:
    """The failure under autocast, after a look at whether the reference net has it too."""
    metrics["stage"] = "amp"
    from . import training

    kind = nets.CONV if context.on_gpu else nets.BLOCK
    context.torch.set_default_dtype(context.torch.float32)  # the model's own code may have set another
    try:
        autocast = amp.autocast(context.torch, context.place, dtype)
        scaler = amp.grad_scaler(context.torch, context.place) if dtype == "float16" else None
        run = loop.train(context.torch, context.place, kind, autocast, scaler, quick=True)
        faults = [fault for fault, _ in training.faults_of(kind, run, dtype)]
    except (RuntimeError, amp.Missing) as error:
        faults = [headline(error)]
    if faults:
        metrics.update(blame="environment", cause="fp16_nan" if metrics.get("cause") == "fp16_nan" else "wrong_results")
        said = "{}; the reference net fails too ({}), so the fault is in the environment or the device".format(said, faults[0])
        return Result("fail", said, metrics)
    metrics["blame"] = "precision"
    return Result("fail", "{}; the reference net trains, so the fault is in the model".format(said), metrics)


def _train(context: Context, subject: Any, autocast: Any = loop.no_autocast, scaler: Any = None) -> List[float]:
    """A few steps from the initial weights; the losses."""
    torch, model = context.torch, subject.model
    subject.reset()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(weights, lr=_LEARNING_RATE) if weights else None
    losses = []
    for _ in range(_STEPS):
        torch.manual_seed(nets.SEED)
        if optimizer is not None:
            optimizer.zero_grad()
        with autocast():
            loss = subject.loss(model(*subject.inputs))
        losses.append(float(loss.detach().float().item()))
        if optimizer is None or not loss.requires_grad:
            continue  # nothing to learn: the forward pass is all there is
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    context.sync()
    return losses


def _differing(context: Context, subject: Any, autocast: Any) -> List[layers.Difference]:
    """The layers of one forward pass under autocast against the same in float32, without dropout."""
    torch, model = context.torch, subject.model
    subject.reset()
    for layer in model.modules():
        if any(word in type(layer).__name__ for word in ("Dropout", "DropPath", "StochasticDepth")):
            layer.eval()

    def under_autocast() -> Any:
        with autocast():
            return model(*subject.inputs)

    with torch.no_grad():
        torch.manual_seed(nets.SEED)
        _, reference = layers.outputs(torch, model, lambda: model(*subject.inputs))
        subject.reset(modes=False)
        torch.manual_seed(nets.SEED)
        _, other = layers.outputs(torch, model, under_autocast)
    return layers.differences(reference, other)
