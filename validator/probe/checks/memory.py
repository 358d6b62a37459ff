"""``memory``: most of what the GPU says is free can be allocated, keeps what is written to it, and is given back."""

from typing import Any, Dict, List, Optional

from ..context import Context, Result, headline

#: Share of the free memory that is asked for, in blocks: what is left covers fragments and the display of a desktop.
SHARE = 0.8
#: Where the GPU's memory is the machine's own, other processes need what is free too: taking most of it gets one of them killed.
SHARED_SHARE = 0.2
_BLOCKS = 8
#: Free memory after all was given back may be this much less: libraries that were loaded meanwhile keep their workspace.
KEPT_BYTES = 128 << 20
_PATTERN = 0xA5


def run(context: Context) -> Result:
    """Take, write, read, give back; then ask for more than there is, and go on."""
    if not context.on_gpu:
        return Result("skip", "needs a GPU", {})
    torch = context.torch
    torch.cuda.empty_cache()
    context.sync()
    properties = torch.cuda.get_device_properties(0)
    free, total = _free(torch), properties.total_memory
    share = SHARED_SHARE if getattr(properties, "is_integrated", False) else SHARE
    asked = int((total * 0.5 if free is None else free) * share)
    metrics: Dict[str, Any] = {"free_bytes": free, "total_bytes": total, "asked_bytes": asked, "asked_share_ratio": share}
    try:
        damaged = written(torch, context.place, asked)
    except RuntimeError as raised:
        if "out of memory" not in str(raised):
            raise
        torch.cuda.empty_cache()
        metrics["cause"] = "out_of_memory"
        said = "{} bytes are free, but {} of them cannot be allocated: {}"
        return Result("fail", said.format(free, asked, headline(raised)), metrics)
    torch.cuda.empty_cache()
    context.sync()
    metrics["free_after_bytes"] = _free(torch)
    metrics["refused_in_words"] = _too_much(torch, context.place, total)
    return judged(metrics, damaged)


def judged(metrics: Dict[str, Any], damaged: int) -> Result:
    """The verdict on what was measured."""
    free, after = metrics["free_bytes"], metrics["free_after_bytes"]
    if damaged:
        metrics["cause"] = "wrong_results"
        return Result("fail", "{} bytes do not hold what was written to them".format(damaged), metrics)
    if metrics["refused_in_words"] is None:
        return Result("warn", "twice the GPU's memory was asked for and given: memory is oversubscribed", metrics)
    if free is not None and after is not None and free - after > KEPT_BYTES:
        return Result("warn", "{} bytes were free before, {} after all was given back".format(free, after), metrics)
    gib = metrics["asked_bytes"] / 2.0 ** 30
    return Result("pass", "{:.1f} GiB taken, written, read and given back; too large a request is refused".format(gib), metrics)


def written(torch: Any, device: str, size: int) -> int:
    """Fill ``size`` bytes in blocks, each with a value of its own, and count those that read differently afterwards."""
    blocks: List[Any] = [torch.empty(size // _BLOCKS, dtype=torch.uint8, device=device) for _ in range(_BLOCKS)]
    for number, block in enumerate(blocks):
        block.fill_(_PATTERN ^ number)
    wrong = 0
    for number, block in enumerate(blocks):
        # In parts: a comparison takes as many bytes again.
        for part in block.split(64 << 20):
            wrong += int((part != (_PATTERN ^ number)).sum().item())
    return wrong


def _free(torch: Any) -> Optional[int]:
    info = getattr(torch.cuda, "mem_get_info", None)
    return info()[0] if info is not None else None


def _too_much(torch: Any, device: str, total: int) -> Optional[str]:
    try:
        torch.empty(2 * total, dtype=torch.uint8, device=device)
    except RuntimeError as raised:
        return headline(raised)
    return None
