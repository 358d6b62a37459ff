"""``cuda_graphs``: a training step that was recorded as a CUDA graph gives the same weights when it is replayed."""

from typing import Any, Dict

from ..compare import error
from ..context import Context, Result, headline
from ..precision import precision

#: The same kernels on the same numbers; only the order of atomic sums may differ.
TOLERANCE = 1e-5
_WARM_UP = 3
_REPLAYS = 3
_LEARNING_RATE = 0.1


def run(context: Context) -> Result:
    """Record a step with its update of the weights, replay it, and compare the weights."""
    if not context.on_gpu:
        return Result("skip", "CUDA graphs need a GPU", {})
    torch = context.torch
    if not hasattr(torch.cuda, "graph"):
        return Result("skip", "torch {} cannot record CUDA graphs".format(torch.__version__), {})
    try:
        with precision(torch, False):
            return judged(measured(torch, context.place))
    except RuntimeError as raised:
        if "CUDA graphs may only be used" not in str(raised):
            raise
        # A build for CUDA 10.2, which PyPI had for 1.10 to 1.12, has the classes and nothing behind them.
        return Result("skip", "torch {} cannot record: {}".format(torch.__version__, headline(raised)), {})


def measured(torch: Any, device: str) -> float:
    """The error of the weights after replayed steps, against as many plain ones."""
    inputs = _inputs(torch, device)
    plain = _weights(torch, device)
    for _ in range(_REPLAYS):
        _step(torch, plain, *inputs)
    replayed = _weights(torch, device)
    _record(torch, replayed, inputs)
    return max(error(found, reference) for found, reference in zip(replayed, plain))


def judged(off: float) -> Result:
    """The verdict on an error of the weights."""
    metrics: Dict[str, Any] = {"error_ratio": off, "tolerance_ratio": TOLERANCE, "replays": _REPLAYS}
    if off <= TOLERANCE:
        told = "a recorded step, replayed {} times, moves the weights as a plain one does".format(_REPLAYS)
        return Result("pass", told, metrics)
    metrics["cause"] = "wrong_results"
    return Result("fail", "replayed, the weights are off by {:.2g}, {:.2g} is allowed".format(off, TOLERANCE), metrics)


def _inputs(torch: Any, device: str) -> Any:
    torch.manual_seed(13)
    return torch.randn(64, 32).to(device), torch.randn(64, 8).to(device)


def _weights(torch: Any, device: str) -> Any:
    torch.manual_seed(14)
    return [(torch.randn(*shape) / 8).to(device).requires_grad_() for shape in ((32, 64), (64, 8))]


def _step(torch: Any, weights: Any, images: Any, targets: Any) -> None:
    output = images.matmul(weights[0]).relu().matmul(weights[1])
    gradients = torch.autograd.grad((output - targets).pow(2).mean(), weights)
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients):
            weight.sub_(_LEARNING_RATE * gradient)


def _record(torch: Any, weights: Any, inputs: Any) -> None:
    """Warm up on a side stream, as recording demands, put the weights back, record, and replay."""
    before = [weight.detach().clone() for weight in weights]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP):
            _step(torch, weights, *inputs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):  # records, and does nothing yet
        _step(torch, weights, *inputs)
    with torch.no_grad():
        for weight, first in zip(weights, before):
            weight.copy_(first)
    for _ in range(_REPLAYS):
        graph.replay()
    torch.cuda.synchronize()
