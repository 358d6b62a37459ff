"""The training loop, in float32 or under automatic mixed precision, which records everything it sees."""

import contextlib
import math
from typing import Any, Dict, List, Optional, Set

from . import nets

#: Per net: what each learns with from every seed tried, without diverging.
LEARNING_RATES = {nets.CONV: 0.1, nets.BLOCK: 0.15}
MOMENTUM = 0.9
#: Bound of the gradients' norm: clips most steps of the convolutional net and a few of the block.
CLIP_NORM = 1.0
#: Every so many steps the gradients of two half batches are added up before the optimizer moves.
ACCUMULATE_EVERY = 4
#: Steps whose mean is "the final loss": one batch alone is noisy.
LAST = 5
#: How often a step that the scaler leaves out is tried: by then its scale has fallen from 65536 to 16.
_TRIES = 12
#: Factor on the loss of the step that is meant to overflow: beyond float32 once it is multiplied by a scale above 1, and so
#: Inf or NaN in every gradient, whatever the net.
_OVERFLOW = 3e38


#: The context of a forward pass without autocast.
no_autocast = contextlib.ExitStack


class Run:
    """What one training run showed."""

    def __init__(self) -> None:
        self.losses: List[float] = []
        self.grad_norms: List[float] = []
        """Norm of all gradients at each step, before clipping."""
        self.bad_gradients = 0
        """Steps with a NaN or Inf gradient that was not left out by the scaler."""
        self.activation_dtypes: Set[str] = set()
        self.weight_dtypes: Set[str] = set()
        self.scales: List[float] = []
        """The scaler's scale after each step; empty without a scaler."""
        self.skipped = 0
        """Steps that the scaler left out because of overflow, the deliberate one not counted."""
        self.overflow: Optional[str] = None
        """What went wrong around the step that was made to overflow; an empty text when nothing did, None without a scaler."""

    @property
    def final_loss(self) -> float:
        """Mean loss of the last steps."""
        return sum(self.losses[-LAST:]) / LAST

    @property
    def ratio(self) -> float:
        """Final loss over the first one."""
        return self.final_loss / self.losses[0]

    @property
    def first_bad_step(self) -> Optional[int]:
        """The first step whose loss was NaN or Inf, counted from 0; None when none was."""
        return next((step for step, loss in enumerate(self.losses) if not math.isfinite(loss)), None)


class PlainSgd:
    """Gradient descent with momentum and nothing else, as a gradient scaler takes it.

    For the short answer: the first use of torch.optim imports torch's compiler, which takes as long as torch itself.
    """

    def __init__(self, parameters: Any, lr: float, momentum: float) -> None:
        self.param_groups = [{"params": list(parameters)}]
        self._lr = lr
        self._momentum = momentum
        self._velocity: Dict[int, Any] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.param_groups[0]["params"]:
            weight.grad = None

    def step(self) -> None:
        """Move every weight."""
        for number, weight in enumerate(self.param_groups[0]["params"]):
            if weight.grad is not None:
                before = self._velocity.get(number)
                after = weight.grad.detach().clone() if before is None else before * self._momentum + weight.grad.detach()
                self._velocity[number] = after
                weight.data.add_(after * -self._lr)


def optimizer_of(torch: Any, kind: str, model: Any, quick: bool = False) -> Any:
    """The optimizer of a net."""
    make = PlainSgd if quick else torch.optim.SGD
    return make(model.parameters(), lr=LEARNING_RATES[kind], momentum=MOMENTUM)


def train(
    torch: Any,
    device: str,
    kind: str,
    autocast: Any = no_autocast,
    scaler: Any = None,
    quick: bool = False,
    seed: int = nets.SEED,
) -> Run:
    """Train a fresh net; ``autocast`` makes the context of each forward pass (one that does nothing, unless given)."""
    run = Run()
    model, batches = nets.build(torch, kind, nets.QUICK_STEPS if quick else nets.STEPS, seed)
    model.to(device)
    batches = [(inputs.to(device), labels.to(device)) for inputs, labels in batches]
    hooks = [
        layer.register_forward_hook(lambda _, __, output: run.activation_dtypes.add(dtype_of(output)))
        for layer in model.modules()
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))
    ]
    step = Step(torch, model, optimizer_of(torch, kind, model, quick), autocast, scaler)
    for number, batch in enumerate(batches):
        parts = halves(batch) if number % ACCUMULATE_EVERY == ACCUMULATE_EVERY - 1 else [batch]
        for _ in range(_TRIES):
            loss = step.forward_backward(parts)
            norm, skipped = step.move()
            run.skipped += skipped
            if not skipped:
                break
            # While the scaler finds its scale it leaves steps out. The same batch again, so that the float32 twin, which
            # never leaves one out, sees the same.
        run.losses.append(loss)
        run.grad_norms.append(norm)
        run.bad_gradients += not math.isfinite(norm) and not skipped
        if scaler is not None:
            run.scales.append(float(scaler.get_scale()))
    run.weight_dtypes = {dtype_of(weight) for weight in model.parameters()}
    if scaler is not None:
        run.overflow = step.overflow(batches[-1])
        run.scales.append(float(scaler.get_scale()))
    for hook in hooks:
        hook.remove()
    return run


