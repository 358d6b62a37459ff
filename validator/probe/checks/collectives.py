"""``gloo`` and ``nccl``: processes or GPUs add up a tensor together, and each must get the sum."""

import os
import sys
import tempfile
from typing import Any, Callable, Dict, List, Optional

from .. import children
from ..context import Context, Result, headline

_RANKS = 2
_LENGTH = 1000
_SECONDS = 60.0


def gloo(context: Context) -> Result:
    """Two processes all-reduce over loopback; they find each other through a file, so no network is needed."""
    torch = context.torch
    lacking = lacks(torch, "gloo")
    if lacking:
        return Result("skip", lacking, {})
    metrics: Dict[str, Any] = {"ranks": _RANKS, "values": _LENGTH}
    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "store")
        # A fork is quick, and not to be trusted once CUDA is in use; there each rank is a new interpreter, as with torchrun.
        make = _fresh_rank if context.on_gpu else _forked_rank
        answers = children.run([make(torch, store, rank) for rank in range(_RANKS)], _SECONDS)
    expected = str(float(sum(range(1, _RANKS + 1))))
    for rank, answer in enumerate(answers):
        if answer.status == "hung":
            metrics["cause"] = "hang"
            return Result("fail", "rank {} was still in all_reduce after {:g} s".format(rank, _SECONDS), metrics)
        if answer.status != "returned":
            return Result("fail", "rank {} {}: {}".format(rank, answer.status, answer.text or "no message"), metrics)
        if answer.text != expected:
            metrics["cause"] = "wrong_results"
            return Result("fail", "rank {} got {}, the sum is {}".format(rank, answer.text, expected), metrics)
    return Result("pass", "{} processes all-reduce over loopback and each gets the sum".format(_RANKS), metrics)


def nccl(context: Context) -> Result:
    """One process all-reduces through torch.distributed; where several GPUs are visible, all of them add up together."""
    if not context.on_gpu:
        return Result("skip", "NCCL needs a GPU", {})
    torch = context.torch
    count = torch.cuda.device_count()
    metrics: Dict[str, Any] = {"gpus": count, "values": _LENGTH}
    try:
        direct = _between_gpus(torch, count) if count > 1 else None
        lacking = lacks(torch, "nccl")
        if lacking and direct is None:
            return Result("skip", lacking, {})
        if not lacking:
            with tempfile.TemporaryDirectory() as folder:
                got, summed = _all_reduce(torch, "nccl", os.path.join(folder, "store"), 0, 1, "cuda"), 1.0
            if got != summed:
                direct = "one rank got {}, the sum is {}".format(got, summed)
        context.sync()
    except RuntimeError as raised:  # torch.distributed's errors are kinds of it
        metrics["cause"] = "nccl_error"
        return Result("fail", headline(raised), metrics)
    if direct:
        metrics["cause"] = "wrong_results"
        return Result("fail", direct, metrics)
    who = "{} GPUs".format(count) if count > 1 else "one GPU"
    return Result("pass", "all-reduce on {} gives the sum".format(who), metrics)


def lacks(torch: Any, backend: str) -> Optional[str]:
    """A sentence saying that this torch was built without torch.distributed or the backend; None where it has both."""
    distributed = getattr(torch, "distributed", None)
    available = getattr(distributed, "is_available", None)
    if available is None or not available():
        return "torch {} is built without torch.distributed".format(torch.__version__)
    built = getattr(distributed, "is_{}_available".format(backend), None)
    if built is not None and not built():
        return "torch {} is built without {}".format(torch.__version__, backend)
    return None


def gloo_rank(torch: Any, store: str, rank: int) -> Any:
    """Take part as one of the processes, and return the sum."""
    torch.set_num_threads(1)  # the threads of the parent did not come along (see forking.py)
    # Without a network a container's own host name may not resolve; loopback is always there.
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    return _all_reduce(torch, "gloo", store, rank, _RANKS, "cpu")


def _forked_rank(torch: Any, store: str, rank: int) -> Callable[[], Any]:
    return lambda: gloo_rank(torch, store, rank)


def _fresh_rank(torch: Any, store: str, rank: int) -> List[str]:
    package = __name__.rpartition(".")[0]
    # As in the worker, the folder that this runs in is not searched: a file of the user's there may have a module's name.
    source = "import sys; sys.path[:1] = [sys.argv[1]] + list(filter(None, sys.path[:1])); from {} import collectives; {}".format(
        package, "import torch; sys.stdout.write('\\n=%s' % collectives.gloo_rank(torch, sys.argv[2], int(sys.argv[3])))"
    )
    return [sys.executable, "-c", source, os.path.abspath(sys.argv[0]), store, str(rank)]


def _all_reduce(torch: Any, backend: str, store: str, rank: int, ranks: int, device: str) -> Any:
    """The value that a tensor of rank + 1 has everywhere after the sum over all ranks; None where its places differ."""
    distributed = torch.distributed
    distributed.init_process_group(backend, init_method="file://" + store, rank=rank, world_size=ranks)
    try:
        tensor = torch.full((_LENGTH,), rank + 1.0).to(device)
        distributed.all_reduce(tensor)
        low, high = float(tensor.min().item()), float(tensor.max().item())
    finally:
        distributed.destroy_process_group()
    return low if low == high else None


def _between_gpus(torch: Any, count: int) -> Optional[str]:
    """What is wrong with a sum over all GPUs by NCCL itself, one process driving all; None when nothing is."""
    from torch.cuda import nccl as library

    tensors = [torch.full((_LENGTH,), index + 1.0).to("cuda:{}".format(index)) for index in range(count)]
    library.all_reduce(tensors)
    expected = count * (count + 1) / 2.0
    for index, tensor in enumerate(tensors):
        torch.cuda.synchronize(index)
        low, high = float(tensor.min().item()), float(tensor.max().item())
        if not low == high == expected:
            return "GPU {} got {} to {}, the sum over {} GPUs is {}".format(index, low, high, count, expected)
    return None
