"""``train_*``: two small nets learn, in float32 and under automatic mixed precision, and both come out the same."""

import warnings
from typing import Any, Dict, List, Optional, Tuple

from .. import amp, loop, nets
from ..context import Context, Result

#: The final loss must be below this share of the first. A net that learns nothing stays near 1. Over 40 seeds on a CPU
#: (torch 2.13) the worst full run came to 0.105 and the worst short one to 0.20, under autocast as in float32, so rounding
#: alone does not reach twice that.
LOSS_RATIO = 0.4
#: How far the final loss under AMP may be from the float32 run's, as a share of the first loss. One rounding costs 2**-9
#: (bfloat16) or 2**-12 (float16) of a value; tens of them add up at random and training enlarges them, more on some seeds
#: than on others. Over 40 seeds on a CPU (torch 2.13) the worst was 0.7 % for bfloat16 and 0.6 % for float16, 1.6 % and 0.7 %
#: in the short runs, always of the convolutional net; the block stays under 0.1 %. Three times the worst leaves room for TF32,
#: other kernels and their order of summing, and still refuses a run that ends at a tenth of its first loss where float32
#: ends at a fiftieth.
TWIN_TOLERANCE = 0.05

Fault = Tuple[str, str]
"""A sentence, and the cause in the host's catalogue that it means."""


def fp32(context: Context) -> Result:
    """Train in float32."""
    runs = {kind: _fp32_run(context, kind) for kind in kinds(context)}
    return _judged(runs, "float32", [fault for kind, run in runs.items() for fault in faults_of(kind, run, "float32")], {})


def amp_fp16(context: Context) -> Result:
    """Train under autocast to float16 with a gradient scaler."""
    return _amp(context, "float16", scaled=True)


def amp_bf16(context: Context) -> Result:
    """Train under autocast to bfloat16, which needs no scaler."""
    return _amp(context, "bfloat16", scaled=False)


def kinds(context: Context) -> List[str]:
    """The nets to train. The short answer has one: on a GPU the one that finds its faults, on a CPU the cheap one.

    A CPU without fp16 units takes seconds for the gradients of a float16 convolution.
    """
    if context.quick:
        return [nets.CONV] if context.on_gpu else [nets.BLOCK]
    return [nets.CONV, nets.BLOCK]


def _fp32_run(context: Context, kind: str) -> loop.Run:
    if kind not in context.runs:
        context.steady()
        context.runs[kind] = loop.train(context.torch, context.place, kind, quick=context.quick)
        context.sync()
    return context.runs[kind]


def _amp(context: Context, dtype: str, scaled: bool) -> Result:
    torch, device = context.torch, context.place
    try:
        autocast = amp.autocast(torch, device, dtype)
        if scaled:
            amp.grad_scaler(torch, device)
    except amp.MissingDtype as missing:  # torch 1.6 to 1.9: mixed precision is there, in float16
        return Result("skip", str(missing), {"cause": "torch_too_old"})
    except amp.Missing as missing:
        # That a CPU cannot do it is no fault of the environment; on a GPU it is exactly what is asked.
        return Result("fail" if context.on_gpu else "skip", str(missing), {"cause": "torch_too_old_for_amp"})
    runs: Dict[str, loop.Run] = {}
    context.steady()
    context.reset_peak()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for kind in kinds(context):
            scaler = amp.grad_scaler(torch, device) if scaled else None
            try:
                runs[kind] = loop.train(torch, device, kind, autocast, scaler, context.quick)
            except RuntimeError as error:
                refusal = amp.refusal(context, dtype, error)
                if refusal is None:
                    raise
                return refusal
        context.sync()
    peak = context.peak_bytes()
    refused = [" ".join(str(each.message).split()) for each in caught if "autocast" in str(each.message)]
    if not context.on_gpu and refused and not any(_active(run, dtype) for run in runs.values()):
        said = "torch {}'s CPU autocast has no {}: {}".format(torch.__version__, dtype, refused[0])
        return Result("skip", said, {"cause": "torch_too_old_for_amp"})
    return compared(context, runs, dtype, peak)


