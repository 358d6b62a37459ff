"""``determinism`` and ``checkpoint``: the same seed gives the same run, and a saved run goes on as if it had not stopped."""

import math
import os
import tempfile
from typing import Any, Dict, List

from .. import amp, loop, nets
from ..context import Context, Result

_STEPS = 8
#: How far apart the losses of two runs of one seed may be. With one thread on a CPU they are the same to the last bit. On a GPU
#: some kernels add atomically, in another order each time. Where TF32, bfloat16 or float16 rounds what follows, a difference in
#: the last bit becomes a difference of one rounding, which training enlarges: at worst to what separates a run in that dtype
#: from one in float32, 0.015 (training.py). Twice that is allowed. A run that goes on one batch late is 0.12 off, one without
#: the optimizer's state 0.5.
TOLERANCE = {"cpu": 1e-3, "cuda": 0.03}


def determinism(context: Context) -> Result:
    """Train twice from one seed, in float32 and under autocast."""
    torch = context.torch
    context.steady()
    metrics: Dict[str, Any] = {}
    apart: Dict[str, float] = {}
    for dtype in ("float32", "bfloat16"):
        try:
            runs = [_Training(context, nets.CONV, dtype).go(_STEPS) for _ in range(2)]
        except amp.Missing:
            continue
        except RuntimeError as error:
            if dtype == "float32" or amp.refusal(context, dtype, error) is None:
                raise
            continue
        apart[dtype] = _apart(*runs)
        metrics["{}.largest_difference".format(dtype)] = apart[dtype]
        metrics["{}.identical".format(dtype)] = apart[dtype] == 0
    metrics["cudnn_benchmark"] = getattr(getattr(torch.backends, "cudnn", None), "benchmark", None)
    worst = max(apart.values())
    if not worst <= TOLERANCE[context.place]:
        metrics["cause"] = "wrong_results"
        said = "two runs of one seed differ by {:g} in the loss after {} steps".format(worst, _STEPS)
        return Result("fail", said, metrics)
    if worst == 0:
        return Result("pass", "two runs of one seed are the same to the last bit ({})".format(", ".join(apart)), metrics)
    said = "two runs of one seed differ by at most {:.1g} in the loss: not the same bit for bit"
    return Result("pass", said.format(worst), metrics)


def checkpoint(context: Context) -> Result:
    """Save in the middle of a run, read it back into new objects, and go on."""
    torch = context.torch
    context.steady()
    dtype = "float16"
    try:
        whole = _Training(context, nets.BLOCK, dtype)
        whole.go(_STEPS)
    except (amp.Missing, RuntimeError) as error:
        if context.on_gpu and not isinstance(error, amp.Missing):
            raise
        dtype = "float32"  # a CPU or a torch without the means: the round trip counts all the same
        whole = _Training(context, nets.BLOCK, dtype)
        whole.go(_STEPS)
    handle, path = tempfile.mkstemp(suffix=".pt")
    os.close(handle)
    try:
        torch.save(whole.state(), path)
        size = os.path.getsize(path)
        saved_scale = whole.scale
        losses = whole.go(_STEPS)
        resumed = _Training(context, nets.BLOCK, dtype, seed=nets.SEED + 1)
        resumed.restore(_load(torch, path, context.place))
    finally:
        os.unlink(path)
    scale = resumed.scale
    again = resumed.go(_STEPS)
    apart = _apart(losses, again)
    metrics = {
        "dtype": dtype,
        "file_bytes": size,
        "scale_saved": saved_scale,
        "scale_restored": scale,
        "losses_of_the_whole_run": losses,
        "losses_after_resuming": again,
        "largest_difference": apart,
    }
    if scale != saved_scale:
        said = "the gradient scaler's scale was {} when it was saved and is {} after reading it back"
        return Result("fail", said.format(saved_scale, scale), dict(metrics, cause="training_broken"))
    if not apart <= TOLERANCE[context.place]:
        said = "a run that was saved and read back goes on differently: by {:g} in the loss after {} steps"
        return Result("fail", said.format(apart, _STEPS), dict(metrics, cause="training_broken"))
    with_scaler = " with the scaler's state" if saved_scale is not None else ""
    how = "the same to the last bit" if apart == 0 else "within {:.1g}".format(apart)
    said = "a run resumed from a checkpoint{} of {} KiB goes on as the saved one did ({}; {})"
    return Result("pass", said.format(with_scaler, size // 1024, dtype, how), metrics)


class _Training:
    """A run that can stop and go on."""

    def __init__(self, context: Context, kind: str, dtype: str, seed: int = nets.SEED) -> None:
        torch = context.torch
        autocast: Any = loop.no_autocast
        self._scaler = None
        if dtype != "float32":
            autocast = amp.autocast(torch, context.place, dtype)
        if dtype == "float16":
            self._scaler = amp.grad_scaler(torch, context.place)
        # The batches are those of the first seed in each run: only the weights may tell runs apart.
        _, self._batches = nets.build(torch, kind, 2 * _STEPS)
        self._model, _ = nets.build(torch, kind, 1, seed)
        self._model.to(context.place)
        self._batches = [(inputs.to(context.place), labels.to(context.place)) for inputs, labels in self._batches]
        self._optimizer = loop.optimizer_of(torch, kind, self._model, context.quick)
        self._step = loop.Step(torch, self._model, self._optimizer, autocast, self._scaler)
        self._done = 0

    @property
    def scale(self) -> Any:
        """The scaler's scale, or None without one."""
        return None if self._scaler is None else float(self._scaler.get_scale())

    def go(self, steps: int) -> List[float]:
        """Train on, and return the losses."""
        losses = []
        for batch in self._batches[self._done : self._done + steps]:
            losses.append(self._step.forward_backward([batch]))
            self._step.move()
        self._done += steps
        return losses

    def state(self) -> Dict[str, Any]:
        """Everything a run needs to go on."""
        state = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict(), "done": self._done}
        if self._scaler is not None:
            state["scaler"] = self._scaler.state_dict()
        return state

    def restore(self, state: Dict[str, Any]) -> None:
        """Go on from a state."""
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._done = state["done"]
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])


def _load(torch: Any, path: str, place: str) -> Any:
    """The file as this torch reads it by default: any object until 2.5, weights alone since.

    1.13 can be told to read weights alone, and then cannot read what it has written itself.
    """
    return torch.load(path, map_location=place)


def _apart(one: List[float], other: List[float]) -> float:
    differences = [abs(a - b) for a, b in zip(one, other)]
    return max(differences) if all(map(math.isfinite, differences)) else float("inf")
