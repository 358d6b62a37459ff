"""``amp_benefit``: what mixed precision gains here, in time and memory, on a net sized for the device."""

from typing import Any, Callable, Dict, List, Optional, Tuple

from .. import amp, cpu, nets
from ..context import Context, Result
from ..loop import no_autocast
from ..precision import precision, switches

#: (width, images a batch), the smallest first. A step of the net is some 166 000·width²·images operations: its three
#: convolutions of 3×3, forward and twice backward.
_SIZES = ((32, 8), (64, 16), (128, 32), (256, 64), (256, 256), (512, 256))
_SIDE = 32
#: A float32 step shorter than this measures how fast work is handed to the device, not how fast it computes.
_STEP_SECONDS = {"cuda": 0.02, "cpu": 0.04}
#: Share of the free GPU memory that the net may take.
_MEMORY_SHARE = 0.25
#: Steps of each kind, taking turns, so that a change in the machine's load affects all of them alike; the fastest counts.
_ROUNDS = 5
#: No further round after so many seconds: a CPU that emulates bfloat16 takes seconds for one step.
_SECONDS = 6.0
#: Below this speed ratio AMP is slower by more than the noise of timing on a busy machine.
_SLOWER = 0.9
#: A ratio from here on counts as a gain.
_GAIN = 1.1


def run(context: Context) -> Result:
    """Time the same training step in float32, with TF32, and under autocast."""
    torch, place = context.torch, context.place
    context.steady()
    dtype = "float16" if context.on_gpu else "bfloat16"
    try:
        autocast = amp.autocast(torch, place, dtype)
        scaler = amp.grad_scaler(torch, place) if context.on_gpu else None
    except amp.Missing as missing:
        return Result("skip", str(missing), {})
    with precision(torch, False):
        net, size, seconds = _sized(context)
        try:
            memory = {dtype: _memory(context, net, autocast, scaler)}
        except RuntimeError as error:
            refusal = amp.refusal(context, dtype, error)
            if refusal is None:
                raise
            return refusal
        memory["float32"] = _memory(context, net)
        steps: Dict[str, Callable[[], Any]] = {"float32": net.step, dtype: lambda: net.step(autocast, scaler)}
        if context.on_gpu and context.capability >= (8, 0) and switches(torch):
            steps["tf32"] = lambda: _by_tf32(torch, net)
        best = _times(context, steps)
    metrics: Dict[str, Any] = {
        "dtype": dtype,
        "width": size[0],
        "batch": size[1],
        "first_step_seconds": seconds,
        "fp32_step_seconds": best["float32"],
        "amp_step_seconds": best[dtype],
        "speed_ratio": best["float32"] / best[dtype],
        "fp32_memory_bytes": memory["float32"],
        "amp_memory_bytes": memory[dtype],
        "memory_ratio": float(memory["float32"]) / memory[dtype] if memory[dtype] else None,
    }
    if "tf32" in best:
        metrics.update(tf32_step_seconds=best["tf32"], tf32_speed_ratio=best["float32"] / best["tf32"])
        metrics["amp_over_tf32_speed_ratio"] = best["tf32"] / best[dtype]
    return judged(context, metrics)


def judged(context: Context, metrics: Dict[str, Any]) -> Result:
    """A warning where autocast is slower, gains nothing, or is no faster because there are no tensor cores."""
    speed, memory = metrics["speed_ratio"], metrics["memory_ratio"]
    told = "autocast to {} runs a training step ×{:.2f} as fast as float32".format(metrics["dtype"], speed)
    if memory is not None:
        what = "memory" if context.on_gpu else "memory for activations"
        told += " and takes ×{:.2f} of the {}".format(1 / memory, what)
    reason, cause = _likely_reason(context, metrics)
    no_gain = speed < _GAIN and (memory is None or memory < _GAIN)
    if speed < _SLOWER or no_gain or (speed < _GAIN and cause == "fp16_no_speedup"):
        metrics["cause"] = cause
        return Result("warn", "{}; likely because {}".format(told, reason), metrics)
    return Result("pass", told, metrics)