class Step:
    """One optimizer step in its parts."""

    def __init__(self, torch: Any, model: Any, optimizer: Any, autocast: Any, scaler: Any) -> None:
        self._torch = torch
        self._model = model
        self._optimizer = optimizer
        self._autocast = autocast
        self._scaler = scaler

    def forward_backward(self, parts: List[nets.Batch], factor: float = 1.0) -> float:
        """Add up the gradients of the parts of a batch, and return its loss."""
        self._optimizer.zero_grad()
        total = 0.0
        for inputs, labels in parts:
            with self._autocast():
                loss = self._torch.nn.functional.cross_entropy(self._model(inputs), labels) / len(parts)
            total += float(loss.item())
            loss = loss * factor if factor != 1.0 else loss
            (loss if self._scaler is None else self._scaler.scale(loss)).backward()
        return total

    def move(self) -> Any:
        """Clip and let the optimizer move: (norm of the gradients before clipping, whether the scaler left the step out)."""
        if self._scaler is None:
            norm = self._clip()
            self._optimizer.step()
            return norm, False
        self._scaler.unscale_(self._optimizer)
        norm = self._clip()
        before = self._scaler.get_scale()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        # The scaler lowers its scale exactly when it left a step out; an overflow that it did not see is a fault.
        return norm, self._scaler.get_scale() < before

    def overflow(self, batch: nets.Batch) -> str:
        """Make a step overflow, which the scaler must leave out, then one that must count again; what went wrong, or nothing."""
        before = self._snapshot()
        self.forward_backward([batch], _OVERFLOW)
        norm, skipped = self.move()
        if math.isfinite(norm):
            return "the gradients of a step made to overflow are finite"
        if not skipped:
            return "the gradient scaler did not lower its scale after an overflow"
        if not self._same(before):
            return "the gradient scaler let a step with infinite gradients through"
        self.forward_backward([batch])
        norm, skipped = self.move()
        if skipped or not math.isfinite(norm) or self._same(before):
            return "the gradient scaler does not recover from an overflow"
        return ""

    def _clip(self) -> float:
        return float(self._torch.nn.utils.clip_grad_norm_(self._model.parameters(), CLIP_NORM))

    def _snapshot(self) -> List[Any]:
        return [weight.detach().clone() for weight in self._model.parameters()]

    def _same(self, before: List[Any]) -> bool:
        return all(bool((now.detach() == then).all().item()) for now, then in zip(self._model.parameters(), before))


def halves(batch: nets.Batch) -> List[nets.Batch]:
    """A batch as two of half the size."""
    inputs, labels = batch
    middle = len(labels) // 2
    return [(inputs[:middle], labels[:middle]), (inputs[middle:], labels[middle:])]


def dtype_of(tensor: Any) -> str:
    """A tensor's dtype without torch's name."""
    return str(tensor.dtype).replace("torch.", "")


def metrics(run: Run, prefix: str) -> Dict[str, Any]:
    """What the host keeps of a run."""
    found = {
        "losses": [_rounded(loss) for loss in run.losses],
        "grad_norms": [_rounded(norm) for norm in run.grad_norms],
        "loss_ratio": run.ratio,
        "activation_dtypes": sorted(run.activation_dtypes),
    }
    if run.scales:
        found.update(scaler_scales=run.scales, scaler_skipped_steps=run.skipped, overflow_recovered=run.overflow == "")
    return {"{}.{}".format(prefix, name): value for name, value in found.items()}


def _rounded(value: float) -> float:
    return round(value, 6) if math.isfinite(value) else value
