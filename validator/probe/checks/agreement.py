"""``amp_agreement``: the same weights give the same outputs in float32 and under autocast, layer by layer."""

from typing import Any, Dict, List

from .. import amp, layers, nets
from ..context import Context, Result

#: How far a layer's output may be from float32's, as a share of its norm. Rounding costs 2**-12 (float16) and 2**-9 (bfloat16)
#: of a value and adds up over the layers before it. Over 40 seeds of both nets on a CPU (torch 2.13) the worst layer was
#: 0.0011 and 0.0087 away; eight times that leaves room for TF32 in the reference and for other kernels, and is far below
#: what a wrong accumulation or a wrong cast makes.
TOLERANCE = {"float16": 0.009, "bfloat16": 0.07}


def run(context: Context) -> Result:
    """Compare both nets in both dtypes."""
    torch = context.torch
    context.steady()
    metrics: Dict[str, Any] = {}
    told: List[str] = []
    missing: List[str] = []
    for dtype, tolerance in sorted(TOLERANCE.items()):
        try:
            autocast = amp.autocast(torch, context.place, dtype)
            found = [each for kind in (nets.CONV, nets.BLOCK) for each in _compare(context, kind, dtype, autocast, metrics)]
        except amp.Missing as error:
            missing.append(str(error))
            continue
        except RuntimeError as error:
            refusal = amp.refusal(context, dtype, error)
            if refusal is None:
                raise
            missing.append(refusal.message)
            continue
        top = layers.worst(found)
        if not any(each.dtype == dtype for each in found):
            missing.append("autocast to {} changes no layer on this device".format(dtype))
            continue
        if not top.finite:
            metrics["cause"] = "fp16_nan"
            said = "{} under autocast to {} gives NaN or Inf where float32 does not ({})"
            return Result("fail", said.format(top.name, dtype, top.kind), metrics)
        if not top.error <= tolerance:
            metrics["cause"] = "wrong_results"
            numbers = (top.name, top.kind, dtype, top.error, tolerance)
            said = "{} ({}), under autocast to {}, differs from float32 by {:.3g} of its norm; {:g} is allowed"
            return Result("fail", said.format(*numbers), metrics)
        told.append("{} within {:.2g} (worst: {})".format(dtype, top.error, top.name))
    if not told:
        return Result("skip", "; ".join(sorted(set(missing))), metrics)
    return Result("pass", "; ".join(told + missing), metrics)


def _compare(context: Context, kind: str, dtype: str, autocast: Any, metrics: Dict[str, Any]) -> List[layers.Difference]:
    torch = context.torch
    model, batches = nets.build(torch, kind, steps=1)
    model.to(context.place)
    inputs = batches[0][0].to(context.place)

    def under_autocast() -> Any:
        with autocast():
            return model(inputs)

    with torch.no_grad():
        _, reference = layers.outputs(torch, model, lambda: model(inputs))
        _, other = layers.outputs(torch, model, under_autocast)
    found = [each._replace(name="{} net {}".format(kind, each.name)) for each in layers.differences(reference, other)]
    metrics.update(layers.summary(found, "{}.{}".format(kind, dtype)))
    return found


