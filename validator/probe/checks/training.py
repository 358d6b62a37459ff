"""``train_*``: a small net learns, in float32 and under automatic mixed precision, and both come out the same."""

import warnings
from typing import Any, Dict, List

from .. import amp, loop
from ..context import Context, Result

#: The final loss must be below this share of the first. A net that learns nothing stays near 1; over 40 seeds on a CPU the
#: worst float32 run came to 0.12 and the worst bfloat16 run too, so three times that is no accident of rounding.
LOSS_RATIO = 0.4
#: How far the final loss under AMP may be from the float32 run's, as a share of the first loss. One rounding costs 2**-9
#: (bfloat16) or 2**-12 (float16) of a value; tens of them add up at random and training enlarges them, more on some seeds
#: than on others. Seen on a CPU: up to 1.0 % for bfloat16 (40 seeds) and 2.3 % for float16 (12 seeds, all but the worst
#: under 0.6 %). The seed in use is a calm one: 0.05 % and 0.01 %, and 0.06 % when every weight is first disturbed by 2**-9
#: or 2**-11 of itself, which stands in for TF32, other kernels and their order of summing. So twice the worst seed, eighty
#: times this one; and still an AMP run is refused that ends at a tenth of its first loss where float32 ends at a fiftieth.
TWIN_TOLERANCE = 0.05


def fp32(context: Context) -> Result:
    """Train in float32."""
    run = _fp32_run(context)
    return _judged(run, _faults(run), loop.metrics(run), "float32")


def amp_fp16(context: Context) -> Result:
    """Train under autocast to float16 with a gradient scaler."""
    return _amp(context, "float16", scaled=True)


def amp_bf16(context: Context) -> Result:
    """Train under autocast to bfloat16, which needs no scaler."""
    return _amp(context, "bfloat16", scaled=False)


def _fp32_run(context: Context) -> loop.Run:
    if "float32" not in context.runs:
        context.runs["float32"] = loop.train(context.torch, context.place)
    return context.runs["float32"]


def _amp(context: Context, dtype: str, scaled: bool) -> Result:
    torch, device = context.torch, context.place
    try:
        autocast = amp.autocast(torch, device, dtype)
        scaler = amp.grad_scaler(torch, device) if scaled else None
    except amp.Missing as missing:
        # A CPU that cannot do it is no fault of the combination; on a GPU it is the very thing that is asked.
        return Result("fail" if device == "cuda" else "skip", str(missing), {})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            run = loop.train(torch, device, autocast, scaler)
        except RuntimeError as error:
            if device == "cpu" and "not implemented for" in str(error):
                return Result("skip", "torch {} on this CPU: {}".format(torch.__version__, error), {})
            raise
    active = run.activation_dtypes == {dtype}
    refused = [str(each.message).strip() for each in caught if "autocast" in str(each.message)]
    if device == "cpu" and not active and refused:
        said = " ".join(refused[0].split())
        return Result("skip", "torch {}'s CPU autocast has no {}: {}".format(torch.__version__, dtype, said), {})
    return _compared(run, _fp32_run(context), dtype, active)


def _compared(run: loop.Run, twin: loop.Run, dtype: str, active: bool) -> Result:
    difference = abs(run.final_loss - twin.final_loss) / twin.losses[0]
    metrics = loop.metrics(run)
    metrics.update(
        autocast_active=active,
        twin_final_loss=twin.final_loss,
        twin_difference_ratio=difference,
    )
    faults = _faults(run)
    told = dtype
    if not active:
        faults.append("autocast to {} was not active: activations are {}".format(dtype, _listed(run.activation_dtypes)))
    if not difference <= TWIN_TOLERANCE:
        pair = (run.final_loss, twin.final_loss, TWIN_TOLERANCE)
        faults.append("final loss {:.4f} is not that of float32, {:.4f} (within {:g} of the first loss)".format(*pair))
    if run.scale is not None:
        told += "; scaler {:g}, {} steps skipped".format(run.scale, run.skipped)
        metrics.update(scaler_final_scale=run.scale, scaler_skipped_steps=run.skipped)
        if run.skipped >= len(run.losses) or not run.scale > 0:
            numbers = (run.skipped, len(run.losses), run.scale)
            faults.append("the gradient scaler skipped {} of {} steps and its scale is {:g}".format(*numbers))
    return _judged(run, faults, metrics, told)


def _faults(run: loop.Run) -> List[str]:
    faults = []
    step = run.first_bad_step
    if step is not None:
        faults.append("the loss became {} at step {}".format(run.losses[step], step + 1))
    elif not run.ratio <= LOSS_RATIO:
        pair = (run.losses[0], run.final_loss, LOSS_RATIO)
        faults.append("the loss did not fall enough: {:.3f} → {:.3f}, to ×{:g} or less is expected".format(*pair))
    if run.bad_gradients:
        faults.append("NaN or Inf in the gradients of {} steps".format(run.bad_gradients))
    if run.weight_dtypes != {"float32"}:
        faults.append("the weights are {}, not float32".format(_listed(run.weight_dtypes)))
    return faults


def _judged(run: loop.Run, faults: List[str], metrics: Dict[str, Any], told: str) -> Result:
    if faults:
        return Result("fail", "; ".join(faults), metrics)
    numbers = (run.losses[0], run.final_loss, run.ratio, len(run.losses), told)
    return Result("pass", "loss fell {:.2f} → {:.2f} (×{:.2f}) in {} steps; activations {}".format(*numbers), metrics)


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
