"""A GPU that is not there: torch's CUDA, acted by the CPU, so that code written for a GPU runs where none is.

On PYTHONPATH of a worker it makes ``cuda`` another name of the CPU. What it says of the device comes from the environment:
MIRAGE_CAPABILITY (``9.0``), MIRAGE_GPUS (``1``). It shows that the code runs and that its verdicts follow; of real GPUs it
shows nothing, and its speed, memory and rounding are the CPU's. Only large products in half precision are made in float32: a CPU
without units for them takes minutes for what a GPU does in a millisecond.
"""

import os
import types

import torch
from torch.overrides import TorchFunctionMode

MEMORY = 1 << 30
CAPABILITY = tuple(int(number) for number in os.environ.get("MIRAGE_CAPABILITY", "9.0").split("."))
GPUS = int(os.environ.get("MIRAGE_GPUS", "1"))
HALVES = (torch.float16, torch.bfloat16)
LARGE = 1 << 20
main_process = os.getpid()


def place(value):
    if isinstance(value, str) and value.split(":")[0] == "cuda":
        return "cpu"
    if isinstance(value, torch.device) and value.type == "cuda":
        return torch.device("cpu")
    return value


class Mirage(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        given = kwargs or {}
        kwargs = {name: place(value) for name, value in given.items()}
        if function is not torch.device and any(place(each) is not each for each in [*args, *given.values()]):
            if os.getpid() != main_process:
                raise RuntimeError("Cannot re-initialize CUDA in forked subprocess.")
            size = args[0] if args and isinstance(args[0], int) else 0
            if size > MEMORY:
                raise RuntimeError("CUDA out of memory. Tried to allocate more than there is")
        args = tuple(place(each) for each in args)
        kwargs.pop("pin_memory", None)
        if function is torch.Tensor.matmul and args[0].dtype in HALVES and args[0].numel() > LARGE:
            return function(args[0].float(), args[1].float()).to(args[0].dtype)
        return function(*args, **kwargs)


class Graph:
    """Records nothing, so a replay does nothing."""

    def replay(self):
        pass


class Nothing:
    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def wait_stream(self, _):
        pass


properties = types.SimpleNamespace(
    name="Mirage", major=CAPABILITY[0], minor=CAPABILITY[1], total_memory=MEMORY, multi_processor_count=2
)
cuda = torch.cuda
cuda.is_available = lambda: True
cuda.device_count = lambda: GPUS
cuda.get_device_properties = lambda _: properties
cuda.get_device_capability = lambda _=0: CAPABILITY
cuda.get_device_name = lambda _=0: "Mirage"
cuda.can_device_access_peer = lambda *_: False
cuda.mem_get_info = lambda: (MEMORY // 8, MEMORY)
cuda.synchronize = cuda.empty_cache = lambda *_: None
cuda.Stream = cuda.stream = cuda.graph = Nothing
cuda.current_stream = Nothing
cuda.CUDAGraph = Graph
cuda.jiterator._create_jit_fn = lambda text: lambda values: values * values + 1
cuda.nccl.all_reduce = lambda tensors: [tensor.fill_(sum(range(1, len(tensors) + 1))) for tensor in tensors]
torch.distributed.is_nccl_available = lambda: True
initialise = torch.distributed.init_process_group
torch.distributed.init_process_group = lambda backend, **options: initialise("gloo", **options)
Mirage().__enter__()
