"""``throughput``: matrix products in half precision run at a fair share of what this GPU model is built for."""

from typing import Any, Callable, Dict, List, Optional

from .. import nvml_now
from ..context import Context, Result

#: Below this share of the expected rate the GPU is called slow. A healthy card at its usual boost clock reaches 60 to 90 % of
#: the figure, which is counted at the highest clock the driver allows; one held at its lowest clock, a power cap or a
#: thermal limit shows a third or less.
FAIR_SHARE = 0.4
#: The measured work lasts about this long, after a run of the same length that brings the clock up.
_SECONDS = 0.4
_SIDES = (8192, 4096, 2048)


def run(context: Context) -> Result:
    """Multiply large matrices for a moment and compare the rate."""
    if not context.on_gpu:
        return Result("skip", "the rate of a CPU is not judged", {})
    torch = context.torch
    properties = torch.cuda.get_device_properties(0)
    side = _side(properties.total_memory)
    dtypes = ["float16"] + (["bfloat16"] if context.capability >= (8, 0) else [])
    metrics: Dict[str, Any] = {"matrix_side": side, "multiprocessors": properties.multi_processor_count}
    best = 0.0
    gpu = nvml_now.Gpu((context.host_gpu or {}).get("uuid"))
    for dtype in dtypes:
        rate = measured(context, dtype, side, lambda: metrics.update(gpu.now()))
        metrics[dtype + ".flops_per_second"] = rate
        best = max(best, rate)
    rates = (context.host_gpu or {}).get("rates") or {}
    return judged(best, expected(rates, properties.multi_processor_count), rates, metrics)


def _side(memory: int) -> int:
    """The largest side whose three matrices in half precision take no more than a tenth of the memory."""
    return next((side for side in _SIDES if 3 * 2 * side * side < memory / 10), _SIDES[-1])


def measured(context: Context, dtype: str, side: int, while_busy: Callable[[], Any]) -> float:
    """Floating point operations a second: two for each product of the sum, ``2 * side**3`` a matrix.

    ``while_busy`` is called once the work is queued and the GPU at it.
    """
    torch = context.torch
    left = torch.randn(side, side).to(getattr(torch, dtype)).to(context.place)
    right = left.t().contiguous()
    for _ in range(3):
        left.matmul(right)  # chooses its kernel, takes its workspace
    once = context.seconds(lambda: left.matmul(right))
    times = max(1, int(_SECONDS / max(once, 1e-6)))

    def work() -> None:
        for _ in range(times):
            left.matmul(right)

    work()
    seconds = context.seconds(work)
    work()  # once more, unmeasured: what is asked meanwhile costs time
    while_busy()
    context.sync()
    return times * 2.0 * side ** 3 / seconds


def expected(rates: Dict[str, Any], multiprocessors: int) -> Optional[float]:
    """The rate by the model's own figures: multiprocessors × operations a clock × highest clock; None where one is unknown."""
    per_clock, clock = rates.get("fp16_flops_per_clock"), rates.get("clock_max_hz")
    return float(multiprocessors) * per_clock * clock if per_clock and clock else None


def judged(rate: float, should: Optional[float], rates: Dict[str, Any], metrics: Dict[str, Any]) -> Result:
    """The verdict on a rate."""
    teraflops = rate / 1e12
    if should is None:
        said = "{:.1f} TFLOP/s in half precision; the host does not know what to expect of this GPU"
        return Result("pass", said.format(teraflops), metrics)
    metrics["expected_flops_per_second"] = should
    metrics["rate_ratio"] = rate / should
    metrics["fair_share_ratio"] = FAIR_SHARE
    said = "{:.1f} TFLOP/s in half precision, {:.0%} of the {:.1f} expected".format(teraflops, rate / should, should / 1e12)
    if rate >= FAIR_SHARE * should:
        return Result("pass", said, metrics)
    metrics["cause"] = "slow_device"
    return Result("warn", "; ".join([said] + circumstances(rates, metrics)), metrics)


def circumstances(rates: Dict[str, Any], busy: Dict[str, Any]) -> List[str]:
    """What may explain a low rate, a sentence each: from NVML here while the GPU was busy, and from the host before the run."""
    found = []
    for when, clock in (("while busy", busy.get("busy_clock_hz")), ("before the run", rates.get("clock_hz"))):
        if clock and rates.get("clock_max_hz"):
            pair = (clock / 1e6, rates["clock_max_hz"] / 1e6)
            found.append("its clock was {:.0f} MHz of {:.0f} MHz {}".format(*(pair + (when,))))
            break
    limit, usual = rates.get("power_limit_watts"), rates.get("power_default_watts")
    if limit and usual and limit < usual:
        found.append("its power is capped at {:g} W of {:g} W".format(limit, usual))
    reasons = list(busy.get("busy_throttle_reasons") or [])
    reasons += [each for each in rates.get("throttle_reasons") or [] if each not in reasons]
    if reasons:
        found.append("it is held back by {}".format(", ".join(reasons)))
    if busy.get("busy_temperature_celsius") is not None and busy.get("busy_power_watts") is not None:
        found.append("{busy_temperature_celsius} °C and {busy_power_watts:g} W while busy".format(**busy))
    return found
