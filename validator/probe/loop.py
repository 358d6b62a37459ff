"""The training loop, in float32 or under automatic mixed precision, with everything it saw recorded."""

import contextlib
import math
from typing import Any, Dict, List, Optional, Set

from . import net

LEARNING_RATE = 0.04
MOMENTUM = 0.9
#: Steps whose mean is "the final loss": one batch alone is noisy.
LAST = 5


class Run:
    """What one training run showed."""

    def __init__(self) -> None:
        self.losses: List[float] = []
        self.bad_gradients = 0
        """Steps with a NaN or Inf gradient that was not left out by the scaler."""
        self.activation_dtypes: Set[str] = set()
        self.weight_dtypes: Set[str] = set()
        self.scale: Optional[float] = None
        self.skipped = 0
        """Steps that the scaler left out because of overflow."""
        self.peak_memory_bytes: Optional[int] = None

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


def train(torch: Any, device: str, autocast: Any = contextlib.ExitStack, scaler: Any = None, seed: int = net.SEED) -> Run:
    """Train a fresh net; ``autocast`` makes the context of each forward pass (one that does nothing, unless given)."""
    run = Run()
    model, batches = net.build(torch, seed)
    model.to(device)
    batches = [(images.to(device), labels.to(device)) for images, labels in batches]
    for layer in model.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(lambda _, __, output: run.activation_dtypes.add(_dtype(output)))
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    if device == "cuda":
        _reset_peak(torch)
    for images, labels in batches:
        optimizer.zero_grad()
        with autocast():
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        run.losses.append(float(loss.item()))
        if scaler is None:
            loss.backward()
            run.bad_gradients += not _finite_gradients(model)
            optimizer.step()
        else:
            _scaled_step(run, model, optimizer, scaler, loss)
    run.weight_dtypes = {_dtype(weight) for weight in model.parameters()}
    if device == "cuda":
        torch.cuda.synchronize()  # an asynchronous error belongs to this check, not to the next
        run.peak_memory_bytes = torch.cuda.max_memory_allocated()
    return run


def _scaled_step(run: Run, model: Any, optimizer: Any, scaler: Any, loss: Any) -> None:
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    finite = _finite_gradients(model)
    before = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    run.scale = float(scaler.get_scale())
    # The scaler lowers its scale exactly when it left a step out; an overflow that it did not see is a fault.
    skipped = run.scale < before
    run.skipped += skipped
    run.bad_gradients += not finite and not skipped


def _finite_gradients(model: Any) -> bool:
    # A sum carries NaN and Inf on in every torch; max does not in the old ones.
    sums = [weight.grad.float().abs().sum() for weight in model.parameters()]
    return math.isfinite(float(sum(sums).item()))


def _reset_peak(torch: Any) -> None:
    reset = getattr(torch.cuda, "reset_peak_memory_stats", None) or torch.cuda.reset_max_memory_allocated
    reset()


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).replace("torch.", "")


def metrics(run: Run) -> Dict[str, Any]:
    """What the host keeps of a run."""
    return {
        "losses": [round(loss, 6) if math.isfinite(loss) else loss for loss in run.losses],
        "steps": len(run.losses),
        "batch": net.BATCH,
        "loss_ratio": run.ratio,
        "grad_finite": run.bad_gradients == 0,
        "activation_dtypes": sorted(run.activation_dtypes),
        "weight_dtype": ", ".join(sorted(run.weight_dtypes)),
        "peak_memory_bytes": run.peak_memory_bytes,
    }
