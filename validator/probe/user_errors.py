"""What an exception of the user's model means: the layer, what it takes, what it got, and the cause in the catalogue."""

import collections
import re
from typing import Any, Dict, Optional, Tuple

from . import user_code
from .context import Context, headline
from .loop import dtype_of

#: said: a sentence; place: the line of the user's file, in brackets, or nothing; cause: an ident of the host's catalogue.
Found = collections.namedtuple("Found", ("said", "place", "cause"))

#: Words of torch 1.0 to the newest, by cause. The first that match decide.
_WORDS = (
    ("out_of_memory", ("out of memory", "can.?t allocate memory", "cannot allocate memory")),
    ("amp_op_unsafe", ("unsafe to autocast",)),
    (
        "device_mismatch",
        (
            r"same device",
            r"not compiled with CUDA",
            r"no NVIDIA driver",
            r"is on cpu",
            r"\(torch\.cuda\.\w+\) and (?:weight|bias) type \(torch\.(?!cuda)",
            r"\(torch\.(?!cuda)\w+\) and (?:weight|bias) type \(torch\.cuda",
        ),
    ),
    ("index_out_of_bounds", ("index out of range", "out of bounds", "device-side assert")),
    (
        "amp_dtype_mismatch",
        (
            r"unscale FP16",
            r"dtypes? match",
            r"the same dtype",
            r"expected scalar type",
            r"Input type .* and (?:weight|bias) type",
            r"Expected object of (?:scalar )?type",
        ),
    ),
    ("amp_op_unsafe", (r"not implemented for '?(?:Half|BFloat16)", r"does not support (?:half|bfloat16)")),
    (
        "input_shape_mismatch",
        (
            r"to have \d+ channels",
            r"shapes cannot be multiplied",
            r"size mismatch",
            r"must match the size of tensor",
            r"is invalid for input of size",
            r"-dimensional",
            r"\dD \(unbatched\)",
            r"expected \d+D",
            r"should contain \d+ elements",
            r"Given normalized_shape",
            r"Sizes of tensors must match",
            r"Calculated padded input size",
            r"Given input size",
            r"inconsistent tensor size",
            r"shape",
        ),
    ),
)


def classify(context: Context, tracker: Any, error: BaseException, metrics: Dict[str, Any]) -> Found:
    """The meaning of an exception; what is known goes into ``metrics`` too (layer, expected, got, cause)."""
    where = user_code.place(error, context.model)
    layer = tracker.current
    metrics["raised"] = type(error).__name__
    if layer is not None:
        metrics["layer"] = "{} ({})".format(layer.name or "the model itself", type(layer.module).__name__)
    said, cause = _known_layer(context, tracker, metrics) or _by_words(context, error, layer)
    metrics["cause"] = cause
    return Found(said, where, cause)


def _known_layer(context: Context, tracker: Any, metrics: Dict[str, Any]) -> Optional[Tuple[str, str]]:
    """From the layer itself, whatever torch's words are: what it takes against what it got."""
    layer = tracker.current
    if layer is None or layer.shape is None:
        return None
    module, shape = layer.module, layer.shape
    nn = context.torch.nn
    axis, wanted, what = None, None, ""
    convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    if isinstance(module, convolutions):
        axis, wanted, what = 1, module.in_channels, "channel"
        need = 2 + convolutions.index(next(kind for kind in convolutions if isinstance(module, kind))) + 1
        if len(shape) not in (need - 1, need):
            metrics.update(expected="{} dimensions".format(need), got="{} dimensions".format(len(shape)))
            said = "{} takes {} dimensions with the batch, it got {} ({})"
            return said.format(_layer(layer), need, len(shape), _shape(shape)), "input_shape_mismatch"
        axis = len(shape) - need + 1
    elif isinstance(module, nn.Linear):
        axis, wanted, what = -1, module.in_features, "feature"
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
        axis, wanted, what = 1, module.num_features, "channel"
    if wanted is None or not -len(shape) <= axis < len(shape) or shape[axis] == wanted:
        return None
    got = shape[axis]
    metrics.update(expected=_count(wanted, what), got=_count(got, what))
    if tracker.first == layer.name:
        said = "input shape mismatch: model takes {}, input has {}".format(_count(wanted, what), got)
        return "{} ({}, the first to run; input {})".format(said, _layer(layer), _shape(shape)), "input_shape_mismatch"
    said = "shape mismatch inside the model: {} takes {}, it got {} ({}); does the size of the input fit?"
    return said.format(_layer(layer), _count(wanted, what), got, _shape(shape)), "input_shape_mismatch"


def _by_words(context: Context, error: BaseException, layer: Any) -> Tuple[str, str]:
    text = headline(error)
    at = " in {} ({})".format(_layer(layer), type(layer.module).__name__) if layer is not None else ""
    if layer is not None and layer.dtype is not None and "Embedding" in type(layer.module).__name__:
        if layer.dtype not in ("int64", "int32"):
            said = "{} looks up integers and got {}: give --dtype long".format(_layer(layer), layer.dtype)
            return said, "user_code_error"
    if isinstance(error, TypeError) and "required positional argument" in str(error):
        said = "{}: the model is called with the input alone; let the factory return one that makes its targets itself"
        return said.format(text), "user_code_error"
    said = str(error)
    cause = next((cause for cause, words in _WORDS if re.search("|".join(words), said, re.IGNORECASE)), "user_code_error")
    if cause == "amp_op_unsafe" and not context.on_gpu and re.search("not implemented for '?Half", str(error)):
        cause = "cpu_half_unsupported"
    if cause == "amp_dtype_mismatch" and layer is not None and layer.dtype is not None:
        weight = next(iter(layer.module.parameters(recurse=False)), None)
        if weight is not None and dtype_of(weight) != layer.dtype:
            at = " in {} ({}): its weights are {}, its input is {}".format(
                _layer(layer), type(layer.module).__name__, dtype_of(weight), layer.dtype
            )
    return text + at, cause


def _layer(layer: Any) -> str:
    return "the layer {}".format(layer.name) if layer.name else "the model itself"


def _count(number: int, what: str) -> str:
    return "{} {}{}".format(number, what, "" if number == 1 else "s")


def _shape(shape: Any) -> str:
    return "×".join(map(str, shape))
