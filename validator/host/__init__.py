"""This machine: its GPUs through NVML, its driver, its system; and which of its GPUs a target means."""

from validator.host import nvml
from validator.host.gpus import NO_GPU_HERE, first_usable, gpu_for, lane_name, lanes_for, together, usable_gpu
from validator.host.machine import NOT_ASKED, read_host, toolkit
from validator.host.stack import StackFinding, StackState, stack_findings

__all__ = [
    "NOT_ASKED",
    "NO_GPU_HERE",
    "StackFinding",
    "StackState",
    "first_usable",
    "gpu_for",
    "lane_name",
    "lanes_for",
    "nvml",
    "read_host",
    "stack_findings",
    "together",
    "toolkit",
    "usable_gpu",
]