def _likely_reason(context: Context, metrics: Dict[str, Any]) -> Tuple[str, str]:
    if not context.on_gpu:
        if not cpu.has_bf16_units():
            return "this CPU has no bfloat16 units", "amp_no_benefit"
        return "the CPU is busy, or this torch does not use its bfloat16 units", "amp_no_benefit"
    major, minor = context.capability
    name = context.torch.cuda.get_device_name(0)
    if (major, minor) < (7, 0) or "GTX 16" in name:  # Turing without tensor cores has the capability of Turing with them
        return "{} has no tensor cores".format(name), "fp16_no_speedup"
    if metrics["fp32_step_seconds"] < _STEP_SECONDS["cuda"] / 4:
        return "the device is too fast for this net: launching the work took longer than the work itself", "amp_no_benefit"
    processors = context.torch.cuda.get_device_properties(0).multi_processor_count
    if processors < 16:
        return "{} is small ({} multiprocessors)".format(name, processors), "amp_no_benefit"
    return "the GPU is shared, throttled, or this torch does not reach its tensor cores", "amp_no_benefit"


class _Net:
    """A convolutional net and one batch, and a training step of it."""

    def __init__(self, context: Context, width: int, images: int) -> None:
        torch = self._torch = context.torch
        nn = torch.nn
        torch.manual_seed(nets.SEED)
        layers: List[Any] = [nn.Conv2d(3, width, 3, padding=1)]
        for _ in range(3):
            layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)]
        layers += [nn.AdaptiveAvgPool2d(1)]
        self.model = nn.Sequential(*layers).to(context.place)
        self.head = nn.Linear(width, nets.CLASSES).to(context.place)
        self.inputs = torch.randn(images, 3, _SIDE, _SIDE).to(context.place)
        self.labels = torch.randint(0, nets.CLASSES, (images,), dtype=torch.long).to(context.place)
        weights = list(self.model.parameters()) + list(self.head.parameters())
        self.optimizer = torch.optim.SGD(weights, lr=0.001)

    def step(self, autocast: Any = no_autocast, scaler: Any = None) -> None:
        """Forward, backward and update."""
        self.optimizer.zero_grad()
        with autocast():
            logits = self.head(self.model(self.inputs).flatten(1))
            loss = self._torch.nn.functional.cross_entropy(logits, self.labels)
        if scaler is None:
            loss.backward()
            self.optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(self.optimizer)
            scaler.update()


def _sized(context: Context) -> Tuple[_Net, Tuple[int, int], float]:
    """The smallest net whose float32 step takes long enough to tell, within the memory there is; its size and step seconds."""
    chosen = None
    for width, images in _SIZES:
        if chosen is not None and context.on_gpu and not _fits(context, width, images):
            break
        net = _Net(context, width, images)
        net.step()  # the first one chooses kernels and allocates
        seconds = context.seconds(net.step)
        chosen = (net, (width, images), seconds)
        if seconds >= _STEP_SECONDS[context.place]:
            break
    assert chosen is not None
    return chosen


def _fits(context: Context, width: int, images: int) -> bool:
    if not hasattr(context.torch.cuda, "mem_get_info"):
        return (width, images) <= (256, 64)
    # About 12 tensors of the activations' size are alive at once: layers, their gradients, the workspace of a convolution.
    need = 12 * 4 * width * images * _SIDE * _SIDE
    return need < _MEMORY_SHARE * context.torch.cuda.mem_get_info()[0]


def _times(context: Context, steps: Dict[str, Callable[[], Any]]) -> Dict[str, float]:
    # The first step of each chooses kernels; it counts only where there is no time for a second.
    best = {name: context.seconds(step) for name, step in steps.items()}
    spent = sum(best.values())
    for number in range(_ROUNDS):
        if spent > _SECONDS:
            break
        for name, step in steps.items():
            seconds = context.seconds(step)
            best[name] = min(seconds, best[name]) if number else seconds
            spent += seconds
    return best


def _by_tf32(torch: Any, net: _Net) -> None:
    with precision(torch, True):
        net.step()


def _memory(context: Context, net: _Net, autocast: Any = no_autocast, scaler: Any = None) -> Optional[int]:
    """Bytes of one step: the peak on a GPU; on a CPU, what is kept for the backward pass, weights left out."""
    if context.on_gpu:
        net.step(autocast, scaler)  # so that the cache of weights and the optimizer's state are there already
        context.sync()
        context.reset_peak()
        net.step(autocast, scaler)
        context.sync()
        return context.peak_bytes()
    hooks = getattr(getattr(context.torch.autograd, "graph", None), "saved_tensors_hooks", None)
    if hooks is None:
        return None  # before torch 1.10
    weights = {weight.data_ptr() for weight in net.model.parameters()}
    seen: Dict[int, int] = {}

    def pack(tensor: Any) -> Any:
        if tensor.data_ptr() not in weights:
            seen[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with hooks(pack, lambda tensor: tensor):
        net.step(autocast, scaler)
    return sum(seen.values())