def compared(context: Context, runs: Dict[str, loop.Run], dtype: str, peak: Optional[int] = None) -> Result:
    """The runs under autocast against their twins in float32."""
    faults: List[Fault] = []
    more: Dict[str, Any] = {"peak_memory_bytes": peak}
    worst = 0.0
    for kind, run in runs.items():
        twin = _fp32_run(context, kind)
        difference = abs(run.final_loss - twin.final_loss) / twin.losses[0]
        more["{}.twin_final_loss".format(kind)] = twin.final_loss
        more["{}.twin_difference_ratio".format(kind)] = difference
        worst = difference if not difference <= worst else worst
        faults += faults_of(kind, run, dtype)
        if not _active(run, dtype):
            said = "autocast to {} was not active in the {} net: its activations are {}"
            faults.append((said.format(dtype, kind, listed(run.activation_dtypes)), "autocast_inactive"))
        if not difference <= TWIN_TOLERANCE and run.first_bad_step is None:
            numbers = (kind, run.final_loss, twin.final_loss, TWIN_TOLERANCE)
            said = "the final loss of the {} net, {:.4f}, is not that of float32, {:.4f} (within {:g} of the first loss)"
            faults.append((said.format(*numbers), "wrong_results"))
    more.update(
        autocast_active=all(_active(run, dtype) for run in runs.values()),
        activation_dtypes=sorted(set().union(*(run.activation_dtypes for run in runs.values()))),
        twin_difference_ratio=worst,
    )
    told = dtype
    scales = [run.scales[-1] for run in runs.values() if run.scales]
    if scales:
        skipped = sum(run.skipped for run in runs.values())
        more.update(scaler_final_scale=scales[-1], scaler_skipped_steps=skipped)
        told += "; scaler {:g}, recovered from an overflow".format(scales[-1])
        told += ", {} more steps skipped".format(skipped) if skipped else ""
    return _judged(runs, told, faults, more)


def faults_of(kind: str, run: loop.Run, dtype: str) -> List[Fault]:
    """What is wrong with a run by itself."""
    faults = []
    step = run.first_bad_step
    nan = "training_broken" if dtype == "float32" else "fp16_nan"
    if step is not None:
        faults.append(("the loss of the {} net became {} at step {}".format(kind, run.losses[step], step + 1), nan))
    elif not run.ratio <= LOSS_RATIO:
        numbers = (kind, run.losses[0], run.final_loss, LOSS_RATIO)
        said = "the loss of the {} net did not fall enough: {:.3f} → {:.3f}, to ×{:g} or less is expected"
        faults.append((said.format(*numbers), "training_broken"))
    if run.bad_gradients:
        faults.append(("NaN or Inf in the gradients of {} steps of the {} net".format(run.bad_gradients, kind), nan))
    if run.weight_dtypes != {"float32"}:
        said = "the weights of the {} net are {}, not float32".format(kind, listed(run.weight_dtypes))
        faults.append((said, "training_broken"))
    if run.overflow:
        faults.append(("{} net: {}".format(kind, run.overflow), "training_broken"))
    return faults


def _active(run: loop.Run, dtype: str) -> bool:
    return run.activation_dtypes == {dtype}


def _judged(runs: Dict[str, loop.Run], told: str, faults: List[Fault], more: Dict[str, Any]) -> Result:
    metrics: Dict[str, Any] = {
        "steps": min(len(run.losses) for run in runs.values()),
        "batch": nets.BATCH,
        "grad_finite": not any(run.bad_gradients for run in runs.values()),
        "weight_dtype": listed(set().union(*(run.weight_dtypes for run in runs.values()))),
        "activation_dtypes": sorted(set().union(*(run.activation_dtypes for run in runs.values()))),
    }
    metrics.update(more)
    for kind, run in runs.items():
        metrics.update(loop.metrics(run, kind))
    if faults:
        metrics["cause"] = faults[0][1]
        return Result("fail", "; ".join(said for said, _ in faults), metrics)
    falls = ["{} net {:.2f} → {:.2f}".format(kind, run.losses[0], run.final_loss) for kind, run in runs.items()]
    said = "loss fell in {} steps ({}); activations {}".format(metrics["steps"], ", ".join(falls), told)
    return Result("pass", said, metrics)


def listed(names: Any) -> str:
    """Names in a row."""
    return ", ".join(sorted(names))
