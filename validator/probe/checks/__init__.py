"""The checks by name. The host's registry (``data/checks.yaml``) says in which order and under which deadlines they run."""

import importlib
from typing import Any, Callable

#: name: ``module.function`` of this package, imported when its turn comes, so that a short run does not read the long ones.
CHECKS = {
    "import": "imports.run",
    "device": "device.run",
    "versions": "versions.run",
    "kernels": "kernels.run",
    "train_fp32": "training.fp32",
    "train_amp_fp16": "training.amp_fp16",
    "train_amp_bf16": "training.amp_bf16",
    "model": "own_model.run",
    "amp_agreement": "agreement.run",
    "checkpoint": "repeat.checkpoint",
    "determinism": "repeat.determinism",
    "bf16": "bf16.run",
    "tf32": "tf32.run",
    "fp8": "fp8.run",
    "sdpa": "sdpa.run",
    "memory": "memory.run",
    "fork": "forking.run",
    "dataloader": "loading.run",
    "gloo": "collectives.gloo",
    "nccl": "collectives.nccl",
    "multi_gpu": "multi_gpu.run",
    "cuda_graphs": "cuda_graphs.run",
    "jit": "jit.run",
    "compile": "compiled.run",
    "amp_benefit": "benefit.run",
    "throughput": "throughput.run",
}


def find(name: str) -> Callable[[Any], Any]:
    """The function of a check. Raises KeyError for one that is not there."""
    module, _, function = CHECKS[name].partition(".")
    return getattr(importlib.import_module("." + module, __name__), function)
